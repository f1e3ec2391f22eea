"""What a backend is asked and what it answers, and how both lie in the frames of a pipe: one form for every backend.

Nothing that a test expects is in a job. What an answer says of ends, signals, times and sizes comes from the kernel;
its reports and outputs are bytes that the program may have made up.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

from sandbox.inside.wire import pack, unpack
from sandbox.model import Limits

_SIZE = struct.Struct("!Q")  # as inside/turns.py writes its records
_MOST = 10**9  # seconds, MiB or processes: higher limits, which a test set may state, do not fit into the kernel's
_PATIENCE_S = 60.0  # for a zygote that hangs: a test itself is watched, and ended long before


@dataclass(frozen=True)
class Job:
    """A program and some of its tests, all of one `kind` (`stdin`, `call`, `values` or `assert`), in order.

    `tests` holds of each its standard input, its marshalled list of arguments, a JSON list of expressions whose values
    are wanted, or its statements. `form` is how
    returned values are written (`inside/value.py`). In mode `strict` each test has a process of its own, in `fast` they
    share one. `preload` names a module that the zygote should have imported already, such as `numpy`. With `stop_first`
    the answer may end at the first test that failed.
    """

    kind: str
    source: bytes
    entry: str | None
    tests: Sequence[bytes]
    mode: Literal["strict", "fast"] = "strict"
    form: str = "json"
    preload: str = ""
    stop_first: bool = True


class Facts(NamedTuple):
    """How one test ended. `end`: `exit` or `signal` with its `code`, or the limit it was killed for.

    `finished`: assert statements are proven to have run to their end. `starved`: the machine ran out of memory.
    """

    end: str
    code: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    finished: bool
    starved: bool
    report: bytes
    stdout: bytes


class Backend(Protocol):
    """Where jobs run. Open it as an async context manager; `run` is safe to call from any number of tasks at once."""

    name: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def run(self, job: Job, limits: Limits) -> list[Facts]:
        """The facts of the first tests of the job, in order.

        In mode `strict` of one test at least, and of fewer than all where a test has failed or much was used up. In
        mode `fast` of those that ended well in their shared process, perhaps of none, and of one more, whose end is
        `undone`, where the process could not go on. Raises SandboxError where
        no zygote can start, or two broke on the job.
        """
        ...


def idle_s(limits: Limits) -> float:
    """Seconds for which a test may do nothing."""
    return min(_MOST, limits.wall_s if limits.wall_s is not None else 3 * limits.cpu_s + 5)


def patience_s(job: Job, limits: Limits) -> float:
    """Wall-clock seconds after which a zygote that has not answered the job is taken to hang."""
    return _PATIENCE_S + 10 * (idle_s(limits) + min(_MOST, limits.cpu_s)) * len(job.tests)


def pack_job(job: Job, limits: Limits) -> bytes:
    """The frame of a job, as `zygote.py` reads it."""
    header = {
        "kind": job.kind,
        "entry": job.entry,
        "mode": job.mode,
        "form": job.form,
        "preload": job.preload,
        "stop_first": job.stop_first,
        "limits": {
            "cpu_s": min(_MOST, limits.cpu_s),
            "idle_s": idle_s(limits),
            "memory": min(_MOST, limits.memory_mb) << 20,
            "output": min(_MOST, limits.output_mb) << 20,
            "processes": min(_MOST, limits.processes),
        },
    }
    return pack(json.dumps(header).encode(), job.source, *job.tests)


def unpack_answer(answer: bytes) -> list[Facts]:
    """What the zygote answered. Raises ValueError for what no zygote answers."""
    head, *texts = unpack(answer)
    rows = json.loads(head)
    if isinstance(rows, dict):
        return _shared(rows, *texts)
    parts = zip(rows, texts[::2], texts[1::2], strict=True)
    return [Facts._make([*row, report, stdout]) for row, report, stdout in parts]


def _shared(head: dict[str, Any], records: bytes, stdout: bytes) -> list[Facts]:
    """Cut what tests left that shared a process, by its own record: the first of them stands for the whole cost."""
    end, code, cpu_s, wall_s, peak_mb = head["row"]
    undone = Facts("undone", code, 0.0, 0.0, peak_mb, False, False, b"", b"")
    if end == "memory":  # nobody knows which test it was
        return [undone]
    found: list[Facts] = []
    at = before = 0
    while at + _SIZE.size <= len(records):
        (number,) = _SIZE.unpack_from(records, at)
        at += _SIZE.size
        if head["fast"] == "stdin":
            if not before <= number <= len(stdout):
                break
            report, text, before = b"", stdout[before:number], number
        else:
            report, text = records[at : at + number], b""
            at += number
            if at > len(records):
                break
        found.append(Facts("exit", 0, 0.0, 0.0, peak_mb, False, False, report, text))
    if (end, code) != ("exit", 0):
        found.append(undone)
    return [found[0]._replace(cpu_s=cpu_s, wall_s=wall_s), *found[1:]] if found else [undone._replace(cpu_s=cpu_s)]
