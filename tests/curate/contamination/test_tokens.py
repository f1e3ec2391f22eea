"""What is the same text is the same tokens; places are those of the text as it stands."""

import pytest

from curate.contamination.index import joined
from curate.contamination.tokens import Speller, spell


def words(text: str) -> list[str]:
    return [token.word for token in spell(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"Find $\dfrac{x^2}{3}$.", r"find \( x^{2} / 3 \)"),
        ("x²", "x^2"),
        ("Ａｙａ　ｗａｌｋｓ", "aya walks"),
        ("Aya’s walk", "Ayas walk"),
        ("a kilo-\nmeter", "a kilometer"),
        ("he1lo w0rld", "hello world"),
        ("√5 and π", r"\sqrt{5} and \pi"),
        (r"$18^\circ$ (mod 7)", r"18° \pmod{7}"),
        ("café", "cafe\u0301"),
        ("12,000 dollars", "7 dollars"),
        ("five dollars", "7 dollars"),
        ("the 3rd row", "the 21st row"),
        (r"\begin{align*}x\end{align*}", "x"),
        ("A [asy]draw(A--B);[/asy] B", "A B"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("x^2", "y^2"), ("sin x", "cos x"), ("a b", "b a"), ("我们有3个", "我们有个")]
)
def test_not_the_same(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_numbers_keep_their_digits_and_neighbours_are_one_but_for_sentences() -> None:
    found = spell("Take 1/2 of 1,250. 30 are left, 4 5.")
    assert [(token.word, token.digits) for token in found if token.digits] == [
        ("#", "1 2"),
        ("#", "1250"),
        ("#", "30"),
        ("#", "4 5"),
    ]


def test_places() -> None:
    text = "Say:  the   NUMBER $\\frac{10}{3}$!"
    assert [text[token.start : token.end] for token in spell(text)] == ["Say", "the", "NUMBER", "10}{3"]


@pytest.mark.parametrize("text", ["", "\x1e", "1 2 3. 4", "no numbers", "a\n\n5 6 b \x1e c", "$\\frac12$ 7"])
def test_many_at_once_are_spelt_as_one_by_one(text: str) -> None:
    import numpy as np

    texts = ["before 1", text, "after 2"]
    speller = Speller(sorted({word for one in texts for word in words(one)} - {"#"}))
    ids = np.array(speller.spell(texts), np.int64)
    ids = ids[joined(ids)]
    wanted = [number for one in texts for number in [*speller.ids(words(one)), -1]]
    assert ids.tolist() == wanted
