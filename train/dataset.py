"""What LLaMA-Factory reads of a dataset: which files, in which order, and how their columns are called.

A dataset is a folder of Parquet or JSON lines files, our own (its `default/`) or a snapshot of a hub repository.
Nothing is copied: `dataset_info.json` names every shard by its path, one entry each, because LLaMA-Factory reads a
folder in the order in which the file system lists it, and ranks that disagree on it train on the wrong rows.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from curate.errors import InputError

_FORMS = {".parquet": "parquet", ".jsonl": "json"}
# LLaMA-Factory hands paths to `datasets`, which reads these as patterns.
_PATTERN = re.compile(r"[*?\[\]]")
_CHAT = (("from", "value"), ("role", "content"))
_USER, _ASSISTANT = ("user", "human"), ("assistant", "gpt")
_LOOK = 64  # rows whose roles are read


class Columns(NamedTuple):
    """How rows say who speaks: column of turns, keys of a turn, names of the speakers, column of system prompts."""

    messages: str
    role: str
    content: str
    user: str
    assistant: str
    system: str | None


class Data(NamedTuple):
    """A dataset on this machine: its shards in the order in which they are read, and their columns."""

    folder: Path
    files: tuple[Path, ...]
    columns: Columns

    def rows(self) -> int:
        """Rows of all shards; of Parquet only the footers are read."""
        return sum(_rows(path) for path in self.files)

    def info(self, name: str, start: Path) -> dict[str, Any]:
        """The entries of `dataset_info.json`, one a shard; paths are relative to `start` where they lie near it."""
        many = len(self.files) > 1
        return {
            f"{name}-{number:05d}" if many else name: {"file_name": near(path, start), **_entry(self.columns)}
            for number, path in enumerate(self.files)
        }


def find(folder: Path) -> Data:
    """The dataset in a folder.

    Looked for in this order: the default config that README.md declares, `default/`, `data/`, the folder itself.
    Raises InputError where there are no rows to train on, or none that LLaMA-Factory would understand.
    """
    files = tuple(sorted(set(_shards(folder))))  # patterns may name a file twice
    if not files:
        raise InputError(
            "there is no .parquet or .jsonl file of a training split",
            where=str(folder),
            next="name a folder that `veristill run` published, or a snapshot of a hub dataset",
        )
    forms = {path.suffix for path in files}
    if len(forms) > 1:
        raise InputError(f"files of several forms: {', '.join(sorted(forms))}", where=str(folder), next="keep one form")
    for path in files:
        if _PATTERN.search(str(path)):
            raise InputError(
                "LLaMA-Factory would read the characters * ? [ ] of this path as a pattern",
                where=str(path),
                next="rename the folder or file",
            )
    return Data(folder, files, _columns(files))


def slug(name: str) -> str:
    """A recipe's name as LLaMA-Factory can take it for a dataset: no commas, no spaces."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "dataset"


def near(path: Path, start: Path) -> str:
    """`path` as seen from `start` where both lie under one run's folder, else absolute."""
    relative = os.path.relpath(path.absolute(), start.absolute())
    return (
        str(path.absolute()) if relative.count("..") > 2 else relative
    )  # data/, train/: the run's own folder is two up


def hub_info(name: str, repo: str) -> dict[str, Any]:
    """The entry for a dataset that is not on this machine yet: LLaMA-Factory would fetch its newest revision."""
    return {
        name: {"hf_hub_url": repo, **_entry(Columns("conversations", "from", "value", "user", "assistant", "system"))}
    }


def info_text(entries: Mapping[str, Any]) -> str:
    """`dataset_info.json`."""
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def _entry(columns: Columns) -> dict[str, Any]:
    system = {"system": columns.system} if columns.system else {}
    return {
        "formatting": "sharegpt",
        "columns": {"messages": columns.messages, **system},
        "tags": {
            "role_tag": columns.role,
            "content_tag": columns.content,
            "user_tag": columns.user,
            "assistant_tag": columns.assistant,
        },
    }


def _shards(folder: Path) -> Iterator[Path]:
    patterns = declared(folder)
    if patterns:
        for pattern in patterns:
            yield from (path for path in folder.glob(pattern) if path.suffix in _FORMS)
        return
    for place in (folder / "default", folder / "data", folder):
        found = [path for path in place.glob("*") if path.suffix in _FORMS and path.is_file()]
        if found:
            train = [path for path in found if path.name.startswith("train")]
            yield from train or found
            return


def declared(folder: Path) -> list[str]:
    """The patterns of the default config's training split in README.md; empty where it declares none."""
    try:
        text = (folder / "README.md").read_text("utf-8", errors="replace")
    except OSError:
        return []
    parts = re.split(r"^---\s*$", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) < 3 or parts[0].strip():
        return []
    try:
        matter = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return []
    configs = matter.get("configs") if isinstance(matter, dict) else None
    named = [config for config in configs or [] if isinstance(config, dict) and "data_files" in config]
    chosen = [config for config in named if config.get("default") or config.get("config_name") == "default"] or named
    found = _paths(chosen[0]["data_files"]) if chosen else []
    return [path for path in found if not path.startswith("/") and "://" not in path]  # in this folder


def _paths(said: Any) -> list[str]:
    if isinstance(said, str):
        return [said]
    found: list[str] = []
    for one in said if isinstance(said, Sequence) else []:
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, Mapping) and one.get("split", "train") == "train":
            found += _paths(one.get("path"))
    return found


def _columns(files: Sequence[Path]) -> Columns:
    """How the first rows are built. Raises InputError, which names what is there."""
    where = str(files[0])
    try:
        rows = list(_first(files))
    except (OSError, ValueError) as error:  # of pyarrow too: its errors are ValueErrors
        raise InputError(f"cannot be read: {error}", where=where, next="publish or stage it again") from None
    if not rows:
        raise InputError("the dataset has no row", where=where, next="publish a run that selected rows")
    for messages in ("conversations", "messages"):
        for role, content in _CHAT:
            turns = [turn for row in rows for turn in row.get(messages) or [] if isinstance(turn, Mapping)]
            said = {turn.get(role) for turn in turns if isinstance(turn.get(content), str)}
            user = next((word for word in _USER if word in said), None)
            assistant = next((word for word in _ASSISTANT if word in said), None)
            if user and assistant:
                system = "system" if any("system" in row for row in rows) else None
                return Columns(messages, role, content, user, assistant, system)
    raise InputError(
        f"no column holds conversations of user and assistant; columns: {', '.join(rows[0])}",
        where=where,
        next="needed: `conversations` of {from, value} or `messages` of {role, content}",
    )


def _first(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The first rows of the first shard that has any, without columns that no chat needs."""
    for path in files:
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as file:
                found = [json.loads(line) for line, _ in zip(file, range(_LOOK), strict=False) if line.strip()]
        else:
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as table:
                names = [name for name in table.schema_arrow.names if name in ("conversations", "messages", "system")]
                batches = table.iter_batches(batch_size=_LOOK, columns=names or None)
                found = next((batch.to_pylist() for batch in batches), [])
        if found:
            yield from found
            return


def _rows(path: Path) -> int:
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        return int(table.metadata.num_rows)
