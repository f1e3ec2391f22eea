"""Answers written by hand, kind by kind: a reference, and below it what means the same (`=`) and what does not (`!`).

Written apart from the code that compares, in the notations of contests and textbooks, with differences as small as they
come: a sign, a bracket, an order, a unit, a letter. `TEXTS` are whole solutions, with whether they are right.
"""

from typing import NamedTuple


class Pair(NamedTuple):
    """A reference, an answer, and whether they are the same."""

    kind: str
    gold: str
    answer: str
    same: bool


def pairs() -> list[Pair]:
    """Every pair of the table, in its order."""
    found: list[Pair] = []
    kind = gold = ""
    for line in _TABLE.strip("\n").split("\n"):
        if line.startswith("# "):
            kind = line[2:]
        elif line.startswith(("  = ", "  ! ")):
            found.extend(Pair(kind, gold, answer, line[2] == "=") for answer in line[4:].split(" ¦ "))
        else:
            gold = line
    return found


TEXTS = [
    ("18", "We add. The final answer is 18.", True),
    ("18", "The final answer is $18$. I hope it is correct.", True),
    ("18", "So 3*6=18\n#### 18", True),
    ("18", "#### 81", False),
    ("18", "#### 18\n", True),
    ("18", "**Final Answer:** 18", True),
    ("18", "**Answer: 18**", True),
    ("18", "The answer is: \\(18\\).", True),
    ("18", "Answer: $\\boxed{18}$", True),
    ("18", "\\boxed{17} is wrong, so \\boxed{18}.", True),
    ("17", "\\boxed{17} is wrong, so \\boxed{18}.", False),
    ("18", "First \\boxed{3}. Later we get $$\\boxed{18}$$ as wanted.", True),
    ("3", "First \\boxed{3}. Later we get $$\\boxed{18}$$ as wanted.", False),
    ("18", "<think>maybe \\boxed{18}</think>It is \\boxed{17}.", False),
    ("18", "<think>\\boxed{18}", False),
    ("1,2", "Thus $x=\\boxed{1}$ or $x=\\boxed{2}$.", True),
    ("\\frac{1}{2}", "Hence $\\boxed{\\dfrac{1}{2}}$.", True),
    ("12", "The answer is 12 because 3*4=12.", True),
    ("12", "The answer is 3*4 = 12", True),
    ("12", "The answer is **12**", True),
    ("B", "The correct answer is (B).", True),
    ("B", "The answer is C", False),
    ("5", "x = 5", True),
    ("5", "So he has 5 left.", True),
    ("5", "So he has 6 left.", False),
    ("\\$5", "The answer is \\$5.", True),
    ("5", "The answer is $5.", True),
    ("5.50", "The answer is $5.50 per day.", True),
    ("1,200", "The answer is 1,200.", True),
    ("(1,2)", "The final answer is: $(1, 2)$", True),
    ("(1,2)", "The final answer is $(2,1)$.", False),
    ("7", "$\\boxed{x = 7}$", True),
    ("7", "\\[\\boxed{7}\\]", True),
    ("7", "\\boxed{ 7 }.", True),
    ("7", "\\fbox{7}", True),
    ("7", "\\boxed 7", True),
    ("-7", "The answer is −7.", True),
    ("7", "The answer is -7.", False),
    ("7", "\\boxed{7} \\boxed{}", True),
    ("7", "Answer: 7\n\nExplanation: 3+4", True),
    ("3/4", "The answer is 3/4.", True),
    ("3/4", "A: 3/4", True),
    ("0.75", "The answer is 0.75.", True),
    ("2.5", "The answer is 2.5. Done", True),
]

