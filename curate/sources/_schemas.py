"""Whether the hub's sets have the columns that the named sources read: what `doctor` says of them.

The hub is asked only where it answers at once; nothing is downloaded but the heads of files.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

from curate.errors import VeristillError
from curate.plug import find, kinds
from curate.sources._published import Published
from curate.sources.features import differences, read_features

_ANSWER_S = 5.0  # within which the hub must answer to be asked at all
_AT_ONCE = 8


class Said(NamedTuple):
    """What was found of one source."""

    kind: str
    state: Literal["ok", "warning"]  # a set that changed is no problem of who reads others
    said: str


def named() -> Iterator[tuple[str, type[Published]]]:
    """Every named source of ours and of third parties, with its kind."""
    for kind in kinds("curate.sources"):
        cls = find("curate.sources", kind)
        if issubclass(cls, Published):
            yield kind, cls


def examine() -> list[Said]:
    """One finding for each set whose columns differ or that is unconfirmed, and one for the others together."""
    known = list(named())
    unconfirmed = [
        Said(kind, "warning", f"the schema of {origin.repo} is unconfirmed")
        for kind, cls in known
        for origin in getattr(cls, "editions", {"": cls.origin}).values()
        if not origin.confirmed
    ]
    if trouble := _unreachable():
        return [Said("hub", "ok", f"the columns of {len(known)} sets were not compared ({trouble})"), *unconfirmed]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda one: _compared(*one), known))
    same = [one for one in found if one.state == "ok"]
    right = {one.kind for one in same}
    rest = [one for one in unconfirmed if one.kind not in right]
    return [
        Said("hub", "ok", f"{len(same)} of {len(known)} sets have the columns that are read"),
        *(one for one in found if one.state != "ok"),
        *rest,
    ]


def compare(source: Published) -> list[str]:
    """How the hub's columns differ from those that a source reads. Raises VeristillError where it cannot be asked."""
    said: dict[str, None] = {}
    for part in source.parts():
        found = source.hub_features(part)
        if found is None:  # some files tell their columns only when they are read
            continue
        wrong = differences(source.origin_of(part).columns(part.config), read_features(found))
        # Files of JSON lines state no types: what is told of them is a guess of the reader's.
        guessed = any(not name.endswith(".parquet") for name in source.files(part))
        said |= dict.fromkeys(one for one in wrong if not guessed or one.startswith("no column"))
    return list(said)


def _compared(kind: str, cls: type[Published]) -> Said:
    try:
        wrong = compare(cls())
    except VeristillError as error:
        return Said(kind, "warning", f"cannot be asked: {error.what}")
    except Exception as error:  # noqa: BLE001 - boundary to `datasets`, which raises whatever its readers raise
        return Said(kind, "warning", f"cannot be asked: {type(error).__name__}: {error}"[:300])
    return Said(kind, "warning" if wrong else "ok", "; ".join(wrong))


def _unreachable() -> str | None:
    """Why the hub is not asked; None where it answers."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return "HF_HUB_OFFLINE is set"
    from huggingface_hub import HfApi

    try:
        HfApi().dataset_info("openai/gsm8k", timeout=_ANSWER_S)
    except Exception as error:  # noqa: BLE001 - boundary to the hub: no network is no defect here
        return f"the hub cannot be reached: {type(error).__name__}"
    return None
