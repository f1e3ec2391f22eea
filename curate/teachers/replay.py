"""`kind: replay`: answers recorded earlier, by whatever program: how anybody verifies again what they already own."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from curate.calls.completion import completion
from curate.calls.model import Call, Reply
from curate.errors import InputError
from curate.keys import Operational, digest
from curate.kinds import Teacher
from curate.paths import RecipePath
from curate.records import Attempt, Question
from curate.sources.files import stem
from curate.sources.values import MISSING, lookup
from curate.teachers.parse import attempt_of
from curate.teachers.recording import Recording

if TYPE_CHECKING:
    from curate.resources import Resources


class Replay(Teacher):
    """A file of recorded answers: JSON lines, also gzipped, or Parquet. Names like `a.b` reach into objects.

    A row answers the question whose `match` field equals its `column`. Rows of one question are its samples: by the
    `sample` column if there is one, else in their order. `reasoning`, `sample` and `finish_reason` are read from the
    columns of that name where these fields are not set and the file has them.
    """

    billed = False
    path: Annotated[RecipePath, Operational] = Field(description="A .jsonl, .jsonl.gz or .parquet file.")
    match: Literal["source_id", "id", "problem"] = Field("source_id", description="The question's field to match by.")
    column: str | None = Field(None, description="The column that holds it; by default the one of the same name.")
    solution: str = Field("solution", description="The column with the answer (its thinking may stand in it, marked).")
    reasoning: str | None = Field(None, description="The column with the thinking.")
    sample: str | None = Field(None, description="The column with the number of the sample, from 0.")
    finish_reason: str | None = Field(None, description="The column with why the answer ended; empty means `stop`.")
    label: str | None = Field(None, description="Tells recordings apart; by default the file's name.")

    def name(self) -> str:
        """Kind and label."""
        return f"replay/{self.label or stem(self.path)}"

    async def open(self, resources: "Resources") -> None:
        """Index the file, once for all teachers that read it alike. Raises InputError."""
        slot = self._slot()
        if slot not in resources.recordings:
            resources.recordings[slot] = await asyncio.to_thread(
                Recording, self.path, self.column or self.match, self.sample
            )
        recording: Recording = resources.recordings[slot]
        recording.need([self.solution, *(name for name in (self.reasoning, self.finish_reason) if name)])

    def call(self, question: Question, sample: int, resources: "Resources") -> Call | None:
        """A call that carries the recorded answer; None where there is none for this sample."""
        recording: Recording = resources.recordings[self._slot()]
        row = recording.find(str(getattr(question, self.match)), sample)
        if row is None:
            return None
        solution = _text(row, self.solution, recording)
        reasoning = _text(row, self.reasoning or "reasoning", recording)
        finish_reason = _text(row, self.finish_reason or "finish_reason", recording) or "stop"
        return Call(
            form="given",
            model=self.name(),
            sample=sample,
            body={"recorded": digest(solution, reasoning, finish_reason)},
            billed=False,
            given=completion(solution, reasoning=reasoning, finish_reason=finish_reason),
            concurrency=self.concurrency,
        )

    def unused(self, resources: "Resources") -> int:
        """Rows of the file that no question asked for (of no question, or of a sample beyond `samples`)."""
        recording: Recording = resources.recordings[self._slot()]
        return recording.unused()

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt that a recorded answer is."""
        return attempt_of(question, sample, call, reply, self.name())

    def _slot(self) -> str:
        return f"{self.path}|{self.column or self.match}|{self.sample}"


def _text(row: dict[str, Any], column: str, recording: Recording) -> str | None:
    value = lookup(row, column)
    if value is MISSING or value is None or isinstance(value, str):
        return value if isinstance(value, str) else None
    if isinstance(value, int | float):
        return str(value)
    raise InputError(f"column '{column}' must hold text, found {type(value).__name__}", where=str(recording.path))
