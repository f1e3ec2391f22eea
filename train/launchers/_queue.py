"""Slurm's own programs: submit, ask, and run a command on every node. Nothing here knows what the jobs do."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import Prerequisite, Stopped
from train.launcher import Launched, NodeReply, State, Where

_ASK_S = 60.0
# Set by Slurm inside a job of its own, from which a launch may be started; they would be taken for wishes.
_KEPT = ("SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS")
_QUEUED = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {"RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "SIGNALING", "RESIZING", "STOPPED"}
_ENDED: dict[str, State] = {
    "COMPLETED": "done",
    "CANCELLED": "stopped",
    "TIMEOUT": "stopped",
    "PREEMPTED": "stopped",
    "DEADLINE": "stopped",
    "NODE_FAIL": "stopped",
    "BOOT_FAIL": "stopped",
}
_RESUMABLE = "4"  # how the supervisor ends where the same command goes on


class JobNow(NamedTuple):
    """A job that Slurm knows: its state in Slurm's words, why it waits, and the exit code of its script."""

    id: str
    state: str
    reason: str = ""
    code: str = "0"

    @property
    def word(self) -> State:
        """The state in our words."""
        if self.state in _QUEUED:
            return "queued"
        if self.state in _RUNNING:
            return "running"
        return "stopped" if self.code == _RESUMABLE else _ENDED.get(self.state, "failed")


def require(program: str) -> None:
    """Raise Prerequisite where Slurm's programs are not on this machine."""
    if shutil.which(program) is None:
        raise Prerequisite(
            f"{program} is not there", where="train.launcher: slurm", next="run this on a login node of the cluster"
        )


def submit(script: Path, *, after: Sequence[str], later: int) -> str:
    """The id of a new job, which waits for the end of the last of `after`. Raises Stopped where Slurm refuses it."""
    wait = [f"--dependency=afterany:{after[-1]}"] if after else []
    done = _run("sbatch", "--parsable", *wait, script, str(later))
    if done.returncode:
        raise Stopped(
            f"Slurm did not take the job: {done.stderr.strip()}",
            where=str(script),
            next="mend train.launcher in the recipe, then launch again"
            + (f"; first end what was submitted before it: scancel {' '.join(after)}" if after else ""),
        )
    return done.stdout.strip().partition(";")[0]


def alive(script: Path, launched: Launched | None) -> list[JobNow]:
    """Jobs of this script that run or are queued, however submitted. Raises Stopped where Slurm does not say."""
    done = _run("squeue", "--noheader", "--me", "--format=%i|%T|%r|%o")
    if done.returncode:  # to submit another one now might be to pay for two
        raise Stopped(
            f"Slurm does not say whether this training already runs: {done.stderr.strip()}",
            where=str(script),
            next="launch again when squeue answers",
        )
    known = set() if launched is None else {launched.id, *launched.more.get("ids", [])}
    jobs = [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
    ours = [JobNow(*words[:3]) for words in jobs if words[0] in known or _runs(words[3], script)]
    left = [one for one in ours if one.word in ("queued", "running")]
    return sorted(left, key=lambda one: (one.word != "running", int(one.id) if one.id.isdigit() else 0))


def _runs(command: str, script: Path) -> bool:
    # Slurm shows the script with its arguments.
    return re.fullmatch(re.escape(str(script)) + r"(?: \d+)?", command.strip()) is not None


def where(ids: list[str]) -> Where:
    """What Slurm says of the jobs of a chain: the one that runs, else the first that waits, else how it ended.

    A job that fails for good cancels those behind it: that is no cancelled run.
    """
    jobs = [_job(one) for one in ids]
    known = [one for one in jobs if one is not None]
    if not known:
        return Where("unknown", f"Slurm does not know job {', '.join(ids)} any more", ids[0])
    now = [one.word for one in known]
    for state in ("running", "queued", "done"):
        if state in now:
            job = known[now.index(state)]
            return Where(state, _words(job), job.id)
    last = ([one for one in known if one.state != "CANCELLED"] or known)[-1]
    return Where(last.word, _words(last), last.id)


def _words(job: JobNow) -> str:
    reason = f" ({job.reason})" if job.reason not in ("", "None") else ""
    return f"Slurm job {job.id}: {job.state.lower()}{reason}"


def _job(one: str) -> JobNow | None:
    """A job as the controller knows it, or the accounting after that; None where nobody knows it."""
    done = _run("scontrol", "show", "job", one, "--oneliner")
    found = dict(re.findall(r"(\w+)=(\S*)", done.stdout)) if not done.returncode else {}
    if "JobState" in found:
        return JobNow(one, found["JobState"], found.get("Reason", ""), found.get("ExitCode", "0").partition(":")[0])
    if shutil.which("sacct") is None:
        return None
    line = _run("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={one}", "--format=State,ExitCode")
    words = line.stdout.strip().splitlines()[-1:]
    if line.returncode or not words or "|" not in words[0]:
        return None
    state, code = words[0].split("|", 1)
    return JobNow(one, state.split()[0], "", code.partition(":")[0])


def each(nodes: int, options: Sequence[str], argv: Sequence[str], folder: Path, end: float) -> list[NodeReply]:
    """Run a command once on every node of an allocation of its own; it ends by `end` (monotonic), queueing included.

    `folder` is empty and shared, its name is nobody else's; it is taken away again, and so is an allocation that
    came too late.
    """
    # Each task writes its own file: what srun passes on of several tasks is mixed.
    script = (
        'out="$1/$SLURM_PROCID"; shift; export VERISTILL_RANK="$SLURM_PROCID"; '
        'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1); '
        "export VERISTILL_MASTER=$(scontrol show node \"$first\" --oneliner | grep -o 'NodeAddr=[^ ]*' | cut -d= -f2); "
        'printf %s "${SLURMD_NODENAME:-$(hostname)}" >"$out.node"; "$@" >"$out.out" 2>&1; printf %s "$?" >"$out.rc"'
    )
    name = f"veristill-{folder.name}"
    step = ["srun", *options, f"--job-name={name}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--cpu-bind=none"]
    done = False
    try:
        words = ""
        try:
            left = max(1.0, end - time.monotonic())
            words = _run(*step, "bash", "-c", script, "each", folder, *argv, timeout=left).stderr.strip()
            done = True
        except subprocess.TimeoutExpired:
            words = "no answer in time: the nodes were not free, or the command did not end"
        return [_reply(folder / str(rank), words) for rank in range(nodes)]
    finally:
        if not done:  # an srun that is killed leaves its request in the queue, which would hold the nodes one day
            _run("scancel", f"--name={name}")
        shutil.rmtree(folder, ignore_errors=True)


def _reply(path: Path, words: str) -> NodeReply:
    def text(suffix: str) -> str | None:
        file = path.with_name(path.name + suffix)
        return file.read_text("utf-8", "replace") if file.exists() else None

    code, output = text(".rc"), text(".out")
    return NodeReply(text(".node") or f"node {path.name}", int(code) if code else None, output or words)


def _run(*command: str | Path, timeout: float = _ASK_S) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name in _KEPT}
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=kept, timeout=timeout
    )
