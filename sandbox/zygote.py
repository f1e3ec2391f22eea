"""The zygote: an interpreter that is started once, closes itself in, and forks a confined child for every test.

Run as a script by `sandbox.backends.namespaces`, with one argument, its settings as JSON. Standard library only.
"""

import gc
import json
import os
import resource
import signal
import site
import sys
import types
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

_STACK = 8 << 20  # bytes of stack that threads get: libc takes the soft limit at exec for it


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
    from sandbox.inside import jail, runner
    from sandbox.worker_loop import serve

    site.setquit()  # `exit` and `quit`, which programs use and `-S` leaves out
    prelude = runner.prelude()
    sys.set_int_max_str_digits(0)  # programs print long numbers, as they could before Python 3.11
    sys.executable = settings["python"]
    answer = _Answers(prelude).answer
    try:
        jail.enter(settings["shown"])  # nothing of the package can be read, so nothing imported, from here on
    except OSError as refused:
        sys.exit(str(refused))
    sys.path.extend(settings["paths"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # a collection in a test then leaves our pages shared
    serve(answer)


class _Answers:
    """Turns a test into an answer: facts (JSON), report and standard output, as `wire` packs them."""

    def __init__(self, prelude: dict[str, Any]) -> None:
        from sandbox.inside import cell, runner, wire

        self._cell, self._runner, self._wire = cell, runner, wire
        self._prelude = prelude
        self._killed = _killed_for_memory()

    def answer(self, job: bytes) -> bytes:
        header, source, data = self._wire.unpack(job)
        settings = json.loads(header)
        kind = settings["kind"]
        limits = self._cell.Limits(**settings["limits"])
        text = source.decode("utf-8", "surrogatepass")
        ended = self._cell.run(limits, data if kind == "stdin" else b"", self._body(settings, text, data))
        if kind == "stdin" and ended.report.startswith(b'["prelude", '):  # it is no program that runs by itself
            ended = self._cell.run(limits, data, partial(self._runner.script, text, self._prelude, given=True))
        facts = asdict(ended.ending)
        facts["finished"] = ended.report == json.dumps(["end", ended.proof]).encode()
        facts["starved"] = facts["end"] == "signal" and facts["code"] == signal.SIGKILL and self._machine_ran_short()
        return self._wire.pack(json.dumps(facts).encode(), ended.report, ended.stdout if kind == "stdin" else b"")

    def _body(self, settings: dict[str, Any], source: str, data: bytes) -> Callable[[], NoReturn]:
        kind, entry = settings["kind"], settings["entry"]
        if kind == "stdin":
            return partial(self._runner.script, source, self._prelude, given=False)
        if kind == "call":
            return partial(self._runner.call, source, entry, data, self._prelude)
        return partial(self._runner.asserts, source, data.decode("utf-8", "surrogatepass"), entry, self._prelude)

    def _machine_ran_short(self) -> bool:
        """Whether the kernel killed any process for want of memory since this was last asked."""
        before, self._killed = self._killed, _killed_for_memory()
        return self._killed > before


def _killed_for_memory() -> int:
    words = Path("/proc/vmstat").read_text().split()
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


if __name__ == "__main__":
    main()
