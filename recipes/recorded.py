"""Whether a recording has the columns that its teacher names: told from its first row, before the file is indexed."""

from pathlib import Path

from curate.errors import InputError
from curate.publish.rows import open_rows
from curate.sources.files import find, nearest
from curate.sources.values import MISSING, lookup, names
from curate.teachers.replay import Replay

# How files of these names begin; what begins otherwise is left to the run, which goes by the content.
_BEGINS = {".jsonl": b"", ".jsonl.gz": b"\x1f\x8b", ".parquet": b"PAR1"}
_OTHERS = (b"\x1f\x8b", b"PAR1")


def check_recording(teacher: Replay) -> None:
    """Raise InputError where the first row has not the columns that `teacher` reads."""
    path = find(teacher.path, tuple(_BEGINS))[0]
    if not _as_named(path):
        return
    place, row = next(iter(open_rows(path).read), (str(path), None))
    if row is None:
        raise InputError("holds no answers", where=place, next="check how the file was made")
    wanted = (
        teacher.column or teacher.match,
        teacher.solution,
        teacher.reasoning,
        teacher.sample,
        teacher.finish_reason,
    )
    for name in wanted:
        if name and lookup(row, name) is MISSING:
            known = names(row)
            raise InputError(
                f"there is no column '{name}'; {nearest(name, known)}columns: {', '.join(known)}", where=place
            )


def _as_named(path: Path) -> bool:
    """Whether a file begins as its name says."""
    suffix = next((one for one in _BEGINS if path.name.endswith(one)), None)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), next="check its permissions") from None
    if suffix == ".jsonl":
        return not start.startswith(_OTHERS)
    return suffix is not None and start.startswith(_BEGINS[suffix])
