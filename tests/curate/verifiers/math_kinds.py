r"""Answers by kind, in classes: within a class all mean the same, across the classes of a kind all differ.

Written before the comparison was tuned, and never from a recorded row. `BROAD` holds ways of writing that are a
matter of taste or of a weaker reading: there only the wrong verdicts are counted strictly.
"""

from itertools import combinations, product

KINDS: dict[str, list[list[str]]] = {
    "integer": [
        ["57", "057", "57.", "{57}", "$57$", r"\(57\)", "57.0", "+57", r"\mathbf{57}", "(57)", "57,", r"\text{57}"],
        ["58", "58.00", r"\boxed{58}", " 58 "],
        ["-57", "\u221257", "- 57", r"-\,57", "(-57)", "-57.0", "\u201357"],
        ["570"],
        ["75"],
    ],
    "thousands": [
        ["2500000", "2,500,000", r"2{,}500{,}000", r"2\,500\,000", r"2,\!500,\!000", r"2.5\times 10^6", "2 500 000"],
        ["250000", "250,000", r"250\,000", r"2.5 \cdot 10^{5}"],
        ["2500001", "2,500,001"],
        ["-2500000", "-2,500,000"],
    ],
    "decimal": [
        ["0.375", ".375", "0.3750", r"\frac{3}{8}", "3/8", r"\frac38", "375/1000", r"3\cdot 2^{-3}"],
        ["0.38"],
        ["-0.375", r"-\frac{3}{8}", r"\frac{-3}{8}", r"\frac{3}{-8}"],
        ["3.75"],
        ["0.0375"],
    ],
    "fraction": [
        [r"\frac{11}{4}", r"\dfrac{11}{4}", r"\tfrac{22}{8}", "11/4", r"{11 \over 4}", r"\frac{11}4", "2.75"],
        [r"\frac{4}{11}", "4/11", r"\cfrac{4}{11}", r"\frac4{11}", r"\left(\frac{11}{4}\right)^{-1}"],
        [r"\frac{11}{4}+1", r"\frac{15}{4}", "15/4"],
        [r"\frac{11}{14}"],
    ],
    "mixed": [
        [r"5\frac{2}{3}", r"5 \frac{2}{3}", "5 2/3", r"\frac{17}{3}", "17/3", r"5\tfrac23", r"5+\frac{2}{3}"],
        [r"\frac{10}{3}", "10/3", r"3\frac13"],
        [r"-5\frac{2}{3}", r"-\frac{17}{3}", "-5 2/3"],
        [r"2\frac{5}{3}\cdot\frac{1}{1}+100", r"\frac{310}{3}"],
    ],
    "unit": [
        ["7", r"7\text{ cm}", "7 cm", r"7~\mathrm{cm}", r"7\,\text{cm}", r"7\mbox{ cm}", r"7\ \textrm{cm}"],
        ["70", r"70\text{ cm}"],
        ["8", r"8\text{ cm}", "8 centimeters"],
    ],
    "unit-squared": [
        ["30", r"30\text{ m}^2", r"30\text{ m}^{2}", r"30\,\mathrm{m^2}", "30 square meters", r"30\text{ sq m}"],
        ["900", r"900\text{ m}^2"],
    ],
    "unit-scale": [
        [r"2\text{ m}", r"200\text{ cm}", "2 meters", "200 centimeters", r"2000\text{ mm}"],
        [r"2\text{ cm}", "2 centimetres", r"20\text{ mm}"],
        [r"3\text{ km}", r"3000\text{ m}"],
    ],
    "unit-time": [
        [r"90\text{ minutes}", "90 min", r"1.5\text{ hours}", "1.5 hrs"],
        [r"90\text{ seconds}", "90 s", r"1.5 \text{ minutes}"],
        [r"2\text{ days}", "48 hours"],
    ],
    "unit-per": [
        [r"60\text{ mph}", "60 miles per hour", r"60 \text{ miles/hour}"],
        [r"60\text{ km/h}", "60 kilometers per hour", r"60\ \frac{\text{km}}{\text{h}}"],
    ],
    "currency": [
        [r"\$45", "$45$ dollars", "45 dollars", r"45\text{ dollars}", r"\$45.00", "45", r"\text{\$45}", "45 USD"],
        [r"\$450"],
        [r"\$4.50", r"4.50\text{ dollars}", r"450\text{ cents}"],
        [r"\$1,250", "1250", "1,250 dollars", r"\$1250.00", r"\$1{,}250"],
    ],
    "degree": [
        [r"36^\circ", r"36^{\circ}", "36", "36°", "36 degrees", r"36\text{ degrees}", r"36\,^\circ", r"36\degree"],
        [r"360^\circ", "360"],
        [r"37^\circ", "37"],
    ],
    "percent": [
        [r"35\%", "35%", r"35\text{ percent}", "35 percent", r"35\text{\%}"],
        [r"65\%", "65 percent"],
        [r"350\%"],
        [r"3.5\%"],
    ],
    "surd": [
        [r"3\sqrt{5}", r"\sqrt{45}", r"3\cdot\sqrt{5}", "3√5", r"\sqrt{5}\cdot 3", "3*sqrt(5)", r"\frac{15}{\sqrt{5}}"],
        [r"5\sqrt{3}", r"\sqrt{75}"],
        [r"-3\sqrt{5}", r"-\sqrt{45}"],
        [r"\sqrt{5}"],
        [r"3\sqrt[3]{5}", r"\sqrt[3]{135}", r"3\cdot 5^{1/3}"],
        ["6.70"],
    ],
    "nested-surd": [
        [r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", r"\sqrt2+1", r"\frac{1}{\sqrt{2}-1}"],
        [r"\sqrt{3-2\sqrt{2}}", r"\sqrt{2}-1"],
        [r"1-\sqrt{2}"],
    ],
    "pi": [
        [
            r"\frac{3\pi}{4}",
            "3π/4",
            r"0.75\pi",
            r"\frac{3}{4}\pi",
            "3pi/4",
            "3*pi/4",
            r"\pi\cdot\frac{3}{4}",
            r"3\pi/4",
        ],
        [r"\frac{4\pi}{3}", "4π/3", r"\frac43\pi"],
        [r"\frac{4}{3\pi}"],
        [r"\frac{3}{4}", "0.75"],
        ["2.4"],
    ],
    "log": [
        [r"\ln 12", r"\ln(12)", r"\log_e 12", r"\ln 3+\ln 4", r"2\ln 2+\ln 3", r"\ln{12}"],
        [r"\ln 7", r"\ln(7)"],
        [r"\log_2 12", r"2+\log_2 3", r"\frac{\ln 12}{\ln 2}"],
        ["12"],
        ["2.5"],
    ],
    "power": [
        ["3^{12}", "531441", "9^6", "531,441", "3^12", "3**12", r"27^4"],
        ["3^{11}", "177147"],
        ["12^3", "1728"],
        [r"3^{-12}", r"\frac{1}{531441}"],
    ],
    "complex": [
        ["2-5i", "-5i+2", "-i(5+2i)", "2 - 5 i", r"2-5\mathrm{i}"],
        ["2+5i", r"\overline{2-5i}"],
        ["5-2i"],
        ["-2-5i"],
        ["2"],
    ],
    "factorial": [
        ["720", "6!", r"\frac{7!}{7}", "3!5!", r"\binom{10}{3}\cdot 6"],
        ["5040", "7!"],
        [r"\binom{8}{3}", "56", r"\dbinom{8}{5}", r"{8 \choose 3}", r"\frac{8!}{3!5!}"],
        ["8^3"],
    ],
    "expression": [
        ["x^2-5x+6", "(x-2)(x-3)", "6-5x+x^2", "x^{2} - 5 x + 6", "x(x-5)+6", "(x-2)*(x-3)", r"(x-2)\cdot(x-3)"],
        ["x^2+5x+6", "(x+2)(x+3)"],
        ["x^2-5x-6"],
        ["(x-2)(x-3)^2"],
        ["y^2-5y+6"],
        ["6"],
    ],
    "rational-expression": [
        [r"\frac{x+3}{5}", r"\frac{x}{5}+\frac{3}{5}", "(x+3)/5", r"\frac{1}{5}(x+3)", "0.2x+0.6"],
        [r"\frac{x-3}{5}"],
        [r"\frac{5}{x+3}", "5/(x+3)"],
        [r"\frac{x^2-9}{x-2}"],
    ],
    "trig-expression": [
        [r"\sin 2\theta", r"2\sin\theta\cos\theta", r"\sin(2\theta)"],
        [r"\cos 2\theta", r"1-2\sin^2\theta", r"\cos^2 \theta-\sin^2 \theta", r"2\cos^2(\theta)-1"],
        [r"\sin^2\theta"],
        [r"2\sin\theta"],
    ],
    "trig-value": [
        [r"\frac{1}{2}", r"\sin 30^\circ", r"\cos\frac{\pi}{3}", r"\sin(\pi/6)", r"\cos 60^{\circ}"],
        [r"\frac{\sqrt{3}}{2}", r"\cos 30^\circ", r"\sin\left(\frac{\pi}{3}\right)"],
        [r"\tan 30^\circ", r"\frac{1}{\sqrt{3}}", r"\frac{\sqrt{3}}{3}"],
    ],
    "exponential": [
        ["e^{2x}", r"(e^x)^2", r"\exp(2x)", "e^{x}e^{x}"],
        ["e^{x^2}", r"\exp(x^2)"],
        ["2e^x"],
    ],
    "sequence": [
        [r"\frac{n(n-1)}{2}", r"\frac{n^2-n}{2}", r"\binom{n}{2}", "n(n-1)/2"],
        [r"\frac{n(n+1)}{2}", r"\binom{n+1}{2}"],
        ["2^n-1", "2^{n}-1", r"2\cdot 2^{n-1}-1"],
        ["2^{n-1}"],
        ["2^n+1"],
    ],
    "sign-power": [[r"(-1)^n", r"(-1)^{n+2}", r"\cos(n\pi)"], [r"(-1)^{n+1}", r"-(-1)^n"], ["1"]],
    "absolute": [["|x-3|", "|3-x|", r"\lvert x-3\rvert", r"\left|x-3\right|"], ["x-3"], ["3-x"]],
    "floor": [[r"\lfloor 7.9\rfloor", "7"], [r"\lceil 7.1\rceil", "8", r"\left\lceil 7.1\right\rceil"]],
    "tuple": [
        ["(3,-4)", "(3, -4)", r"\left(3,-4\right)", "(3.0,-4.0)", r"\big(3,-4\big)", r"(\frac{6}{2},-4)", "$(3,-4)$"],
        ["(-4,3)"],
        ["(3,4)", r"\left( 3 , 4 \right)"],
        ["(3,-4,0)", r"\left(3,-4,0\right)"],
        ["3"],
    ],
    "assigned-tuple": [
        ["(2,7)", "(x,y)=(2,7)", r"x=2, y=7", r"x=2\text{ and }y=7", r"(x, y) = \left(2, 7\right)"],
        ["(7,2)", "(x,y)=(7,2)", "x=7, y=2"],
    ],
    "set": [
        [
            r"\{2,5,9\}",
            r"\{9,5,2\}",
            r"\left\{2, 5, 9\right\}",
            r"\lbrace 2,5,9\rbrace",
            "2,5,9",
            r"\{2, 5, \frac{18}{2}\}",
        ],
        [r"\{2,5\}", "5,2", r"\{5, 2\}"],
        [r"\{2,5,9,10\}"],
        [r"\{-2,5,9\}"],
    ],
    "list": [
        [
            "-3, 8",
            "8, -3",
            "-3,8",
            r"-3\text{ and }8",
            r"8 \text{ or } -3",
            "x=-3,8",
            r"x=-3\text{ or }x=8",
            "-3 and 8",
        ],
        ["3, 8"],
        ["8"],
        ["-3"],
        ["-3, 8, 1"],
    ],
    "plus-minus": [
        [r"\pm 3", "3,-3", "-3, 3", r"x=\pm 3", r"\{3,-3\}", "±3", r"3 \text{ or } -3"],
        ["3"],
        ["-3"],
        ["9"],
        [r"\pm 9"],
    ],
    "roots": [
        [r"2\pm\sqrt{3}", r"2+\sqrt{3}, 2-\sqrt{3}", r"\{2-\sqrt{3},2+\sqrt{3}\}", r"\frac{4\pm\sqrt{12}}{2}"],
        [r"2+\sqrt{3}"],
        [r"3\pm\sqrt{2}"],
        [r"-2\pm\sqrt{3}"],
    ],
    "interval": [
        ["[-1,4)", "[-1, 4)", r"\left[-1,4\right)", r"-1\le x<4", r"x\in[-1,4)", r"[-1,\frac{8}{2})", "[-1,4["],
        ["(-1,4)", "-1<x<4", r"\left( -1, 4 \right)", "]-1,4["],
        ["(-1,4]", r"-1 < x \leq 4"],
        ["[-1,4]", r"-1 \leqslant x \leqslant 4"],
        ["[-1,5)"],
        ["[1,4)"],
    ],
    "ray": [
        [r"(-\infty,7]", r"x\le 7", r"7\ge x", r"(-\infty, 7]", r"x\leqslant 7", r"\left(-\infty,7\right]", "x<=7"],
        [r"(-\infty,7)", "x<7"],
        [r"[7,\infty)", r"x\ge 7", r"[7,+\infty)"],
        [r"(7,\infty)", "x>7", "7<x"],
    ],
    "union": [
        [
            r"(-\infty,-2)\cup(3,\infty)",
            r"(3,\infty)\cup(-\infty,-2)",
            r"x<-2\text{ or }x>3",
            r"x \in (-\infty,-2) \cup (3,+\infty)",
        ],
        [r"(-2,3)", "-2<x<3"],
        [r"(-\infty,-2]\cup[3,\infty)", r"x\le -2 \text{ or } x\ge 3"],
        [r"(-\infty,3)\cup(-2,\infty)", r"\mathbb{R}", r"(-\infty,\infty)"],
    ],
    "punctured": [
        [r"(-\infty,2)\cup(2,\infty)", r"\mathbb{R}\setminus\{2\}", r"x\neq 2", r"x \ne 2"],
        [r"(-\infty,2)"],
        [r"\mathbb{R}\setminus\{3\}"],
    ],
    "inequality": [["2x+3y<6", "6>2x+3y", "4x+6y<12"], [r"2x+3y\le 6"], ["2x+3y>6"], ["2x-3y<6"]],
    "assignment": [
        ["13", "x=13", "n = 13", "13=x", "f(2)=13", "x = 13.", r"\angle A=13^\circ", "S_{10}=13", "AB=13"],
        ["-13", "x=-13"],
        ["31", "x=31"],
    ],
    "equation": [
        ["y=3x-7", "y = 3x - 7", "y=-7+3x", "3x-y-7=0", "y+7=3x", "3x-7=y", "6x-2y=14"],
        ["y=3x+7", "3x-y+7=0"],
        ["y=-7x+3"],
        ["x=3y-7"],
    ],
    "conic": [
        ["x^2+y^2=25", "y^2+x^2=25", "x^2+y^2-25=0", r"\frac{x^2}{25}+\frac{y^2}{25}=1"],
        ["x^2+y^2=5"],
        ["x^2-y^2=25"],
        ["x^2+y^2=625"],
    ],
    "function": [["f(x)=2x+1", "2x+1", "y=2x+1", "f(x) = 1+2x"], ["f(x)=2x-1", "2x-1"]],
    "matrix": [
        [
            r"\begin{pmatrix}2&0\\-1&5\end{pmatrix}",
            r"\begin{bmatrix} 2 & 0 \\ -1 & 5 \end{bmatrix}",
            r"\left(\begin{array}{cc}2&0\\-1&5\end{array}\right)",
            r"\left[\begin{matrix}2&0\\-1&5\\\end{matrix}\right]",
            r"\begin{pmatrix} 4/2 & 0 \\ -1 & 5.0 \end{pmatrix}",
        ],
        [r"\begin{pmatrix}2&-1\\0&5\end{pmatrix}"],
        [r"\begin{pmatrix}2&0\\1&5\end{pmatrix}"],
        [r"\begin{pmatrix}2&0&-1&5\end{pmatrix}"],
        ["10"],
    ],
    "vector": [
        [
            r"\begin{pmatrix}4\\-1\\2\end{pmatrix}",
            r"\begin{bmatrix}4\\-1\\2\end{bmatrix}",
            r"\begin{pmatrix} 4 \\ -1 \\ \frac{4}{2} \end{pmatrix}",
        ],
        [r"\begin{pmatrix}4\\1\\2\end{pmatrix}"],
        [r"\begin{pmatrix}4\\-1\end{pmatrix}"],
    ],
    "text": [
        [r"\text{Tuesday}", "Tuesday", "tuesday", r"\textbf{Tuesday}", r"\mathrm{Tuesday}", r"\text{ Tuesday. }"],
        [r"\text{Friday}", "friday"],
    ],
    "parity": [
        [r"\text{odd}", "odd", "Odd", r"\text{an odd function}"],
        [r"\text{even}", "even"],
        [r"\text{neither}", "neither"],
    ],
    "yes-no": [[r"\text{No}", "no", "No.", "NO"], [r"\text{Yes}", "yes", "Yes."]],
    "truth-value": [[r"\text{True}", "true", "TRUE"], [r"\text{False}", "false"]],
    "letter": [
        ["D", r"\text{D}", "(D)", r"\textbf{(D)}", "D.", r"\mathrm{(D)}", "D)", r"\textbf{D}", r"\text{(D)}"],
        ["C", "(C)", r"\textbf{(C)}"],
        ["A", "(A)"],
    ],
    "letter-with-text": [[r"\text{(D)}", "D) 17", r"\textbf{(D) } 17", "(D) 17", "D: 17"], [r"\text{(B)}", "(B) 15"]],
    "base": [
        ["3204_5", "3204_{5}", r"3204_{\text{5}}"],
        ["3204_6", "3204_{6}"],
        ["3024_5"],
        [r"\text{1A7}_{16}", "1A7_{16}"],
    ],
    "ratio": [["5:3", "5 : 3", r"5\colon 3", "10:6"], ["3:5"], ["5:4"]],
    "time-of-day": [
        [r"4\text{:}45\text{ p.m.}", "4:45 p.m.", "4:45 PM", "4:45 pm", r"4:45\text{ PM}"],
        ["4:54 p.m."],
        ["4:45 a.m."],
    ],
    "date": [["March 14", r"\text{March 14}", "march 14", "March 14th", "14 March"], ["March 15"], ["May 14"]],
    "scientific": [
        [
            r"4.5\times 10^{-7}",
            "4.5e-7",
            r"4.5 \cdot 10^{-7}",
            r"45\times 10^{-8}",
            "0.00000045",
            r"4.5 × 10^{-7}",
            r"4.5*10^{-7}",
        ],
        [r"4.5\times 10^{7}", "45000000", "4.5e7", "45,000,000"],
        [r"5.4\times 10^{-7}"],
    ],
    "recurring": [
        [r"\frac{5}{11}", r"0.\overline{45}", r"0.4\overline{54}", r"0.\bar{45}"],
        ["0.45"],
        [r"\frac{4}{11}"],
    ],
    "approximate": [
        [r"\frac{\sqrt{2}}{3}", r"\frac{\sqrt{2}}{3}\approx 0.4714", r"x = \frac{\sqrt{2}}{3} \approx 0.47"],
        [r"\frac{\sqrt{3}}{2}"],
        ["0.47"],
    ],
    "infinity": [[r"\infty", r"+\infty", "∞"], [r"-\infty", r"-∞"], ["0"]],
    "empty": [[r"\emptyset", r"\varnothing", r"\{\}", r"\{ \}", "∅"], [r"\{0\}"]],
    "invisible": [["91", "91\u200b", "\ufeff91", "9\u200d1", "9\u20601", "\u00a091"], ["19"]],
    "unicode": [["4π√3", r"4\pi\sqrt{3}", r"4\sqrt{3}\pi"], ["x²+1", "x^2+1"], ["½", r"\frac12"], ["x³+1", "x^3+1"]],
    "big": [["5^{400}", "25^{200}", "625^{100}"], ["5^{401}"], ["5^{400}+1"]],
    "chain": [["15", "3+5+7=15", r"x=3\cdot 5=15", "15 = 15"], ["16", "x=16"]],
    "wrapped": [
        ["x+1", r"\displaystyle x+1", r"\left(x+1\right)", r"\text{ }x+1", r"{x+1}", r"\bigl(x+1\bigr)"],
        ["x-1"],
    ],
    "no-solution": [[r"\text{no solution}", "no solution", "No solutions", "no real solutions"], ["0"], ["1"]],
    "choose": [["C(10,3)", "120", r"\binom{10}{3}", r"{}_{10}C_{3}", "10C3"], ["C(10,4)", "210"]],
    "base-spelt": [["2031_7", "(2031)_7", r"2031_{\text{seven}}", r"2031_{(7)}"], ["2031_8"], ["2301_7"]],
    "ratio-spelt": [["7:2", r"7\text{ to }2", "7 to 2", r"\frac{7}{2}"], ["2:7"]],
    "period": [["0.(3)", r"\frac13", "0.333...", r"0.\dot{3}"], [r"\frac16", "0.1666...", "0.1(6)"], ["0.3"], ["0.33"]],
    "rows": [["[[1,2],[3,4]]", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"], ["[[1,3],[2,4]]"]],
    "letter-spelt": [["B", "Option B", "choice B", "Answer: B", r"\text{Option B}"], ["C", "Option C"]],
    "times-ten": [["3.1x10^5", r"3.1\times10^5", "310000", "3.1 X 10^{5}"], ["3.1x10^4"]],
    "doubled": [[r"\\frac{3}{4}", r"\frac{3}{4}"], [r"\\frac{4}{3}"]],
    "spelt": [["seven", "7", "Seven"], ["twenty-five", "25", "twenty five"], ["six", "6"]],
    "pairs": [
        ["(1,5),(2,6)", "(2,6),(1,5)", r"(1,5)\text{ and }(2,6)", r"\{(1,5),(2,6)\}"],
        ["(1,6),(2,5)"],
        ["(1,5)"],
    ],
    "vector-tuple": [[r"\begin{pmatrix}1\\-4\end{pmatrix}", r"\langle 1,-4\rangle", "(1,-4)"], ["(1,4)"]],
    "symbols": [["a^2b", r"ba^2", "a^{2} b"], ["ab^2"], ["a^2+b"]],
    "half-power": [["x^{1/2}", r"\sqrt{x}", "x^{0.5}", r"\sqrt x"], ["x^{3/2}", r"x\sqrt{x}"], ["x^{-1/2}"]],
    "inverse-trig": [
        [r"\arctan 2", r"\tan^{-1} 2", r"\tan^{-1}(2)"],
        [r"\arctan\frac12"],
        [r"\arcsin\frac{1}{2}", r"\frac{\pi}{6}"],
    ],
    "subscripts": [["a_1+a_2", "a_2+a_1", "a_{1}+a_{2}"], ["a_1-a_2"], ["a_1a_2"], ["2a_1"]],
    "greek": [[r"\alpha+\beta", r"\beta+\alpha", "α+β"], [r"\alpha-\beta"], [r"\alpha\beta"]],
}

# A number that rounding, or a weaker notation, brings near to another: right is debatable, wrong is not.
NEVER_EQUAL = [
    ("1", "1,-2"), ("9", "6+9i"), ("2516_7", "2516_8"), ("2^{2016}+1", "2^{2016}-1"), ("(1,2]", "[1,2)"),
    ("1000001", "1,000,000"), ("3*x-1*y+13=0", "0"), ("42", "-42"), ("0.33", r"\frac{1}{3}+1"), ("x", "2x"),
    (r"\sqrt{2}", "1.4"), (r"\sqrt{2}", "2"), ("5", r"5\sqrt{5}"), ("5!", "5"), ("100", "1"), (r"\frac{1}{2}", "1"),
    ("3", r"\{3,4\}"), ("(0,0)", "0"), (r"\text{odd}", "1"), ("17", "1"), ("17", "7"), ("12", "1,2"), ("x+1", "x"),
    (r"\pi", "3"), (r"\pi", "3.14"), ("e", "2.7"), ("2", "2x"), ("-x", "x"), ("x^2", "x^3"), (r"\frac{x}{2}", "x"),
    ("10", "10^{10}"), ("x=2,y=3", "x=3,y=2"), (r"10^{-3}", r"10^{3}"), ("6.02e23", "6.02e22"), ("7:00", "7:30"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\1\end{pmatrix}"), ("1/3", "0.3"), ("2/3", "0.67"),
    ("x>3", "x<3"), (r"x\ge 3", "x>3"), (r"\{1,2\}", r"\{1,2,2,3\}"), ("(1,2),(3,4)", "(1,2),(4,3)"),
    (r"\sin x", r"\cos x"), (r"\sqrt{x}", "x"), (r"\ln 2", r"\ln 20"), ("A", "B"), ("AB", "BC"), ("i", "-i"),
]  # fmt: skip


def equal_pairs() -> list[tuple[str, str, str]]:
    """(kind, one, other) of the same class, both ways round."""
    return [(kind, a, b) for kind, classes in KINDS.items() for one in classes for a, b in product(one, one) if a != b]


def different_pairs() -> list[tuple[str, str, str]]:
    """(kind, one, other) of two classes of one kind, both ways round."""
    return [
        (kind, a, b)
        for kind, classes in KINDS.items()
        for one, other in combinations(classes, 2)
        for left, right in ((one, other), (other, one))
        for a, b in product(left, right)
    ] + [("never", a, b) for left, right in NEVER_EQUAL for a, b in ((left, right), (right, left))]
