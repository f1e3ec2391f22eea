"""Training that this machine holds: the supervisor is a child of the command that launched it, and ends with it."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from curate.errors import Failed, InputError, Stopped
from train.inside import diagnosis, process
from train.launcher import Launched, NodeReply, Where, note, submitting

_SAID = "supervise: "


def hold(kind: str, command: Sequence[str], here: Path, say: Callable[[str], None]) -> Launched:
    """Supervise `command` until training ends; `say` gets each line that the supervisor says.

    Ctrl-C lets the ranks save and pause, a second one ends them at once. Raises Stopped (resumable), InputError (the
    job was refused) or Failed, with the supervisor's own last words.
    """
    supervise = [sys.executable, "-I", str(here / "code" / "supervise.py"), "--job", str(here / "job.json"), "--tied"]
    with submitting(here):
        supervisor = subprocess.Popen(
            [*supervise, "--", *command],
            cwd=here,
            stdin=subprocess.PIPE,  # its end tells the supervisor that this process is gone
            stdout=subprocess.DEVNULL,  # what the ranks say is in logs/
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches it through this process, once
        )
        note(here, Launched(kind, None, False, f"process {supervisor.pid} on this machine", {"pid": supervisor.pid}))
        last = _listen(supervisor, say)
        rc = supervisor.wait()
        if rc == 0:
            launched = Launched(kind, None, True, last)
            note(here, launched)
            return launched
    where, follow = str(here), f"look into {here / 'logs'}"
    if rc == 4:
        raise Stopped(last, where=where, next="the same command goes on")
    raise (InputError if rc == 2 else Failed)(last or f"the supervisor ended with {rc}", where=where, next=follow)


def _listen(supervisor: "subprocess.Popen[str]", say: Callable[[str], None]) -> str:
    """Pass on its lines, and each Ctrl-C; returns its own last line."""
    assert supervisor.stderr is not None
    last = ""
    while True:
        try:
            line = supervisor.stderr.readline()
        except KeyboardInterrupt:
            process.send(supervisor.pid, signal.SIGINT)
            continue
        if not line:
            return last
        if line.startswith(_SAID):
            last = line.removeprefix(_SAID).strip()
        say(line.removeprefix(_SAID).rstrip())


def held_where(here: Path) -> Where:
    """What the run folder says of a training that is held by a command on this machine."""
    state = here / "state"
    if _is_held(state / "lock"):
        return Where("running", (state / "lock").read_text("utf-8", "replace"))
    attempts = diagnosis.Attempts(state / "attempts.jsonl")
    if (state / "done.json").exists():
        return Where("done")
    if not (start := attempts.last("start")):
        return Where("absent")
    end = attempts.last("end")
    if end.get("attempt") != start.get("attempt"):
        return Where("stopped", "its supervisor was killed; the same command goes on")
    return Where("stopped" if end.get("how") in ("stopped", "refused") else "failed", str(end.get("why", "")))


def _is_held(path: Path) -> bool:
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file, or no locks on this file system
        return False
    return False


def reply(node: str, argv: Sequence[str], environment: Mapping[str, str], timeout: float) -> NodeReply:
    """Run a command to its end, and kill it with what it started where it takes longer than `timeout` seconds."""
    child = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    started = time.monotonic()
    try:
        output, _ = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        for pid in [*process.descendants(child.pid), child.pid]:
            process.send(pid, signal.SIGKILL)
        output, _ = child.communicate()
        return NodeReply(node, None, f"{output}\nno answer within {time.monotonic() - started:.0f} s".strip())
    return NodeReply(node, child.returncode, output)
