"""`kind: livecodebench`: the dated problems of livecodebench/code_generation_lite (Jain et al., 2024)."""

import json
from datetime import date
from typing import ClassVar, Self

from pydantic import Field, model_validator

from curate.records import Question, Tests
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import text

_RELEASES = 6
_COLUMNS = (
    "question_title", "question_content", "platform", "question_id", "contest_id", "contest_date", "starter_code",
    "difficulty", "public_test_cases", "private_test_cases", "metadata",
)  # fmt: skip


class Livecodebench(Published):
    """LiveCodeBench: 1,055 problems (release_v6) of LeetCode, AtCoder and Codeforces, each with the day of its contest.

    Outputs are compared by its own rules (`lcb`). The private tests stay compressed as the hub holds them.
    """

    domain: ClassVar[str] = "code"
    origin: ClassVar[Origin] = Origin(
        repo="livecodebench/code_generation_lite",
        configs=(
            "release_v6", *(f"release_v{number}" for number in range(1, _RELEASES)),
            *(f"v{number}" for number in range(1, _RELEASES + 1)),
        ),
        splits=("test",),
        features=dict.fromkeys(_COLUMNS, "string"),
        evidence=(
            "https://huggingface.co/datasets/livecodebench/code_generation_lite/blob/"
            "6b6b0322bc247161eebd8aee058237dc21566d21/README.md (dataset_info)",
            "https://huggingface.co/datasets/livecodebench/code_generation_lite/commit/"
            "eef204666b9879915189d71010db8aab4e766ed5 (which files make which release)",
        ),
        confirmed=True,
        licence="cc",
        gigabytes=4.5,
        note="The repository has a loading script; its JSON lines are read instead.",
    )  # fmt: skip

    split: str = Field("test", description="The only split is `test`.")
    since: date | None = Field(None, description="Only problems of contests on this day or later (`other_date`).")
    until: date | None = Field(None, description="Only problems of contests on this day or earlier (`other_date`).")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("`since` is later than `until`")
        return self

    def files(self, part: Part) -> tuple[str, ...]:
        """The files of a release: `release_v3` is the first three, `v3` the third alone."""
        config = part.config or ""
        last = int(config[-1])
        first = 1 if config.startswith("release") else last
        return tuple(f"test{number if number > 1 else ''}.jsonl" for number in range(first, last + 1))

    def question(self, row: Row, part: Part) -> Question:
        """The problem of a row. Raises Left."""
        day = str(row["contest_date"] or "")[:10]
        if (self.since or self.until) and not self._within(day):
            raise Left("other_date", date=day or None)
        cases = {name: text(row[name] or "") for name in ("public_test_cases", "private_test_cases")}
        if not any(one.strip() not in ("", "[]") for one in cases.values()):
            raise Left("no_tests")
        try:
            told = json.loads(row["metadata"] or "{}")
        except ValueError:
            told = {}
        return self.made(
            text(row["question_content"] or ""),
            Tests(cases=json.dumps({**cases, "compare": "lcb"}, ensure_ascii=False)),
            source_id=row["question_id"] or "",
            starter_code=row["starter_code"] or None,
            meta={
                "name": row["question_title"],
                "site": (row["platform"] or "").upper() or None,
                "contest": row["contest_id"],
                "date": day or None,
                "difficulty": (row["difficulty"] or "").upper() or None,
                "func_name": told.get("func_name") if isinstance(told, dict) else None,
            },
        )

    def _within(self, day: str) -> bool:
        try:
            found = date.fromisoformat(day)
        except ValueError:
            return False
        return (self.since or found) <= found <= (self.until or found)
