"""A row of the audited dataset as a question and an attempt: which column is the answer, and what truth the row states.

The columns are those of OpenThoughts' `metadata`: `problem`, `ground_truth_solution`, `test_cases`, `starter_code`,
`domain`, `source`, and the answer. Tests are the truth of whatever row has them; else the reference is extracted from
`ground_truth_solution`, a worked text, by the same rules as an answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from curate.audit.references import truth_of
from curate.calibrate import label_of
from curate.errors import InputError
from curate.records import Attempt, FinishReason, Question, Tests, Truth, Unknown, Verdict
from curate.sources.files import nearest
from curate.sources.values import NotUnicode, WrongType, given, label, test_text
from curate.teachers.split import split
from curate.verifiers.code import Code
from curate.verifiers.verdict import verdict_of

RESPONSE = "response"
GOLD = "ground_truth_solution"
TESTS = "test_cases"
LABELS = ("correct", "is_correct", "label", "verified")  # columns that are taken for a label without being named
READ = ("problem", GOLD, TESTS, "starter_code", "domain", "source")
UNKNOWN = "unknown"
_SCIENCE = frozenset({"physics", "chemistry", "biology"})
_NO_TESTS = frozenset({"null", "None", "nan", "{}", "[]"})  # what exporters write where there are no tests


class Chosen(NamedTuple):
    """The columns that an audit reads: the answer's and, where there is one, the label's."""

    response: str
    label: str | None

    def all(self) -> list[str]:
        """Every column that is read."""
        return [*READ, self.response, *([self.label] if self.label else [])]


class Case(NamedTuple):
    """One row, ready to be judged. `settled` is the verdict where the row's own state decides it."""

    row: int
    question: Question
    attempt: Attempt
    label: bool | None
    size: int  # characters of its texts
    settled: Verdict | None = None


def choose(columns: Sequence[str], response: str | None, labelled: str | None) -> Chosen:
    """Choose the columns. Raises InputError: an absent column, several that may be the answer, none with a truth."""
    for wanted in (response, labelled):
        if wanted is not None and wanted not in columns:
            follow = f"{nearest(wanted, columns)}the columns are: {', '.join(columns)}"
            raise InputError(f"there is no column '{wanted}'", next=follow)
    if GOLD not in columns and TESTS not in columns:
        raise InputError(
            f"neither {GOLD} nor {TESTS} is among the columns: there is nothing to verify against",
            next=f"the columns are: {', '.join(columns)}; on the hub and in folders, --config names another table",
        )
    if labelled is None:
        labelled = next((name for name in LABELS if name in columns), None)
    return Chosen(response or _answer(columns), labelled)


def _answer(columns: Sequence[str]) -> str:
    if RESPONSE in columns:
        return RESPONSE
    found = [name for name in columns if name.endswith("_solution") and name != GOLD]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"several columns may hold the answer: {', '.join(found)}", next="pick one with --response")
    raise InputError(
        f"no column holds the answer: neither '{RESPONSE}' nor one that ends in '_solution'",
        next=f"name it with --response; the columns are: {', '.join(columns)}",
    )


def cases(rows: Iterator[Mapping[str, Any]], chosen: Chosen, start: int = 0) -> Iterator[Case]:
    """The rows from number `start` on, lazily; one is alive at a time."""
    number = -1
    for row in rows:
        number += 1
        if number >= start:
            held = [case_of(number, row, chosen)]
            del row
            yield held.pop()


def case_of(number: int, row: Mapping[str, Any], chosen: Chosen) -> Case:
    """Read one row. Never raises on what stands in it: an unreadable value is a verdict."""
    domain = _word(row.get("domain")).lower() or UNKNOWN
    domain = "science" if domain in _SCIENCE else domain
    problem = row.get("problem")
    problem = problem if isinstance(problem, str) else ""
    settled = None
    try:
        truth = _truth(row, domain, problem)
    except (WrongType, NotUnicode) as error:
        truth = Unknown()
        settled = verdict_of(Code(), "error", "unreadable_tests", {"message": str(error)})
    starter = row.get("starter_code")
    question = Question.of(
        problem=problem,
        domain=domain,
        truth=truth,
        source=_word(row.get("source")) or UNKNOWN,
        source_id=str(number),
        starter_code=starter if isinstance(starter, str) and given(starter) else None,
    )
    attempt = _attempt(row.get(chosen.response))
    size = len(problem) + len(attempt.solution) + (len(truth.cases) if isinstance(truth, Tests) else 0)
    return Case(number, question, attempt, label_of(row.get(chosen.label)) if chosen.label else None, size, settled)


def _truth(row: Mapping[str, Any], domain: str, problem: str) -> Truth:
    tests = row.get(TESTS)
    if given(tests) and tests not in ([], {}) and not (isinstance(tests, str) and tests.strip() in _NO_TESTS):
        return Tests(cases=test_text(tests))
    gold = row.get(GOLD)
    if domain == "code" or not given(gold):
        return Unknown()  # the text of another program says nothing about this one
    try:
        return truth_of(label(gold), domain, problem)
    except (WrongType, NotUnicode):
        return Unknown()


def _attempt(value: Any) -> Attempt:
    """The answer, without the thinking where it is a full trace; a trace that never ends is truncated."""
    finish: FinishReason = "stop"
    solution = value if isinstance(value, str) else ""
    if value is not None and not isinstance(value, str):
        finish = "malformed"
    elif solution:
        parted = split(solution, thinking_known=True)
        solution, finish = parted.solution, "stop" if parted.whole else "length"
    if finish == "stop" and not given(solution):
        finish = "empty"
    return Attempt(
        id="", question_id="", sample=0, teacher="audit", solution=solution, finish_reason=finish, request_key=""
    )


def _word(value: Any) -> str:
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""
