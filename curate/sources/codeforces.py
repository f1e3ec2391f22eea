"""`kind: codeforces`: the problems of MatrixStudio/Codeforces-Python-Submissions, one question from many submissions.

A problem comes with its first accepted submission; what is remembered of the others is a few bytes.
"""

import json
import re
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from curate.records import Drop, Question, Tests
from curate.sources._code import CodeSet, megabytes, problem_id, seconds
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.files import Place
from curate.sources.row_reader import RawRow
from curate.sources.values import text

_CUT = "..."  # what the site shows instead of the rest of a long test
_OLD = re.compile(r"\b(?:Python|PyPy) 2\b")  # languages whose programs Python 3 does not run


class Codeforces(CodeSet):
    """Problems of Codeforces with what it shows of their tests; 690,396 submissions in Python.

    The site shows only the beginning of a long test and ends it in `...`: such a test is left out (`tests_left_out`
    counts them), since no right answer can pass it.
    """

    origin: ClassVar[Origin] = Origin(
        repo="MatrixStudio/Codeforces-Python-Submissions",
        splits=("train", "test"),
        features={
            "contestId": "int64",
            "index": "string",
            "name": "string",
            "rating": "int64",
            "tags": ["string"],
            "time-limit": "string",
            "memory-limit": "string",
            "problem-description": "string",
            "input-specification": "string",
            "output-specification": "string",
            "demo-input": ["string"],
            "demo-output": ["string"],
            "test_cases": [{"input": "string", "output": "string"}],
            "programmingLanguage": "string",
            "verdict": "string",
            "code": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/MatrixStudio/Codeforces-Python-Submissions/blob/"
            "678f1b44b605c7d20d43ebac7884f3c4f36b3e51/README.md (dataset_info)",
            "open-thoughts/open-thoughts: open_thoughts/code/standardize.py",
            "https://huggingface.co/datasets/open-r1/codeforces/discussions/2, wasiahmad/avatar#12 and "
            "jmerle/competitive-companion#408 (the site cuts long tests)",
        ),
        confirmed=True,
        licence=None,
        gigabytes=4.9,
        files="data/{split}-*.parquet",
        note="It states no licence in its card; a LICENSE file lies beside it. From how many characters on the site "
        "cuts is told differently (some 250, some 400), so that `cut_from` lies below both; a whole test that is that "
        "long and ends in `...` leaves with them.",
    )

    split: str = Field("all", description="`train`, `test`, or `all` of them, which is what OpenThoughts reads.")
    cut_from: int | None = Field(
        200,
        ge=0,
        description="A test whose input or output has more characters and ends in `...` was cut by the site: it is "
        "left out. null: every test stays, as in OpenThoughts.",
    )

    def items(self, rows: Iterator[tuple[Part, RawRow]]) -> Iterator[Question | Drop]:
        """A question at the first accepted submission of each problem; a problem without one is a Drop at the end."""
        done: set[bytes] = set()
        waiting: dict[bytes, tuple[Part, Place]] = {}
        for part, raw in rows:
            found = self.tried(part, raw, self._submission)
            if isinstance(found, Drop):
                yield found
                continue
            key, right = found
            if key in done:
                continue
            if not right:
                waiting.setdefault(key, (part, raw.place))
                continue
            done.add(key)
            waiting.pop(key, None)
            yield self.item(part, raw)
        for part, place in waiting.values():
            yield self.left(part, place, "no_accepted_submission")

    def question(self, row: Row, part: Part) -> Question:
        """The problem of an accepted submission. Raises Left."""
        problem = _problem(row)
        solutions = [row["code"]] if (row["code"] or "").strip() and not _is_old(row) else []
        self.wanted(problem, solutions)
        found = row["test_cases"] or []
        whole = [one for one in found if not any(self._is_cut(one[side]) for side in one)]
        if not whole:
            raise Left("no_tests", tests_left_out=len(found))
        cases = {"inputs": [one["input"] or "" for one in whole], "outputs": [one["output"] or "" for one in whole]}
        contest, index = row["contestId"], row["index"]
        return self.made(
            problem,
            Tests(
                cases=json.dumps(cases, ensure_ascii=False),
                time_s=seconds(row["time-limit"]),
                memory_mb=megabytes(row["memory-limit"]),
            ),
            source_id=f"{contest}/{index}" if contest and index else problem_id(problem),
            meta={
                "name": row["name"],
                "difficulty": "UNKNOWN",
                "rating": row["rating"] or None,
                "site": "CODEFORCES",
                "url": f"https://codeforces.com/problemset/problem/{contest}/{index}" if contest and index else None,
                "tags": row["tags"] or None,
                "tests_left_out": len(found) - len(whole) or None,
                "solutions": solutions or None,
            },
        )

    def _submission(self, row: Row, part: Part) -> tuple[bytes, bool]:
        """Which problem a submission is for, and whether it was accepted (as a solution, where one is needed)."""
        right = row["verdict"] == "OK" and not (self.need_solution and _is_old(row))
        return bytes.fromhex(problem_id(_problem(row))), right

    def _is_cut(self, shown: str | None) -> bool:
        # A short one may be a grid whose last line is `...`.
        long = self.cut_from is not None and shown is not None and len(shown) > self.cut_from
        return long and (shown or "").rstrip().endswith(_CUT)


def _is_old(row: Row) -> bool:
    return _OLD.search(row.get("programmingLanguage") or "") is not None


def _problem(row: Row) -> str:
    """Description, input and output specification and the samples, in OpenThoughts' order.

    Its samples stand one after the other (it joins all inputs, then all outputs, which no reader could pair).
    """
    parts = [text(row[name] or "") for name in ("problem-description", "input-specification", "output-specification")]
    for shown, answer in zip(row["demo-input"] or [], row["demo-output"] or [], strict=False):
        parts.append(f"Sample Input\n{text(shown).rstrip()}\nSample Output\n{text(answer).rstrip()}")
    return "\n".join(parts).strip()
