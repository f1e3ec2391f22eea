"""The comparison without any process: its policies, what stays open, and that no text breaks it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.verifiers.answers.decide import decide
from curate.verifiers.answers.normalise import clean
from curate.verifiers.answers.policy import Policy
from curate.verifiers.answers.words import prose
from curate.verifiers.math import Math
from curate.verifiers.math import decide as by_options
from curate.verifiers.screen import danger


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("0.33", r"\frac{1}{3}"),  # the reference may be rounded
        (r"\frac{1}{3}", "0.3333"),  # the answer may be
        (r"\pi", "3.1416"),
        ("5", "5 m"),
        ("x=5", "y=5"),
        (r"\{1,2\}", "(1,2)"),
        ("7", "15n=75"),
        ("0", "3x-y+13=0"),
        (r"\text{Evelyn}", r"\text{Maria}"),
        ("1", "once"),
        ("1" * 5000, "1" * 5001),
        ("5", "5\0"),
        ("5", "1/0"),
        (r"\frac{1}{2x}", "1/2x"),
        (r"\log 2", r"\ln 2"),
        ("x", r"\sqrt{x^2}"),
        ("|x|", "x"),
        (r"\frac{\pi^2}{6}", r"\zeta(2)"),  # values that mathematics knows, and the letters do not say
        (r"\Gamma(5)", "24"),
        ("12", r"\sigma(6)"),
        ("0.3", "P(X=2)"),
        ("F_{10}", "55"),
        ("20", "A_5^2"),
        (r"\overrightarrow{AB}+\overrightarrow{BC}", r"\overrightarrow{AC}"),
        (r"|z|^2", r"z\bar{z}"),
        (r"\frac{d}{dx}x^3", "x^2"),  # no quotient: d is no factor of it
        (r"\frac{dy}{dx}", r"\frac{y}{x}"),
        (r"\frac{d^2y}{dx^2}", "y''"),
        ("3+4i", "3+4j"),
        ("10 N", "10"),
        (r"5^\circ\text{C}", r"5^\circ"),
        ("(A) 3", "4"),
    ],
)
def test_left_open(gold: str, answer: str) -> None:
    assert decide(gold, answer).equal is None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{7}{3}", "2.33"),
        (r"10\pi", "31"),
        (r"\frac{1}{3}", "0.3"),
        ("1000000", "999999.5"),
        ("5", "5x"),
        ("5 m", "5 s"),
        (r"2\text{ km}", r"2\text{ m}"),
        (r"\text{Evelyn}", r"\frac{18}{5}"),
        ("10^{40}+1", "10^{40}"),
        (r"10^{40}+\sqrt{2}", r"10^{40}+\sqrt{3}"),
        (r"\sqrt{10^{30}+1}", "10^{15}"),
        (r"\frac{dy}{dx}=2x", "y=2x^2"),
        ("f(2)=7", "f(2)=8"),
        (r"2\zeta(3)", r"3\zeta(3)"),
        (r"5\text{ mPa}", r"5\text{ MPa}"),
        ("3 kWh", "3 MJ"),
        ("10 N", "11"),
        (r"50^\circ\text{C}", "51"),
        (r"50^\circ\text{C}", r"50^\circ\text{F}"),
        ("(A) 3", "B"),
        ("ABD", "ACD"),
    ],
)
def test_surely_different(gold: str, answer: str) -> None:
    assert decide(gold, answer).equal is False


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"50^\circ\text{C}", "50"),
        (r"-4^{\circ}\mathrm{F}", "-4"),
        ("50 °C", "50 degrees Celsius"),
        (r"50^\circ C", r"122^\circ F"),
        ("1 N", r"1\text{ kg m/s}^2"),
        (r"1\text{ J}", "1 joule"),
        ("1 kWh", "3.6 MJ"),
        ("5000 Pa", r"5\text{ kPa}"),
        (r"5\text{ Pa}", r"5\text{ N/m}^2"),
        ("40 Hz", "40 hertz"),
        (r"9.8\text{ N/kg}", r"9.8\,\text{m}\,\text{s}^{-2}"),
        (r"2\zeta(3)", r"\zeta(3)+\zeta(3)"),
        (r"\frac{dy}{dx}=2x", "2x"),
        ("(A) 3", "3"),
        (r"\textbf{(C)}\ \frac{1}{2}", "0.5"),
        ("3", "A. 3"),
        ("ABD", "A, B and D"),
        ("A,C", "AC"),
    ],
)
def test_the_same(gold: str, answer: str) -> None:
    assert decide(gold, answer).equal is True
    assert decide(answer, gold).equal is True


@pytest.mark.parametrize(
    ("field", "value", "gold", "answer", "by_default", "then"),
    [
        ("percent", "fraction", r"42\%", "42", True, False),
        ("percent", "number", r"42\%", "0.42", True, False),
        ("units", "required", r"5\text{ cm}", "5", True, False),
        ("base", "required", "2516_8", "2516", True, False),
        ("prefix", "required", "x=5", "5", True, False),
        ("inequality", "distinct", "(-\\infty,3)", "x<3", True, False),
        ("order", "free", "(1,2)", "(2,1)", False, True),
        ("scale", "fixed", "x+y=2", "2x+2y=4", True, False),
        ("tolerance", 0.01, "3.14", "3.15", False, True),
    ],
)
def test_the_options(field: str, value: object, gold: str, answer: str, by_default: bool, then: bool) -> None:
    assert by_options(gold, answer) is by_default
    assert by_options(gold, answer, Math.model_validate({field: value})) is then


def test_the_verifiers_defaults_are_the_comparisons() -> None:
    assert Math().policy() == Policy()


@given(st.text(max_size=80))
def test_no_text_raises_and_each_equals_itself(text: str) -> None:
    if clean(text):
        assert decide(text, text).equal is True
    decide("5", text)
    decide(text, r"x^2+\frac{1}{2}")


@given(st.text(alphabet=r"0123456789xyi+-*/^_=<>()[]{}|,.:;!%$& \\abcfqrtsnpl", max_size=60))
def test_no_formula_raises(text: str) -> None:
    decide(r"\frac{1}{2}", text)
    decide(text, r"\{1,2\}")
    assert clean(clean(text)) == clean(clean(clean(text)))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 900 + "1" + ")" * 900,
        "-" * 1900 + "1",
        "{" * 1900,
        "x^" * 900 + "2",
        "1+" * 900 + "1",
        "|" * 1500,
        "1," * 900,
        r"\frac{1}{" * 150 + "2" + "}" * 150,
        r"\sqrt" * 300 + "2",
        "(x+1)^{60}" * 100,
        "2^{3^{4^{5^{6}}}}",
        "(((10^6)!)!)!",
    ],
)
def test_reading_is_bounded(text: str) -> None:
    started = time.process_time()
    assert decide("7", text).equal is not True
    assert time.process_time() - started < 0.5


def test_prose_is_told_from_formulas() -> None:
    assert prose("the set of all reals")
    assert prose(r"\text{even}")
    assert not prose(r"\frac{\sin x}{2}+\sqrt{xy}")


@pytest.mark.parametrize(
    "text",
    [
        "10^{10^{10}}", "9^{9^{9^{9}}}", "9**9**9", "2^{100000000}", "100000!", "(10^6)!!!", "7" * 1001,
        "(" * 51 + "1" + ")" * 51, "x" * 2001, "5\0",
    ],
)  # fmt: skip
def test_screened(text: str) -> None:
    assert danger(text)


@pytest.mark.parametrize("text", ["2^{2016}+1", "e^{x^2}", "2^{2^n}", "100!", r"\frac{1}{2}", "x^{10}+y^{10}"])
def test_ordinary_formulas_are_not_screened(text: str) -> None:
    assert danger(text) is None
