"""Writes the questions of a dataset for RL with verifiable rewards, in the columns of verl, TRL and rllm.

Each row names the verifier that scores it: the JSON specification that `curate.verifiers.scoring` takes. The rewards
themselves are in `curate.verifiers.reward`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.kinds import Verifier
from curate.publish.turns import user_turn
from curate.questions import questions_of
from curate.records import Question
from curate.run import fresh_folder, replace_folder, usable
from curate.verifiers.scoring import Spec

RLFormat = Literal["verl", "trl", "rllm"]
_GROUP_BYTES = 16 << 20  # of specifications: the tests of one question may be hundreds of megabytes

_CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_TOLD = [("question_id", pa.string()), ("source_id", pa.string()), ("samples", pa.int64()), ("passed", pa.int64())]
# verl: docs/preparation/prepare_data.rst; TRL: docs/source/grpo_trainer.md (`prompt`, other columns go to the reward
# function); rllm: rllm/data/dataset.py (`question`, `ground_truth`, `data_source`, `id`).
SCHEMAS: dict[RLFormat, pa.Schema] = {
    "verl": pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", _CHAT),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", pa.struct([("split", pa.string()), ("index", pa.int64()), *_TOLD])),
        ]
    ),
    "trl": pa.schema(
        [("prompt", _CHAT), ("verifier", pa.string()), ("domain", pa.string()), ("source", pa.string()), *_TOLD]
    ),
    "rllm": pa.schema(
        [
            ("id", pa.string()),
            ("question", pa.string()),
            ("ground_truth", pa.string()),
            ("data_source", pa.string()),
            ("domain", pa.string()),
            *_TOLD[1:],
        ]
    ),
}


class Seen(NamedTuple):
    """What the run saw of a question: its decided attempts, and those of them that passed."""

    samples: int
    passed: int


class Exported(NamedTuple):
    """What was written: rows of each file, and the questions left out because nothing but a model could score them."""

    rows: int
    unscorable: int


def export(
    folder: Path,
    formats: Iterable[RLFormat],
    questions: Iterable[tuple[Question, Seen]],
    verifier_of: Callable[[Question], Verifier | None],
) -> Exported:
    """Replace `folder` by one `<format>/train.parquet` for each format, one row a question, in the order given.

    A question that comes twice (equal content in two sources) is written once; one without a verifier is left out and
    counted. Raises what `curate.run.usable` makes of a disk that cannot be written.
    """
    with usable(folder.parent):
        partial = fresh_folder(folder)
        files = {name: _File(partial / name, SCHEMAS[name]) for name in dict.fromkeys(formats)}
        rows = unscorable = 0
        for question, seen in _once(questions):
            verifier = verifier_of(question)
            if verifier is None:
                unscorable += 1
                continue
            spec = _spec(verifier, question)
            for name, file in files.items():
                file.add(_ROWS[name](question, seen, spec, rows), len(spec))
            rows += 1
            del question, spec
        for file in files.values():
            file.close()
        replace_folder(partial, folder)
    return Exported(rows, unscorable)


def scored_by(chain: Iterable[Verifier], question: Question) -> Verifier | None:
    """The first verifier of a chain that can score an answer to `question` without asking a model; None: there is none.

    A reward is one verifier's: a judge behind it in the chain is not asked.
    """
    able = (one for one in chain if isinstance(question.truth, one.takes) and "calls" not in one.needs)
    return next(able, None)


def selected_questions(
    groups: Iterable[pa.Table], chosen: Callable[[int], bool], seen: Callable[[int], Seen]
) -> Iterator[tuple[Question, Seen]]:
    """The questions of row groups that have a selected attempt, whole, with what was seen of them."""
    for group in groups:
        seqs = group.column("seq").to_pylist()
        rows = [row for row, seq in enumerate(seqs) if chosen(seq)]
        for row in rows:
            question = next(iter(questions_of(group.slice(row, 1))))
            yield question, seen(seqs[row])
            del question
        del group


def _spec(verifier: Verifier, question: Question) -> str:
    # Neither accepted solutions nor the source's revision are anything that a verifier reads.
    meta = {name: value for name, value in question.meta.items() if name not in ("solutions", "revision")}
    return Spec.of(verifier, question).model_copy(update={"meta": meta}).model_dump_json()


def _once(questions: Iterable[tuple[Question, Seen]]) -> Iterator[tuple[Question, Seen]]:
    met: set[bytes] = set()
    for question, seen in questions:
        name = question.id.encode()
        if name not in met:
            met.add(name)
            yield question, seen
        del question


def _chat(question: Question) -> list[dict[str, str]]:
    """The user turn of the config `default`: a student is rewarded for what it was trained to answer."""
    return [{"role": "user", "content": user_turn(question.problem, question.starter_code)}]


def _told(question: Question, seen: Seen) -> dict[str, Any]:
    return {"question_id": question.id, "source_id": question.source_id, **seen._asdict()}


def _verl(question: Question, seen: Seen, spec: str, index: int) -> dict[str, Any]:
    return {
        "data_source": question.source,
        "prompt": _chat(question),
        "ability": question.domain,
        "reward_model": {"style": "rule", "ground_truth": spec},
        "extra_info": {"split": "train", "index": index, **_told(question, seen)},
    }


def _trl(question: Question, seen: Seen, spec: str, index: int) -> dict[str, Any]:
    told = _told(question, seen)
    return {
        "prompt": _chat(question), "verifier": spec, "domain": question.domain, "source": question.source, **told,
    }  # fmt: skip


def _rllm(question: Question, seen: Seen, spec: str, index: int) -> dict[str, Any]:
    told = _told(question, seen)
    told.pop("question_id")
    return {
        "id": question.id,
        "question": user_turn(question.problem, question.starter_code),
        "ground_truth": spec,
        "data_source": question.source,
        "domain": question.domain,
        **told,
    }


_ROWS: Mapping[RLFormat, Callable[[Question, Seen, str, int], dict[str, Any]]] = {
    "verl": _verl,
    "trl": _trl,
    "rllm": _rllm,
}


class _File:
    """One Parquet file, its row groups cut by bytes."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir()
        # No Arrow schema in the footer and no statistics, as in the dataset itself: old readers open it too.
        self._writer = pq.ParquetWriter(
            folder / "train.parquet",
            schema,
            compression="zstd",
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
            data_page_version="2.0",
        )
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """Append a row whose specification has `size` characters."""
        self._rows.append(row)
        self._bytes += size
        if self._bytes >= _GROUP_BYTES:
            self._cut()

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._cut()
        self._writer.close()

    def _cut(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        if rows:
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema), row_group_size=len(rows))
