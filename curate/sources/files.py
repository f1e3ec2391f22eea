"""The files of a source: one file, a folder or a glob, in sorted order; their fingerprint; what to say if none is.

Also `Place`, which says where a row stands.
"""

import difflib
import glob
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import InputError

_CHUNK = 1 << 20


class Place(NamedTuple):
    """Where a row stands: its file (or dataset) and its line or row number there, from 1."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"

    def short(self) -> str:
        """Without folders: the same on every machine."""
        return f"{Path(self.file).name}:{self.number}"


def find(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files that `path` names: itself, those below a folder with one of `suffixes`, or what a glob matches.

    Sorted. Raises InputError where there is none, naming what lies near.
    """
    try:
        if path.is_file():
            return [path]
        if path.is_dir():
            found = [one for one in path.rglob("*") if one.name.endswith(tuple(suffixes)) and one.is_file()]
            if not found:
                raise InputError(
                    f"the folder holds no {' or '.join(suffixes)} file", where=str(path), next="name the file itself"
                )
            return sorted(found)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), next="check its permissions") from None
    # A whole pattern, absolute or not: Path.glob takes neither.
    named = glob.glob(str(path), recursive=True)  # noqa: PTH207
    matched = sorted(one for one in map(Path, named) if one.is_file())
    if not matched:
        raise _absent(path)
    return matched


def fingerprint(paths: Iterable[Path]) -> str:
    """A hash of the content of `paths`, in order (their names do not count). Raises InputError."""
    state = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            with path.open("rb") as file:
                state.update(path.stat().st_size.to_bytes(8, "big"))
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
        except OSError as error:
            raise unreadable(path, error) from None
    return state.hexdigest()


def stem(path: Path) -> str:
    """The name of a file, folder or glob without folders, endings and wildcards: `data/test.jsonl.gz` is `test`."""
    named = path
    while any(char in named.name for char in "*?[") and named.parent != named:
        named = named.parent
    return named.name.split(".")[0] or named.name or "source"


def unreadable(path: Path, error: OSError) -> InputError:
    """The error of a file that is there and cannot be read."""
    return InputError(f"cannot be read: {error.strerror or error}", where=str(path), next="check its permissions")


def empty(path: Path) -> InputError:
    """The error of a source without a single row."""
    return InputError(
        "empty: there are no rows in it", where=str(path), next="check how the file was made, or take the source out"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? ` where something in `known` is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean '{near[0]}'? " if near else ""


def _absent(path: Path) -> InputError:
    folder = path.parent
    while not folder.is_dir() and folder.parent != folder:
        folder = folder.parent
    beside = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    missing = path.relative_to(folder).parts[0] if folder in path.parents else path.name
    shown = ", ".join(beside[:10]) + (", ..." if len(beside) > 10 else "")
    return InputError(
        "there is no such file",
        where=str(path),
        next=f"{nearest(missing, beside)}{folder} holds: {shown or 'nothing'}",
    )
