"""`Seen`: which ids came by already, in 11 to 21 bytes each where a set of strings takes a hundred."""

from array import array
from hashlib import blake2b


class Seen:
    """A set of 64-bit hashes (open addressing). Two ids in ten million collide with a chance of 3 in a million, so who
    gets True looks again before blaming anybody.
    """

    def __init__(self) -> None:
        self._slots = _empty(1 << 10)
        self._count = 0

    def add(self, value: str) -> bool:
        """Add a value; True where it (or, hardly ever, one with the same hash) was there already."""
        if 4 * self._count > 3 * len(self._slots):
            self._grow()
        fresh = _put(self._slots, _key(value))
        self._count += fresh
        return not fresh

    def __contains__(self, value: str) -> bool:
        """Whether a value (or, hardly ever, one with the same hash) was added."""
        mask = len(self._slots) - 1
        key = _key(value)
        slot = key & mask
        while self._slots[slot]:
            if self._slots[slot] == key:
                return True
            slot = (slot + 1) & mask
        return False

    def size_bytes(self) -> int:
        """What the set takes."""
        return self._slots.itemsize * len(self._slots)

    def _grow(self) -> None:
        larger = _empty(2 * len(self._slots))
        for key in self._slots:
            if key:
                _put(larger, key)
        self._slots = larger


def another_name(name: str, seen: Seen) -> str:
    """`name`, or where it was seen already the first of `name-2`, `name-3`... that was not; `seen` has it then.

    The numbers have no gaps, so that the next one is found in few steps, however many there are.
    """
    if not seen.add(name):
        return name
    low, high = 1, 2
    while f"{name}-{high}" in seen:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if f"{name}-{middle}" in seen else (low, middle)
    seen.add(f"{name}-{high}")
    return f"{name}-{high}"


def _key(value: str) -> int:
    return int.from_bytes(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") or 1


def _empty(size: int) -> "array[int]":
    return array("Q", bytes(8 * size))


def _put(slots: "array[int]", key: int) -> bool:
    mask = len(slots) - 1
    slot = key & mask
    while slots[slot]:
        if slots[slot] == key:
            return False
        slot = (slot + 1) & mask
    slots[slot] = key
    return True
