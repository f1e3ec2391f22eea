"""The zygote: an interpreter that is started once, closes itself in, and forks a confined child for every test.

Run as a script by the backends, with one argument, its settings as JSON. Standard library only.
"""

import gc
import json
import os
import platform
import resource
import signal
import site
import sys
import types
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

_STACK = 8 << 20  # bytes of stack that threads get: libc takes the soft limit at exec for it
_LOW = 16  # descriptors below it are taken: they have a meaning in a test


def main() -> None:
    """Serve tests until the host closes the pipe."""
    package = types.ModuleType("sandbox")  # the package itself imports libraries that are not to exist here
    package.__path__ = [str(Path(__file__).parent)]
    sys.modules["sandbox"] = package
    from sandbox.inside import kernel

    if len(sys.argv) == 2:
        kernel.fixed_addresses()
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "again"])
    _serve(json.loads(sys.argv[1]))


def _serve(settings: dict[str, Any]) -> None:
    """Close this process in and answer tests. `settings`: `shown`, `paths` (to look for modules in) and `python`."""
    from sandbox.inside import cell, jail, kernel, runner, seccomp, streams
    from sandbox.worker_loop import serve

    site.setquit()  # `exit` and `quit`, which programs use and `-S` leaves out
    prelude = runner.prelude()
    sys.set_int_max_str_digits(0)  # programs print long numbers, as they could before Python 3.11
    sys.executable = settings["python"]
    machine = platform.machine()
    for_test, for_shared = (kernel.Filter(seccomp.assemble(machine, layer)) for layer in ("test", "shared"))
    answers = _Answers(prelude)
    kernel.keep_code_mapped(("libpython", "libc.so", "python3"))
    try:
        apart = jail.enter(settings["shown"])  # nothing of the package can be read, so nothing imported, from here on
    except OSError as refused:
        sys.exit(str(refused))
    sys.path.extend(settings["paths"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    while os.open(os.devnull, os.O_RDONLY) < _LOW:
        pass
    last_pid = None
    with suppress(OSError):
        last_pid = os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY)
    answers.confinement = cell.Confinement(apart, for_test, for_shared, last_pid)
    cell.block_signals()
    streams.prepare()
    settle()
    serve(answers.answer, lease_s=settings.get("lease_s"))


def settle() -> None:
    """Keep what is in memory now out of collections, so that one in a test leaves our pages shared."""
    gc.collect()
    gc.freeze()


class _Answers:
    """Turns a job into an answer, as `frames` has both."""

    def __init__(self, prelude: dict[str, Any]) -> None:
        from sandbox.inside import cell, runner, shared, turns, watch, wire
        from sandbox.worker_loop import read_frame, write_frame

        self._cell, self._shared, self._runner, self._turns, self._wire = cell, shared, runner, turns, wire
        self._limits = watch.Limits
        self._read_frame, self._write_frame = read_frame, write_frame
        self._prelude = prelude
        self._killed = _killed_for_memory()
        self._second: tuple[int, int] | None = None
        self.confinement: Any = None

    def answer(self, job: bytes) -> bytes:
        header, source, *tests = self._wire.unpack(job)
        settings = json.loads(header)
        if settings["preload"]:
            return self._elsewhere(settings["preload"], job)
        limits = self._limits(**settings["limits"])
        if settings["mode"] == "fast":
            return self._fast(settings, source, tests, limits)
        return self._strict(settings, source, tests, limits)

    def _fast(self, settings: dict[str, Any], source: bytes, tests: list[bytes], limits: Any) -> bytes:
        text = source.decode("utf-8", "surrogatepass")
        if settings["kind"] == "stdin":
            body = partial(self._turns.scripts, text, tests, self._prelude)
        else:
            body = partial(self._turns.calls, text, settings["entry"], tests, self._prelude, settings["form"])
        done = self._shared.run(limits, body, self.confinement)
        head = json.dumps({"fast": settings["kind"], "row": done.ending}).encode()
        return self._wire.pack(head, done.records, done.stdout if settings["kind"] == "stdin" else b"")

    def _strict(self, settings: dict[str, Any], source: bytes, tests: list[bytes], limits: Any) -> bytes:
        cell, kind = self._cell, settings["kind"]
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
            text = source.decode("utf-8", "surrogatepass")
            strict = cell.Strict(
                limits,
                source,
                cell.memory_file(stack),
                partial(self._runner.give, self._prelude) if kind == "call" else _nothing,
                lambda number, again: self._body(settings, text, tests[number], again=again),
                lambda report: report.startswith(b'["prelude", '),  # it is no program that runs by itself
                settings["stop_first"],
            )
            ran = cell.run(strict, desks, self.confinement)
            return self._facts(desks[:ran], kind, limits.output)

    def _facts(self, desks: list[Any], kind: str, most: int) -> bytes:
        rows, texts = [], []
        for desk in desks:
            report = self._cell.content(desk.report, most)
            finished = bool(desk.number) and report == json.dumps(["end", desk.number]).encode()
            killed = desk.ending.end == "signal" and desk.ending.code == signal.SIGKILL
            rows.append([*desk.ending, finished, killed and self._machine_ran_short()])
            texts += [report, self._cell.content(desk.stdout, most) if kind == "stdin" else b""]
        return self._wire.pack(json.dumps(rows).encode(), *texts)

    def _body(self, settings: dict[str, Any], source: str, data: bytes, *, again: bool) -> None:
        kind, entry = settings["kind"], settings["entry"]
        if kind == "stdin":
            self._runner.script(source, self._prelude, given=again)
        elif kind == "call":
            self._runner.call(source, entry, data, settings["form"])
        elif kind == "values":
            self._runner.values(source, data.decode(), entry, self._prelude)
        else:
            self._runner.asserts(source, data.decode("utf-8", "surrogatepass"), entry, self._prelude)

    def _elsewhere(self, module: str, job: bytes) -> bytes:
        """Have a second zygote, which has imported `module`, answer: most programs need no fork that large."""
        if self._second is None:
            self._second = self._fork_second(module)
        jobs, answers = self._second
        try:
            self._write_frame(jobs, job)
            answer = self._read_frame(answers)
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
            settle()
            while (job := self._read_frame(jobs)) is not None:
                header, *rest = self._wire.unpack(job)
                here = {**json.loads(header), "preload": ""}
                self._write_frame(answers, self.answer(self._wire.pack(json.dumps(here).encode(), *rest)))
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


if __name__ == "__main__":
    main()
