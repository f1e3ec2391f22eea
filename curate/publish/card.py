"""The dataset card and LLaMA-Factory's `dataset_info.json`, made from what was counted: a pure function of the data."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import yaml

from curate.publish.publish import Publish
from curate.publish.tally import OUTCOMES, Share, Tally

_ABOUT = {
    "default": "conversations to train on",
    "metadata": "the same rows with problem, reference, tests, reasoning and solution apart",
    "unverified": "every attempt with its verdict, selected or not",
    "provenance": "where each row of `metadata` comes from, row by row",
}
_CELL = 80  # characters of a name in a table; names come from the data and may be anything
_LINES = 100  # of a table made from names in the data


class Facts(NamedTuple):
    """All that a card is made from."""

    name: str
    publish: Publish
    schemas: Mapping[str, pa.Schema]
    rows: Mapping[str, int]
    tally: Tally
    partial: bool
    versions: Mapping[str, str]  # of each config, by its content
    limit: int | None = None  # rows read of each source, where that was asked for


def version_of(config: Path) -> str:
    """A version that changes with the bytes of a config.

    `datasets` (2.16 to 5.2, at least) keys its cache of a local folder by name and version alone, not by the files:
    without this, loading a dataset that was published again would give the rows of the first time.
    """
    state = hashlib.sha256()
    for path in sorted(config.glob("*.parquet")):
        with path.open("rb") as file:
            state.update(hashlib.file_digest(file, "sha256").digest())
    minor, patch = state.digest()[:4], state.digest()[4:8]
    return f"1.{int.from_bytes(minor, 'big')}.{int.from_bytes(patch, 'big')}"


def write(folder: Path, facts: Facts) -> None:
    """Write README.md and dataset_info.json into the dataset folder."""
    (folder / "README.md").write_text(_front(facts) + _body(facts), "utf-8")
    (folder / "dataset_info.json").write_text(_llamafactory(facts), "utf-8")


def _front(facts: Facts) -> str:
    configs = [
        {
            "config_name": config,
            **({"default": True} if config == "default" else {}),
            "version": facts.versions[config],
            "data_files": [{"split": "train", "path": f"{config}/train-*.parquet"}],
        }
        for config in facts.rows
    ]
    matter = {"pretty_name": facts.name, "tags": ["reasoning", "distillation", "veristill"], "configs": configs}
    return "---\n" + yaml.safe_dump(matter, sort_keys=False, allow_unicode=True) + "---\n\n"


def _body(facts: Facts) -> str:
    tally = facts.tally
    parts = [f"# {facts.name}\n"]
    if facts.partial:
        parts.append("> **Partial:** made while the run was still going on. Undecided questions are not in it yet.\n")
    if facts.limit is not None:
        parts.append(f"> **Limited:** only the first {facts.limit:,} rows of each source were read.\n")
    parts += [
        f"{tally.rows:,} rows selected from {tally.attempts:,} attempts at {tally.questions:,} questions.\n",
        _loading(facts),
        _verdicts(tally),
        _provenance(tally),
        _notes(facts),
        "Made with Veristill. A verdict is `pass`, `fail`, `unsure` (nothing could decide) or `error` (our tools "
        "failed; it is neither right nor wrong).\n",
    ]
    return "\n".join(part for part in parts if part)


def _loading(facts: Facts) -> str:
    where = facts.publish.repo if facts.publish.push and facts.publish.repo else "path/to/this/folder"
    rows = [
        (f"`{config}`", f"{count:,}", _ABOUT[config], ", ".join(f"`{name}`" for name in facts.schemas[config].names))
        for config, count in facts.rows.items()
    ]
    return (
        "## Load it\n\n```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("{where}", "metadata", split="train")\n```\n\n'
        + _table(("config", "rows", "what", "columns"), rows)
        + "\n`dataset_info.json` names `default/` for LLaMA-Factory.\n"
    )


def _verdicts(tally: Tally) -> str:
    head = ("attempts", *OUTCOMES, "rows")
    reasons = sorted(tally.reasons.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(
        [
            "## Verdicts\n",
            _counted(("domain", *head), _shares(tally.domains)),
            _counted(("source", *head), _shares(tally.sources)),
            _counted(("outcome", "reason", "attempts"), [(*words, f"{count:,}") for words, count in reasons]),
        ]
    )


def _provenance(tally: Tally) -> str:
    return "\n".join(
        [
            "## Where it comes from\n",
            _counted(("source", "licence", "questions"), _pairs(tally.licences)),
            _counted(("teacher", "model returned", "attempts"), _pairs(tally.teachers)),
            _counted(("verifier", "version", "attempts"), _pairs(tally.verifiers)),
        ]
    )


def _notes(facts: Facts) -> str:
    notes = [f"- Trace format of `default`: `{_template_name(facts.publish.trace_format)}`."]
    if facts.tally.without_reasoning:
        notes.append(f"- Rows without reasoning: {facts.tally.without_reasoning:,}.")
    if facts.tally.escaped:
        notes.append(
            f"- Rows whose text holds a marker of the trace format: {facts.tally.escaped:,}. It is escaped by a "
            "backslash in `default` and stands as written in `metadata`."
        )
    if not facts.tally.rows:
        notes.append("- No row was selected: only `unverified` has content.")
    return "## Notes\n\n" + "\n".join(notes) + "\n"


def _template_name(trace_format: str) -> str:
    # Where a user keeps a template is no property of the data.
    return Path(trace_format).name


def _shares(shares: Mapping[str, Share]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{share.outcomes.total():,}",
            *(f"{share.outcomes[outcome]:,}" for outcome in OUTCOMES),
            f"{share.rows:,}",
        )
        for name, share in sorted(shares.items())
    ]


def _pairs(counts: Mapping[Any, int]) -> list[tuple[str | None, ...]]:
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    return [(*pair, f"{count:,}") for pair, count in ordered]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _counted(head: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    shown = [[_foreign(cell or "not stated") for cell in row] for row in rows[:_LINES]]
    more = f"\n{len(rows) - _LINES:,} more are not listed.\n" if len(rows) > _LINES else ""
    return _table(head, shown) + more


def _foreign(text: str) -> str:
    # Names of sources, licences and models are foreign text: they may not break the table or the page.
    flat = " ".join(text.split())
    flat = flat if len(flat) <= _CELL else flat[: _CELL - 1] + "…"
    return "".join(f"\\{letter}" if letter in "\\|<>`[]*_" else letter for letter in flat)


def _llamafactory(facts: Facts) -> str:
    entry = {
        facts.name: {
            "file_name": "default",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "system"},
            "tags": {
                "role_tag": "from",
                "content_tag": "value",
                "user_tag": "user",
                "assistant_tag": "assistant",
            },
        }
    }
    return json.dumps(entry, indent=2, ensure_ascii=False) + "\n"
