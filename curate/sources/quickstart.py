"""`kind: quickstart`: the bundled questions over math, code, science and puzzle, read as any JSON lines file is."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from curate.kinds import Source
from curate.records import Drop, Question
from curate.sources.columns import Columns
from curate.sources.jsonl import Jsonl

QUESTIONS = Path(str(files("curate.sources"))) / "data" / "quickstart" / "questions.jsonl"
COLUMNS = Columns(
    id="source_id",
    domain="domain",
    gold="gold",
    starter_code="starter_code",
    answer="answer",
    tests="test_cases",
    time_s="time_s",
    choice="choice",
    options="options",
    reference="reference",
)


class Quickstart(Source):
    """Original questions with gold answers, under Apache-2.0; `bundled:quickstart/answers.jsonl` answers them."""

    def read(self) -> Iterator[Question | Drop]:
        """Yield the bundled questions in the order of their file."""
        return self._table().read()

    def fingerprint(self) -> str:
        """A hash of the bundled file."""
        return self._table().fingerprint()

    def _table(self) -> Jsonl:
        return Jsonl(path=QUESTIONS, name="quickstart", licence="Apache-2.0", columns=COLUMNS)
