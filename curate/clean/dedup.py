"""`kind: dedup`: keeps one question of each group of equal ones and names it as the partner of the others."""

import re
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar, Literal

from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

_SPACES = re.compile(r"(?<=\S)[ \t\xa0]+")  # inside a line: those before it are indentation


class Dedup(Label):
    """Keeps the question with the lowest `seq` of each group.

    `exact`: equal truth, equal problem text in Unicode form NFC but for outer white space, the ends of lines and the
    length of gaps inside a line, and equal starter code but for white space at the ends of its lines. Case, line breaks
    and indentation count; domain and source do not.
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "problem", "starter_code", "truth_key")
    version: ClassVar[int] = 2
    whole: ClassVar[bool] = True
    rule: Literal["exact"] = "exact"

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row; a duplicate's evidence holds its partner's `seq` and `id`. Memory: 150 bytes a row."""
        kept: dict[bytes, int] = {}  # group -> index of its row with the lowest seq
        groups: list[bytes] = []
        seqs = rows.column("seq").to_pylist()
        for batch in rows.select(["problem", "starter_code", "truth_key"]).to_batches(max_chunksize=1024):
            for content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                group = _group(*content)
                index = len(groups)
                groups.append(group)
                if group not in kept or seqs[index] < seqs[kept[group]]:
                    kept[group] = index
        ids = rows.column("id")
        return [_opinion(index, kept[group], seqs, ids) for index, group in enumerate(groups)]


def _opinion(index: int, partner: int, seqs: list[int], ids: "pa.ChunkedArray") -> Opinion:
    if index == partner:
        return Opinion(True)
    evidence = {"rule": "exact", "partner_seq": seqs[partner], "partner_id": ids[partner].as_py()}
    return Opinion(False, "duplicate", evidence)


def _group(problem: str, starter: str | None, truth_key: str) -> bytes:
    lines = unicodedata.normalize("NFC", problem).strip().split("\n")
    code = "\n".join(line.rstrip() for line in (starter or "").strip().splitlines())
    state = blake2b(digest_size=16)
    for part in ("\n".join(_SPACES.sub(" ", line.rstrip()) for line in lines), code, truth_key):
        content = part.encode()
        state.update(len(content).to_bytes(8, "big") + content)
    return state.digest()
