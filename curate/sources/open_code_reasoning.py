"""`kind: open_code_reasoning`: the questions of nvidia/OpenCodeReasoning (Ahmad et al., 2025), without its answers.

A question stands in it some twenty times, once for each answer; it is read once.
"""

import hashlib
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from curate.records import Drop, Question, Unknown
from curate.sources._code import CodeSet, problem_id
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.row_reader import RawRow
from curate.sources.values import text

_ELSEWHERE = "-"  # the `input` of split_1: its questions lie in APPS and TACO
_COLUMNS = ("id", "input", "source", "license", "dataset", "split", "difficulty")


class OpenCodeReasoning(CodeSet):
    """28,000 questions from ten sites, without tests: nothing here can be verified by running it.

    `split_1` holds no question texts, only the place of each in APPS or TACO: such rows are `question_elsewhere`.
    """

    origin: ClassVar[Origin] = Origin(
        repo="nvidia/OpenCodeReasoning",
        configs=("split_0", "split_1"),
        splits=("split_0", "split_1"),
        features=dict.fromkeys(_COLUMNS, "string"),
        others={"split_1": dict.fromkeys((*_COLUMNS, "index"), "string")},
        evidence=(
            "https://huggingface.co/datasets/nvidia/OpenCodeReasoning/discussions/2/files (dataset_info)",
            "https://huggingface.co/datasets/nvidia/OpenCodeReasoning/commit/2012ff593daa62ceff300f684e5e4ed969b1cc68",
        ),
        confirmed=True,
        licence="cc-by-4.0",
        gigabytes=33,
        files="{config}/train-*.parquet",
        note="Questions have the licences that the column `license` states.",
    )

    split: str = Field("split_0", description="The set's splits have the names of its configurations.")
    min_chars: int = Field(0, ge=0, description="Drop a problem that is shorter (`short_problem`).")
    exclude: tuple[str, ...] = Field((), description="Drop a problem that holds one of these texts (`excluded_text`).")

    def parts(self) -> list[Part]:
        """One part for each split, which is also the configuration of its name."""
        return [Part(self.origin.repo, split, split, split) for split in self.splits()]

    def items(self, rows: Iterator[tuple[Part, RawRow]]) -> Iterator[Question | Drop]:
        """Each question once, where it stands first."""
        seen: set[bytes] = set()
        for part, raw in rows:
            key = self.tried(part, raw, _key)
            if isinstance(key, Drop):
                yield key
            elif key not in seen:
                seen.add(key)
                yield self.item(part, raw)

    def question(self, row: Row, part: Part) -> Question:
        """The question of a row. Raises Left."""
        problem = text(row["input"] or "")
        if problem.strip() == _ELSEWHERE:
            raise Left("question_elsewhere", dataset=row["dataset"], split=row["split"], index=row.get("index"))
        self.wanted(problem, [])
        return self.made(
            problem,
            Unknown(),
            source_id=problem_id(problem),
            licence=row["license"] or self.origin.licence,
            meta={
                "site": (row["source"] or "").upper() or None,
                "dataset": row["dataset"],
                "difficulty": row["difficulty"],
                "id": row["id"],
            },
        )


def _key(row: Row, part: Part) -> bytes:
    """What a question is known by: its text, or where it lies."""
    told = [row["input"] or ""]
    if told[0].strip() == _ELSEWHERE:
        told += [str(row.get(name)) for name in ("dataset", "split", "index")]
    return hashlib.blake2b("\0".join(told).encode("utf-8", "surrogatepass"), digest_size=12).digest()
