"""The column mapping, on rows as GSM8K, MATH500, AIME, HumanEval, MBPP, ARC, MMLU and OpenThoughts write them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.errors import InputError
from curate.records import Answer, Choice, Drop, Grid, Question, Reference, Tests, Truth, Unknown
from curate.sources.boxed import last_boxed
from curate.sources.columns import Columns
from curate.sources.files import Place
from curate.sources.jsonl import Jsonl
from curate.sources.row_reader import RawRow, RowReader
from curate.sources.values import lookup


def question(row: dict[str, Any], constant: str | None = "math", /, **columns: Any) -> Question:
    reader = RowReader(Columns(**columns), "rows", constant)
    (item,) = reader.read(lambda: [RawRow(Place("rows", 1), row)])
    assert isinstance(item, Question), item
    return item


def truth(row: dict[str, Any], **columns: Any) -> Truth:
    return question({"problem": "p", **row}, **columns).truth


def test_gsm8k(data_dir: Path) -> None:
    columns = {"problem": "question", "gold": "answer", "answer": "answer", "pattern": "#### (.+)"}
    items = list(Jsonl(path=data_dir / "gsm8k" / "test.jsonl", domain="math", columns=columns).read())
    assert isinstance(items[0], Question)
    assert items[0].truth == Answer(text="18")
    assert (items[0].gold or "").endswith("#### 18")


@pytest.mark.parametrize(("name", "count", "key"), [("math", 500, "unique_id"), ("aime", 30, "id"), ("amc", 40, "id")])
def test_math_benchmarks(data_dir: Path, name: str, count: int, key: str) -> None:
    path = data_dir / "limo_eval" / f"{name}.jsonl"
    items = list(Jsonl(path=path, domain="math", columns={"id": key, "answer": "answer"}).read())
    raw = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(items) == count
    for item, row in zip(items, raw, strict=True):
        assert isinstance(item, Question)
        assert isinstance(item.truth, Answer)
        assert item.source_id == str(row[key])
        assert item.truth.text == (str(row["answer"]).removesuffix(".0"))


def test_humaneval(data_dir: Path) -> None:
    columns = {
        "problem": "prompt", "id": "task_id", "gold": "canonical_solution", "starter_code": "prompt",
        "check": "test", "entry_point": "entry_point",
    }  # fmt: skip
    path = data_dir / "humaneval" / "HumanEval.jsonl.gz"
    items = list(Jsonl(path=path, domain="code", columns=columns).read())
    assert len(items) == 164
    for item in items:
        assert isinstance(item, Question)
        assert isinstance(item.truth, Tests)
        cases = json.loads(item.truth.cases)
        assert cases.keys() == {"check", "entry_point"}
        assert item.starter_code is not None
        # The canonical solution is a body: with its head and its tests it is a program that runs.
        program = item.starter_code + (item.gold or "") + cases["check"] + f"\ncheck({cases['entry_point']})\n"
        compile(program, item.source_id, "exec")


OPENTHOUGHTS = {
    "domain": "domain", "source": "source", "gold": "ground_truth_solution", "starter_code": "starter_code",
    "tests": "test_cases", "answer": "ground_truth_solution", "pattern": "boxed",
}  # fmt: skip


def openthoughts(**fields: Any) -> dict[str, Any]:
    names = ("problem", "ground_truth_solution", "test_cases", "starter_code", "domain", "source")
    return {**dict.fromkeys(names), **fields}


def test_openthoughts_rows_of_each_domain() -> None:
    row = openthoughts(problem="p", ground_truth_solution="so \\boxed{\\frac{1}{2}}.", domain="math", source="aops")
    found = question(row, None, **OPENTHOUGHTS)
    assert found.truth == Answer(text="\\frac{1}{2}")
    assert (found.domain, found.source, found.gold) == ("math", "aops", "so \\boxed{\\frac{1}{2}}.")
    cases = '{"inputs": ["1\\n"], "outputs": ["2\\n"]}'
    row = openthoughts(problem="p", test_cases=cases, starter_code="def f():", domain="Code ", source="taco")
    found = question(row, None, **OPENTHOUGHTS)
    assert found.truth == Tests(cases=cases)
    assert (found.domain, found.starter_code) == ("code", "def f():")
    row = openthoughts(problem="p", domain="biology", source="camel")
    assert question(row, None, **OPENTHOUGHTS).truth == Unknown()


def test_the_constant_fills_gaps_of_the_column() -> None:
    assert question({"problem": "p", "d": None}, "puzzle", domain="d").domain == "puzzle"
    reader = RowReader(Columns(domain="d"), "rows")
    (item,) = reader.read(lambda: [RawRow(Place("rows", 1), {"problem": "p", "d": None})])
    assert isinstance(item, Drop)
    assert item.reason == "no_domain"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (27.0, "27"),
        (27, "27"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (" 18 ", "18"),
        ([3, 4.0], "3, 4"),
        (["x"], "x"),
        (0.00001, "0.00001"),
        (1e22, "1" + "0" * 22),
        (9007199254740992.0, "9007199254740992"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.50"), "0.50"),
    ],
)
def test_answers_as_text(value: Any, text: str) -> None:
    assert truth({"a": value}, answer="a") == Answer(text=text)


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_no_answer_is_unknown(value: Any) -> None:
    assert truth({"a": value}, answer="a") == Unknown()


def test_pattern_takes_the_last_match() -> None:
    assert truth({"a": "A: 1\nA: 2"}, answer="a", pattern=r"A: (\d+)") == Answer(text="2")
    assert truth({"a": "1 then 27"}, answer="a", pattern=r"\d+") == Answer(text="27")
    assert truth({"a": "none"}, answer="a", pattern=r"\d+") == Unknown()
    assert truth({"a": "$\\boxed{3}$ or \\boxed{"}, answer="a", pattern="boxed") == Answer(text="3")


def test_tests_in_every_form() -> None:
    text = '{"inputs": [], "outputs": []}'
    assert truth({"t": text, "s": 2}, tests="t", time_s="s") == Tests(cases=text, time_s=2.0)
    as_text = truth({"t": {"inputs": ["é"]}, "m": "512"}, tests="t", memory_mb="m")
    assert as_text == Tests(cases='{"inputs": ["é"]}', memory_mb=512)
    assert truth({"t": ["assert f(1) == 2"]}, tests="t") == Tests(cases='{"asserts": ["assert f(1) == 2"]}')


def test_test_values_are_not_altered() -> None:
    inf, nan, big = float("inf"), float("nan"), Decimal("9" * 5001)
    found = truth({"t": {"inputs": [[big]], "outputs": [inf, -inf, nan, 0.1, 10**30, Decimal("1.50")]}}, tests="t")
    assert isinstance(found, Tests)
    numbers = "[Infinity, -Infinity, NaN, 0.1, 1" + "0" * 30 + ", 1.50]"
    assert found.cases == '{"inputs": [[' + "9" * 5001 + ']], "outputs": ' + numbers + "}"
    with pytest.raises(InputError, match="that JSON can hold, found bytes"):
        truth({"t": [b"x"]}, tests="t")


@pytest.mark.parametrize("value", [10**400, "1e999", float("nan"), -1, True])
def test_a_limit_that_is_no_number(value: Any) -> None:
    row = {"t": "{}", "s": value}
    if value != value:  # NaN is no value
        assert truth(row, tests="t", time_s="s") == Tests(cases="{}")
        return
    with pytest.raises(InputError, match="column 's': expected a positive number"):
        truth(row, tests="t", time_s="s")


def test_infinity_is_no_answer() -> None:
    with pytest.raises(InputError, match="a finite number"):
        truth({"a": float("inf")}, answer="a")


@pytest.mark.parametrize(
    ("value", "letter"), [("B", "B"), ("(b)", "B"), ("B.", "B"), (1, "B"), ("two", "B"), ("b", "B")]
)
def test_choice(value: Any, letter: str) -> None:
    found = question({"problem": "p?", "c": value, "o": ["one", "two"]}, choice="c", options="o")
    assert found.truth == Choice(letter=letter, options=("one", "two"))
    assert found.problem == "p?\n\nA. one\nB. two"


def test_choice_whose_problem_lists_its_options() -> None:
    problem = "Which?\n\n(A) one\nB. two words"
    row = {"problem": problem, "c": "A", "o": {"label": ["A", "B"], "text": ["one", "two words"]}}
    assert question(row, choice="c", options="o").problem == problem


@pytest.mark.parametrize(
    ("value", "options", "letter"),
    [
        ("e", ["a", "e", "i", "o"], "B"),
        ("B", ["X", "Y", "B"], "C"),
        ("B", ["A", "B", "C"], "B"),
        ("(B)", ["(A)", "(B)"], "B"),
        ("E", ["x", "E"], "B"),
        ("1", ["x", "y"], "B"),
        ("1", ["1", "2"], "A"),
        (1, ["1", "2"], "B"),
        (20, [10, 20], "B"),
        ("1", {"text": ["x", "y"], "label": ["1", "2"]}, "A"),
        (2, {"text": ["x", "y"], "label": ["1", "2"]}, "B"),
        ("B", {"text": ["x", "y"], "label": ["A", "B"]}, "B"),
        ("y", {"text": ["x", "y"], "label": None}, "B"),
    ],
)
def test_choice_that_could_be_read_in_two_ways(value: Any, options: Any, letter: str) -> None:
    found = truth({"c": value, "o": options}, choice="c", options="o")
    assert isinstance(found, Choice)
    assert found.letter == letter


def test_the_labels_stand_beside_mapped_texts() -> None:
    row = {"c": "1", "o": {"text": ["x", "y"], "label": ["1", "2"]}}
    assert truth(row, choice="c", options="o.text") == Choice(letter="A", options=("x", "y"))


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("E", ["x", "y"]),
        ("neither", ["x", "y"]),
        ("2", ["x", "y"]),
        (2, ["x", "y"]),
        (-1, ["x", "y"]),
        (True, ["x", "y"]),
        ("x", ["x", "x"]),
        ("0", {"text": ["x", "y"], "label": ["1", "2"]}),
        ("1", {"text": ["x", "y"], "label": ["1"]}),
        ("Paris", None),
    ],
)
def test_a_choice_that_names_no_option_stops_the_run(value: Any, options: Any) -> None:
    with pytest.raises(InputError, match="expected"):
        truth({"c": value, "o": options}, choice="c", options="o")


def test_grid_and_reference() -> None:
    row = {"test": [{"output": [[1, 2], [3, 4]]}]}
    assert truth(row, grid="test.0.output") == Grid(cells=((1, 2), (3, 4)))
    assert truth({"g": "[[0]]"}, grid="g") == Grid(cells=((0,),))
    assert truth({"r": "because"}, reference="r") == Reference(text="because")


def test_the_first_truth_that_is_there_decides() -> None:
    both = {"tests": "t", "answer": "a"}
    assert truth({"t": "{}", "a": 1}, **both) == Tests(cases="{}")
    assert truth({"t": None, "a": 1}, **both) == Answer(text="1")


def test_meta_is_kept_as_json() -> None:
    row = {"problem": "p", "level": 3, "deep": {"x": [1, float("inf")]}, "when": Path("x")}
    found = question(row, meta=["level", "deep.x", "when"])
    assert found.meta == {"level": 3, "deep.x": [1, None], "when": "x"}
    json.dumps(found.meta, allow_nan=False)


def test_lookup_prefers_the_very_name() -> None:
    assert lookup({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert lookup({"a": [{"b": 2}]}, "a.0.b") == 2
    assert lookup({"a": None}, "a.b") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\\boxed{1} and \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\fbox {7}", "7"),
        ("\\boxed{\\boxed{3}}", "3"),
        ("\\boxed{5", None),
        ("{}}} \\boxed{}", None),
        ("", None),
    ],
)
def test_last_boxed(text: str, found: str | None) -> None:
    assert last_boxed(text) == found


def test_last_boxed_takes_linear_time() -> None:
    assert last_boxed("\\boxed{" * 200_000) is None
    assert last_boxed("\\boxed{" * 100_000 + "1" + "}" * 99_999) == "1"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"check": "test"}, "go together"),
        ({"pattern": "x"}, "needs `answer`"),
        ({"answer": "a", "pattern": "("}, "not a regular expression"),
        ({"options": "o"}, "needs `choice`"),
        ({"problm": "p"}, "Extra inputs"),
    ],
)
def test_a_mapping_that_cannot_be(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Columns(**columns)


def test_a_source_must_say_its_domain() -> None:
    with pytest.raises(ValidationError, match="say the domain"):
        Jsonl(path=Path("x.jsonl"))
