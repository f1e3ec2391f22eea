"""The questions of OpenThoughts-114k (tests, answers, letters, references, as `audit` reads them) and OpenThoughts3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.records import Answer, Choice, Drop, Question, Reference, Tests, Unknown
from curate.sources.openthoughts import OpenThoughts
from curate.sources.openthoughts3 import OpenThoughts3

Lines = Callable[..., Path]


def row(domain: str | None, gold: str | None = None, **more: Any) -> dict[str, Any]:
    fixed = {"problem": "Asked.", "source": "made", "test_cases": None, "starter_code": None}
    return {"ground_truth_solution": gold, "domain": domain, **fixed, **more}


def only(path: Path) -> Question | Drop:
    (item,) = OpenThoughts(path=path).read()
    return item


def test_the_bundled_rows_have_every_truth() -> None:
    found = [item for item in OpenThoughts().rehearsal().read() if isinstance(item, Question)]
    assert [type(one.truth) for one in found] == [
        Answer, Reference, Choice, Unknown, Unknown, Tests, Tests, Unknown,
    ]  # fmt: skip
    assert [one.domain for one in found] == ["math", "math", "puzzle", "science", "science", "code", "code", "code"]
    assert found[6].starter_code == "def add(a, b):\n"
    assert found[3].meta == {"from": "camel", "subject": "physics"}


def test_a_worked_text_states_its_answer_by_the_rules_of_audit(lines: Lines) -> None:
    item = only(lines(row("math", "Half of 18 is 9.\n#### 9")))
    assert isinstance(item, Question)
    assert item.truth == Answer(text="9")
    assert item.gold == "Half of 18 is 9.\n#### 9"


def test_what_a_model_wrote_is_no_reference(lines: Lines) -> None:
    item = only(lines(row("biology", "It is a cell.", source="camel")))
    assert isinstance(item, Question)
    assert item.truth == Unknown()


def test_tests_decide_whatever_the_domain_and_exporters_null_is_none(lines: Lines) -> None:
    item = only(lines(row("code", "x = 1", test_cases='{"inputs": ["1"], "outputs": ["1"]}')))
    assert isinstance(item, Question)
    assert item.truth == Tests(cases='{"inputs": ["1"], "outputs": ["1"]}')
    for empty in ("null", "{}", "", None):
        item = only(lines(row("code", "x = 1", test_cases=empty)))
        assert isinstance(item, Question)
        assert item.truth == Unknown()


def test_only_chosen_domains_are_read_and_none_is_a_drop(lines: Lines) -> None:
    path = lines(row("math", "#### 1"), row("physics", source="camel"), row("code"))
    found = [item for item in OpenThoughts(path=path, domains=("physics",)).read() if isinstance(item, Question)]
    assert [one.domain for one in found] == ["science"]
    assert [item.reason for item in [only(lines(row(None, "1")))] if isinstance(item, Drop)] == ["no_domain"]


def test_the_traces_stay_on_the_hub() -> None:
    (hub,) = OpenThoughts().hubs()
    assert hub.data_files == ("metadata/train-*.parquet",)
    assert not any(name.startswith("deepseek") for name in OpenThoughts.origin.features)


def test_openthoughts3_asks_each_question_once() -> None:
    items = list(OpenThoughts3().rehearsal().read())
    found = [item for item in items if isinstance(item, Question)]
    assert [one.domain for one in found] == ["math", "code", "science"]
    assert [one.truth for one in found] == [Unknown()] * 3
    assert found[1].meta == {"from": "stackexchange_codegolf", "difficulty": 7}
    assert [item.reason for item in items if isinstance(item, Drop)] == ["wrong_type"]
    code = OpenThoughts3(domains=("code",)).rehearsal().read()
    assert [item.domain for item in code if isinstance(item, Question)] == ["code"]
