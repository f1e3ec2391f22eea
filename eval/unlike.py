"""What two evaluations did differently, as their protocol locks say: a difference of scores may be one of protocols."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eval.results import PROTOCOL

_DECIDING = ("prompt", "prompt_text", "system", "options", "decoding", "verify")


def read_lock(folder: Path) -> dict[str, Any]:
    """The protocol lock in a folder of results; empty where there is none."""
    path = folder / PROTOCOL
    told = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return told if isinstance(told, dict) else {}


def unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences, one for each thing that decides scores and differs, of benchmarks that both locks have."""
    found = []
    of_a, of_b = _benchmarks(a), _benchmarks(b)
    for name in of_a:
        if name in of_b:
            for field in _DECIDING:
                one, other = of_a[name].get(field), of_b[name].get(field)
                if one != other and (field != "prompt_text" or of_a[name].get("prompt") == of_b[name].get("prompt")):
                    found.append(f"{name}: {field} differs: {_short(one)} and {_short(other)}")
    versions_a, versions_b = a.get("verifiers") or {}, b.get("verifiers") or {}
    for kind in versions_a:
        if kind in versions_b and versions_a[kind] != versions_b[kind]:
            found.append(f"{kind}: verified by {_short(versions_a[kind])} and by {_short(versions_b[kind])}")
    if (forcing := a.get("budget_forcing")) != b.get("budget_forcing"):
        found.append(f"budget forcing differs: {_short(forcing)} and {_short(b.get('budget_forcing'))}")
    return tuple(found)


def _benchmarks(lock: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    told = lock.get("benchmarks")
    if not isinstance(told, list):
        return {}
    return {f"{one.get('label')}@{one.get('edition')}": one for one in told if isinstance(one, dict)}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
