"""`kind: reasoning_gym`: procedural questions of any reasoning-gym task, each judged by the task's own scorer.

Needs the package: `pip install reasoning-gym`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from curate.errors import InputError, Prerequisite
from curate.keys import digest
from curate.kinds import Source
from curate.records import Drop, Question, Scored
from curate.sources._first import REHEARSED
from curate.sources.files import nearest


class ReasoningGym(Source):
    """`size` questions of one task; the same fields and the same reasoning-gym release make the same questions."""

    task: str = Field(description="The task's name, such as `leg_counting`.")
    size: int = Field(100, ge=1, description="How many questions to make.")
    seed: int = Field(0, ge=0, description="Seed of the task's generator.")
    options: dict[str, Any] = Field(default_factory=dict, description="The task's own configuration.")
    domain: str = Field("puzzle", min_length=1, description="The domain of the questions.")

    def read(self) -> Iterator[Question | Drop]:
        """Yield the questions as they are made; a Drop where the stored entry could not be judged (`unreadable_truth`).

        Raises Prerequisite without the package, InputError for a wrong task or option.
        """
        self.fingerprint()  # tells whether the package is there
        for number, line in enumerate(self._lines()):
            yield self._drop(number) if "damaged" in line else self._question(number, line)

    def fingerprint(self) -> str:
        """The release of reasoning-gym: with the fields, which the stage key holds, it decides every question."""
        try:
            return digest("reasoning-gym", version("reasoning-gym"))
        except PackageNotFoundError:
            raise Prerequisite("reasoning-gym is not installed", next="install it: pip install reasoning-gym") from None

    def rehearsal(self) -> Source:
        """The first few questions of the same task."""
        return self.model_copy(update={"size": min(self.size, REHEARSED)})

    def _question(self, number: int, line: dict[str, Any]) -> Question:
        return Question.of(
            problem=line["question"],
            domain=self.domain,
            truth=Scored(task=self.task, entry=line["entry"]),
            seq=number,
            source=f"reasoning_gym/{self.task}",
            source_id=self._name(number),
            licence="Apache-2.0",
            gold=line["answer"],
        )

    def _drop(self, number: int) -> Drop:
        return Drop(
            unit="question",
            id=digest("row", f"reasoning_gym/{self.task}", self._name(number)),
            seq=number,
            stage="ingest",
            reason="unreadable_truth",
            evidence={"detail": "the task's scorer does not accept its own answer once the entry has been stored"},
        )

    def _name(self, number: int) -> str:
        return f"{self.task}-{self.seed}-{number}"

    def _lines(self) -> Iterator[dict[str, Any]]:
        asked = json.dumps({"task": self.task, "size": self.size, "seed": self.seed, "options": self.options})
        command = [sys.executable, "-P", "-m", "curate.sources._gym_child", asked]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, env=environment) as child,
        ):
            assert child.stdout is not None
            try:
                for text in child.stdout:
                    line = json.loads(text)
                    self._refused(line)
                    yield line
                if child.wait():
                    complaints.seek(0)
                    last = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
                    raise InputError(
                        f"task '{self.task}' failed: {last[0] if last else f'exit status {child.returncode}'}",
                        where="reasoning_gym",
                        next="try other options or another seed",
                    )
            finally:
                child.kill()  # a reader may stop early; a finished child does not mind

    def _refused(self, line: dict[str, Any]) -> None:
        if "unknown_task" in line:
            known = line["known"]
            raise InputError(
                f"reasoning-gym has no task '{self.task}'",
                where="reasoning_gym",
                next=f"{nearest(self.task, known)}its tasks are: {', '.join(known)}",
            )
        if "bad_options" in line:
            raise InputError(
                f"task '{self.task}' does not take these options: {line['bad_options']}",
                where="reasoning_gym",
                next=f"see the fields of {line['config']} in reasoning-gym",
            )
