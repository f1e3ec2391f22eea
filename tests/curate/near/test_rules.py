"""Rules over plain texts: families with a cap, numbers that differ, which row stays, MinHash beside the full join."""

import random

import numpy as np
import pytest

from curate.near import minhash
from curate.near.groups import Course
from curate.near.normal import folded, masked, numbers, settled
from curate.near.ratio import Pairs
from curate.near.rules import Keep, Rows, Rule, apply, ranked
from tests.curate.near.sets import STEM, brute, random_set


def rows(texts: list[str | None], keep: Keep = "first", within: list[str] | None = None) -> Rows:
    return Rows(texts, within or [""] * len(texts), ranked(texts, keep, range(len(texts))))


def partners(rule: Rule, given: Rows) -> list[int]:
    return apply(rule, given).partner.tolist()


@pytest.mark.parametrize(
    ("text", "mask", "found"),
    [
        ("Tom has 5 Apples.", "tom has # apples.", ("5",)),
        ("1,200.50 or 1200.5?", "# or #?", ("1200.5", "1200.5")),
        ("points (1,2) and (3,45)", "points (#,#) and (#,#)", ("1", "2", "3", "45")),
        ("0.50  007\n", "# #", ("0.5", "7")),
        ("x\u00b2 + \uff13", "x# + #", ("2", "3")),
        ("none", "none", ()),
    ],
)
def test_numbers(text: str, mask: str, found: tuple[str, ...]) -> None:
    assert masked(text) == mask
    assert numbers(text) == found


def test_what_does_not_count() -> None:
    assert settled(" a  b \r\n  c\t\td \n") == "a b\n  c d"
    assert folded(" A  b\n C ") == "a b c"


def test_a_family_keeps_so_many_different_members() -> None:
    texts: list[str | None] = [f"Add {n} and {n + 1}." for n in (1, 2, 1, 3, 4, 2, 4, 5)] + ["other", None]
    found = apply(Rule("template", keep_per_family=3), rows(texts))
    assert found.partner.tolist() == [-1, -1, 0, -1, 0, 1, 0, 0, -1, -1]
    assert found.cluster.tolist() == [0] * 8 + [8, 9]
    assert found.score.tolist()[2] == found.score.tolist()[5] == 100.0
    assert 80 < found.score[4] < 100
    assert partners(Rule("template", keep_per_family=1), rows(texts))[:4] == [-1, 0, 0, 0]


def test_numbers_that_differ_make_another_question() -> None:
    draw = random.Random(3)
    base = [STEM.format(*(draw.randint(1, 99) for _ in range(4))) for _ in range(30)]
    texts: list[str | None] = [one for text in base for one in (text, text.replace("Tom", "Tim"), text + " ")]
    assert len({*apply(Rule("ratio", 90), rows(texts)).cluster.tolist()}) == 1
    found = apply(Rule("ratio", 90, "differ"), rows(texts))
    by_numbers: dict[tuple[str, ...], int] = {}
    wanted = [by_numbers.setdefault(numbers(text or ""), row) for row, text in enumerate(texts)]
    assert found.cluster.tolist() == wanted


def test_only_rows_of_one_value_are_compared() -> None:
    texts: list[str | None] = ["the same text", "the same text", "the same text!", "the same text!"]
    assert partners(Rule("ratio", 90), rows(texts, within=["a", "b", "a", "b"])) == [-1, -1, 0, 1]
    assert partners(Rule("exact"), rows(texts, within=["a", "b", "a", "b"])) == [-1, -1, -1, -1]


@pytest.mark.parametrize(("keep", "kept"), [("first", 0), ("longest", 2), ("shortest", 1)])
def test_which_row_stays(keep: Keep, kept: int) -> None:
    texts: list[str | None] = ["a question of some words?", "a question of some words", "a question of some words?!"]
    found = apply(Rule("ratio", 90), rows(texts, keep))
    assert np.flatnonzero(found.kept).tolist() == [kept]
    assert {one for one in found.partner.tolist() if one >= 0} == {kept}


def test_nothing_at_all() -> None:
    for name in ("exact", "ratio", "template", "minhash"):
        assert partners(Rule(name), rows([])) == []
        assert partners(Rule(name), rows([None, None])) == [-1, -1]
        assert partners(Rule(name), rows(["", "", None, "a"])) == [-1, 0, -1, -1]


def test_minhash_finds_nearly_all_and_nothing_else() -> None:
    draw = random.Random(1)
    words = [*STEM.replace("{}", "seven").split(), "in", "boxes", "of", "red", "balls", "which", "are", "put"]
    texts: list[str | None] = []
    for _ in range(300):
        text = " ".join(draw.choices(words, k=draw.randint(15, 60)))
        texts += [text, "".join(one for one in text if draw.random() > 0.01), text.replace("seven", "eight")]
    texts += random_set(1, 200)
    threshold = 95.0
    wanted = apply(Rule("ratio", threshold), rows(texts))
    found = apply(Rule("minhash", threshold), rows(texts))
    all_scores = brute(texts, threshold)
    both = all_scores + all_scores.T
    for row in np.flatnonzero(~found.kept).tolist():
        by = found.via[row] if found.via[row] >= 0 else found.partner[row]
        assert found.score[row] == both[row, by] >= threshold
    pairs = np.argwhere((all_scores > 0) & (all_scores < 100))
    together = sum(found.cluster[i] == found.cluster[j] for i, j in pairs)
    assert together / len(pairs) > 0.99
    assert (~found.kept).sum() <= (~wanted.kept).sum()


def test_minhash_goes_on_where_it_left_off() -> None:
    texts = random_set(1, 300)
    parts: list[Pairs] = []
    rule = Rule("minhash", 85)
    wanted = apply(rule, rows(texts), Course(heard=lambda done, of, links: parts.append(links)))
    assert len(parts) == minhash.BANDS
    for start in (1, 6, minhash.BANDS):
        again = apply(rule, rows(texts), Course(start, parts[:start]))
        assert again.partner.tolist() == wanted.partner.tolist()
        assert again.score.tolist() == wanted.score.tolist()
