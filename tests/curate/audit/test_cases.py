import json
from typing import Any

import pytest

from curate.audit.cases import Case, Chosen, case_of, cases, choose
from curate.calibrate import label_of
from curate.errors import InputError
from curate.records import Answer, Choice, Reference, Tests, Unknown

TESTS = json.dumps({"inputs": ["1\n"], "outputs": ["1\n"]})


def case(**row: Any) -> Case:
    return case_of(0, row, Chosen("response", "ok" if "ok" in row else None))


@pytest.mark.parametrize(
    ("columns", "response", "found"),
    [
        (["response", "a_solution", "ground_truth_solution"], None, "response"),
        (["deepseek_solution", "ground_truth_solution"], None, "deepseek_solution"),
        (["a_solution", "b_solution", "test_cases"], "b_solution", "b_solution"),
        (["text", "test_cases"], "text", "text"),
    ],
)
def test_the_column_of_the_answer(columns: list[str], response: str | None, found: str) -> None:
    assert choose(columns, response, None).response == found


@pytest.mark.parametrize(
    ("columns", "response", "label", "said"),
    [
        (["a_solution", "b_solution", "test_cases"], None, None, "a_solution, b_solution"),
        (["text", "test_cases"], None, None, "no column holds the answer"),
        (["response"], None, None, "neither ground_truth_solution nor test_cases"),
        (["response", "test_cases"], "respons", None, "did you mean 'response'"),
        (["response", "test_cases"], None, "right", "there is no column 'right'"),
    ],
)
def test_columns_that_do_not_do(columns: list[str], response: str | None, label: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose(columns, response, label)


def test_a_label_is_found_by_its_usual_names_only() -> None:
    assert choose(["response", "test_cases", "is_correct"], None, None).label == "is_correct"
    assert choose(["response", "test_cases", "quality"], None, None).label is None
    assert choose(["response", "test_cases", "quality"], None, "quality").label == "quality"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, True), (False, False), (1, True), (0, False), (1.0, True), ("True", True), ("pass", True),
        ("incorrect", False), ("Correct ", True), (None, None), ("maybe", None), ([1], None), (0.5, None),
    ],
)  # fmt: skip
def test_labels(value: Any, meant: bool | None) -> None:
    assert label_of(value) is meant


@pytest.mark.parametrize("domain", ["physics", "Chemistry", " biology ", "science"])
def test_three_domains_mean_science(domain: str) -> None:
    assert case(domain=domain, response="x").question.domain == "science"


def test_tests_are_the_truth_of_whatever_row_has_them() -> None:
    for domain in ("code", "math", None):
        assert case(domain=domain, test_cases=TESTS, ground_truth_solution="5").question.truth == Tests(cases=TESTS)
    listed = case(domain="code", test_cases=["assert f(1) == 2"]).question.truth
    assert isinstance(listed, Tests)
    assert json.loads(listed.cases) == {"asserts": ["assert f(1) == 2"]}


@pytest.mark.parametrize("absent", [None, "", "  ", "null", "None", "{}", "[]", [], {}, float("nan")])
def test_a_code_row_without_tests_has_no_truth_and_is_no_error(absent: Any) -> None:
    found = case(domain="code", test_cases=absent, ground_truth_solution="print(1)", response="x")
    assert found.question.truth == Unknown()
    assert found.settled is None


@pytest.mark.parametrize("tests", [17, {"inputs": [b"x"]}, "\ud800"])
def test_tests_of_a_wrong_type_are_unreadable(tests: Any) -> None:
    settled = case(domain="code", test_cases=tests, response="x").settled
    assert settled is not None
    assert (settled.outcome, settled.reason) == ("error", "unreadable_tests")


@pytest.mark.parametrize(
    ("domain", "gold", "problem", "truth"),
    [
        ("math", "First 3.\nThus \\boxed{\\frac{1}{2}}.", "", Answer(text="\\frac{1}{2}")),
        ("math", "3 + 4 = 7\n#### 7", "", Answer(text="7")),
        ("math", "So the answer is <<24*2=48>>48 points\n#### 48", "", Answer(text="48")),
        ("math", "#### Step 1\nThe answer is 5.", "", Answer(text="5")),
        ("math", "1,234", "", Answer(text="1,234")),
        ("math", 42, "", Answer(text="42")),
        ("math", "It is long.\nNothing marks an answer.", "", Answer(text="")),
        ("math", None, "", Unknown()),
        ("math", {"a": 1}, "", Unknown()),
        (None, "\\boxed{3}", "", Answer(text="3")),
        ("code", "print(1)", "", Unknown()),
        ("puzzle", "C", "", Choice(letter="C")),
        ("puzzle", "The answer is B.", "Q?\nA: x\nB: y y", Choice(letter="B", options=("x", "y y"))),
        ("puzzle", "y y", "Q?\nA. x\nB. y y", Choice(letter="B", options=("x", "y y"))),
        ("puzzle", "\\boxed{17}", "", Answer(text="17")),
        ("biology", "(C)", "", Choice(letter="C")),
        ("biology", "\\boxed{2}", "", Answer(text="2")),
        ("biology", "Cells divide. The answer is 4.", "", Reference(text="Cells divide. The answer is 4.")),
    ],
)  # fmt: skip
def test_the_reference_of_a_row(domain: str | None, gold: Any, problem: str, truth: Any) -> None:
    assert case(domain=domain, ground_truth_solution=gold, problem=problem, response="x").question.truth == truth


@pytest.mark.parametrize(
    ("response", "solution", "finish"),
    [
        ("\\boxed{1}", "\\boxed{1}", "stop"),
        (None, "", "empty"),
        (" \n", "", "empty"),
        ([1], "", "malformed"),
        ("<think>a</think>\nb", "b", "stop"),
        ("<think>a", "", "length"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b<|end_of_solution|>", "b", "stop"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b", "b", "length"),
        ("<|begin_of_solution|>\n\nb\n\n<|end_of_solution|>", "b", "stop"),
        ("<think>a</think>", "", "empty"),
    ],
)
def test_the_answer_of_a_row(response: Any, solution: str, finish: str) -> None:
    attempt = case(domain="math", response=response).attempt
    assert (attempt.solution.strip(), attempt.finish_reason) == (solution, finish)


def test_values_that_no_file_can_hold_do_no_harm() -> None:
    found = case(domain="math", source="\ud800", problem="\ud800", response="\ud800", ground_truth_solution="\ud800")
    assert found.question.source == "?"
    assert found.question.truth == Unknown()


def test_rows_are_counted_from_0_and_the_first_are_skipped() -> None:
    rows = ({"domain": "math", "response": str(number)} for number in range(5))
    assert [(one.row, one.attempt.solution) for one in cases(rows, Chosen("response", None), 3)] == [(3, "3"), (4, "4")]
