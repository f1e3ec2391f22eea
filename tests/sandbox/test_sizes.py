"""Tests of realistic size: problems with 100 KB to 20 MB of inputs and of outputs stream through in bounded memory.

24 problems here, the largest size among them; `VERISTILL_SIZES=200` runs as many.
"""

import asyncio
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from sandbox import Call, Limits, Outcome, Program, Sandbox, Stdin

COUNT = int(os.environ.get("VERISTILL_SIZES", "24"))
MB = 1 << 20
SMALLEST, LARGEST = 100 << 10, 20 * MB
WORKERS = 2
LIMITS = Limits(cpu_s=20.0)

UPPER = "import sys\nsys.stdout.write(sys.stdin.read().upper())"
BYTES = "import os\nwhile part := os.read(0, 65536): os.write(1, part.upper())"
LINES = "import sys\nfor line in sys.stdin:\n    print(line.rstrip().upper())"
CUT = "import sys\ntext = sys.stdin.read().upper().rstrip()\nprint(text[:-1] if len(text) > 9 else text)"
CALL = "def shout(text): return text.upper()"
WORDS = "def shout(words): return [word.upper() for word in words]"


class Peak:
    """The memory of this process and all below it, looked at every 50 ms: shared pages once, where the kernel tells."""

    def __init__(self) -> None:
        self.before_mb = self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Self:
        self.before_mb = _memory_mb(os.getpid())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def more_mb(self) -> float:
        """What came on top of what there was before."""
        return self.peak_mb - self.before_mb

    def _follow(self) -> None:
        while not self._stop.wait(0.05):
            self.peak_mb = max(self.peak_mb, _memory_mb(os.getpid()))


def _memory_mb(pid: int) -> float:
    total = 0.0
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = int(rollup.partition("\nPss:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        try:
            total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
        except (OSError, IndexError):  # it ended meanwhile
            return 0.0
    try:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(_memory_mb(int(child)) for child in task.read_text().split())
    except OSError:  # it ended meanwhile
        pass
    return total


def _text(rng: random.Random, size: int) -> str:
    """`size` characters in words of eight, some twenty to a line."""
    words = rng.randbytes(size * 4 // 9).hex(" ", 4)
    return "\n".join(words[at : at + 180] for at in range(0, len(words), 180)) + "\n"


def _problem(number: int) -> tuple[Program, bool]:
    """A program and whether it passes. The sizes go from the largest to the smallest, evenly on a logarithmic scale."""
    rng = random.Random(f"sizes {number}")
    size = int(LARGEST * (SMALLEST / LARGEST) ** (number / max(1, COUNT - 1)))
    tests = (1, 5, 20, 100)[number % 4]
    texts = [_text(rng, size // tests) for _ in range(tests)]
    if number % 7 == 3:
        cases = [Call(args=[text], expected=text.upper()) for text in texts]
        return Program(source=CALL, entry="shout", cases=cases, limits=LIMITS), True
    if number % 7 == 5 and size < 4 * MB:
        cases = [Call(args=[text.split()], expected=text.upper().split()) for text in texts]
        return Program(source=WORDS, entry="shout", cases=cases, limits=LIMITS), True
    given = [Stdin(input=text, expected=text.upper()) for text in texts]
    source = (UPPER, BYTES, LINES, CUT)[number % 5 % 4]
    return Program(source=source, cases=given, limits=LIMITS), source != CUT


async def _stream(numbers: Iterator[int], box: Sandbox) -> list[str]:
    """Each problem is made when its turn comes and forgotten when it is judged; what is wrong, a line each."""
    found = []
    for number in numbers:
        program, right = _problem(number)
        outcome = await box.run(program)
        if (outcome.status, outcome.total) != ("pass" if right else "fail", len(program.cases)):
            found.append(f"{number}: {outcome}")
        if not right and outcome.reason != "wrong_answer":
            found.append(f"{number}: {outcome}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "strict"])
async def test_large_problems_stream_through(mode: str) -> None:
    async with Sandbox(workers=WORKERS, mode=mode) as box:  # type: ignore[arg-type]
        with Peak() as peak:
            numbers = iter(range(COUNT))
            wrong = await asyncio.gather(*(_stream(numbers, box) for _ in range(WORKERS)))
    print(f"{COUNT} problems, {mode}: {peak.more_mb:.0f} MB on top of {peak.before_mb:.0f}")
    assert [line for lines in wrong for line in lines] == []
    # A test of 20 MB in and 20 MB out costs, in all processes with its program, some 13 times that where it is largest;
    # how many problems there are, or how many tests they have, adds nothing.
    assert peak.more_mb < WORKERS * 16 * LARGEST / MB


async def _one(mode: str, tests: int) -> tuple[Outcome, float]:
    """The same 20 MB of inputs and of outputs in so many tests, and what they cost in memory."""
    whole = _text(random.Random(1), LARGEST)
    lines = whole.splitlines(keepends=True)
    share = -(-len(lines) // tests)
    texts = ["".join(lines[at : at + share]) for at in range(0, len(lines), share)]
    program = Program(source=BYTES, cases=[Stdin(input=text, expected=text.upper()) for text in texts], limits=LIMITS)
    del whole, lines, texts
    async with Sandbox(workers=1, mode=mode) as box:  # type: ignore[arg-type]
        with Peak() as peak:
            outcome = await box.run(program)
    return outcome, peak.more_mb


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "strict"])
async def test_more_tests_of_the_same_size_take_no_more_memory(mode: str) -> None:
    for tests in (20, 400):
        outcome, more_mb = await _one(mode, tests)
        assert outcome.status == "pass", outcome
        print(f"{tests} tests, {mode}: {more_mb:.0f} MB")
        # The problem itself is held outside; a copy of all its tests and outputs would be 40 MB each time.
        assert more_mb < 6 * LARGEST / MB
