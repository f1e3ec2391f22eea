"""One runner in a process of its own: made ready, told to run, and then asked how long it took.

    python -P runner.py NAME PROGRAMS.json WORKERS      lines of JSON on stdout: ready, then the result

It waits on standard input for a line before it starts and for another before it runs, so that whoever measures it can
put it into a group first and read the group's counters around the run alone. Two passes are timed: all programs with
every worker busy, and a few one at a time, for latency.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

Item = dict[str, Any]
_ALONE, _FEW = 30, 5  # programs at most in the pass for latency; where each test takes a process
_told: TextIO = sys.stdout


def main() -> None:
    """Run what the command line names."""
    global _told
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    _told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a runner prints of its own is no result
    name, path, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    items: list[Item] = json.loads(path.read_text())
    sys.stdin.readline()
    kind, _, rest = name.partition(":")
    if kind == "ours":
        asyncio.run(_ours(rest, items, workers))
    elif kind == "fork":
        from tests.bench.peers import fork

        fork.run(rest, items, workers, say)
    elif kind == "curator":
        from tests.bench.peers import curator

        curator.run(items, workers, say)
    else:
        _processes(name, items, workers)


def say(**facts: Any) -> None:
    """Tell the one who measures; after `ready` wait for the word to run."""
    print(json.dumps(facts), file=_told, flush=True)
    if "ready" in facts:
        sys.stdin.readline()


async def _ours(variant: str, items: list[Item], workers: int) -> None:
    from sandbox import Call, Program, Sandbox, Stdin

    programs = [
        Program(
            source=item["source"],
            entry=item["entry"],
            cases=[
                Call(args=one["args"], expected=one["expected"])
                if item["kind"] == "call"
                else Stdin(input=one["input"], expected=one["expected"])
                for one in item["tests"]
            ],
        )
        for item in items
    ]
    options: dict[str, Any] = dict(zip(("backend", "mode"), variant.split(":"), strict=False))
    if variant == "default":
        options = {}
    async with Sandbox(workers=workers, **options) as box:

        async def one(program: Program) -> bool:
            outcome = await box.run(program)
            return outcome.status == "pass" and outcome.passed == outcome.total

        await asyncio.gather(*map(one, programs[: 2 * workers]))
        say(ready=True)
        await _timed(one, programs, in_flight=2 * workers)


async def _timed(one: Callable[[Any], Awaitable[bool]], programs: Sequence[Any], in_flight: int) -> None:
    left = iter(programs)
    right: list[bool] = []

    async def serve() -> None:
        for program in left:
            right.append(await one(program))

    began = time.monotonic()
    await asyncio.gather(*(serve() for _ in range(in_flight)))
    wall = time.monotonic() - began
    say(done=True, wall_s=wall, right=sum(right))
    alone = []
    for program in programs[:_ALONE]:
        began = time.monotonic()
        await one(program)
        alone.append(time.monotonic() - began)
    say(alone_s=alone)


def _processes(name: str, items: list[Item], workers: int) -> None:
    """One process for each test, as `name` starts it."""
    with tempfile.TemporaryDirectory(prefix="veristill-peers-") as folder:
        for number, item in enumerate(items):
            (Path(folder) / f"{number}.py").write_text(item["script"])

        def one(number: int) -> bool:
            command = COMMANDS[name](folder, number)
            return all(passed(items[number], test, _run(command, test["input"])) for test in items[number]["tests"])

        one(0)
        say(ready=True)
        began = time.monotonic()
        with ThreadPoolExecutor(workers) as pool:
            right = list(pool.map(one, range(len(items))))
        say(done=True, wall_s=time.monotonic() - began, right=sum(right))
        alone = []
        for number in range(min(len(items), _FEW)):
            began = time.monotonic()
            one(number)
            alone.append(time.monotonic() - began)
        say(alone_s=alone)


def passed(item: Item, test: Item, printed: str) -> bool:
    """Whether a program printed what it should; without tolerance, which none of these need."""
    if item["kind"] == "call":
        return bool(printed.strip()) and json.loads(printed) == test["expected"]
    return printed.split() == test["expected"].split()


def _run(command: list[str], text: str) -> str:
    return subprocess.run(command, input=text, text=True, capture_output=True, timeout=60).stdout


_PYTHON = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
_PLACES = sorted({"/usr", "/lib", "/lib64", "/bin", sys.base_prefix})


def _bwrap(folder: str, number: int) -> list[str]:
    shown = [word for place in _PLACES if Path(place).exists() for word in ("--ro-bind", place, place)]
    inner = [_PYTHON, "-I", "-S", "/tmp/program.py"]
    own = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", f"{folder}/{number}.py", inner[-1]]
    return ["bwrap", "--unshare-all", "--die-with-parent", *shown, *own, *inner]


def _docker(folder: str, number: int) -> list[str]:
    flags = ["--rm", "-i", "--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "65534:65534"]
    flags += ["--security-opt", "no-new-privileges", "--memory", "1g", "--pids-limit", "64"]
    bound = ["-v", f"{folder}/{number}.py:/program.py:ro"]
    return ["docker", "run", *flags, *bound, os.environ["BENCH_IMAGE"], _PYTHON, "-I", "-S", "/program.py"]


COMMANDS: dict[str, Callable[[str, int], list[str]]] = {
    "python": lambda folder, number: [_PYTHON, "-I", "-S", f"{folder}/{number}.py"],
    "bwrap": _bwrap,
    "docker": _docker,
}

if __name__ == "__main__":
    main()