_TABLE = r"""
# integer
2024
  = 2024 ¦ 02024 ¦ +2024 ¦ 2024.0 ¦ $2024$ ¦ \(2024\) ¦ \[2024\] ¦ 2{,}024 ¦ 2,024 ¦ \mathbf{2024} ¦ **2024** ¦ 2024.
  = \text{2024} ¦ 2^3\cdot 11\cdot 23
  ! 2042 ¦ -2024 ¦ 2024.5 ¦ 20.24 ¦ 2025 ¦ 2,024,000 ¦ 2024^2 ¦ 20,24,0 ¦ 2 \cdot 11 \cdot 23
-17
  = −17 ¦ –17 ¦ -17.00 ¦ -(17) ¦ - 17 ¦ \text{negative } 17 ¦ \text{-}17 ¦ -\frac{34}{2}
  ! 17 ¦ +17 ¦ -1.7 ¦ -71 ¦ |{-17}|
0
  = 0.0 ¦ -0 ¦ 0\pi ¦ \frac{0}{7} ¦ \text{zero} ¦ 1-1 ¦ \sin \pi
  ! \emptyset ¦ 1 ¦ \frac{1}{10^9} ¦ -\infty ¦ 0.01
# thousands
1,234,567
  = 1234567 ¦ 1{,}234{,}567 ¦ 1\,234\,567 ¦ 1\ 234\ 567 ¦ 1 234 567 ¦ 1\;234\;567 ¦ 1,\!234,\!567
  = 1.234567\times 10^6 ¦ 1{\,}234{\,}567
  ! 1,234 ¦ 1,234,576 ¦ 1.234567 ¦ 123,456,7 ¦ (1,234,567)+1 ¦ 12,345,678
50{,}400
  = 50400 ¦ 50,400 ¦ 50\,400 ¦ 5.04\times10^4 ¦ $\$50,400$ ¦ 50,400.00 ¦ \mbox{50,400}
  ! 5040 ¦ 504000 ¦ 50.400 ¦ 50, 401 ¦ 54,000
# decimal
0.125
  = .125 ¦ 1/8 ¦ \frac18 ¦ 2^{-3} ¦ 0.1250 ¦ 12.5\% ¦ 1.25 \times 10^{-1} ¦ \dfrac{1}{8} ¦ 1.25e-1
  ! 0.0125 ¦ 1.25 ¦ -0.125 ¦ \frac{1}{9} ¦ 8 ¦ 0.15
3.75
  = 3\frac34 ¦ 15/4 ¦ 3.750 ¦ 3+\frac{3}{4} ¦ \frac{15}{4}
  ! 37.5 ¦ 3.57 ¦ 3\cdot\frac{3}{4} ¦ 3.85 ¦ \frac{4}{15}
# fraction
\frac{17}{50}
  = 17/50 ¦ 0.34 ¦ \frac{34}{100} ¦ \tfrac{17}{50} ¦ \dfrac{17}{50} ¦ {17 \over 50} ¦ \frac{17}{50}. ¦ (17)/(50)
  = 17\div 50 ¦ \left(\frac{17}{50}\right) ¦ \frac{-17}{-50} ¦ 34\%
  ! \frac{50}{17} ¦ \frac{17}{5} ¦ -\frac{17}{50} ¦ 0.034 ¦ \frac{1}{7} ¦ \frac{17}{51} ¦ 0.35
\frac{m}{n}
  = m/n ¦ \dfrac{m}{n} ¦ m\cdot\frac{1}{n} ¦ \frac{2m}{2n} ¦ mn^{-1}
  ! \frac{n}{m} ¦ mn ¦ \frac{m}{n^2} ¦ \frac{m+1}{n+1} ¦ m-n
-\frac{5}{12}
  = \frac{-5}{12} ¦ \frac{5}{-12} ¦ -5/12 ¦ -\dfrac5{12} ¦ \frac{1}{3}-\frac{3}{4}
  ! \frac{5}{12} ¦ -\frac{12}{5} ¦ \frac{-5}{-12} ¦ -\frac{5}{2} ¦ -0.41
# nested fraction
\frac{1}{1+\frac{1}{2+\frac{1}{3}}}
  = \frac{7}{10} ¦ 0.7 ¦ \cfrac{1}{1+\cfrac{1}{2+\cfrac{1}{3}}} ¦ 7/10 ¦ \frac{1}{\frac{10}{7}}
  ! \frac{10}{7} ¦ \frac{7}{11} ¦ \frac{1}{1+\frac{1}{2+3}} ¦ 0.07
\frac{\frac{a}{b}}{c}
  = \frac{a}{bc} ¦ a/(bc) ¦ \frac{a}{b}\cdot\frac{1}{c}
  ! \frac{ac}{b} ¦ \frac{a}{\frac{b}{c}} ¦ \frac{ab}{c}
# mixed number
2\frac{3}{8}
  = \frac{19}{8} ¦ 2.375 ¦ 2 3/8 ¦ 2\,\frac{3}{8} ¦ 2+\frac38 ¦ 2\dfrac{3}{8} ¦ 2 \tfrac{3}{8} ¦ 19/8
  ! \frac{6}{8} ¦ \frac{3}{4} ¦ 2.38 ¦ \frac{23}{8} ¦ 3\frac{2}{8} ¦ -2\frac{3}{8}
-1\frac{1}{2}
  = -\frac{3}{2} ¦ -1.5 ¦ -3/2 ¦ -1 1/2
  ! -\frac{1}{2} ¦ 1\frac12 ¦ \frac32
# repeating decimal
\frac{5}{11}
  = 0.\overline{45} ¦ 0.(45) ¦ 0.454545\ldots ¦ 0.4\overline{54} ¦ .\overline{45}
  ! 0.45 ¦ 0.4\overline{5} ¦ 0.\overline{54} ¦ 0.\overline{5} ¦ 0.45\overline{0}
0.1\overline{6}
  = \frac{1}{6} ¦ 1/6 ¦ 0.1(6) ¦ 0.16666\ldots
  ! 0.16 ¦ \frac{16}{99} ¦ 0.\overline{16} ¦ \frac{1}{60}
# scientific
3.0 \times 10^{8}
  = 3\cdot10^8 ¦ 300,000,000 ¦ 3e8 ¦ 3E+8 ¦ 3 × 10^8 ¦ 3.00\times10^{8} ¦ 3 \times 10^{8} \text{ m/s} ¦ 3\cdot 10^{8}
  ! 3\times 10^{-8} ¦ 3\times 10^9 ¦ 30^8 ¦ 3\cdot 8 ¦ 3.1\times 10^8
1.6\times10^{-19}
  = 1.6 \cdot 10^{-19} ¦ 1.6e-19 ¦ 16\times 10^{-20} ¦ 0.16\times10^{-18}
  ! 1.6\times10^{19} ¦ 1.6\times 10^{-18} ¦ -1.6\times 10^{-19}
# percent
62.5\%
  = 62.5 \% ¦ \frac{5}{8} ¦ 0.625 ¦ 62.5\text{ percent} ¦ 62\frac{1}{2}\% ¦ 62.50%
  ! 6.25\% ¦ 37.5\% ¦ 0.0625 ¦ \frac{3}{8} ¦ 62\% ¦ -62.5\%
# unit
12\text{ cm}
  = 12 cm ¦ 12\,\mathrm{cm} ¦ 12 ¦ 12~\text{cm} ¦ 12\text{ centimeters} ¦ 0.12\text{ m} ¦ 120\text{ mm}
  = \frac{24}{2}\text{ cm}
  ! 12\text{ m} ¦ 12\text{ cm}^2 ¦ 12\text{ kg} ¦ 21\text{ cm} ¦ 1.2 \text{ cm} ¦ 12\text{ mm}
36\pi\text{ square inches}
  = 36\pi ¦ 36\pi\text{ in}^2 ¦ 36\pi \text{ sq in} ¦ 36\pi\ \mathrm{in}^2 ¦ 36π square inches
  ! 36\text{ square inches} ¦ 36\pi \text{ inches} ¦ 6\pi\text{ in}^2 ¦ 36\pi\text{ cubic inches} ¦ 113
72\text{ km/h}
  = 72 km/h ¦ 72\text{ kilometers per hour} ¦ 20\text{ m/s} ¦ 72\,\frac{\text{km}}{\text{h}} ¦ 72
  ! 72\text{ m/s} ¦ 27\text{ km/h} ¦ 7.2 \text{ km/h}
15\text{ minutes}
  = 15 minutes ¦ 15\text{ min} ¦ 15 ¦ \frac{1}{4}\text{ hour} ¦ 900\text{ seconds}
  ! 15\text{ hours} ¦ 15\text{ seconds} ¦ 51\text{ minutes} ¦ \frac{1}{2}\text{ hour}
24 \text{ apples}
  = 24 ¦ 24 apples ¦ 24\text{ apples.} ¦ \text{24 apples}
  ! 42 ¦ 25 apples ¦ 240
# currency
\$12.50
  = 12.50 ¦ 12.5 ¦ \$12.5 ¦ \$12\frac12 ¦ 12.50\text{ dollars} ¦ 12.50 USD ¦ $12.50 ¦ 1250\text{ cents}
  = \text{\$12.50}
  ! \$125 ¦ \$1.25 ¦ \$12.05 ¦ 12.50\text{ cents} ¦ 12 ¦ -\$12.50
\$2,400,000
  = 2400000 ¦ \$2.4 \text{ million} ¦ 2.4 million dollars ¦ \$2{,}400{,}000.00 ¦ 2.4\times 10^6
  ! \$2,400 ¦ \$24,000,000 ¦ 2.4 \text{ billion} ¦ 2,400,001
75\text{ cents}
  = 75 ¦ 75¢ ¦ \$0.75 ¦ 75 cents ¦ 0.75\text{ dollars}
  ! \$75 ¦ 57\text{ cents} ¦ 7.5 \text{ cents}
# degree
135^\circ
  = 135 ¦ 135^{\circ} ¦ 135° ¦ 135\text{ degrees} ¦ 135 degrees ¦ \frac{3\pi}{4} ¦ 135\degree
  ! 45^\circ ¦ 135\pi ¦ 1350 ¦ \frac{\pi}{4} ¦ -135^\circ ¦ 134
# radical
5\sqrt{2}
  = \sqrt{50} ¦ 5 \sqrt 2 ¦ \sqrt{2}\cdot 5 ¦ 5√2 ¦ 5\cdot 2^{1/2} ¦ \frac{10}{\sqrt{2}} ¦ 5sqrt(2) ¦ 5*sqrt(2)
  = \sqrt{25\cdot2} ¦ 5\sqrt{2}\text{ units}
  ! 2\sqrt{5} ¦ \sqrt{10} ¦ 5\sqrt{3} ¦ 7.07 ¦ 5\sqrt[3]{2} ¦ -5\sqrt{2} ¦ \sqrt{52} ¦ 5+\sqrt{2} ¦ \sqrt{5}\cdot 2
\sqrt[3]{4}
  = 4^{1/3} ¦ 2^{2/3} ¦ \sqrt[3]{4} ¦ \sqrt[6]{16} ¦ 4^{\frac{1}{3}}
  ! \sqrt{4} ¦ 3\sqrt{4} ¦ 4^3 ¦ \frac{4}{3} ¦ \sqrt[4]{3} ¦ 4^{3/2}
\sqrt{7+4\sqrt{3}}
  = 2+\sqrt{3} ¦ \sqrt 3+2 ¦ \frac{1}{2-\sqrt{3}}
  ! 2-\sqrt{3} ¦ \sqrt{7}+4\sqrt{3} ¦ 3+\sqrt{2} ¦ \sqrt{7-4\sqrt{3}}
\frac{1+\sqrt{5}}{2}
  = \frac12+\frac{\sqrt5}{2} ¦ (1+\sqrt{5})/2 ¦ \frac{2}{\sqrt{5}-1} ¦ 0.5+0.5\sqrt{5} ¦ 2\cos 36^\circ
  ! \frac{1-\sqrt{5}}{2} ¦ 1+\frac{\sqrt{5}}{2} ¦ \frac{\sqrt{5}-1}{2} ¦ 1.62 ¦ \frac{1+\sqrt{5}}{4}
\sqrt{2}+\sqrt{3}
  = \sqrt{3}+\sqrt{2} ¦ \sqrt{5+2\sqrt{6}} ¦ √2+√3
  ! \sqrt{5} ¦ \sqrt{2}-\sqrt{3} ¦ \sqrt{6} ¦ \sqrt{2+\sqrt{3}} ¦ 3.146
# pi
\frac{9\pi}{2}
  = 4.5\pi ¦ \frac92\pi ¦ 9π/2 ¦ 9\pi/2 ¦ \frac{9}{2}\cdot\pi ¦ \pi\cdot\frac{9}{2} ¦ 4\frac{1}{2}\pi ¦ 9pi/2
  ! \frac{2\pi}{9} ¦ \frac{9}{2} ¦ 9\pi^2 ¦ 14.1 ¦ \frac{9}{2\pi} ¦ \frac{9\pi}{4}
6\pi - 9\sqrt{3}
  = -9\sqrt3+6\pi ¦ 3(2\pi-3\sqrt{3}) ¦ 6\pi-9√3
  ! 6\pi+9\sqrt{3} ¦ 9\sqrt{3}-6\pi ¦ 6\pi-9 ¦ 3.26 ¦ 6\pi-3\sqrt{9}
# log
\log_2 5
  = \frac{\ln 5}{\ln 2} ¦ \log_{2}{5} ¦ \log_{2}(5) ¦ \log_4 25 ¦ \frac{\log 5}{\log 2} ¦ \frac{1}{\log_5 2}
  ! \log_5 2 ¦ \log 5 ¦ \ln 5 - \ln 2 ¦ 2.5 ¦ \log_2 6 ¦ \frac{5}{2} ¦ \log_{25} 5
\ln 12
  = 2\ln 2+\ln 3 ¦ \log_e 12 ¦ \ln(12) ¦ \ln 3 + \ln 4 ¦ \ln{12} ¦ \ln 24-\ln 2
  ! \ln 7 ¦ \ln 2+\ln 3 ¦ \ln 3\cdot\ln 4 ¦ \log_{10} 12 ¦ 12 ¦ \ln 3-\ln 4
# trig
\cos 20^\circ
  = \sin 70^\circ ¦ \cos(20^\circ) ¦ \cos\frac{\pi}{9} ¦ \cos{20^{\circ}} ¦ -\cos 160^\circ
  ! \sin 20^\circ ¦ \cos 40^\circ ¦ \cos 20 ¦ -\cos 20^\circ ¦ 0.94
\frac{\sqrt{6}+\sqrt{2}}{4}
  = \cos 15^\circ ¦ \sin 75^{\circ} ¦ \frac{\sqrt{2}(\sqrt{3}+1)}{4} ¦ \cos\left(\frac{\pi}{12}\right)
  = \frac{\sqrt{2+\sqrt{3}}}{2}
  ! \frac{\sqrt{6}-\sqrt{2}}{4} ¦ \sin 15^\circ ¦ \frac{\sqrt{8}}{4} ¦ \frac{\sqrt{6}+\sqrt{2}}{2}
\arctan 2
  = \tan^{-1} 2 ¦ \tan^{-1}(2) ¦ \arctan(2) ¦ \frac{\pi}{2}-\arctan\frac12
  ! \arctan\frac{1}{2} ¦ \tan 2 ¦ \arcsin 2 ¦ -\arctan 2 ¦ \frac{1}{\tan 2}
2\sin x\cos x
  = \sin 2x ¦ \sin(2x) ¦ 2\cos x\sin x ¦ \sin{2x} ¦ \frac{2\tan x}{1+\tan^2 x}
  ! \cos 2x ¦ 2\sin x ¦ \sin x\cos x ¦ 2\sin^2 x ¦ \sin x^2
# complex
-1+i\sqrt{3}
  = -1+\sqrt{3}i ¦ i\sqrt3-1 ¦ -1+\sqrt{3}\,i ¦ 2e^{2\pi i/3} ¦ -(1-i\sqrt{3}) ¦ -1+\mathrm{i}\sqrt{3}
  = 2(\cos 120^\circ+i\sin 120^\circ)
  ! -1-i\sqrt{3} ¦ 1+i\sqrt{3} ¦ -1+\sqrt{3} ¦ 2e^{\pi i/3} ¦ -i+\sqrt{3} ¦ -1+3i
\frac{3}{5}-\frac{4}{5}i
  = \frac{3-4i}{5} ¦ 0.6-0.8i ¦ \frac{5}{3+4i} ¦ \frac{3}{5} - \frac{4i}{5}
  ! \frac{3}{5}+\frac{4}{5}i ¦ \frac{4}{5}-\frac{3}{5}i ¦ \frac{3-4i}{25} ¦ -\frac{3}{5}
# infinity
\infty
  = +\infty ¦ ∞ ¦ \text{infinity} ¦ \infty. ¦ infinity
  ! -\infty ¦ 0 ¦ 1000000 ¦ \emptyset
# empty set
\emptyset
  = \varnothing ¦ \{\} ¦ ∅ ¦ \{ \} ¦ \text{empty set} ¦ \text{the empty set} ¦ x\in\emptyset
  ! \{\emptyset,1\} ¦ 0 ¦ \{0\} ¦ \mathbb{R}
# interval
(-\infty, 3]
  = \left(-\infty,3\right] ¦ (-∞,3] ¦ ]-\infty,3] ¦ x\in(-\infty,3] ¦ \left( -\infty , 3 \right] ¦ (-\infty,\, 3]
  = x \le 3
  ! (-\infty,3) ¦ [-3,\infty) ¦ [3,\infty) ¦ (-\infty,-3] ¦ (-3,3] ¦ (-\infty, 3]\cup\{4\} ¦ x<3 ¦ x\ge3
[1,2)
  = \left[1,2\right) ¦ [1, 2) ¦ [1,2[ ¦ [\frac{2}{2}, 2) ¦ x\in[1,2)
  ! (1,2] ¦ (1,2) ¦ [1,2] ¦ [1,3) ¦ [2,1) ¦ \{1,2\} ¦ [1,2
\left(-\frac{1}{2},\frac{\sqrt{5}}{2}\right]
  = (-0.5, \frac{\sqrt5}{2}] ¦ (-1/2,\sqrt{5}/2] ¦ \left(-\dfrac12, \dfrac{\sqrt5}2\right]
  ! [-\frac12,\frac{\sqrt5}{2}) ¦ (-\frac12,\frac{\sqrt5}{2}) ¦ (\frac12,\frac{\sqrt5}{2}] ¦ (-\frac12,\frac{5}{2}]
# union
(-\infty,-2)\cup(5,\infty)
  = (5,\infty)\cup(-\infty,-2) ¦ \left(-\infty,-2\right)\cup\left(5,\infty\right) ¦ (-∞,-2)∪(5,∞)
  = x<-2\text{ or }x>5 ¦ x\in(-\infty,-2)\cup(5,+\infty) ¦ \mathbb{R}\setminus[-2,5]
  ! (-\infty,-2) ¦ (5,\infty) ¦ (-\infty,-2]\cup[5,\infty) ¦ (-2,5) ¦ (-\infty,2)\cup(5,\infty)
  ! (-\infty,-2)\cup(5,6) ¦ (-\infty,-2)\cap(5,\infty) ¦ -2<x<5
[0,1)\cup(1,2]\cup\{7\}
  = \{7\}\cup[0,1)\cup(1,2] ¦ [0,1) \cup (1,2] \cup \{ 7 \} ¦ (1,2]\cup\{7\}\cup[0,1)
  ! [0,1)\cup(1,2] ¦ [0,2]\cup\{7\} ¦ [0,1)\cup(1,2]\cup\{8\} ¦ [0,1]\cup(1,2]\cup\{7\}
  ! [0,1)\cup(1,2]\cup(7,\infty)
(-\infty,0)\cup(0,\infty)
  = \mathbb{R}\setminus\{0\} ¦ x\neq 0 ¦ x \ne 0 ¦ (0,\infty)\cup(-\infty,0)
  ! \mathbb{R} ¦ (0,\infty) ¦ (-\infty,\infty) ¦ x\neq 1 ¦ (-\infty,0]\cup(0,\infty)
# reals
\mathbb{R}
  = (-\infty,\infty) ¦ ℝ ¦ \mathbf{R} ¦ x\in\mathbb{R} ¦ \text{all real numbers}
  ! \mathbb{Z} ¦ \mathbb{Q} ¦ (0,\infty) ¦ \mathbb{R}^2 ¦ \emptyset
# inequality
x>-\frac{3}{2}
  = -\frac32<x ¦ x > -1.5 ¦ x>-3/2 ¦ x\gt-\frac{3}{2} ¦ 2x>-3
  ! x<-\frac32 ¦ x\geq-\frac{3}{2} ¦ x>\frac{3}{2} ¦ x>-\frac{2}{3} ¦ x=-\frac32
-2\le x<7
  = -2\leq x<7 ¦ 7>x\ge-2 ¦ -2 ≤ x < 7 ¦ x\ge-2\text{ and }x<7
  ! -2<x<7 ¦ -2\le x\le7 ¦ 2\le x<7 ¦ -2\le x<8 ¦ -7\le x<2
a^2+b^2\ge 2ab
  = 2ab\le a^2+b^2 ¦ a^2+b^2 \geq 2ab ¦ a^2-2ab+b^2\ge0
  ! a^2+b^2\le2ab ¦ a^2+b^2>2ab ¦ a^2+b^2\ge ab ¦ a^2-b^2\ge 2ab
# set
\{-3, 0, 4\}
  = \{0,4,-3\} ¦ \{-3,0,4\} ¦ \left\{-3,0,4\right\} ¦ \lbrace 4, 0, -3\rbrace ¦ \{ -3 , 0 , 4 , 4 \} ¦ \{-3,0,2^2\}
  ! \{-3,0\} ¦ \{3,0,4\} ¦ \{-3,0,4,5\} ¦ \{-3,0,5\} ¦ \{-3,1,4\} ¦ \{\}
\{(1,2),(2,1)\}
  = \{(2,1),(1,2)\} ¦ (1,2),(2,1) ¦ (2,1)\text{ and }(1,2) ¦ \{ (1, 2), (2, 1) \}
  ! \{(1,2)\} ¦ \{(1,2),(1,2)\} ¦ \{(1,1),(2,2)\} ¦ (1,2,2,1) ¦ \{(1,2),(2,-1)\}
# tuple
(3,-1,4)
  = (3, -1, 4) ¦ \left(3,-1,4\right) ¦ \langle 3,-1,4\rangle ¦ (3,-1,\frac{8}{2}) ¦ \big(3,-1,4\big) ¦ x=3, y=-1, z=4
  = (x,y,z)=(3,-1,4)
  ! (-1,3,4) ¦ (3,1,4) ¦ (3,-1) ¦ (4,-1,3) ¦ (3,-1,4,0) ¦ (3,-1,4.1) ¦ 3
(2,\frac{5\pi}{6})
  = \left(2,\frac{5\pi}{6}\right) ¦ (2, 5\pi/6) ¦ \left( 2, \frac{5}{6}\pi \right)
  ! (2,\frac{\pi}{6}) ¦ (-2,\frac{5\pi}{6}) ¦ (\frac{5\pi}{6},2) ¦ (2,\frac{6\pi}{5})
# coordinates
(0,-4)
  = (0, -4) ¦ (x,y)=(0,-4) ¦ x=0,y=-4 ¦ \left(0,-4\right) ¦ P(0,-4) ¦ (0.0,-4.0)
  ! (-4,0) ¦ (0,4) ¦ (0,-4,0) ¦ -4 ¦ (4,0)
# matrix
\begin{pmatrix} 2 & -1 \\ 0 & 3 \end{pmatrix}
  = \begin{bmatrix}2&-1\\0&3\end{bmatrix} ¦ \left(\begin{array}{cc}2&-1\\0&3\end{array}\right)
  = \begin{pmatrix}2&-1\\ 0&3\\ \end{pmatrix} ¦ [[2,-1],[0,3]]
  = \left[\begin{matrix}2 & -1 \\ 0 & 3\end{matrix}\right] ¦ \begin{pmatrix}\frac{4}{2}&-1\\0&3\end{pmatrix}
  ! \begin{pmatrix}2&0\\-1&3\end{pmatrix} ¦ \begin{pmatrix}2&1\\0&3\end{pmatrix}
  ! \begin{pmatrix}2&-1&0&3\end{pmatrix} ¦ \begin{pmatrix}2&-1\\0&3\\0&0\end{pmatrix}
  ! \begin{vmatrix}2&-1\\0&3\end{vmatrix} ¦ 6
\begin{pmatrix} 1/2 & 0 \\ 0 & 1/2 \end{pmatrix}
  = \begin{pmatrix}0.5&0\\0&0.5\end{pmatrix} ¦ \frac{1}{2}\begin{pmatrix}1&0\\0&1\end{pmatrix}
  = \begin{pmatrix}\frac12&0\\0&\frac12\end{pmatrix}
  ! \begin{pmatrix}1&0\\0&1\end{pmatrix} ¦ \begin{pmatrix}0&1/2\\1/2&0\end{pmatrix}
  ! \begin{pmatrix}2&0\\0&2\end{pmatrix} ¦ \frac12
# vector
\begin{pmatrix} 4 \\ -7 \end{pmatrix}
  = \begin{bmatrix}4\\-7\end{bmatrix} ¦ \left(\begin{array}{c}4\\-7\end{array}\right) ¦ (4,-7) ¦ \langle 4,-7\rangle
  = \begin{pmatrix}4\\[2pt]-7\end{pmatrix}
  ! \begin{pmatrix}-7\\4\end{pmatrix} ¦ \begin{pmatrix}4\\7\end{pmatrix} ¦ \begin{pmatrix}4\\-7\\0\end{pmatrix}
  ! (-7,4)
\frac{7}{5}\mathbf{i}-2\mathbf{j}
  = 1.4\mathbf{i}-2\mathbf{j} ¦ -2\mathbf{j}+\frac{7}{5}\mathbf{i}
  ! \frac{7}{5}\mathbf{i}+2\mathbf{j} ¦ \frac{5}{7}\mathbf{i}-2\mathbf{j} ¦ -2\mathbf{i}+\frac75\mathbf{j}
# equation
3x-4y=12
  = 3x - 4y - 12 = 0 ¦ 4y=3x-12 ¦ y=\frac{3}{4}x-3 ¦ 12=3x-4y ¦ \frac{x}{4}-\frac{y}{3}=1 ¦ 6x-8y=24 ¦ -3x+4y=-12
  ! 3x+4y=12 ¦ 4x-3y=12 ¦ 3x-4y=-12 ¦ y=\frac43x-3 ¦ 3x-4y ¦ 3x-4y=13 ¦ 3a-4b=12 ¦ 12
(x-2)^2+(y+1)^2=9
  = (y+1)^2+(x-2)^2=9 ¦ x^2-4x+y^2+2y=4 ¦ (x-2)^2+(y+1)^2=3^2 ¦ x^2+y^2-4x+2y-4=0
  ! (x+2)^2+(y-1)^2=9 ¦ (x-2)^2+(y+1)^2=3 ¦ (x-2)^2-(y+1)^2=9 ¦ (x-2)^2+(y+1)^2=81 ¦ x^2+y^2=9
\frac{x^2}{25}+\frac{y^2}{16}=1
  = 16x^2+25y^2=400 ¦ \frac{y^2}{16}+\frac{x^2}{25}=1 ¦ \frac{x^2}{5^2}+\frac{y^2}{4^2}=1
  ! \frac{x^2}{16}+\frac{y^2}{25}=1 ¦ \frac{x^2}{25}-\frac{y^2}{16}=1 ¦ \frac{x^2}{5}+\frac{y^2}{4}=1
  ! \frac{x}{25}+\frac{y}{16}=1
xy=6
  = y=\frac{6}{x} ¦ yx=6 ¦ xy-6=0
  ! x+y=6 ¦ y=6x ¦ xy=-6 ¦ y=\frac{x}{6}
# system
x=2,\ y=-5
  = (x,y)=(2,-5) ¦ x=2\text{ and }y=-5 ¦ y=-5, x=2 ¦ x = 2, y = -5 ¦ (2,-5) ¦ \begin{cases}x=2\\y=-5\end{cases}
  ! x=-5,y=2 ¦ x=2,y=5 ¦ (-5,2) ¦ x=2 ¦ x=2,y=-5,z=1 ¦ x=-2,y=-5
# assignment
k=\frac{7}{4}
  = \frac{7}{4} ¦ 1.75 ¦ k = 7/4 ¦ \frac74=k ¦ k=1.75. ¦ $k = \frac{7}{4}$ ¦ k=1\frac{3}{4} ¦ \text{k = 7/4}
  ! k=\frac{4}{7} ¦ k=-\frac{7}{4} ¦ k=7 ¦ k>\frac{7}{4} ¦ k\neq\frac74 ¦ k=\frac{7}{4}+1
# function
f(x)=2x^2-3
  = 2x^2-3 ¦ f(x)=-3+2x^2 ¦ y=2x^2-3 ¦ f(x) = 2x^{2} - 3 ¦ f(t)=2t^2-3
  ! f(x)=2x^2+3 ¦ f(x)=3x^2-2 ¦ f(x)=(2x)^2-3 ¦ 2x-3 ¦ f(x)=2x^3-3 ¦ f(x)=-2x^2-3
f(2)=9
  = 9 ¦ f(2) = 9 ¦ 3^2 ¦ f(2)=9.0
  ! f(2)=8 ¦ 2 ¦ f(2)=-9 ¦ 29 ¦ 18
# polynomial
x^3-6x^2+11x-6
  = (x-1)(x-2)(x-3) ¦ -6+11x-6x^2+x^3 ¦ x^{3}-6x^{2}+11x-6 ¦ (x-3)(x-1)(x-2) ¦ x(x^2-6x+11)-6
  ! x^3-6x^2+11x+6 ¦ x^3+6x^2+11x-6 ¦ (x+1)(x+2)(x+3) ¦ (x-1)(x-2)(x-3)^2 ¦ (x-1)(x-2)(x-4) ¦ x^3-6x^2+11x
  ! t^3-6t^2+11t-5
a^2-b^2
  = (a-b)(a+b) ¦ -(b^2-a^2) ¦ (a+b)(a-b) ¦ -b^2+a^2
  ! (a-b)^2 ¦ b^2-a^2 ¦ a^2+b^2 ¦ (b-a)(a+b) ¦ x^2+y^2
p^2+2pq+q^2
  = (p+q)^2 ¦ q^2+2pq+p^2 ¦ (p+q)(q+p)
  ! (p-q)^2 ¦ p^2+q^2 ¦ (p+q)^3 ¦ p^2+pq+q^2 ¦ 2(p+q)
# rational function
\frac{1}{x(x+1)}
  = \frac{1}{x}-\frac{1}{x+1} ¦ \frac{1}{x^2+x} ¦ (x^2+x)^{-1} ¦ \frac{1}{x}\cdot\frac{1}{x+1}
  ! \frac{1}{x}+\frac{1}{x+1} ¦ \frac{1}{x(x-1)} ¦ \frac{1}{x^2+1} ¦ \frac{x}{x+1}
\frac{x+1}{x-1}
  = 1+\frac{2}{x-1} ¦ \frac{-x-1}{1-x} ¦ (x+1)/(x-1)
  ! \frac{x-1}{x+1} ¦ \frac{x+1}{1-x} ¦ x+1/x-1 ¦ -1
# power
2^{2016}+1
  = 1+2^{2016} ¦ 4^{1008}+1 ¦ 2^{2016} + 1 ¦ 2\cdot 2^{2015}+1
  ! 2^{2016}-1 ¦ 2^{2016} ¦ 2^{2015}+1 ¦ 2^{2017} ¦ 2016^2+1 ¦ 4^{2016}+1 ¦ 2^{2016}+2
3^{100}
  = 9^{50} ¦ (3^{50})^2 ¦ 3^{99}\cdot3 ¦ 27^{100/3} ¦ 3^{100}. ¦ 81^{25}
  ! 3^{10} ¦ 100^3 ¦ 9^{100} ¦ 300 ¦ 3^{101} ¦ -3^{100} ¦ 3\cdot 100
\frac{2^{101}-1}{3}
  = \frac{1}{3}(2^{101}-1) ¦ (2^{101}-1)/3
  ! \frac{2^{101}+1}{3} ¦ \frac{2^{100}-1}{3} ¦ 2^{101}-\frac{1}{3}
# exponential
e^{-2x}
  = \exp(-2x) ¦ \frac{1}{e^{2x}} ¦ (e^{-x})^2 ¦ e^{-2 x}
  ! e^{2x} ¦ e^{-x} ¦ -e^{2x} ¦ e^{-2}x ¦ e^{-2y}
\frac{e^x+e^{-x}}{2}
  = \cosh x ¦ \frac12 e^x+\frac12e^{-x} ¦ \frac{e^{2x}+1}{2e^x}
  ! \sinh x ¦ \frac{e^x-e^{-x}}{2} ¦ e^x+e^{-x} ¦ \frac{e^{x}}{2}
# factorial
10!
  = 3628800 ¦ 3,628,800 ¦ 10\cdot9! ¦ 10\times 9\times 8! ¦ \frac{11!}{11}
  ! 10 ¦ 9! ¦ 11! ¦ 362880 ¦ (10!)^2
\frac{12!}{3!4!5!}
  = 27720 ¦ \frac{12!}{3!\,4!\,5!} ¦ \binom{12}{3}\binom{9}{4} ¦ \dfrac{12!}{5!4!3!}
  ! \frac{12!}{3!4!} ¦ 27702 ¦ 12! ¦ \frac{12!}{3!+4!+5!}
2018!-1
  = -1+2018! ¦ 2018! - 1 ¦ 2018\cdot 2017!-1
  ! 2018!+1 ¦ 2018! ¦ 2017!-1 ¦ 2019!-1 ¦ 2017
# binomial
\binom{20}{10}
  = 184756 ¦ \dbinom{20}{10} ¦ {20 \choose 10} ¦ \frac{20!}{10!10!} ¦ C(20,10) ¦ \tbinom{20}{10} ¦ 184,756
  ! \binom{20}{9} ¦ \binom{10}{20} ¦ \frac{20}{10} ¦ 2 ¦ \binom{19}{10} ¦ 184765
\binom{n}{2}
  = \frac{n(n-1)}{2} ¦ \dfrac{n^2-n}{2} ¦ \binom{n}{n-2} ¦ \frac{n!}{2!(n-2)!}
  ! \frac{n(n+1)}{2} ¦ \binom{n+1}{2} ¦ \frac{n}{2} ¦ \binom{2}{n} ¦ n^2
# floor ceil abs
\lfloor 7.9\rfloor
  = 7 ¦ \left\lfloor 7.9 \right\rfloor ¦ ⌊7.9⌋ ¦ \lceil 6.1\rceil
  ! 8 ¦ 7.9 ¦ \lceil 7.9\rceil ¦ -7
\left\lceil \frac{n}{2}\right\rceil
  = \lceil n/2\rceil ¦ \left\lfloor\frac{n+1}{2}\right\rfloor ¦ ⌈n/2⌉
  ! \lfloor \frac{n}{2}\rfloor ¦ \frac{n}{2} ¦ \lceil\frac{n+1}{2}\rceil ¦ \lceil\frac{n}{3}\rceil
|x-3|
  = |3-x| ¦ \left|x-3\right| ¦ \lvert x-3\rvert ¦ \sqrt{(x-3)^2} ¦ \mid x-3\mid
  ! x-3 ¦ |x+3| ¦ 3-x ¦ |x|-3 ¦ -|x-3|
# base
1011_2
  = 1011_{2} ¦ 1011_{\text{two}} ¦ (1011)_2 ¦ 1011_{(2)} ¦ \text{1011}_2 ¦ 1011
  ! 1011_3 ¦ 1101_2 ¦ 1010_2 ¦ 11111_2 ¦ 10110_2 ¦ 13
4A6_{16}
  = \text{4A6}_{16} ¦ 4A6_{\text{sixteen}} ¦ (4A6)_{16} ¦ 4\mathrm{A}6_{16} ¦ 4A6
  ! 4A6_{12} ¦ 4A5_{16} ¦ 46A_{16} ¦ 4B6_{16}
332_5
  = 332_{5} ¦ 332_{five} ¦ 332_{\text{five}} ¦ 332
  ! 332_7 ¦ 323_5 ¦ 233_5 ¦ 332_6 ¦ 3320_5
# ratio
3:5
  = 3 : 5 ¦ 6:10 ¦ 3\text{ to }5 ¦ 3 to 5 ¦ \frac{3}{5} ¦ 3\colon 5 ¦ 3/5
  ! 5:3 ¦ 3:8 ¦ 3:5:1 ¦ 2:5 ¦ \frac{5}{3}
2:3:7
  = 2 : 3 : 7 ¦ 4:6:14 ¦ 2\colon3\colon7
  ! 2:7:3 ¦ 7:3:2 ¦ 2:3 ¦ 2:3:8
# plus minus
\pm 3\sqrt{2}
  = 3\sqrt{2}, -3\sqrt{2} ¦ -3\sqrt2\text{ and }3\sqrt2 ¦ ±3√2 ¦ x=\pm3\sqrt{2} ¦ \pm\sqrt{18}
  = \{-3\sqrt{2},3\sqrt{2}\}
  ! 3\sqrt2 ¦ -3\sqrt{2} ¦ \pm 2\sqrt{3} ¦ \pm3 ¦ 3\sqrt{2},2 ¦ \pm 3\sqrt{2},0
2\pm\sqrt{7}
  = 2+\sqrt7, 2-\sqrt7 ¦ 2-\sqrt{7}\text{ or }2+\sqrt{7} ¦ x=2\pm\sqrt{7} ¦ \frac{4\pm\sqrt{28}}{2} ¦ 2\mp\sqrt{7}
  = x_1=2+\sqrt{7}, x_2=2-\sqrt{7}
  ! 2+\sqrt{7} ¦ -2\pm\sqrt{7} ¦ 7\pm\sqrt{2} ¦ 2\pm 7 ¦ \pm 2+7
# congruence
x\equiv 3\pmod{7}
  = x \equiv 3 \pmod 7 ¦ x\equiv3\ (\text{mod }7) ¦ x \equiv 3 \mod 7
  ! x\equiv 4\pmod{7} ¦ x\equiv 3\pmod{8} ¦ x\equiv-3\pmod 7
# parametrised
x=\frac{\pi}{4}+n\pi, n\in\mathbb{Z}
  = x=\frac{\pi}{4}+\pi n,\ n\in\mathbb{Z} ¦ \frac{\pi}{4}+n\pi, n\in\mathbb{Z}
  = x = \frac{\pi}{4} + n\pi, n \in \mathbb{Z}
  ! x=\frac{\pi}{4}+2n\pi, n\in\mathbb{Z} ¦ x=\frac{\pi}{3}+n\pi, n\in\mathbb{Z} ¦ x=\frac{\pi}{4}
  ! x=\frac{\pi}{2}+n\pi, n\in\mathbb{Z}
3k+1
  = 1+3k ¦ 3k + 1 ¦ 3(k+1)-2
  ! 3k-1 ¦ k+3 ¦ 3k+2 ¦ 1 ¦ 4k
c(x^2-1)
  = c x^2-c ¦ c(x-1)(x+1) ¦ c\left(x^2-1\right)
  ! c(x^2+1) ¦ x^2-1 ¦ cx^2-1 ¦ -c(x^2-1)
# multi-part
x = 1, 4
  = 1, 4 ¦ x=1\text{ or }x=4 ¦ 4, 1 ¦ x=4,1 ¦ 1 and 4 ¦ \{1,4\} ¦ x = 1 \text{ and } x = 4 ¦ x_1=1, x_2=4
  = x\in\{1,4\} ¦ 1\quad 4
  ! 1 ¦ 4 ¦ 1, 5 ¦ 1,4,9 ¦ -1,4 ¦ 14 ¦ x=5 ¦ 1.4 ¦ -1,-4
\frac{1}{2},\ -\frac{2}{3}
  = -\frac{2}{3}, \frac{1}{2} ¦ 0.5, -2/3 ¦ \frac12\text{ and }-\frac23 ¦ x=\frac{1}{2}\text{ or }x=-\frac{2}{3}
  ! \frac12,\frac23 ¦ -\frac12,\frac23 ¦ \frac{1}{2} ¦ \frac12,-\frac32 ¦ \frac{1}{2}-\frac{2}{3}
3, 5, 7
  = 7,5,3 ¦ 3,5,7. ¦ 3, 5, and 7 ¦ \{3,5,7\} ¦ 3;5;7 ¦ 3,\ 5,\ 7
  ! 3,5 ¦ 3,5,7,9 ¦ 3,5,8 ¦ 357 ¦ 15 ¦ 3+5+7
# sequence
1, 1, 2, 3, 5
  = 1,1,2,3,5 ¦ (1,1,2,3,5) ¦ 1, 1, 2, 3, 5.
  ! 1,1,2,3,6 ¦ 1,2,3,4 ¦ 11235 ¦ 1,1,2,3,5,8
# text
\text{ellipse}
  = ellipse ¦ Ellipse ¦ \text{an ellipse} ¦ \textbf{ellipse} ¦ \mathrm{ellipse} ¦ an ellipse. ¦ **ellipse**
  = \text{Ellipse} ¦ \textit{ellipse}
  ! hyperbola ¦ \text{circle} ¦ \text{not an ellipse} ¦ \text{parabola} ¦ 3
\text{increasing}
  = Increasing ¦ increasing. ¦ \textbf{Increasing}
  ! decreasing ¦ \text{constant} ¦ \text{not increasing}
\text{no real solutions}
  = no real solutions ¦ \text{No real solution} ¦ no solution ¦ \text{There are no real solutions.}
  ! x=1 ¦ 0 ¦ all real numbers
\text{undefined}
  = Undefined ¦ undefined. ¦ \text{Undefined}
  ! 0 ¦ 1 ¦ \infty
# yes no
\text{No}
  = no ¦ No. ¦ \textbf{No} ¦ NO ¦ \text{no} ¦ \mathrm{No}
  ! yes ¦ Yes ¦ \text{Yes}
\text{True}
  = true ¦ TRUE ¦ True. ¦ \mathrm{True}
  ! False ¦ \text{false} ¦ \text{not true}
# name
\text{Maria}
  = Maria ¦ maria ¦ \textbf{Maria} ¦ \mathrm{Maria} ¦ Maria.
  ! \text{John} ¦ Mario ¦ 3 ¦ Not Maria
# date
\text{March 14}
  = March 14 ¦ 14 March ¦ march 14th ¦ \text{March 14th} ¦ Mar 14
  ! March 15 ¦ May 14 ¦ \text{14 April} ¦ March 4 ¦ 14
\text{Saturday}
  = saturday ¦ Saturday. ¦ \textbf{Saturday}
  ! Sunday ¦ \text{Friday} ¦ 6
# time
4:45
  = 4:45 ¦ 4{:}45 ¦ 4\colon45 ¦ \text{4:45}
  ! 4:54 ¦ 5:45 ¦ 4.45 ¦ 16:45:10
3\text{:}20\text{ p.m.}
  = 3:20 p.m. ¦ 3:20 PM ¦ \text{3:20 pm} ¦ 3{:}20\text{ PM}
  ! 3:20 a.m. ¦ 2:20 p.m. ¦ 3:02 p.m. ¦ \text{3:20 AM}
# choice
\text{(D)}
  = D ¦ (D) ¦ D. ¦ \text{D} ¦ \textbf{(D)} ¦ \mathrm{(D)} ¦ (D) ¦ \boxed{D} ¦ D) ¦ Option D
  ! B ¦ (C) ¦ \textbf{(E)} ¦ A, D ¦ not D
C
  = \textbf{(C)} ¦ (C)\ 25 ¦ \textbf{(C) } 25 ¦ C. 25 ¦ \text{(C)} ¦ **C**
  ! \textbf{(B) } 25 ¦ A ¦ (D)
# number word
\text{twelve}
  = 12 ¦ twelve ¦ Twelve ¦ \text{twelve}
  ! 20 ¦ twenty ¦ \text{eleven} ¦ 2
42
  = forty-two ¦ \text{forty-two} ¦ forty two
  ! twenty-four ¦ \text{forty} ¦ forty-one ¦ four hundred two
# approx
\sqrt{2}
  = \sqrt{2}\approx 1.414 ¦ \sqrt2 ≈ 1.41 ¦ 2^{0.5} ¦ \sqrt{2} \approx 1.4142 ¦ x=\sqrt{2}\approx1.41
  ! 1.4 ¦ 1.41 ¦ 2 ¦ \sqrt{3}\approx1.73 ¦ 1.5
# near constants
\frac{355}{113}
  = 355/113 ¦ 3\frac{16}{113} ¦ \frac{710}{226}
  ! \pi ¦ \frac{22}{7} ¦ 3.14 ¦ \frac{355}{112}
0.123456789
  = .123456789 ¦ \frac{123456789}{10^9}
  ! 0.12346 ¦ \frac{10}{81}+0.1 ¦ 0.2 ¦ 0.12
\sqrt{10}
  = 10^{1/2} ¦ √10 ¦ \sqrt{2}\sqrt{5}
  ! \pi ¦ 3.16 ¦ \frac{19}{6} ¦ 10^2
1000000001
  = 1{,}000{,}000{,}001 ¦ 10^9+1
  ! 1000000000 ¦ 10^9 ¦ 1000000002 ¦ 10^9-1
e^{\pi}
  = \exp(\pi) ¦ (e^\pi) ¦ e^{π}
  ! \pi^e ¦ 20+\pi ¦ 23.1 ¦ e\pi
# letter text
\angle ABC
  = ∠ABC ¦ \angle{ABC} ¦ \angle CBA
  ! \angle ACB ¦ \angle BAC
\overline{AB}
  = \overline{AB} ¦ \overline{BA} ¦ \overline{ AB }
  ! \overline{AC} ¦ \overline{CD}
\triangle ABC
  = \triangle{ABC} ¦ △ABC
  ! \triangle ABD ¦ \triangle XYZ
# sum
\sum_{k=1}^{n} k
  = \frac{n(n+1)}{2} ¦ \sum_{i=1}^{n} i ¦ \sum_{k=1}^n k
  ! \sum_{k=1}^{n} k^2 ¦ \frac{n(n-1)}{2} ¦ \sum_{k=1}^{n+1} k
\sum_{n=1}^{\infty}\frac{1}{n^2}
  = \frac{\pi^2}{6} ¦ \sum_{k=1}^\infty \frac{1}{k^2} ¦ π²/6
  ! \frac{\pi^2}{8} ¦ \frac{\pi}{6} ¦ \infty
\int_0^1 x^2\,dx
  = \frac13 ¦ 1/3 ¦ \int_0^1 t^2 dt
  ! \frac12 ¦ \int_0^1 x\,dx ¦ 3
# antiderivative
\frac{x^3}{3}+C
  = \frac{1}{3}x^3+C ¦ C+\frac{x^3}{3} ¦ \frac{x^3}{3} + C
  ! \frac{x^3}{2}+C ¦ x^2+C ¦ \frac{x^2}{3}+C ¦ -\frac{x^3}{3}+C
# subscripts
a_n=2^n-1
  = a_n = 2^{n}-1 ¦ 2^n-1 ¦ a_{n}=2^n-1 ¦ a_n=-1+2^n ¦ a_n=2\cdot2^{n-1}-1
  ! a_n=2^n+1 ¦ a_n=2^{n-1} ¦ a_n=n^2-1 ¦ a_n=2^{n-1}-1 ¦ a_n=2n-1
x_1+x_2
  = x_{1}+x_{2} ¦ x_2+x_1 ¦ x₁+x₂
  ! x_1-x_2 ¦ x_1x_2 ¦ x_1+x_3 ¦ 2x_1
# alternating
(-1)^n
  = (-1)^{n} ¦ (-1)^{n+2} ¦ (-1)^{-n} ¦ \cos(n\pi)
  ! (-1)^{n+1} ¦ -1^n ¦ -1 ¦ 1
# greek
2\theta
  = 2θ ¦ \theta+\theta ¦ 2\cdot\theta
  ! 2\phi ¦ \theta^2 ¦ \theta ¦ 2\alpha
\frac{\alpha+\beta}{2}
  = \frac{α+β}{2} ¦ \frac12(\alpha+\beta) ¦ \frac{\beta+\alpha}{2}
  ! \frac{\alpha-\beta}{2} ¦ \alpha+\beta ¦ \frac{\alpha\beta}{2} ¦ \frac{\alpha+\gamma}{2}
# fractions unicode
\frac{3}{4}
  = ¾ ¦ 3⁄4 ¦ 0.75 ¦ 75\% ¦ 6/8
  ! ¼ ¦ ⅔ ¦ 3/5 ¦ 0.7 ¦ 34
# unicode
x^2+1
  = x²+1 ¦ x² + 1 ¦ x^2＋1 ¦ 1+x^{2}
  ! x³+1 ¦ x²−1 ¦ x_2+1 ¦ x2+1
# programming notation
4x^3-\frac{1}{x}
  = 4*x**3-1/x ¦ 4*x^3 - 1/x ¦ 4x^{3}-x^{-1}
  ! 4*x**2-1/x ¦ 4x^3+1/x ¦ (4x)^3-1/x
\frac{\sqrt{3}}{2}
  = sqrt(3)/2 ¦ \sqrt{3}/2 ¦ √3/2 ¦ 0.5\sqrt{3} ¦ \frac{3}{2\sqrt{3}} ¦ \sqrt{3/4} ¦ \sin 60^\circ ¦ sin(pi/3)
  ! \frac{\sqrt{2}}{2} ¦ \frac{3}{2} ¦ \sqrt{\frac32} ¦ 0.866 ¦ -\frac{\sqrt3}{2} ¦ \frac{2}{\sqrt3} ¦ \sin 30^\circ
# braces
2^{n +1}
  = 2^{n+1} ¦ 2\cdot 2^n
  ! 2^{n} +1 ¦ 2^{n}+1 ¦ 2^n +1
\sqrt{a b}
  = \sqrt{ab} ¦ \sqrt{ba}
  ! \sqrt{a} b ¦ \sqrt{a}b ¦ a\sqrt{b}
\frac{1 +x}{2}
  = \frac{1+x}{2} ¦ \frac12+\frac x2
  ! \frac{1}{2} +x ¦ 1+\frac{x}{2}
x^{10}y
  = x^{10} y ¦ yx^{10}
  ! x^{1}0y ¦ x^{10y} ¦ x^{1}y ¦ xy^{10}
# case
A+2b
  = 2b+A ¦ A + 2b
  ! a+2b ¦ A+2B ¦ a+2B
X
  = X
  ! x^2 ¦ Y
# angle names
\overrightarrow{AB}
  = \overrightarrow{AB} ¦ \overrightarrow{ AB }
  ! \overrightarrow{BA} ¦ \overrightarrow{AC} ¦ -\overrightarrow{AB}
\vec{PQ}
  = \vec{PQ}
  ! \vec{QP} ¦ \vec{PR}
\angle DEF
  = \angle FED ¦ \angle{DEF}
  ! \angle EDF ¦ \angle DFE
# function names
f(2)=7
  = 7 ¦ f(2)=7
  ! f(3)=8 ¦ f(2)=8
f^{-1}(x)=\frac{x-1}{3}
  = \frac{x-1}{3} ¦ f^{-1}(x) = \frac{x}{3}-\frac13 ¦ y=\frac{x-1}{3}
  ! 3x+1 ¦ \frac{1}{3x+1} ¦ f^{-1}(x)=\frac{x+1}{3}
x=y^2
  = y^2=x ¦ x-y^2=0
  ! y=x^2 ¦ x=y ¦ x=-y^2 ¦ x^2=y
y=2x+3
  = 2x+3 ¦ y-3=2x ¦ y=2x+3.
  ! x=2y+3 ¦ y=3x+2 ¦ y=-2x+3 ¦ 2y=2x+3 ¦ y=2x-3 ¦ y=2z+3+x
a=3,b=4
  = b=4,a=3 ¦ a=3 and b=4 ¦ (a,b)=(3,4)
  ! a=4,b=3 ¦ a=3,b=5 ¦ a=3 ¦ (a,b)=(4,3) ¦ (b,a)=(3,4)
# chain
15
  = x=3\cdot5=15 ¦ 3\cdot 5=15 ¦ 30/2=15 ¦ 12+3 = 15 ¦ A = \frac12\cdot 5\cdot 6 = 15
  ! 3\cdot5=16 ¦ x=5\cdot 3+1=16 ¦ 15=x+1 ¦ 15x ¦ 15=16
# signs
\pm1\pm\sqrt{2}
  = 1+\sqrt2,1-\sqrt2,-1+\sqrt2,-1-\sqrt2 ¦ \pm1\pm\sqrt2
  ! 1+\sqrt2,-1-\sqrt2 ¦ 1+\sqrt{2} ¦ \pm(1+\sqrt2)
\{\pm1,\pm2\}
  = \{-2,-1,1,2\} ¦ \{1,-1,2,-2\} ¦ \pm1,\pm2
  ! \{1,2\} ¦ \{\pm1,2\} ¦ \{-1,-2\} ¦ \pm1
(\pm2,0)
  = (2,0),(-2,0) ¦ (-2,0)\text{ and }(2,0) ¦ (2,0), (-2,0)
  ! (2,0) ¦ (0,\pm2) ¦ (2,0),(0,2) ¦ (\pm2,1)
-2^2
  = -4
  ! 4 ¦ (-2)^2
(-x)^2
  = x^2 ¦ (-x)(-x)
  ! -x^2 ¦ (-x)^3 ¦ -2x
-5\%
  = -0.05 ¦ -5\% ¦ -\frac{1}{20}
  ! 5\% ¦ 0.05 ¦ -0.5
# words around
5
  = 5\text{ units} ¦ \text{exactly }5 ¦ five ¦ x=5 ¦ 5 points
  ! \text{more than }5 ¦ \text{at least }5 ¦ \text{not }5 ¦ 5\text{ or more} ¦ \text{less than }5 ¦ 5\text{ hundred}
  ! 5! ¦ 5\text{ squared} ¦ 5\text{ dozen} ¦ \text{half of }5 ¦ \text{twice }5 ¦ 5\text{ or }6
  ! \text{between }5\text{ and }6 ¦ >5 ¦ x>5 ¦ \sim 6 ¦ 5\bmod 3 ¦ 5\% \text{ of } 20 ¦ 1/5 ¦ 5/0 ¦ \bar{5}6
  ! 5\text{ and }5\frac12
# temperature
30^\circ\text{C}
  = 30^\circ C ¦ 30°C ¦ 30\,^\circ\mathrm{C}
  ! 30^\circ\text{F} ¦ 31^\circ C ¦ -30^\circ\text{C} ¦ 30^\circ F
# currencies
\text{€}20
  = €20 ¦ 20€ ¦ 20 euros ¦ 20
  ! €200 ¦ £20 ¦ \$20 ¦ 2
# gaps
(1,2)\cup(2,3)
  = (1,3)\setminus\{2\} ¦ (2,3)\cup(1,2)
  ! (1,3) ¦ (1,2)\cup[2,3) ¦ (1,2) ¦ [1,2)\cup(2,3) ¦ (1,2)\cap(2,3)
[1,2]\cup[2,3]
  = [1,3] ¦ [1,2)\cup[2,3]
  ! (1,3] ¦ [1,2)\cup(2,3]
\mathbb{R}\setminus\{1,2\}
  = (-\infty,1)\cup(1,2)\cup(2,\infty) ¦ x\ne1,x\ne2 ¦ x\neq 1,2
  ! \mathbb{R}\setminus\{1\} ¦ (-\infty,1)\cup(2,\infty) ¦ \{1,2\} ¦ x\neq 1
\{x\mid x>3\}
  = (3,\infty) ¦ x>3 ¦ \{x : x>3\} ¦ \{x\in\mathbb{R}\mid x>3\}
  ! \{x\mid x\ge3\} ¦ [3,\infty) ¦ \{3\} ¦ \{x\mid x<3\} ¦ (-\infty,3)
(0,1]\cup\{3\}
  = 0<x\le1\text{ or }x=3 ¦ \{3\}\cup(0,1]
  ! (0,1] ¦ (0,1]\cup\{4\} ¦ 0<x\le1 ¦ (0,3]
# ratio again
1:12
  = 2:24 ¦ 1:12 ¦ 1/12
  ! 12:1 ¦ 1:13 ¦ 1:2
# implicit
\frac{1}{2}x
  = \frac{x}{2} ¦ 0.5x ¦ x/2
  ! \frac{1}{2x} ¦ 2x ¦ x^{1/2} ¦ \frac12 ¦ \frac{1}{2}y
\frac{1}{2\pi}
  = \frac{1}{2}\cdot\frac{1}{\pi} ¦ (2\pi)^{-1} ¦ 1/(2\pi)
  ! \frac{\pi}{2} ¦ \frac12\pi ¦ 2\pi ¦ \frac{2}{\pi}
x^2y
  = yx^2 ¦ x\cdot xy
  ! xy^2 ¦ x^{2y} ¦ x^2+y ¦ (xy)^2
\sqrt{2}x
  = x\sqrt2 ¦ \sqrt{2} x
  ! \sqrt{2x} ¦ 2\sqrt{x} ¦ \sqrt{2}+x ¦ x^2\sqrt2
3(4)(5)
  = 60 ¦ 3\cdot4\cdot5
  ! 345 ¦ 12 ¦ 3(9)
\sin^2 x
  = (\sin x)^2 ¦ 1-\cos^2x ¦ \sin^2(x) ¦ \frac{1-\cos 2x}{2}
  ! \sin x^2 ¦ \sin(x^2) ¦ 2\sin x ¦ \cos^2x ¦ \sin x
\sin^{-1}\frac{1}{3}
  = \arcsin\frac13 ¦ \arcsin(1/3) ¦ \sin^{-1}(\frac{1}{3})
  ! \frac{1}{\sin\frac13} ¦ \sin\frac13 ¦ \arccos\frac{1}{3} ¦ \arcsin 3
\log_{10} 50
  = 1+\log_{10}5 ¦ \lg 50 ¦ \frac{\ln 50}{\ln 10} ¦ log10(50)
  ! \ln 50 ¦ \log_{50}10 ¦ \log_2 50 ¦ 5 ¦ 1.7
# choose notation
{}_{8}C_{3}
  = 56 ¦ \binom83 ¦ C(8,3) ¦ ^8C_3 ¦ C_8^3 ¦ \binom{8}{5}
  ! 336 ¦ \binom{3}{8} ¦ 24 ¦ \binom{8}{4}
5!!
  = 15 ¦ 5!!
  ! 120 ¦ 5! ¦ (5!)! ¦ 10
# large
10^{100}+1
  = 1+10^{100} ¦ 10^{100}+1.
  ! 10^{100} ¦ 10^{100}-1 ¦ 10^{101} ¦ 10^{99}+1
1.000000001
  = 1+10^{-9} ¦ \frac{1000000001}{10^9}
  ! 1.00000001 ¦ 1.1 ¦ -1.000000001
\sqrt{1000001}
  = 1000001^{1/2} ¦ \sqrt{10^6+1}
  ! 1000 ¦ \sqrt{1000000} ¦ 1001 ¦ \sqrt{1000002}
\sin 1
  = \sin(1) ¦ \cos(\frac{\pi}{2}-1)
  ! \sin 1^\circ ¦ \cos 1 ¦ 1 ¦ 0.841 ¦ \sin 2
# spoken
\text{all real numbers}
  = \mathbb{R} ¦ (-\infty,\infty) ¦ all reals ¦ All real numbers ¦ \text{the set of all real numbers}
  ! (0,\infty) ¦ \text{no real numbers} ¦ \text{all integers} ¦ \text{all positive real numbers}
\text{infinitely many}
  = infinitely many ¦ Infinitely many. ¦ \text{infinitely many}
  ! 1 ¦ \text{none} ¦ \text{finitely many}
\text{Neither}
  = neither ¦ \text{neither} ¦ Neither.
  ! even ¦ \text{both} ¦ odd
\text{rectangle}
  = Rectangle ¦ \text{a rectangle} ¦ rectangle.
  ! square ¦ \text{rhombus} ¦ circle
two hundred five
  = 205 ¦ two hundred and five ¦ \text{Two hundred five}
  ! 250 ¦ two hundred fifty ¦ 2005
one half
  = \frac12 ¦ 0.5 ¦ \text{one half} ¦ one-half
  ! 2 ¦ one third ¦ 1 ¦ 1.5
third
  = 3^{\text{rd}} ¦ Third ¦ 3rd
  ! fourth ¦ 4th
7^{\text{th}}
  = 7th ¦ \text{7th}
  ! 8th ¦ 6^{\text{th}} ¦ 17th
\text{Alice and Bob}
  = Alice and Bob ¦ alice and bob ¦ Alice, Bob
  ! \text{Alice} ¦ \text{Alice and Carol} ¦ Bob or Carol
# abs and norm
|{-3}|
  = 3 ¦ \left|-3\right| ¦ |3|
  ! -3 ¦ |-4|
\|v\|^2
  = \lVert v\rVert^2 ¦ ‖v‖^2
  ! \|v\| ¦ \|w\|^2 ¦ \|v\|^3
# conjugate
\overline{z}
  = \bar{z} ¦ \overline z
  ! z ¦ \overline{w} ¦ -z
# primes
y'=2x
  = y' = 2x ¦ 2x ¦ \frac{dy}{dx}=2x
  ! y=2x^2 ¦ y'=x^2 ¦ y''=3x ¦ y'=2y
# limits
\lim_{x\to0}\frac{\sin x}{x}
  = 1 ¦ \lim_{t\to0}\frac{\sin t}{t}
  ! 0 ¦ \infty ¦ \lim_{x\to\infty}\frac{\sin x}{x}
\prod_{k=1}^{5} k
  = 120 ¦ 5!
  ! 15 ¦ 24 ¦ \prod_{k=1}^{6}k
\sum_{i=0}^{10} 2^i
  = 2047 ¦ 2^{11}-1 ¦ \sum_{k=0}^{10}2^k
  ! 1023 ¦ 2^{11} ¦ \sum_{i=0}^{9}2^i ¦ \sum_{i=1}^{10}2^i
# piecewise
\begin{cases} x & x\ge 0 \\ -x & x<0\end{cases}
  = \begin{cases} x & x\geq 0 \\ -x & x<0\end{cases}
  ! \begin{cases} -x & x\ge 0 \\ x & x<0\end{cases} ¦ x ¦ \begin{cases} x & x> 0 \\ -x & x<0\end{cases}
# spread multi
(1,2),(3,4)
  = (3,4),(1,2) ¦ (1,2)\text{ and }(3,4) ¦ \{(1,2),(3,4)\} ¦ (x,y)=(1,2),(3,4) ¦ (1, 2); (3, 4) ¦ (1,2) or (3,4)
  ! (1,2) ¦ (1,3),(2,4) ¦ (2,1),(4,3) ¦ (1,2,3,4) ¦ (1,2),(3,4),(5,6) ¦ (1,4),(3,2) ¦ (1,2),(4,3)
(a,b,c)=(1,2,3)
  = (1,2,3) ¦ a=1,b=2,c=3 ¦ c=3,a=1,b=2 ¦ a=1, b=2, \text{ and } c=3
  ! (3,2,1) ¦ a=1,b=3,c=2 ¦ (a,b,c)=(1,2,4) ¦ (c,b,a)=(1,2,3) ¦ 1,3,2
1, 1, 2
  = 1,1,2 ¦ 1, 1, 2.
  ! 1,2,3 ¦ 2,2,3 ¦ 112 ¦ 4
# symbolic relation
p-q=3r
  = p=q+3r ¦ p - q - 3r = 0 ¦ r=\frac{p-q}{3}
  ! p+q=3r ¦ q-p=3r ¦ p-q=r ¦ p=q-3r
x+y+z=0
  = z=-x-y ¦ x+y=-z ¦ 0=x+y+z ¦ 2x+2y+2z=0
  ! x+y-z=0 ¦ x+y+z=1 ¦ x+y+z ¦ x+y=0
y=\sqrt{x}
  = \sqrt{x} ¦ y=x^{1/2}
  ! y=x^2 ¦ y^2=x ¦ y=-\sqrt{x} ¦ y=\sqrt{-x}
ABCD
  = ABCD ¦ \text{ABCD}
  ! ABDC ¦ BCDA+1 ¦ ABC
# label
B(3,-2)
  = (3,-2) ¦ B=(3,-2) ¦ B(3,-2)
  ! (-2,3) ¦ B(3,2) ¦ (3,2)
\frac{1}{3}(1,2,2)
  = (\frac13,\frac23,\frac23) ¦ \left(\tfrac{1}{3},\tfrac{2}{3},\tfrac{2}{3}\right)
  ! (1,2,2) ¦ (\frac13,2,2) ¦ (3,6,6)
-\begin{pmatrix}1\\2\end{pmatrix}
  = \begin{pmatrix}-1\\-2\end{pmatrix}
  ! \begin{pmatrix}1\\2\end{pmatrix} ¦ \begin{pmatrix}-1\\2\end{pmatrix}
# mod
n\equiv 2\pmod{5}
  = n\equiv 2 \pmod 5 ¦ n \equiv 7\pmod{5} ¦ n\equiv -3 \pmod 5
  ! n\equiv 3\pmod{5} ¦ n\equiv2\pmod{10} ¦ 2 ¦ n\equiv -2\pmod 5
\left\lfloor\frac{n}{3}\right\rfloor
  = \lfloor n/3\rfloor
  ! \lfloor\frac{n+1}{3}\rfloor ¦ \lceil\frac n3\rceil ¦ \frac{n}{3} ¦ \lfloor\frac{n+2}{3}\rfloor
(-1)^{n}n
  = n(-1)^n ¦ (-1)^{n+2}n
  ! (-1)^{n+1}n ¦ n ¦ -n ¦ (-n)^n
# sine rule
30^\circ, 150^\circ
  = 150^\circ,30^\circ ¦ 30°, 150° ¦ 30^\circ\text{ and }150^\circ ¦ 30^\circ\text{ or }150^\circ
  = \frac{\pi}{6},\frac{5\pi}{6}
  ! 30^\circ ¦ 30^\circ,120^\circ ¦ 60^\circ,150^\circ ¦ 180^\circ
# compound units
5\text{ feet }6\text{ inches}
  = 5 feet 6 inches ¦ 66\text{ inches} ¦ 5.5\text{ feet}
  ! 6\text{ feet }5\text{ inches} ¦ 56\text{ inches} ¦ 5 feet 7 inches
1\text{ hour }30\text{ minutes}
  = 1 hour 30 minutes ¦ 90\text{ minutes} ¦ 1.5\text{ hours} ¦ 1 hour and 30 minutes
  ! 1\text{ hour }20\text{ minutes} ¦ 130\text{ minutes} ¦ 30 hours 1 minute
60\text{ mph}
  = 60\text{ miles per hour} ¦ 60 mi/h ¦ 60
  ! 60\text{ km/h} ¦ 60\text{ miles} ¦ 6\text{ mph}
9.8\text{ m/s}^2
  = 9.8\ \mathrm{m/s^2} ¦ 9.8\,\text{m}\,\text{s}^{-2} ¦ 9.8 m/s^2 ¦ 9.8\frac{\text{m}}{\text{s}^2}
  ! 9.8\text{ m/s} ¦ 8.9\text{ m/s}^2 ¦ 98\text{ m/s}^2
# families
x=\pm\frac{\pi}{3}+2k\pi, k\in\mathbb{Z}
  = x = \pm \frac{\pi}{3} + 2k\pi,\ k \in \mathbb{Z} ¦ \pm\frac{\pi}{3}+2\pi k,\ k\in\mathbb Z
  ! x=\frac{\pi}{3}+2k\pi, k\in\mathbb{Z} ¦ \pm\frac{\pi}{6}+2k\pi, k\in\mathbb{Z} ¦ \pm\frac{\pi}{3}
x=\frac{\pi}{6}+2n\pi, n\in\mathbb{Z}
  = x=\frac{13\pi}{6}+2n\pi, n\in\mathbb{Z} ¦ x=\frac{\pi}{6}-2n\pi,n\in\mathbb{Z}
  = x=\frac{\pi}{6}+2k\pi, k\in\mathbb{Z} ¦ \frac{\pi}{6}+2\pi n, n∈ℤ
  ! x=\frac{7\pi}{6}+2n\pi, n\in\mathbb{Z} ¦ x=\frac{\pi}{6}+n\pi,n\in\mathbb{Z} ¦ x=\frac{\pi}{6}+2n, n\in\mathbb{Z}
  ! \frac{\pi}{6}
a\equiv 4\pmod{9}
  = a\equiv 13\pmod 9 ¦ a \equiv -5 \pmod{9}
  ! a\equiv 5\pmod 9 ¦ a\equiv4\pmod{3} ¦ a\equiv 4\pmod{18} ¦ b\equiv 4\pmod{9}
# letters
E=mc^2
  = E = mc^2 ¦ mc^2 ¦ E=c^2m
  ! E=mc ¦ E=m^2c ¦ e=mc^3 ¦ E=-mc^2
V=\frac{4}{3}\pi r^3
  = \frac{4\pi r^3}{3} ¦ V = \frac43\pi r^3
  ! V=\frac{4}{3}\pi R^3+1 ¦ V=\frac{3}{4}\pi r^3 ¦ V=\frac43\pi r^2 ¦ 4\pi r^2 ¦ V=\frac{4}{3}r^3
ab
  = ba ¦ a\cdot b ¦ a b
  ! a+b ¦ AB ¦ b ¦ a ¦ a^b ¦ ab^2
a\sin x
  = \sin x\cdot a ¦ a \sin(x)
  ! \sin x ¦ \sin(ax) ¦ a\cos x ¦ a+\sin x ¦ A\sin x
a x
  = xa ¦ ax
  ! x ¦ a ¦ A x ¦ ax^2
the value is 5
  = \text{the value is 5}
  ! \text{the value is 6} ¦ 6
# amounts
-\$12.50
  = -12.50 ¦ -\$12.5 ¦ \$-12.50
  ! \$12.50 ¦ 12.5 ¦ -\$125
\$1.5\text{ billion}
  = 1.5 billion ¦ \$1,500,000,000 ¦ 1{,}500{,}000{,}000 ¦ 1.5\times10^9
  ! \$1.5\text{ million} ¦ 1.5 ¦ \$15 billion ¦ 1,500,000
£3.20
  = 3.20 ¦ £3.2 ¦ \pounds 3.20
  ! £32 ¦ €3.20 ¦ \$3.20 ¦ £2.30
2\text{ m }35\text{ cm}
  = 2.35\text{ m} ¦ 235\text{ cm} ¦ 2 m 35 cm
  ! 2\text{ m }53\text{ cm} ¦ 23.5\text{ cm} ¦ 2\text{ m} ¦ 37\text{ cm}
3\text{ hours, }20\text{ minutes}
  = 200\text{ minutes} ¦ 3 hours and 20 minutes ¦ 3\frac13\text{ hours}
  ! 3.2\text{ hours} ¦ 320\text{ minutes} ¦ 20 hours and 3 minutes ¦ 3\text{ hours}
7 \text{ in}
  = 7 ¦ 7\text{ inches} ¦ 7 in. ¦ 7\text{ in.}
  ! 7\text{ ft} ¦ 7\text{ in}^2 ¦ 17\text{ in} ¦ 7\text{ cm}
12\frac12\%
  = 12.5\% ¦ 0.125 ¦ \frac18 ¦ 12\frac{1}{2} \%
  ! 12\% ¦ 6\% ¦ 121\% ¦ -12.5\%
22\frac{1}{2}^\circ
  = 22.5^\circ ¦ \frac{\pi}{8} ¦ 22.5
  ! 11^\circ ¦ 22^\circ ¦ \frac{\pi}{4}
# vector algebra
2\begin{pmatrix}1\\-3\end{pmatrix}
  = \begin{pmatrix}2\\-6\end{pmatrix} ¦ (2,-6)
  ! \begin{pmatrix}1\\-3\end{pmatrix} ¦ \begin{pmatrix}2\\6\end{pmatrix} ¦ -4 ¦ (1,-3)
-(2,-3)
  = (-2,3)
  ! (2,-3) ¦ (-2,-3) ¦ (3,-2) ¦ (2,3)
A(1,2),\ B(3,4)
  = A(1,2), B(3,4) ¦ A=(1,2), B=(3,4)
  ! A(3,4), B(1,2) ¦ A(1,2) ¦ A(1,2), B(4,3)
\begin{cases} x+y=3 \\ x-y=1 \end{cases}
  = x+y=3, x-y=1
  ! x+y=3, x-y=2 ¦ \begin{cases} x+y=3 \\ x-y=-1 \end{cases} ¦ x+y=3
\begin{pmatrix} 1 \\ 2 \end{pmatrix} + t \begin{pmatrix} 3 \\ 4 \end{pmatrix}
  = \begin{pmatrix}1\\2\end{pmatrix}+t\begin{pmatrix}3\\4\end{pmatrix}
  ! \begin{pmatrix}1\\2\end{pmatrix} ¦ \begin{pmatrix}1\\2\end{pmatrix}+t\begin{pmatrix}3\\5\end{pmatrix}
  ! \begin{pmatrix}4\\6\end{pmatrix}
# equations again
y=\frac{3}{x}
  = xy=3 ¦ \frac{3}{x} ¦ x=\frac{3}{y}
  ! xy=-3 ¦ y=3x ¦ xy=4 ¦ x^2y=3 ¦ y=\frac{x}{3}
y=2x
  = 2x-y=0 ¦ x=\frac{y}{2} ¦ 2x
  ! xy=2x^2 ¦ y^2=4x^2 ¦ (y-2x)(y+1)=0 ¦ y=x^2 ¦ x=2y
2x+3y-6=0
  = y=-\frac23x+2 ¦ 2x+3y=6 ¦ -2x-3y+6=0 ¦ \frac{x}{3}+\frac{y}{2}=1
  ! 2x+3y=-6 ¦ 3x+2y=6 ¦ 2x-3y=6 ¦ y=\frac23x+2 ¦ 6
(x-1)(x-2)=0
  = x^2-3x+2=0 ¦ (x-2)(x-1)=0
  ! (x-1)^2(x-2)=1 ¦ (x+1)(x+2)=0 ¦ x^2+3x+2=0 ¦ x^2-3x-2=0
g(x)=x^2
  = x^2 ¦ g(t)=t^2 ¦ y=x^2
  ! g(x)=x^3 ¦ 2x ¦ g(x)=-x^2 ¦ g(t)=t^2+1
f'(x)=2x
  = 2x ¦ f'(x) = 2x
  ! x^2 ¦ f'(x)=2 ¦ f'(x)=3x^2
# sets again
\{x : x\ge 2\}
  = [2,\infty) ¦ x\ge2 ¦ \{x\in\mathbb{R} : x\geq 2\}
  ! (2,\infty) ¦ \{2\} ¦ x\le 2 ¦ \{x : x\ge 3\}
\{1,2\}\cup\{3\}
  = \{1,2,3\} ¦ \{3,2,1\}
  ! \{1,2\} ¦ \{3\} ¦ [1,3]
(0,\infty)
  = x>0 ¦ (0, +\infty) ¦ ]0,\infty[
  ! [0,\infty) ¦ (-\infty,0) ¦ (0,1) ¦ \mathbb{R} ¦ 0, 1, 2, 3
\mathbb{Z}
  = ℤ ¦ \mathbf{Z} ¦ \mathbb{Z}
  ! \mathbb{R} ¦ \mathbb{N} ¦ 1,2,3 ¦ \emptyset
[1,5]\setminus\{3\}
  = [1,3)\cup(3,5] ¦ (3,5]\cup[1,3)
  ! [1,5] ¦ [1,3]\cup[3,5] ¦ (1,3)\cup(3,5) ¦ [1,3)
x\le-2\text{ or }x\ge2
  = |x|\ge2 ¦ (-\infty,-2]\cup[2,\infty) ¦ x\geq 2\text{ or }x\leq-2
  ! x\le-2 ¦ -2\le x\le2 ¦ |x|>2 ¦ |x|\le 2 ¦ x<-2\text{ or }x>2 ¦ x\ge 2
# numbers again
2^{10}\cdot 3^5
  = 1024\cdot243 ¦ 248832 ¦ 12^5 ¦ 248,832
  ! 2^5\cdot3^{10} ¦ 6^{15} ¦ 2^{10}+3^5 ¦ 248823
\frac{2^{50}-1}{2^{50}}
  = 1-\frac{1}{2^{50}} ¦ 1-2^{-50}
  ! 1 ¦ 1-\frac{1}{2^{49}} ¦ 1+\frac{1}{2^{50}} ¦ \frac{2^{50}}{2^{50}-1}
\sqrt{2}+10^{-12}
  = \sqrt2+\frac{1}{10^{12}}
  ! \sqrt{2} ¦ \sqrt2-10^{-12} ¦ \sqrt{2}+10^{-11}
\frac{987654321}{123456789}
  = \frac{109739369}{13717421}
  ! 8 ¦ 8.0000001 ¦ \frac{123456789}{987654321} ¦ 8.1
12^{\text{th}}
  = 12^{th} ¦ 12^{\text{th}}
  ! 13^{\text{th}} ¦ 21^{\text{st}}
0.\overline{142857}
  = \frac17 ¦ 1/7 ¦ 0.142857142857142857...
  ! 0.142857 ¦ 0.\overline{14285} ¦ 0.\overline{412857} ¦ \frac{1}{6}
-\frac{\sqrt{3}}{3}i
  = -\frac{i}{\sqrt3} ¦ -\frac{i\sqrt{3}}{3} ¦ \frac{1}{i\sqrt{3}}
  ! \frac{\sqrt3}{3}i ¦ -\frac{\sqrt{3}}{3} ¦ -\sqrt{3}i ¦ -\frac{\sqrt3}{i}
2+√3i
  = 2+i\sqrt{3} ¦ 2+\sqrt{3}i
  ! 2-\sqrt3 i ¦ 2+\sqrt{3} ¦ 3+\sqrt2 i
2√2x
  ! 2\sqrt{3}x ¦ 4\sqrt{x}
\log_3 81
  = 4 ¦ 4.0 ¦ \frac{\ln 81}{\ln 3}
  ! 3 ¦ 27 ¦ \log_{81}3 ¦ \frac14
\frac{n}{n+1}
  = 1-\frac{1}{n+1} ¦ \frac{1}{1+\frac1n} ¦ n/(n+1)
  ! n/n+1 ¦ \frac{n+1}{n} ¦ 1-\frac{1}{n} ¦ \frac{n}{n-1} ¦ \frac{1}{n+1}
2^{n}-2^{-n}
  = \frac{4^n-1}{2^n} ¦ -2^{-n}+2^n
  ! 2^n+2^{-n} ¦ 0 ¦ 2^{2n} ¦ 2^{n}-2^{n}
n^2+n\bmod 2
  ! 1 ¦ n^2
\lceil \log_2 n\rceil
  = \lceil\log_{2}(n)\rceil
  ! \lfloor\log_2 n\rfloor ¦ \log_2 n ¦ \lceil\log_3n\rceil ¦ \lfloor\log_2 n\rfloor+1
# text again
\text{a right triangle}
  = right triangle ¦ \text{Right triangle}
  ! \text{an acute triangle} ¦ \text{an equilateral triangle}
\text{Yes, because it is even}
  = Yes, because it is even ¦ \text{yes, because it is even}
  ! \text{No} ¦ no
\text{point } P
  = \text{point }P ¦ point P
  ! \text{point }Q ¦ \text{point } p ¦ \text{line }P
\text{Plan B}
  = Plan B ¦ plan B
  ! Plan A ¦ \text{Plan C}
\text{Jan 5, 2019}
  = January 5, 2019 ¦ 5 January 2019
  ! January 6, 2019 ¦ \text{Jan 5, 2018} ¦ February 5, 2019
\text{12:00 noon}
  = 12:00 noon
  ! 12:00 a.m. ¦ 1:00 ¦ 11:00
4 \text{ red, } 3\text{ blue}
  = 4\text{ red, }3\text{ blue}
  ! 3\text{ red, }4\text{ blue} ¦ 7 ¦ 4
"""
