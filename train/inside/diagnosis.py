"""What a supervisor knows of an attempt: its heartbeats, its log, the attempts before it, the room on the disk.

Times are measured here, by one monotonic clock: the clocks of the nodes are only shown, never compared. Standard
library only.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import checkpoints, process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import checkpoints
    import process

_TAIL = 1 << 19  # bytes of a log that are searched
_LOCK_S = 1.0  # whoever only asks whether it is held lets go at once
_LEASE_S = 120.0  # a machine that died holds its locks on a network file system for another 90 s
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_ERROR = re.compile(r"^(?:\[rank\d+\]:\s*)?((?:[\w.]+\.)?\w*(?:Error|Exception|Refused)(?:: .*)?)$", re.MULTILINE)
_SIGNAL = re.compile(r"Signal (\d+) \((SIG\w+)\) received by PID")
# What the ranks that survived say of the one that did not.
_FOLLOWS = re.compile(
    r"Connection (?:reset|closed|refused)|Broken pipe|ChildFailedError|DistBackendError|TCPStore", re.IGNORECASE
)


class Busy(Exception):
    """Another process holds the lock; the words say which."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a run for one supervisor. The kernel's lock: a killed process leaves none behind. Raises Busy."""
    with path.open("a+") as lock:
        begun = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip()
                here = holder.endswith(f" on {socket.gethostname()}")
                if time.monotonic() - begun > (_LOCK_S if here or not holder else _LEASE_S):
                    raise Busy(holder or "unknown") from None
                time.sleep(0.1)
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                    raise
                break
        with contextlib.suppress(OSError):
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            lock.flush()
        yield


class Watch:
    """The heartbeats of one attempt. Those of earlier ones are not looked at."""

    def __init__(self, state: Path, attempt: int, start: int, job: dict[str, Any]) -> None:
        self.state, self.attempt, self.start = state, attempt, start
        self.output = state.parent / str(job.get("output", "output"))
        self.hang_s, self.first_s = float(job.get("hang_s", 1800.0)), float(job.get("first_step_s", 3600.0))
        self.interval = max(0.05, min(1.0, self.hang_s / 20))
        self.nodes: list[dict[str, Any]] = []
        self.step, self.saved = start, start
        self.past_at: float | None = None  # when the first step after `start` was seen
        self.saved_at: float | None = None  # when the newest save of this attempt was seen
        self.began = self._changed_at = time.monotonic()
        self._seen: object = None

    def look(self) -> None:
        """Read the heartbeats of all nodes."""
        paths = [*sorted(self.state.glob("node-*.json")), *self.state.glob("refused-*.json")]
        found = [process.read_state(path) for path in paths]
        self.nodes = [one for one in found if one.get("attempt") == self.attempt]
        written = checkpoints.weight(self.output) if self.writes else 0  # what grows is no hang, however slow
        seen = [written, *((one.get("node"), one.get("state"), one.get("beat")) for one in self.nodes)]
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._changed_at = seen, now
        self.step = max([self.step, *(int(one.get("step") or 0) for one in self.nodes)])
        saved = max([self.saved, *(int(one.get("saved") or 0) for one in self.nodes)])
        if saved > self.saved:
            self.saved, self.saved_at = saved, now
        if self.step > self.start and self.past_at is None:
            self.past_at = now

    @property
    def seen(self) -> bool:
        """Whether any node has said anything."""
        return bool(self.nodes)

    @property
    def trains(self) -> bool:
        """Whether the ranks make steps, so that they can save and pause."""
        return any(one.get("state") in ("training", "paused") for one in self.nodes) and self.past_at is not None

    @property
    def writes(self) -> bool:
        """Whether a checkpoint is being written: nothing is heard of the ranks meanwhile."""
        return any(one.get("saves") for one in self.nodes)

    @property
    def saves(self) -> bool:
        """Whether training is over and the model is being written."""
        return any(one.get("state") in ("saving", "done") for one in self.nodes)

    def silent_for(self) -> float:
        """Seconds since any heartbeat changed."""
        return time.monotonic() - self._changed_at

    def patience(self) -> float:
        """How long it may be silent: longer before the first step and while a checkpoint or the model is written."""
        return self.hang_s if self.trains and not self.writes else max(self.hang_s, self.first_s)

    def refusal(self) -> dict[str, Any] | None:
        """The node that refused to begin; one whose port is taken last, because that alone passes by itself."""
        refused = [one for one in self.nodes if one.get("state") == "refused"]
        return min(refused, key=lambda one: one.get("rc") == errno.EADDRINUSE) if refused else None

    def paused(self) -> bool:
        """Whether the ranks saved and paused on request."""
        return any(one.get("state") == "paused" for one in self.nodes)


