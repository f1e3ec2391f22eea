"""Memory that is let go of goes back to the system: one row may hold 200 MB, and a run handles many of them."""

import ctypes

import pyarrow as pa

# From glibc's malloc.h. A fixed threshold keeps every block of that size a mapping of its own, which ends when it is
# freed; glibc would otherwise raise the threshold to 32 MB and keep what lies below it. Measured on 60 rows, five of
# them with 200 MB of tests: peak RSS of 960 MiB instead of 1,076 MiB (tests/bench/soak.py tests).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_BLOCK_BYTES = 4 << 20
_TRIM_BYTES = 64 << 20


def give_back_freed_memory() -> None:
    """Set up the allocators of this process, before it holds much. Changes Arrow's alone where there is no glibc."""
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
