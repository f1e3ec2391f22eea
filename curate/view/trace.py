"""What of a row is shown: its sections, in reading order, and the verdict on it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from curate.errors import InputError
from curate.publish.traces import detect
from curate.view.shelf import UNLISTED, turns_length

_TESTS_SHOWN = 20_000  # characters of test cases
_SHORT = 400  # characters of a reference that is an answer rather than a worked solution
_USER, _ASSISTANT = ("user", "human"), ("assistant", "gpt")
_REFERENCES = ("ground_truth_solution", "answer", "gold")
_PROBLEMS = ("problem", "question", "prompt")
_ANSWERS = ("response", "solution", "prediction_text", "completion")
_FACTS = (
    "question_id", "source_id", "sample", "licence", "finish_reason", "verifier", "verifier_version",
)  # fmt: skip


class Section(NamedTuple):
    """One text of a row; `name` is its CSS class too, `form` says how it is written."""

    name: str
    title: str
    text: str
    form: Literal["markdown", "python", "json"] = "markdown"
    opened: bool = True


class Columns(NamedTuple):
    """Which columns of a dataset hold what a reader wants to see."""

    problem: str | None
    reference: str | None
    traces: tuple[tuple[str, str], ...]  # section name (`reasoning` or `solution`) and column
    conversations: bool

    @property
    def texts(self) -> list[str]:
        """The columns whose characters are the length of a row: the teacher's words, not the problem."""
        return [column for _, column in self.traces] or (["conversations"] if self.conversations else [])


def columns_of(names: Sequence[str], where: str) -> Columns:
    """Find them by name. Raises InputError for a dataset without a problem, a trace or a conversation."""
    traces = [
        (kind, name)
        for name in names
        for kind in ("reasoning", "solution")
        if (name == kind or name.endswith(f"_{kind}")) and name not in _REFERENCES
    ]
    if not any(kind == "solution" for kind, _ in traces):
        traces += [("solution", name) for name in _ANSWERS if name in names][:1]
    problem = next((name for name in _PROBLEMS if name in names), None)
    reference = next((name for name in _REFERENCES if name in names), None)
    if problem is None and not traces and "conversations" not in names:
        raise InputError(
            f"nothing to read in its columns: {', '.join(names) or 'none'}",
            where=where,
            next="expected problem, <prefix>_reasoning, <prefix>_solution, or conversations",
        )
    return Columns(problem, reference, tuple(traces), "conversations" in names and not traces)


def sections(row: Mapping[str, Any], columns: Columns) -> list[Section]:
    """The sections of one row that are not empty."""
    found = [Section("problem", "Problem", _text(row, columns.problem))]
    found.append(Section("starter", "Starter code", _text(row, "starter_code"), "python", False))
    reference = _text(row, columns.reference)
    found.append(Section("reference", "Reference answer", reference, opened=len(reference) <= _SHORT))
    found += [
        Section(kind, kind.capitalize() if len(columns.traces) <= 2 else name, _text(row, name))
        for kind, name in columns.traces
    ]
    if columns.conversations:
        found += _conversation(row.get("conversations"))
    found.append(Section("evidence", "Evidence", _evidence(row.get("evidence")), "json"))
    found.append(Section("tests", "Test cases", _cut(_text(row, UNLISTED)), "json", False))
    return [section for section in found if section.text.strip()]


def facts(row: Mapping[str, Any], columns: Columns) -> dict[str, str]:
    """What else is known of a row, in short words, and its length in characters."""
    found = {name: str(row[name]) for name in _FACTS if row.get(name) not in (None, "")}
    length = sum(len(_text(row, name)) for _, name in columns.traces)
    length += turns_length(row.get("conversations")) if columns.conversations else 0
    return {**found, "characters": f"{length:,}"}


def _text(row: Mapping[str, Any], name: str | None) -> str:
    value = None if name is None else row.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def _conversation(turns: object) -> list[Section]:
    found: list[Section] = []
    for turn in turns if isinstance(turns, list) else []:
        told = turn if isinstance(turn, Mapping) else {}
        who, text = str(told.get("from")), _text(told, "value")
        if who in _USER:
            found.append(Section("problem", "Problem", text))
        elif who in _ASSISTANT:
            found += _assistant(text)
        else:
            found.append(Section("turn", who, text))
    return found


def _assistant(text: str) -> list[Section]:
    """The assistant's turn, taken apart where it is written in a trace format that we know."""
    try:
        trace = detect(text).parse(text)
    except ValueError:
        return [Section("solution", "Solution", text)]
    return [Section("reasoning", "Reasoning", trace.reasoning or ""), Section("solution", "Solution", trace.solution)]


def _evidence(value: object) -> str:
    """Evidence, indented; it is stored as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) if value else ""


def _cut(text: str) -> str:
    return text if len(text) <= _TESTS_SHOWN else text[:_TESTS_SHOWN] + f"\n... ({len(text):,} characters)"
