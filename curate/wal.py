"""Reads the frame headers of a SQLite write-ahead log, to tell a commit that was lost from one that never happened.

SQLite silently ends a log at its first damaged frame. Commit frames that stand beyond that place were acknowledged
once, so the ledger reports them. Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct
from pathlib import Path

_HEADER = 32
_FRAME = 24


def commits_in_wal(database: Path) -> list[int]:
    """The numbers (from 1) of the frames that end a commit in the log of `database`, damaged ones included."""
    path = database.with_name(database.name + "-wal")
    if not path.exists():
        return []
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return []
        magic, _, page_size = struct.unpack(">III", header[:12])
        frame = file.read(_FRAME)
        # The salts name the log's generation; older frames behind them are left-overs. A damaged header is not trusted.
        salts = header[16:24] if _sound(header, magic) else frame[8:16]
        found: list[int] = []
        number = 1
        while len(frame) == _FRAME:
            size_after_commit = struct.unpack(">I", frame[4:8])[0]
            if frame[8:16] == salts and size_after_commit:
                found.append(number)
            file.seek(page_size, 1)
            frame = file.read(_FRAME)
            number += 1
    return found


def _sound(header: bytes, magic: int) -> bool:
    words = struct.unpack(("<" if magic == 0x377F0682 else ">") + "6I", header[:24])
    first = second = 0
    for index in range(0, 6, 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return struct.unpack(">II", header[24:32]) == (first, second)
