"""The memory of a process that is about to be forked often: arranged so that its children copy few pages of it.

A child copies each page that it writes to, and Python writes to every object that it looks at: it counts references.
"""

import ctypes
import gc
import sys
from contextlib import suppress

_POOL, _POOL_HEAD = 1 << 14, 48  # bytes of what Python's allocator cuts blocks of one size from, pycore_obmalloc.h
_LARGEST, _STEP = 512, 16  # bytes of its blocks
_BYTES_HEAD = sys.getsizeof(b"")
_FREE_LISTS = range(24, 1048, 16)  # bytes: sizes that malloc keeps lists of
_BINS = tuple(1 << power for power in range(16, 9, -1))  # and larger ones, which it cuts
_MOST = 20_000  # blocks at most, for an allocator of another make
_LARGE = 2 << 20  # bytes of a large page; on machines with others nothing is gained
_MADV_COLLAPSE = 25  # asm-generic/mman-common.h
_kept: list[bytes] = []


def fill_holes() -> None:
    """Use up the free blocks that lie between living ones: what is allocated from here on lies together."""
    gc.collect()
    for size in range(_BYTES_HEAD + 2 + (-_BYTES_HEAD - 2) % _STEP, _LARGEST + 1, _STEP):
        for _ in range(_MOST):
            _kept.append(bytes(size - _BYTES_HEAD))
            if id(_kept[-1]) % _POOL == _POOL_HEAD:  # the first block of a fresh pool
                break
    with suppress(AttributeError):
        _fill_malloc(ctypes.CDLL(None))


def _fill_malloc(libc: ctypes.CDLL) -> None:
    malloc, free = libc.malloc, libc.free
    malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
    for size in (*_BINS, *reversed(_FREE_LISTS)):
        before = 0
        for _ in range(_MOST):
            place = malloc(size) or 0
            if 0 <= place - before - size <= 2 * _STEP:  # one after the other: from the end of the heap
                break
            before = place


def gather() -> None:
    """Make large pages of memory where the kernel does (6.1 and later): a fork then copies one entry instead of 512."""
    libc = ctypes.CDLL(None)
    with open("/proc/self/maps") as maps:  # noqa: PTH123
        lines = [line.split() for line in maps]
    for place, rights, _, _, inode, *_name in lines:
        start, end = (int(number, 16) for number in place.split("-"))
        start, end = -(-start // _LARGE) * _LARGE, end // _LARGE * _LARGE
        if rights == "rw-p" and inode == "0" and start < end:
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)


def settle() -> None:
    """Keep what is in memory now out of collections, so that one in a test leaves our pages shared."""
    gc.collect()
    gc.freeze()
