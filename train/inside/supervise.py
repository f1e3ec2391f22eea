"""Brings a job to its end: starts it, watches its heartbeats, ends it when it hangs, starts it again.

`python -I FOLDER/code/supervise.py --job FOLDER/job.json -- COMMAND...`, where COMMAND starts `node.py` on every node
and finds the attempt in VERISTILL_ATTEMPT. Every attempt goes on from the newest complete checkpoint. Exit codes: 0
done, 1 failed for good, 2 refused, 4 stopped and resumable: the same command goes on. Standard library only.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING or __package__:
    from train.inside import checkpoints, diagnosis, process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import checkpoints
    import diagnosis
    import process

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 4
_PORT_TAKEN, _PAUSED = 98, 4  # node.py's exit codes
_FREE_RETRIES = 20  # attempts that found their port taken cost nothing and do not count
_END_S = 30.0  # from SIGTERM to SIGKILL: node.py needs up to ten seconds to end its ranks
_PAUSE_S = 2.0  # between attempts
_HINT = "the same command goes on"


class Ended(NamedTuple):
    """How an attempt ended: done, failed, hang, stopped, refused or port."""

    how: str
    rc: int
    why: str = ""


class Supervisor:
    """One job under one lock. `say` gets a line for everything a person should know."""

    def __init__(self, job_path: Path, command: list[str], say: Callable[[str], None]) -> None:
        self.folder = job_path.absolute().parent
        self.job = json.loads(job_path.read_text("utf-8"))
        self.command, self.say = command, say
        self.state = self.folder / "state"
        self.output = self.folder / self.job.get("output", "output")
        self.wanted = checkpoints.Wanted.of(self.job)
        self.log = diagnosis.Attempts(self.state / "attempts.jsonl")
        self.signals: list[str] = []  # what asked to stop, in order

    def stop(self, number: int, frame: FrameType | None = None) -> None:
        """Ask for a polite stop; asked twice, at once. Fit for a signal handler."""
        self.signals.append(signal.Signals(number).name)

    def run(self) -> int:
        """The whole supervision; returns the exit code."""
        process.adopt_orphans()
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            with diagnosis.locked(self.state / "lock"):
                return self._run()
        except diagnosis.Busy as busy:
            self.say(f"another launch of this run is at work ({busy}); wait for it or stop it")
            return STOPPED
        except checkpoints.Refused as refused:
            self.say(f"refused: {refused}")
            return REFUSED
        except OSError as error:
            if not diagnosis.is_full(error):
                raise
            self.say(f"the disk is full at {error.filename or self.folder}: make room, {_HINT}")
            return STOPPED

    def _run(self) -> int:
        if self._finished():
            self.say(f"already finished: {self.output}")
            return DONE
        self._greet()
        without_progress, free, made = 0, 0, 0
        best = checkpoints.survey(self.output, self.wanted).step
        while made < int(self.job.get("attempts", 5)):
            made += 1
            number = self.log.next_number()
            start = self._prepare(number)
            ended = self._attempt(number, start)
            if ended.how in ("done", "stopped", "refused"):
                return self._finish(number, ended)
            if ended.how == "port" and free < _FREE_RETRIES:
                free, made = free + 1, made - 1
                continue
            reached = checkpoints.survey(self.output, self.wanted).step
            without_progress = 0 if reached > best else without_progress + 1
            best = max(best, reached)
            if short := diagnosis.short_of_room(self.output, ended.why):
                self.say(f"{short}; make room, {_HINT}")
                return STOPPED
            if without_progress >= 2:
                self.say(f"two failures in a row without a new checkpoint, the last one: {ended.why}")
                return FAILED
            if self._waits_for_next():
                return STOPPED
        self.say(f"given up after {made} attempts, at checkpoint-{best}; {_HINT}")
        return FAILED

    def _finished(self) -> bool:
        done = process.read_state(self.state / "done.json")
        there = self.output.is_dir() and any(self.output.iterdir())
        return there and done.get("args") == self._args_hash()

    def _args_hash(self) -> str:
        return hashlib.sha256((self.folder / self.job.get("args", "sft.yaml")).read_bytes()).hexdigest()

    def _greet(self) -> None:
        last = self.log.last("start")
        if last and last.get("args") != self._args_hash() and checkpoints.listed(self.output):
            name = self.job.get("args", "sft.yaml")
            self.say(f"{name} is not what attempt {last['attempt']} ran: its checkpoint goes on with the new values")

    def _prepare(self, number: int) -> int:
        """Leave only what is whole; returns the step that the attempt goes on from."""
        found = checkpoints.survey(self.output, self.wanted)
        checkpoints.refuse_weights_alone(found, self.wanted)
        for path, reason in found.partial:
            self.say(checkpoints.set_aside(path, self.state, reason, number))
        for path in checkpoints.stray_weights(self.output):
            self.say(checkpoints.set_aside(path, self.state, "weights without a checkpoint", number))
        (self.state / "stop.json").unlink(missing_ok=True)
        (self.state / "done.json").unlink(missing_ok=True)
        origin = f"from {found.newest.name}" if found.newest else "from the beginning"
        self.say(f"attempt {number}: {origin}")
        behind = round(diagnosis.behind_s(self.state, found.newest), 3)
        facts = {"step": found.step, "world": self.wanted.world, "args": self._args_hash(), "behind_s": behind}
        self.log.add("start", number, **facts)
        return found.step

    def _attempt(self, number: int, start: int) -> Ended:
        """Start COMMAND and watch it to its end."""
        me = os.getpid()
        child = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**os.environ, "VERISTILL_ATTEMPT": str(number)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: process.die_with_parent(me, signal.SIGTERM),
        )
        watch = diagnosis.Watch(self.state, number, start, self.job)
        asked_at: float | None = None
        ended: Ended | None = None
        while ended is None:
            try:
                ended = self._read(child.wait(timeout=watch.interval), watch)
            except subprocess.TimeoutExpired:
                ended = self._look(watch, asked_at)
            if self.signals and asked_at is None:
                asked_at = time.monotonic()
                self._ask(number, watch)
            self._note_resumed(number, watch)
        _end(child)
        # Whole only now: ranks may have saved, paused or finished while they were being ended.
        self.log.add("end", number, how=ended.how, rc=ended.rc, why=ended.why, step=watch.step)
        if ended.how in ("failed", "hang"):
            self.say(f"attempt {number} ended at step {watch.step}: {ended.why}")
        return ended

    def _look(self, watch: diagnosis.Watch, asked_at: float | None) -> Ended | None:
        """While COMMAND runs: a hang, or a stop whose time is up."""
        watch.look()
        if asked_at is not None:
            late = time.monotonic() - asked_at > float(self.job.get("grace_s", 60.0))
            if late or len(self.signals) > 1 or not (watch.trains or watch.saves):
                return Ended("stopped", STOPPED, "ended before it could save")
        silent = watch.silent_for()
        if silent > watch.patience():
            return Ended("hang", FAILED, f"no step for {silent:.0f} s: it hung, and was ended")
        return None

    def _read(self, rc: int, watch: diagnosis.Watch) -> Ended:
        """What an ended COMMAND means."""
        watch.look()
        if refusal := watch.refusal():
            port = refusal.get("rc") == _PORT_TAKEN
            return Ended("port" if port else "refused", REFUSED, str(refusal.get("why")))
        if watch.paused() or rc == _PAUSED:
            return Ended("stopped", STOPPED, f"paused at step {watch.step}")
        if rc == 0:
            return Ended("done", DONE)
        if self.signals:
            return Ended("stopped", STOPPED, "ended before it could save")
        if rc == REFUSED and not watch.seen:
            return Ended("refused", REFUSED, "the nodes could not begin: see the lines above")
        return Ended("failed", FAILED, diagnosis.cause(self.folder / "logs", watch.attempt) or f"exit code {rc}")

    def _ask(self, number: int, watch: diagnosis.Watch) -> None:
        """Ask the ranks to save and pause; they read the request after each step."""
        if watch.trains:
            grace = float(self.job.get("grace_s", 60.0))
            self.say(f"{self.signals[0]}: saving a checkpoint, at most {grace:.0f} s; once more to end at once")
            process.write_state(self.state / "stop.json", {"attempt": number, "why": self.signals[0]})

    def _note_resumed(self, number: int, watch: diagnosis.Watch) -> None:
        lost = self.log.resumed(watch)
        if lost is not None:
            self.say(f"attempt {number} is past checkpoint-{watch.start}: {lost:.1f} s lost")
            with contextlib.suppress(OSError):  # a disk that is full for a moment: training goes on
                self.log.add("resumed", number, step=watch.step, lost_s=round(lost, 3))

    def _waits_for_next(self) -> bool:
        """A short wait; True if a stop is asked for meanwhile."""
        deadline = time.monotonic() + _PAUSE_S
        while time.monotonic() < deadline and not self.signals:
            time.sleep(0.05)
        return bool(self.signals)

    def _finish(self, number: int, ended: Ended) -> int:
        lost = self.log.lost_s()
        if ended.how == "done":
            step = self.log.last("end").get("step")
            facts = {"attempt": number, "step": step, "lost_s": lost, "args": self._args_hash(), "time": time.time()}
            process.write_state(self.state / "done.json", facts)
            self.say(
                f"finished in attempt {number} at step {step}; {lost:.1f} s lost to {self.log.failures()} failures"
            )
        elif ended.how == "stopped":
            newest = checkpoints.survey(self.output, self.wanted).newest
            self.say(f"stopped, {ended.why}; {_HINT} from {newest.name if newest else 'the beginning'}")
        else:
            self.say(f"refused: {ended.why}")
        return {"done": DONE, "stopped": STOPPED}.get(ended.how, REFUSED)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End COMMAND: SIGTERM to its process group, SIGKILL where that is not heeded, and to whatever it left behind."""
    for number, patience in ((signal.SIGTERM, _END_S), (signal.SIGKILL, _END_S)):
        if child.poll() is None:
            try:
                os.killpg(child.pid, number)
                os.killpg(child.pid, signal.SIGCONT)  # what is stopped would not hear the first
                child.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
    process.end_descendants(os.getpid(), 0.0)


def main() -> int:
    """Parse, take the signals, supervise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--tied", action="store_true", help="stop when standard input ends")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND that starts node.py on every node")
    flags = parser.parse_args()
    command = flags.command[1:] if flags.command[:1] == ["--"] else flags.command
    if not command:
        parser.error("what starts the nodes is missing: -- COMMAND...")

    def say(line: str) -> None:
        print(f"supervise: {line}", file=sys.stderr, flush=True)

    supervisor = Supervisor(flags.job, command, say)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, supervisor.stop)
    if flags.tied:
        process.when_input_ends(lambda: supervisor.signals.append("the launcher ended"))
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
