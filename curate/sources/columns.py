"""`Columns`: which column of a source holds what. The one mapping that every tabular source shares.

It turns a row into problem, truth and the rest; the reasons why a row is no question are decided in `row_reader`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from curate.records import Answer, Choice, Grid, Reference, Tests, Truth, Unknown
from curate.sources.boxed import last_boxed
from curate.sources.values import (
    MISSING,
    NotUnicode,
    WrongType,
    cells,
    given,
    label,
    letter,
    lookup,
    megabytes,
    number,
    option_labels,
    option_texts,
    test_text,
    text,
)

BOXED = "boxed"
T = TypeVar("T")


class Columns(BaseModel):
    r"""Column names; dotted ones reach into objects and lists (`6b_finetuning.solution`, `test.0.output`).

    Several truth columns may be mapped: the first one that holds a value decides, in the order tests, check, choice,
    grid, answer, reference. GSM8K is `{problem: question, gold: answer, answer: answer, pattern: '#### (.+)'}`;
    HumanEval is `{problem: prompt, id: task_id, gold: canonical_solution, starter_code: prompt, check: test,
    entry_point: entry_point}`; OpenThoughts is `{problem: problem, domain: domain, source: source, gold:
    ground_truth_solution, starter_code: starter_code, tests: test_cases, answer: ground_truth_solution,
    pattern: boxed}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str = Field("problem", description="The question's text.")
    id: str | None = Field(None, description="Identifies the row in its source; without it, the content does.")
    domain: str | None = Field(None, description="math, code, science, puzzle...; the source's `domain` fills gaps.")
    source: str | None = Field(None, description="Where the row came from; the source's `name` fills gaps.")
    licence: str | None = Field(None, description="The row's licence; the source's `licence` fills gaps.")
    gold: str | None = Field(None, description="A worked solution; it is published, never compared.")
    solutions: str | None = Field(
        None, description="Accepted solutions: a list, or its JSON text; `test_gate` runs them. The first 8 are kept."
    )
    starter_code: str | None = Field(None, description="Code that an answer must start from.")
    meta: tuple[str, ...] = Field((), description="Further columns to keep.")

    answer: str | None = Field(None, description="A final answer, or the text that `pattern` takes it from.")
    pattern: str | None = Field(
        None,
        description="Regular expression: group 1 (or all) of the last match answers; `boxed`: the last \\boxed{}.",
    )
    tests: str | None = Field(None, description="Unit tests, as JSON text or as values.")
    time_s: str | None = Field(None, description="CPU seconds that one test may take.")
    memory_mb: str | None = Field(None, description="Memory that one test may take.")
    check: str | None = Field(None, description="Code defining `check(candidate)`, as HumanEval writes it.")
    entry_point: str | None = Field(None, description="The name of the function that `check` is called with.")
    choice: str | None = Field(None, description="The right option: its label, text, letter or 0-based index.")
    options: str | None = Field(
        None,
        description="The options' texts, or their `text` and `label`; added to the problem unless they stand in it.",
    )
    grid: str | None = Field(None, description="A grid of whole numbers, rows first.")
    reference: str | None = Field(None, description="A free text that only a judge can compare.")
    require_truth: bool = Field(False, description="Drop a row without a readable truth (reason no_truth).")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.check is None) != (self.entry_point is None):
            raise ValueError("`check` and `entry_point` go together")
        for name, needed in (("pattern", "answer"), ("options", "choice")):
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise ValueError(f"`{name}` needs `{needed}`")
        return self

    def mapped(self) -> dict[str, str]:
        """Field -> column name, of every column that is mapped."""
        fields = {
            name: value for name, value in self.model_dump().items() if isinstance(value, str) and name != "pattern"
        }
        return {**fields, **{f"meta.{number}": name for number, name in enumerate(self.meta)}}

    def truth(self, row: Mapping[str, Any]) -> Truth:
        """The truth that a row states; `Unknown` where it states none that can be read.

        Raises WrongType, NotUnicode.
        """
        if (tests := self._tests(row)) is not None:
            return Tests(
                cases=tests, time_s=self.read(row, "time_s", number), memory_mb=self.read(row, "memory_mb", megabytes)
            )
        options, labels = self.options_of(row), self._labels_of(row)
        if right := self.read(row, "choice", lambda value: letter(value, options, labels)):
            return Choice(letter=right, options=options)
        if grid := self.read(row, "grid", cells):
            return Grid(cells=grid)
        if answer := self._answer(self.read(row, "answer", label)):
            return Answer(text=answer)
        if reference := self.read(row, "reference", label):
            return Reference(text=reference)
        return Unknown()

    def options_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The options of a row; none where it has none. Raises WrongType, NotUnicode."""
        return self.read(row, "options", option_texts) or ()

    def _labels_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The options' own names, which stand beside their texts: also where only `choices.text` is mapped."""
        whole, _, last = (self.options or "").rpartition(".")
        if last == "text" and self.options not in row and isinstance(found := lookup(row, whole), Mapping):
            return self.read(row, "options", lambda _: option_labels(found)) or ()
        return self.read(row, "options", option_labels) or ()

    def read(self, row: Mapping[str, Any], field: str, how: Callable[[Any], T]) -> T | None:
        """What the column mapped to `field` holds, read by `how`; None where it is not mapped or holds nothing.

        Raises WrongType and NotUnicode, naming the column.
        """
        column = getattr(self, field)
        found = MISSING if column is None else lookup(row, column)
        if not given(found):
            return None
        try:
            return how(found)
        except (WrongType, NotUnicode) as error:
            raise type(error)(f"column '{column}': {error}") from None

    def _tests(self, row: Mapping[str, Any]) -> str | None:
        tests = self.read(row, "tests", test_text)
        if tests is None and (check := self.read(row, "check", text)) is not None:
            entry_point = self.read(row, "entry_point", label)
            return json.dumps({"check": check, "entry_point": entry_point}, ensure_ascii=False)
        return tests

    def _answer(self, worked: str | None) -> str | None:
        if worked is None or self.pattern is None:
            return worked
        if self.pattern == BOXED:
            return last_boxed(worked)
        match = None
        for match in re.finditer(self.pattern, worked):  # noqa: B007 - the last one counts
            pass
        if match is None:
            return None
        found: str | None = match[1] if match.re.groups else match[0]
        return found.strip() if found else None
