from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.verifiers import exact
from curate.verifiers.screen import danger


def compare(gold: str, answer: str) -> bool | None:
    return exact.compare(exact.clean(gold), exact.clean(answer))


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("42", "42"),
        ("42", "042"),
        ("42", "42."),
        ("42", "{42}"),
        ("42", "$42$"),
        ("42", "42\u200b"),
        ("-3", "\u22123"),
        ("73", r"\textbf{(073)}"),
        ("1000000", "1,000,000"),
        ("1000000", r"1\,000\,000"),
        ("1000000", r"1\!,\!000\!,\!000"),
        ("1000000", r"1\times 10^{6}"),
        ("12,345", "12{,}345"),
        ("18", "$18.00"),
        ("18", r"\$18"),
        ("18", "18 dollars"),
        ("18", r"18\text{ dollars}"),
        (r"\$18", "18 dollars"),
        ("5", r"5~\text{cm}^2"),
        ("90", r"90^\circ"),
        (r"90^\circ", "90 degrees"),
        ("50", r"50\%"),
        ("0.5", r"50\%"),
        (r"\frac{7}{3}", r"\dfrac{14}{6}"),
        (r"\frac12", "0.5"),
        ("7/2", "3 1/2"),
        ("7/2", r"3\frac{1}{2}"),
        (r"\text{Yes}", "yes"),
        (r"\text{Thursday}", r"\text{ Thursday }"),
        (r"\text{(C)}", r"\textbf{C}"),
        (r"10\pi", "10pi"),
        (r"\{1,2\}", r"\left\lbrace 1, 2\right\rbrace"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    ],
)
def test_equal(gold: str, answer: str) -> None:
    assert compare(gold, answer) is True


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("42", "43"),
        ("42", "-42"),
        ("1000000", "100,000"),
        (r"\$18", r"\$180"),
        (r"\frac{7}{3}", r"\frac{3}{7}"),
        (r"\frac{7}{3}", "2.2"),
        ("0.5", r"\frac{1}{3}"),
        (r"90^\circ", "900"),
        (r"25\%", r"75\%"),
        ("5", r"6\text{ cm}"),
        ("18", "17 dollars"),
    ],
)
def test_surely_different(gold: str, answer: str) -> None:
    assert compare(gold, answer) is False


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5", "5 million"),
        ("5", "5xy"),
        ("5", "5 x"),
        ("5", r"5\text{ or }6"),
        ("5", "5, 6"),
        ("5 cm", "5 dollars"),
        ("12", "1 2"),
        ("1,2", "(1,2)"),
        ("0.333", r"\frac{1}{3}"),
        ("x", "y"),
        ("AB", "ab"),
        ("5", "1/0"),
        (r"\text{even}", "odd"),
        ("2", "-1.8 billion"),
        ("1" * 5000, "1" * 5001),
    ],
)
def test_left_to_algebra(gold: str, answer: str) -> None:
    assert compare(gold, answer) is None


@given(st.fractions())
def test_a_written_fraction_is_read_back(value: Fraction) -> None:
    found = exact.number(exact.clean(rf"\frac{{{value.numerator}}}{{{value.denominator}}}"))
    assert found is not None
    assert found.value == value


@given(st.text(max_size=60))
def test_nothing_raises_and_equal_texts_are_equal(text: str) -> None:
    assert exact.compare(exact.clean(text), exact.clean(text)) is True
    assert exact.clean(exact.clean(text)) == exact.clean(text)


def test_prose_is_told_from_formulas() -> None:
    assert exact.prose("the set of all reals")
    assert exact.prose(r"\text{even}")
    assert not exact.prose(r"\frac{\sin x}{2}+\sqrt{xy}")


@pytest.mark.parametrize(
    "text",
    [
        "10^{10^{10}}",
        "9^{9^{9^{9}}}",
        "9**9**9",
        "2^{100000000}",
        "100000!",
        "(10^6)!!!",
        "7" * 1001,
        "(" * 51 + "1" + ")" * 51,
        "x" * 2001,
        "5\0",
    ],
)
def test_screened(text: str) -> None:
    assert danger(text)


@pytest.mark.parametrize("text", ["2^{2016}+1", "e^{x^2}", "2^{2^n}", "100!", r"\frac{1}{2}", "x^{10}+y^{10}"])
def test_ordinary_formulas_are_not_screened(text: str) -> None:
    assert danger(text) is None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5 m", "5 cm"),
        ("5m", "5cm"),
        (r"3\text{ hours}", r"3\text{ minutes}"),
        (r"2\text{ km}", r"2\text{ m}"),
        (r"5\text{ meters}", r"5\text{ feet}"),
        (r"\$5", r"5\text{ cents}"),
    ],
)
def test_different_units_are_never_equal(gold: str, answer: str) -> None:
    assert compare(gold, answer) is None
    assert exact.units_differ(exact.clean(gold), exact.clean(answer))


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\$5", "5 USD"),
        (r"5\text{ cm}^2", "5 square centimeters"),
        (r"3\text{ hrs}", "3 hours"),
        ("1e-05", "0.00001"),
        ("1e-05", "10^{-5}"),
        ("1e+22", "10^{22}"),
        ("6.02e23", r"6.02\times 10^{23}"),
    ],
)
def test_units_and_exponents_in_another_spelling(gold: str, answer: str) -> None:
    assert compare(gold, answer) is True
    assert not exact.units_differ(exact.clean(gold), exact.clean(answer))


def test_a_huge_exponent_is_not_computed() -> None:
    assert exact.number("5e999999999") is None
    assert exact.number("10^{999999999}") is None
