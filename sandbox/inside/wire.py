"""How a job and its answer are laid out in one frame: parts, each with its length before it."""

import struct

_LENGTH = struct.Struct("!Q")


def pack(*parts: bytes) -> bytes:
    """One message out of several."""
    return b"".join(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))


def unpack(message: bytes) -> list[bytes]:
    """The parts of a message. Raises ValueError for one that is not whole."""
    parts, at = [], 0
    while at < len(message):
        (size,) = _LENGTH.unpack(message[at : at + _LENGTH.size].rjust(_LENGTH.size, b"\0"))
        at += _LENGTH.size
        if at + size > len(message):
            raise ValueError("a message breaks off")
        parts.append(message[at : at + size])
        at += size
    return parts