class Attempts:
    """state/attempts.jsonl: a line per start, end and resumption of an attempt, over all launches of the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved: dict[int, float] = {}  # step -> when its save was seen, by this supervisor
        self._told: set[int] = set()

    def lines(self) -> list[dict[str, Any]]:
        """All lines that can be read; one that a crash broke off is left out."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_text("utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
        return [one for one in found if isinstance(one, dict)]

    def last(self, event: str) -> dict[str, Any]:
        """The newest line of a kind; empty where there is none."""
        return next((one for one in reversed(self.lines()) if one.get("event") == event), {})

    def next_number(self) -> int:
        """Attempts count on over launches: logs and ports of earlier ones are never used again."""
        return 1 + max((int(one["attempt"]) for one in self.lines() if "attempt" in one), default=-1)

    def add(self, event: str, attempt: int, **facts: Any) -> None:
        """Append one line, durably."""
        line = json.dumps({"event": event, "attempt": attempt, "time": round(time.time(), 3), **facts})
        with self.path.open("a+", encoding="utf-8") as file:
            if file.tell() and not self.path.read_bytes().endswith(b"\n"):
                file.write("\n")  # a line that a crash broke off
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def resumed(self, watch: Watch) -> float | None:
        """Seconds from the save that an attempt resumed to its first step after it: what the failure cost. Told once.

        Where an earlier launch saved it, what that launch did after the save is in the line of the start (`behind_s`),
        and the time between the launches is not counted.
        """
        if watch.saved_at is not None:
            self._saved.setdefault(watch.saved, watch.saved_at)
        if watch.past_at is None or watch.attempt in self._told:
            return None
        self._told.add(watch.attempt)
        before = self.lines()
        if not any(one.get("event") == "start" and one.get("attempt") != watch.attempt for one in before):
            return None  # the first attempt lost nothing
        since = self._saved.get(watch.start)
        self._saved[watch.start] = watch.past_at  # another attempt that resumes the same save counts on from here
        if since is not None:
            return watch.past_at - since
        this = next((one for one in before if one.get("event") == "start" and one.get("attempt") == watch.attempt), {})
        return float(this.get("behind_s", 0.0)) + watch.past_at - watch.began

    def lost_s(self) -> float:
        """Seconds lost to failures in all attempts, as told."""
        return float(sum(one.get("lost_s", 0.0) for one in self.lines()))

    def failures(self) -> int:
        """Attempts that failed or hung."""
        return sum(one.get("how") in ("failed", "hang") for one in self.lines())


def behind_s(state: Path, newest: Path | None) -> float:
    """Seconds for which the ranks lived on after the newest checkpoint: both times are of the node that saved it."""
    saved = process.read_state(newest / checkpoints.RECORD).get("time") if newest else None
    beats = [process.read_state(path).get("time", 0.0) for path in state.glob("node-*.json")]
    return max(0.0, max(beats, default=0.0) - float(saved)) if saved else 0.0


def cause(logs: Path, attempt: int) -> str:
    """The line of an attempt's logs that says best why it failed: a signal, else the first error that is not another
    rank's complaint that its peer is gone. Empty where nothing says it.
    """
    texts = [_tail(path) for path in sorted(logs.glob(f"attempt-{attempt}-node-*.log"))]
    for text in texts:
        if full := _FULL.search(text):
            return full[0]
    errors = [match for text in texts for match in _ERROR.findall(text)]
    own = [one for one in errors if not _FOLLOWS.search(one)]
    signals = [
        f"a rank was ended by {name}" for text in texts for number, name in _SIGNAL.findall(text) if number != "15"
    ]
    return str([*signals, *own, *errors, ""][0])[:500]


def is_full(error: OSError) -> bool:
    """Whether an error says that a disk or a quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def short_of_room(output: Path, why: str) -> str:
    """Why another attempt would only fill the disk again; empty where there is room for one more checkpoint."""
    where = output if output.is_dir() else output.parent
    free = shutil.disk_usage(where).free
    if _FULL.search(why):
        return f"the disk is full: {free / 1e9:.1f} GB free at {where}"
    newest = next(iter(checkpoints.listed(output)), None)
    need = checkpoints.size(newest) if newest else 0
    if need > free:
        return f"{free / 1e9:.1f} GB free at {where}, a checkpoint has {need / 1e9:.1f} GB"
    return ""


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "replace")
    return ""
