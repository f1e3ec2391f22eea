"""NuminaMath-CoT: which rows are read, which filter drops which, and what the answer is."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.records import Answer, Drop, Question, Reference
from curate.sources.numina_math import RECORDED, NuminaMath

Lines = Callable[..., Path]


def row(
    problem: str = "What is 2 + 2?", solution: str | None = r"\boxed{4}", source: str = "olympiads"
) -> dict[str, Any]:
    return {"source": source, "problem": problem, "solution": solution}


def only(path: Path, **options: Any) -> Question | Drop:
    (item,) = NuminaMath(path=path, **options).read()
    return item


def reason(path: Path, **options: Any) -> str | None:
    item = only(path, **options)
    return item.reason if isinstance(item, Drop) else None


def test_the_bundled_rows_meet_every_filter() -> None:
    items = list(NuminaMath().rehearsal().read())
    assert Counter(item.reason for item in items if isinstance(item, Drop)) == {
        "keyword_figure": 1,
        "keyword_png": 1,
        "keyword_answer": 1,
        "multipart": 1,
        "no_solution": 2,
        "proof": 1,
        "no_boxed": 1,
        "unreadable_boxed": 1,
    }
    kept = [item for item in items if isinstance(item, Question)]
    assert [one.meta["subset"] for one in kept] == ["amc_aime", "olympiads", "aops_forum", "math"]
    assert [one.truth for one in kept] == [Answer(text=text) for text in ("13", "2, 3", "4", r"5\sqrt{2}")]


@pytest.mark.parametrize("keyword", ["Figure", "diagrams", "x.JPEG", "x.png", "x.jpg", "x.svg", "Answer: 4"])
def test_keywords_count_in_any_case_and_inside_words(lines: Lines, keyword: str) -> None:
    path = lines(row(f"See the {keyword}. What is 2 + 2?"))
    found = reason(path)
    assert found is not None
    assert found.startswith("keyword_")
    assert reason(path, drop_keywords=()) is None


def test_multipart_starts_with_a_and_has_b(lines: Lines) -> None:
    assert reason(lines(row("A) What is 2? B) What is 3?"))) == "multipart"
    assert reason(lines(row("Choose: a) 3 b) 4"))) is None
    assert reason(lines(row("a) What is 2?"))) is None
    assert reason(lines(row("a) What is 2? b) What is 3?")), drop_multipart=False) is None


def test_a_proof_has_an_empty_box_wherever_it_stands(lines: Lines) -> None:
    path = lines(row(solution=r"So \boxed{4}, as was to be shown. \boxed{}"))
    assert reason(path) == "proof"
    item = only(path, drop_proofs=False)
    assert isinstance(item, Question)
    assert isinstance(item.truth, Reference)


def test_without_a_box_the_solution_is_a_reference_if_it_may_stay(lines: Lines) -> None:
    path = lines(row(solution="It is four."))
    assert reason(path) == "no_boxed"
    item = only(path, drop_unboxed=False)
    assert isinstance(item, Question)
    assert item.truth == Reference(text="It is four.")


def test_the_last_box_answers_and_the_solution_stays_as_gold(lines: Lines) -> None:
    solution = r"First \boxed{1}. Then \boxed{\frac{2}{\sqrt{3}}}."
    item = only(lines(row(solution=solution)))
    assert isinstance(item, Question)
    assert (item.truth, item.gold) == (Answer(text=r"\frac{2}{\sqrt{3}}"), solution)


def test_other_subsets_are_no_part_of_the_source(lines: Lines) -> None:
    path = lines(row(source="cn_k12"), row(source="math"), row(source="orca_math"))
    assert [item.meta["subset"] for item in NuminaMath(path=path).read() if isinstance(item, Question)] == ["math"]
    named = NuminaMath(path=path, subsets=("cn_k12", "orca_math")).read()
    assert [item.meta["subset"] for item in named if isinstance(item, Question)] == ["cn_k12", "orca_math"]


def test_a_file_without_the_subset_column_is_an_error_not_an_empty_source(lines: Lines) -> None:
    with pytest.raises(InputError, match="there is no column 'source'"):
        list(NuminaMath(path=lines({"problem": "x", "solution": r"\boxed{1}"})).read())


def test_the_recorded_yields_are_of_the_default_subsets() -> None:
    assert tuple(RECORDED) == NuminaMath().subsets
    assert sum(kept for _, kept in RECORDED.values()) == 151_522


def test_several_boxes_in_a_phrase_are_for_a_judge(lines: Lines) -> None:
    for solution in (r"So $x = \boxed{1}$ or $x = \boxed{2}$.", r"It is $\boxed{1\frac12}$, or $\boxed{1.5}$."):
        item = only(lines(row(solution=solution)))
        assert isinstance(item, Question)
        assert item.truth == Reference(text=solution)
    item = only(lines(row(solution="First \\boxed{1} it seems.\n\nBut by the second lemma, it is \\boxed{2}.")))
    assert isinstance(item, Question)
    assert item.truth == Answer(text="2")
