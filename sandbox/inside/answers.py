"""What a zygote does with a job: has its tests run, and lays out what became of them as `sandbox.frames` reads it."""

import builtins
import json
import os
import signal
import sys
import types
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sandbox.inside import cell, heap, runner, shared, turns, wire
from sandbox.inside.watch import Limits
from sandbox.worker_loop import read_frame, write_frame

# As `json.loads` does, without what that looks at first.
_read_json = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class Answers:
    """Turns a job into an answer, as `frames` has both."""

    def __init__(self, prelude: dict[str, Any], confinement: cell.Confinement) -> None:
        self._prelude, self._confinement = prelude, confinement
        self._built_in = vars(builtins) | prelude
        self._killed = _killed_for_memory()
        self._second: tuple[int, int] | None = None

    def answer(self, job: bytes) -> bytes:
        """The answer to a job. Raises CellError."""
        header, source, *tests = wire.unpack(job)
        settings, _ = _read_json(header.decode(), 0)
        if settings["preload"]:
            return self._elsewhere(settings["preload"], job)
        limits = Limits(**settings["limits"])
        if settings["mode"] == "fast":
            return self._fast(settings, source, tests, limits)
        return self._strict(settings, source, tests, limits)

    def _fast(self, settings: dict[str, Any], source: bytes, tests: list[bytes], limits: Limits) -> bytes:
        text = source.decode("utf-8", "surrogatepass")
        if settings["kind"] == "stdin":
            body = partial(turns.scripts, text, tests, self._prelude)
        else:
            body = partial(turns.calls, text, settings["entry"], tests, self._built_in, settings["form"])
        done = shared.run(limits, body, self._confinement)
        end, code, cpu_s, wall_s, peak_mb = done.ending
        head = f'{{"fast": "{settings["kind"]}", "row": ["{end}", {code}, {cpu_s!r}, {wall_s!r}, {peak_mb!r}]}}'
        return wire.pack(head.encode(), done.records, done.stdout if settings["kind"] == "stdin" else b"")

    def _strict(self, settings: dict[str, Any], source: bytes, tests: list[bytes], limits: Limits) -> bytes:
        kind = settings["kind"]
        with ExitStack() as stack:
            desks = [
                cell.Desk(
                    cell.memory_file(stack, test) if kind == "stdin" else None,
                    cell.memory_file(stack),
                    cell.memory_file(stack),
                    -1 if kind == "assert" else None,
                )
                for test in tests
            ]
            strict = cell.Strict(
                limits,
                source,
                cell.memory_file(stack),
                partial(runner.give, self._prelude) if kind == "call" else _nothing,
                self._body(settings, source.decode("utf-8", "surrogatepass"), tests),
                lambda report: report.startswith(b'["prelude", '),  # it is no program that runs by itself
                settings["stop_first"],
            )
            ran = cell.run(strict, desks, self._confinement)
            return self._facts(desks[:ran], kind, limits.output)

    def _facts(self, desks: list[Any], kind: str, most: int) -> bytes:
        rows, texts = [], []
        for desk in desks:
            report = cell.content(desk.report, most)
            finished = bool(desk.number) and report == json.dumps(["end", desk.number]).encode()
            killed = desk.ending.end == "signal" and desk.ending.code == signal.SIGKILL
            rows.append([*desk.ending, finished, killed and self._machine_ran_short()])
            texts += [report, cell.content(desk.stdout, most) if kind == "stdin" else b""]
        return wire.pack(json.dumps(rows).encode(), *texts)

    def _body(
        self, settings: dict[str, Any], text: str, tests: list[bytes]
    ) -> Callable[[int, bool, types.CodeType | None], NoReturn]:
        """What runs one of the tests in its process."""
        kind, entry, names, source = settings["kind"], settings["entry"], self._prelude, runner.read(text)
        if kind == "stdin":
            return lambda _, again, code: runner.script(source, code, names, given=again)
        if kind == "call":
            return lambda number, _, code: runner.call(source, code, entry, tests[number], settings["form"])
        if kind == "values":
            return lambda number, _, code: runner.values(source, code, tests[number].decode(), entry, names)
        told = [test.decode("utf-8", "surrogatepass") for test in tests]
        return lambda number, _, code: runner.asserts(source, code, told[number], entry, names)

    def _elsewhere(self, module: str, job: bytes) -> bytes:
        """Have a second zygote, which has imported `module`, answer: most programs need no fork that large."""
        if self._second is None:
            self._second = self._fork_second(module)
        jobs, answers = self._second
        try:
            write_frame(jobs, job)
            answer = read_frame(answers)
        except (OSError, EOFError):
            answer = None
        if answer is None:
            sys.exit(f"the zygote with {module} died")  # the host starts another and gives it the job
        return bytes(answer)

    def _fork_second(self, module: str) -> tuple[int, int]:
        jobs, ask = os.pipe()
        hear, answers = os.pipe()
        if os.fork():
            os.close(jobs)
            os.close(answers)
            return ask, hear
        try:
            os.close(ask)
            os.close(hear)
            with suppress(ImportError):  # the program will say so itself
                __import__(module)
            heap.settle()
            heap.fill_holes()
            heap.gather()
            while (job := read_frame(jobs)) is not None:
                header, *rest = wire.unpack(job)
                here = {**json.loads(header), "preload": ""}
                write_frame(answers, self.answer(wire.pack(json.dumps(here).encode(), *rest)))
        finally:
            sys.stderr.flush()
            os._exit(1)

    def _machine_ran_short(self) -> bool:
        """Whether the kernel killed any process for want of memory since this was last asked."""
        before, self._killed = self._killed, _killed_for_memory()
        return self._killed > before


def _nothing() -> None:
    pass


def _killed_for_memory() -> int:
    words = Path("/proc/vmstat").read_text().split()
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
