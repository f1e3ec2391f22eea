"""Run as a process of its own by the crash tests: writes numbered records and says which ones are durable.

    python writer.py FOLDER FIRST LAST [SEAL_BYTES]

Prints `n` (one line each, flushed) once record n was acknowledged, and `stopped` if the ledger raised Stopped.
"""

import asyncio
import os
import sys
from pathlib import Path

from curate import partition
from curate.errors import Stopped
from curate.keys import digest
from curate.ledger import Entry, Ledger


def record(number: int) -> Entry:
    # Bodies of very different sizes, which do not compress to nothing.
    body = b"".join(digest(number, part).encode() for part in range(number % 97)) + str(number).encode()
    return Entry("reply" if number % 3 else "verdict", digest("key", number), str(number % 5), body)


async def write(folder: Path, first: int, last: int) -> None:
    numbers = iter(range(first, last))

    async def some(ledger: Ledger) -> None:
        for number in numbers:
            await ledger.put([record(number)])
            os.write(1, f"{number}\n".encode())

    async with Ledger(folder) as ledger:
        await asyncio.gather(*(some(ledger) for _ in range(16)))


if __name__ == "__main__":
    if len(sys.argv) > 4:
        partition.SEAL_BYTES = int(sys.argv[4])
    try:
        asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    except Stopped as stopped:
        print("stopped", stopped, flush=True)
        sys.exit(stopped.exit_code)
