"""The join finds exactly the pairs that comparing all of them finds, whatever texts, order and threads."""

import random
import sys
import time

import numpy as np
import pytest

from curate.errors import Prerequisite
from curate.near import histograms, ratio
from curate.near.groups import Course, distinct, grouped, joined
from curate.near.histograms import Ints, counted
from curate.near.ratio import Join, Pairs
from curate.near.rules import Rows, Rule, again
from tests.curate.near.sets import STEM, brute, components, random_set


def pairs(texts: list[str | None], threshold: float) -> dict[tuple[int, int], float]:
    """All pairs of rows, equal texts written out."""
    rows = distinct(texts, [0] * len(texts), np.arange(len(texts), dtype=np.int32))
    of: dict[int, list[int]] = {}
    for row, place in enumerate(rows.of.tolist()):
        of.setdefault(place, []).append(row)
    of.pop(-1, None)
    found = {(one, other): 100.0 for same in of.values() for one in same for other in same if one < other}
    for part in Join(rows.texts, rows.groups, threshold).pairs():
        for left, right, score in zip(*(column.tolist() for column in part), strict=True):
            for one in of[left]:
                for other in of[right]:
                    assert (min(one, other), max(one, other)) not in found
                    found[min(one, other), max(one, other)] = score
    return found


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("threshold", [80, 87.3, 90, 95, 99])
def test_the_pairs_are_those_of_brute_force(seed: int, threshold: float) -> None:
    texts = random_set(seed)
    all_scores = brute(texts, threshold)
    wanted = {(int(i), int(j)): float(all_scores[i, j]) for i, j in zip(*np.nonzero(all_scores), strict=True)}
    assert wanted
    assert pairs(texts, threshold) == wanted


@pytest.mark.parametrize("threshold", [1, 50, 100])
def test_far_thresholds(threshold: float) -> None:
    texts = random_set(3, 200)
    all_scores = brute(texts, threshold)
    assert set(pairs(texts, threshold)) == {(int(i), int(j)) for i, j in zip(*np.nonzero(all_scores), strict=True)}


def test_the_bound_is_never_above_the_distance() -> None:
    """Also where counts are full: 300 times one letter, and counts of two bytes for long texts."""
    draw = random.Random(5)
    texts = ["a" * 300 + "".join(draw.choices("ab", k=draw.randint(0, 30))) for _ in range(40)]
    assert counted(texts).counts.dtype == np.uint8
    long = ["".join(draw.choices("ab ", k=2000)) for _ in range(3)]
    long += [long[0] + "b" * 80, "b" * 50 + long[1], long[2][100:]]
    assert counted(long).counts.dtype == np.uint16
    for some in (texts, long):
        wanted = {(int(i), int(j)) for i, j in zip(*np.nonzero(brute(some, 96)), strict=True)}
        assert set(pairs(list(some), 96)) == wanted
        assert wanted


@pytest.mark.parametrize("threshold", [60, 85, 95])
def test_the_digits_bound_more_and_lose_no_pair(threshold: float) -> None:
    """None to hundreds of digits beside a few letters, digits of other scripts, and families of four numbers."""
    draw = random.Random(threshold)
    texts = ["".join(draw.choices("0123456789", k=draw.randint(55, 75))) for _ in range(20)]
    texts += [one[:at] + one[at + 2 :] for one in texts for at in (0, 9)] + [one + "a" for one in texts[:20]]
    texts += ["".join(draw.choices("01a\u0663\uff13b", k=draw.randint(1, 12))) for _ in range(150)]
    texts += [STEM.format(*(draw.randint(1, 9999) for _ in range(4))) for _ in range(150)]
    wanted = {(int(i), int(j)) for i, j in zip(*np.nonzero(brute(texts, threshold)), strict=True)}
    assert wanted
    assert set(pairs(list(texts), threshold)) == wanted


def test_a_family_of_large_numbers_is_not_compared_by_the_square() -> None:
    draw = random.Random(1)
    texts = [STEM.format(*(draw.randint(1, 9999) for _ in range(4))) for _ in range(3000)]
    join, compared = Join(texts, [0] * len(texts), 95), 0
    scored = join._scored

    def counting(left: Ints, right: Ints) -> Pairs:
        nonlocal compared
        compared += left.size
        return scored(left, right)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join, "_scored", counting)
        found = sum(part.left.size for part in join.pairs())
    assert 0 < found <= compared < 10 * len(texts)  # of 4.5 million


