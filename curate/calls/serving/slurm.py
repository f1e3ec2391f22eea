"""Servers as the jobs of one Slurm array, which register their endpoints in a folder that this machine also sees.

While the run lives it touches a lease; jobs whose lease has run out end by themselves, so a run that was killed costs
no more than that. A run that goes on within that time finds its jobs and takes them over.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from curate.calls.secret import without_keys
from curate.calls.serving.local import last_words
from curate.calls.serving.registry import registered
from curate.calls.serving.script import batch_script
from curate.calls.serving.serve import Serve
from curate.errors import Prerequisite, Stopped

_BEAT_S = 10.0  # between touches of the lease
_LOOK_S = 2.0  # between looks at the folder while nothing is there yet
_ASK_S = 10.0  # between questions to Slurm
_ALIVE = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SUSPENDED")
# Set by Slurm inside a job of its own, from which a run may be started; they would be taken for wishes.
_KEPT = ("SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS")


class SlurmServers:
    """The array of one model's servers. `start`, then `watch` until it raises or is cancelled, at last `end`."""

    def __init__(
        self, serve: Serve, model: str, place: Path, secrets: dict[str, str], say: Callable[[str], None]
    ) -> None:
        """`secrets`: variables that jobs get through Slurm's own environment, never through a file."""
        assert serve.slurm is not None
        self._serve, self._model, self._secrets, self._say = serve, model, secrets, say
        self._slurm = serve.slurm
        self._place = place.absolute()
        self._endpoints = self._place / "endpoints"
        self._lease = self._place / "lease"
        self._array: str | None = None
        self._asked_at = float("-inf")
        self._told: Counter[str] = Counter()

    async def start(self) -> None:
        """Submit the array, or take over what is left of one, and return when the first server answers.

        Waits as long as a job is queued. Raises Prerequisite without Slurm, Stopped where every job has ended.
        """
        if shutil.which("sbatch") is None:
            raise Prerequisite(
                "sbatch is not there", where=f"serve.slurm of {self._model}", next="run this on a node of the cluster"
            )
        self._endpoints.mkdir(parents=True, exist_ok=True)
        (self._place / "logs").mkdir(exist_ok=True)
        self._lease.touch()
        self._array = await self._left_over()
        if self._array is None:
            submitting = asyncio.create_task(self._submit())
            try:
                await asyncio.shield(submitting)
            except asyncio.CancelledError:  # Slurm may take the job all the same: then `end` must know which it is
                await asyncio.gather(submitting, return_exceptions=True)
                raise
        while not await self._answering():
            await self._look()
            await asyncio.sleep(_LOOK_S)

    async def watch(self) -> None:
        """Keep the lease, and raise Stopped when no job is left."""
        while True:
            await self._look()
            await asyncio.sleep(_BEAT_S)

    async def end(self) -> None:
        """Cancel the array; where Slurm does not do it now, the jobs find their lease gone and end by themselves."""
        if self._array is None:
            return
        code, _, err = await _run("scancel", self._array)
        with contextlib.suppress(OSError):
            self._lease.unlink(missing_ok=True)
            if not code:
                (self._place / "array.json").unlink(missing_ok=True)
        what = f"the servers of {self._model} (Slurm array {self._array})"
        failed = f"scancel failed for {what}; they end by themselves: {without_keys(err)}"
        self._say(failed if code else f"cancelled {what}")

    async def _left_over(self) -> str | None:
        """The array of a run that was killed, where jobs of it live."""
        try:
            array = str(json.loads((self._place / "array.json").read_text("utf-8"))["array"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        alive = await self._alive(array)
        if alive is None:  # to submit another one now might be to pay for two
            raise Stopped(
                f"Slurm does not say whether the servers of {self._model} still run (array {array})",
                where=str(self._place),
                next="run the same command again when squeue answers",
            )
        if not alive:
            return None
        self._say(f"taking over the servers of {self._model} (Slurm array {array})")
        return array

    async def _submit(self) -> None:
        for path in self._endpoints.glob("*.json"):  # of jobs that are gone
            path.unlink(missing_ok=True)
        script = self._place / "serve.sbatch"
        script.write_text(batch_script(self._serve, self._model), "utf-8")
        options = ["--parsable", f"--output={self._place}/logs/%A_%a.log", f"--chdir={self._place}"]
        job = ["--lease", str(self._lease), "--lease-s", str(self._slurm.lease_s)]
        code, out, err = await _run("sbatch", *options, str(script), str(self._endpoints), *job, extra=self._secrets)
        if code:
            raise Stopped(
                f"Slurm did not take the job: {without_keys(err)}",
                where=str(script),
                next="mend serve.slurm.options in the recipe, then run the same command again",
            )
        self._array = array = out.strip().partition(";")[0]
        (self._place / "array.json").write_text(json.dumps({"array": array}), "utf-8")
        self._say(
            f"submitted {self._serve.copies} server(s) of {self._model}: Slurm array {array}; logs: {self._place}/logs"
        )

    async def _answering(self) -> bool:
        try:
            return bool(await asyncio.to_thread(registered, self._endpoints))
        except OSError:  # of a network file system for a moment
            return False

    async def _look(self) -> None:
        """Touch the lease; now and then ask Slurm what became of the jobs. Raises Stopped where none is left."""
        with contextlib.suppress(OSError):  # of a network file system for a moment; a lease is much longer
            await asyncio.to_thread(self._lease.touch)
        if time.monotonic() - self._asked_at < _ASK_S or self._array is None:
            return
        self._asked_at = time.monotonic()
        states = await self._alive(self._array)
        if states is None:  # Slurm does not answer now
            return
        if states != self._told:
            told = ", ".join(f"{count} {state.lower()}" for state, count in sorted(states.items()))
            self._say(f"servers of {self._model} (Slurm array {self._array}): {told or 'none left'}")
            self._told = states
        if not states:
            array, self._array = self._array, None
            raise Stopped(
                f"every job that served {self._model} has ended (Slurm array {array}): {self._last_words(array)}",
                where=f"{self._place}/logs",
                next="the same command submits them again and goes on where it stopped",
            )

    async def _alive(self, array: str) -> Counter[str] | None:
        """How many jobs of the array are in which state that may still come to serve; None where Slurm is silent."""
        code, out, err = await _run("squeue", "--noheader", "--array", f"--jobs={array}", "--format=%T")
        if code:
            return Counter() if re.search(r"invalid job id", err, re.IGNORECASE) else None
        return Counter(state for state in out.split() if state in _ALIVE)

    def _last_words(self, array: str) -> str:
        logs = sorted((self._place / "logs").glob(f"{array}_*.log"), key=lambda path: path.stat().st_mtime)
        return last_words(logs[-1]) if logs else "they wrote nothing"


async def _run(*command: str, extra: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of one of Slurm's programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name in _KEPT}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env={**kept, **(extra or {})}
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
