"""Progress of long work: a Rich bar with rate, done, total and time left on a terminal, plain lines everywhere else.

Nothing is shown for work that ends within two seconds. All of it goes to standard error.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_QUIET_S = 2.0  # work shorter than this shows nothing
_LINE_S = 10.0  # seconds between plain lines
_DRAW_S = 0.1
_BEAT_S = 1.0
_WINDOW_S = 60.0  # what the time left goes by: a run that goes on passes what it has already at another speed


class Bar:
    """One stage in progress. `advance` is cheap enough to be called per row."""

    def __init__(self, name: str, total: int | None, stream: TextIO) -> None:
        self.name, self.total = name, total
        self.done = self.passed = self.judged = 0
        self.note = ""
        self.tell: Callable[[], str] | None = None  # gives the note when it is about to be shown
        self._marks: deque[tuple[float, int]] = deque()
        self._stream = stream
        self._began = time.monotonic()
        self._next = self._began + _QUIET_S
        self._rich: RichProgress | None = None

    def advance(self, count: int = 1, *, passed: int = 0, judged: int = 0) -> None:
        """Count `count` more done; `passed` of `judged` verdicts feed the running pass rate."""
        self.done += count
        self.passed += passed
        self.judged += judged
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (_DRAW_S if self._stream.isatty() else _LINE_S)
            self._draw(now)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Show the state as time passes, also while nothing ends: a server is away, a batch is waited for."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(_BEAT_S)
                self.advance(0)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._rich is not None:
            self._draw(time.monotonic())
            self._rich.stop()

    def line(self, now: float) -> str:
        """The state in words: `solve 120/1,319  45/s  27s left  61.0% pass`."""
        done = f"{self.name} {self.done:,}" + (f"/{self.total:,}" if self.total is not None else "")
        return "  ".join([done, *self._facts(now)])

    def _facts(self, now: float) -> list[str]:
        rate = self._rate(now)
        facts = [f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2f}/s"]
        if self.total is not None and rate > 0:
            facts.append(f"{_duration(max(0, self.total - self.done) / rate)} left")
        if self.judged:
            facts.append(f"{100 * self.passed / self.judged:.1f}% pass")
        note = self.note if self.tell is None else self.tell()
        return [*facts, note] if note else facts

    @property
    def left(self) -> float | None:
        """The share of the work that is still to come; None where the whole is not known."""
        return None if not self.total else max(0, self.total - self.done) / self.total

    def _rate(self, now: float) -> float:
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_S:
            self._marks.popleft()
        then, done = self._marks[0] if now - self._marks[0][0] > _QUIET_S else (self._began, 0)
        return (self.done - done) / max(now - then, 1e-9)

    def _draw(self, now: float) -> None:
        if not self._stream.isatty():
            self._stream.write(self.line(now) + "\n")
            self._stream.flush()
            return
        if self._rich is None:
            self._rich = self._bar()
        facts = "  ".join(self._facts(now))
        self._rich.update(self._rich.task_ids[0], completed=self.done, total=self.total, facts=facts, refresh=True)

    def _bar(self) -> "RichProgress":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        name, facts = TextColumn("{task.description}"), TextColumn("{task.fields[facts]}")
        rich = Progress(
            name, BarColumn(), MofNCompleteColumn(), facts, console=Console(file=self._stream), auto_refresh=False
        )
        rich.add_task(self.name, total=self.total, facts="")
        rich.start()
        return rich


class Progress:
    """Opens one bar a stage. `quiet` shows nothing at all."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Bar]:
        """A bar for one stage; `total` None where it is not known."""
        bar = Bar(name, total, self._stream)
        if self._quiet:
            bar._next = float("inf")
        try:
            yield bar
        finally:
            bar.close()

    def say(self, text: str) -> None:
        """One line for people."""
        if not self._quiet:
            self._stream.write(text + "\n")
            self._stream.flush()


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