def test_groups_are_never_compared_with_each_other() -> None:
    join = Join(["aaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaac", "aaaaaaaaaaaaaaaaaaaaaad"], [7, 3, 7], 90)
    assert [sorted((int(a), int(b))) for part in join.pairs() for a, b in zip(part.left, part.right, strict=True)] == [
        [0, 2]
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [80, 88, 95])
def test_the_groups_are_those_of_all_pairs(seed: int, threshold: float) -> None:
    texts = random_set(seed)
    rows = distinct(texts, [0] * len(texts), np.arange(len(texts), dtype=np.int32))
    found = grouped(rows, joined(threshold), threshold)
    all_scores = brute(texts, threshold)
    assert found.cluster.tolist() == components(all_scores > 0)
    both = all_scores + all_scores.T
    for row in np.flatnonzero(~found.kept).tolist():
        assert found.partner[row] == found.cluster[row]
        assert found.kept[found.partner[row]]
        by = found.via[row] if found.via[row] >= 0 else found.partner[row]
        assert found.score[row] == both[row, by] >= threshold
    # A higher threshold takes the scores that were found, and compares nothing again but very large groups.
    over = np.flatnonzero(~found.kept).astype(np.int32)
    by_rows = np.where(found.via >= 0, found.via, found.partner)[over].astype(np.int32)
    links = Pairs(over, by_rows, found.score[over])
    ranks = np.arange(len(texts), dtype=np.int32)
    for higher in (threshold, threshold + 3, 99):
        anew = again(Rule("ratio", higher), Rows(texts, [0] * len(texts), ranks), links)
        assert anew.cluster.tolist() == components(all_scores >= higher)
        by = np.where(anew.via >= 0, anew.via, anew.partner)
        assert all(anew.score[row] == both[row, by[row]] >= higher for row in np.flatnonzero(~anew.kept).tolist())


def test_the_order_of_rows_and_the_threads_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = random_set(2, 700)
    names = list(range(len(texts)))

    def found(order: list[int]) -> dict[int, tuple[int, int, float]]:
        ranks = np.array(order, np.int32)  # rows are ranked by name, wherever they stand
        rows = distinct([texts[name] for name in order], [0] * len(order), ranks)
        got = grouped(rows, joined(90), 90)
        named = [*order, -1]
        columns = (got.partner.tolist(), got.via.tolist(), got.score.tolist())
        return {order[row]: (named[a], named[b], s) for row, (a, b, s) in enumerate(zip(*columns, strict=True))}

    wanted = found(names)
    for seed in range(3):
        shuffled = names[:]
        random.Random(seed).shuffle(shuffled)
        monkeypatch.setattr(ratio, "threads", lambda seed=seed: seed + 1)
        assert found(shuffled) == wanted


def test_small_arrays_only_mean_more_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = random_set(1)
    wanted = pairs(texts, 85)
    monkeypatch.setattr(ratio, "_ROWS", 16)
    monkeypatch.setattr(ratio, "_CHARS", 0)  # the least room
    assert pairs(texts, 85) == wanted


@pytest.mark.parametrize("members", [5000])
def test_a_family_does_not_explode(members: int) -> None:
    """Five thousand near-identical rows: 12.5 million pairs, of which few need to be compared."""
    draw = random.Random(0)
    texts: list[str | None] = [STEM.format(*(draw.randint(1, 99) for _ in range(4))) for _ in range(members)]
    texts += ["something else", None]
    rows = distinct(texts, [0] * len(texts), np.arange(len(texts), dtype=np.int32))
    compared = 0
    scores = ratio.scores

    def counting(*arguments: object) -> object:
        nonlocal compared
        compared += arguments[1].size
        return scores(*arguments)

    before = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio, "scores", counting)
        found = grouped(rows, joined(95), 95)
    assert len(set(found.cluster.tolist())) == 3
    assert compared < 200 * members
    assert time.process_time() - before < 10


def test_a_course_goes_on_where_it_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratio, "_ROWS", 4)  # many parts
    texts = random_set(4)
    rows = distinct(texts, [0] * len(texts), np.arange(len(texts), dtype=np.int32))
    parts: list[Pairs] = []
    wanted = grouped(rows, joined(85, Course(heard=lambda done, of, links: parts.append(links))), 85)
    assert len(parts) > 5
    for start in (1, 3, len(parts)):
        again = grouped(rows, joined(85, Course(start, parts[:start])), 85)
        for column in ("cluster", "partner", "via", "score"):
            assert getattr(again, column).tolist() == getattr(wanted, column).tolist()


def test_the_compiled_scan_says_what_python_says() -> None:
    texts = sorted({text for text in random_set(4, 150) if text}, key=lambda text: (len(text), text))
    found = counted(texts)
    zeros, roots = np.zeros(len(texts), np.int32), np.arange(len(texts), dtype=np.int32)
    table = (found.counts, found.lengths, ratio._ends(zeros, found.lengths), zeros, roots)
    got = []
    for scan, thin in ((histograms.scan, histograms.thin), (histograms.scanner(), histograms.thinner())):
        left, right = np.zeros(10000, np.int32), np.zeros(10000, np.int32)
        count, at, resume = scan(table, 0.15, (0, len(texts), 0), left, right)
        before = list(zip(left.tolist(), right.tolist(), strict=True))
        with np.errstate(over="ignore"):  # the words wrap around
            fewer = thin((*table[:2], found.digits, found.ends), 0.15, left[:count], right[:count])
        got.append((count, at, resume, before, fewer, left[:fewer].tolist(), right[:fewer].tolist()))
    assert got[0] == got[1]
    assert got[0][0] > got[0][4] > 10


@pytest.mark.parametrize("trouble", [OSError(28, "No space left on device"), EOFError("Ran out of input")])
def test_trouble_with_the_cache_of_compiled_code_ends_nothing(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba.core.caching import IndexDataCacheFile

    def fail(*_: object) -> None:
        raise trouble

    def double(value: int) -> int:
        return value * 2

    monkeypatch.setattr(IndexDataCacheFile, "save" if isinstance(trouble, OSError) else "load", fail)
    assert histograms.compiled(double)(21) == 42


def test_without_numba_the_error_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(Prerequisite, match="numba does not load"):
        histograms.compiled(len)
