"""Servers on this machine: each on a free port, its output in a log that is kept, started again where it broke down.

A server lives under a guard (`guard.py`) that ends it with all its processes when the run is gone, however it went.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from curate.calls.secret import without_keys
from curate.calls.serving.registry import BEAT_S, Registered, register
from curate.calls.serving.serve import Serve
from curate.errors import Prerequisite, Stopped

RESTARTS = 3  # of one server that had answered before
_LOOPBACK = "127.0.0.1"
_ADDRESS_TAKEN = re.compile(r"address already in use|errno 98", re.IGNORECASE)
_SICK = 6  # looks in a row, a beat apart, at a server that does not answer: it hangs
_HEALTH_S = 10.0  # for which its word is waited for
_PORTS = 3  # tries to find a port that nobody takes before the server does


class LocalServers:
    """`serve.copies` servers of one model. `start`, then `watch` until it raises or is cancelled, at last `end`."""

    def __init__(
        self,
        serve: Serve,
        model: str,
        place: Path,
        devices: Sequence[Sequence[str]],
        environment: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        """`devices`: for each copy the names of its GPUs; `environment`: variables that stand in no file.

        What is written stands in the folder `place`.
        """
        self._serve, self._model, self._place, self._say = serve, model, place, say
        self._devices, self._environment = devices, environment
        self._keepers: list[asyncio.Task[None]] = []
        self._up = asyncio.Event()

    async def start(self) -> None:
        """Start them all and return when the first answers.

        Raises Prerequisite where the program is not installed, Stopped where no server comes to answer.
        """
        program = self._serve.launch(self._model)[0]
        if shutil.which(program) is None:
            raise Prerequisite(
                f"the program {program} is not there",
                where=f"serve: of {self._model}",
                next=f"install {self._serve.server} (in an environment of its own, if it must be) "
                "and name its program: serve: {command: [/path/to/it]}",
            )
        shutil.rmtree(self._place / "endpoints", ignore_errors=True)  # of a run that was killed
        (self._place / "endpoints").mkdir(parents=True)
        self._say(f"starting {self._serve.copies} server(s) of {self._model}; log: {self._log(0)}")
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._serve.copies)]
        up: asyncio.Future[object] = asyncio.ensure_future(self._up.wait())
        over: asyncio.Future[object] = asyncio.ensure_future(asyncio.wait(self._keepers))
        try:
            await asyncio.wait({up, over}, return_when="FIRST_COMPLETED")
        finally:
            up.cancel()
            over.cancel()
        if not self._up.is_set():
            await self.watch()

    async def watch(self) -> None:
        """Wait until no server is left, then raise why the last one went."""
        why: BaseException | None = None
        left = set(self._keepers)
        while left:
            done, left = await asyncio.wait(left, return_when="FIRST_COMPLETED")
            for one in done:
                why = one.exception() or why
                if left:
                    self._say(f"{why}; {len(left)} server(s) of {self._model} go on")
        if why is not None:
            raise why

    async def end(self) -> None:
        """Stop every server and wait until its processes are gone."""
        for one in self._keepers:
            one.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """One server, started again up to `RESTARTS` times after it had answered."""
        answered = 0
        while True:
            if not await self._once(number, again=answered > 0):
                break
            answered += 1
            if answered > RESTARTS:
                break
            self._say(f"a server of {self._model} broke down ({self._last_words(number)}); it is started again")
        what = f"broke down {answered} times" if answered else "did not come to answer"
        raise Stopped(
            f"the server of {self._model} {what}: {self._last_words(number)}",
            where=str(self._log(number)),
            next="mend serve: in the recipe, then run the same command again",
        )

    async def _once(self, number: int, *, again: bool) -> bool:
        """Run a server until it ends; whether it had answered."""
        for _ in range(_PORTS):
            port = _free_port()
            began = self._log(number).stat().st_size if self._log(number).exists() else 0
            guard = await self._spawn(number, port)
            try:
                if await self._healthy(guard, port):
                    await self._serving(number, guard, port)
                    return True
            finally:
                await _let_go(guard)
            if not _ADDRESS_TAKEN.search(self._tail(number, began)):
                break
        return False

    async def _spawn(self, number: int, port: int) -> asyncio.subprocess.Process:
        command = [*self._serve.launch(self._model), "--host", _LOOPBACK, "--port", str(port)]
        environment = {**os.environ, **self._environment, **self._serve.env}
        if self._serve.gpus and self._devices[number]:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self._devices[number])
        script = self._place / "guard.py"  # -I puts a script's folder nowhere, but it is ours alone all the same
        script.write_text(files(__package__).joinpath("guard.py").read_text("utf-8"), "utf-8")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(script), str(self._log(number)), "--", *command),
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is the run's affair: what is in flight may still be answered
        )

    async def _healthy(self, guard: asyncio.subprocess.Process, port: int) -> bool:
        end = time.monotonic() + self._serve.ready_s
        while guard.returncode is None and time.monotonic() < end:
            if await _answers(port):
                return True
            await asyncio.sleep(0.25)
        return False

    async def _serving(self, number: int, guard: asyncio.subprocess.Process, port: int) -> None:
        url = f"http://{_LOOPBACK}:{port}/v1"
        entry = Registered(url, self._model, "local", socket.gethostname(), round(time.time(), 3))
        path = register(self._place / "endpoints", f"local-{number}", entry)
        self._say(f"{self._model} is served at {url}")
        self._up.set()
        sick = 0
        try:
            while guard.returncode is None and sick < _SICK:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(guard.wait(), BEAT_S)
                sick = 0 if await _answers(port) else sick + 1
                with contextlib.suppress(OSError):
                    path.touch()
        finally:
            path.unlink(missing_ok=True)

    def _log(self, number: int) -> Path:
        return self._place / f"server-{number}.log"

    def _tail(self, number: int, start: int) -> str:
        with self._log(number).open("rb") as log:
            log.seek(max(start, self._log(number).stat().st_size - 20_000))
            return log.read().decode("utf-8", "replace")

    def _last_words(self, number: int) -> str:
        return last_words(self._log(number))


def last_words(log: Path) -> str:
    """The last line that a server wrote, without anything secret."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 4_000))
            lines = [line.strip() for line in handle.read().decode("utf-8", "replace").splitlines()]
    except OSError:
        lines = []
    return without_keys(next((line for line in reversed(lines) if line), "it wrote nothing"))


async def _let_go(guard: asyncio.subprocess.Process) -> None:
    """Close the guard's standard input and wait until it has ended the server, also when we are being cancelled."""
    assert guard.stdin is not None
    guard.stdin.close()
    waiting = asyncio.ensure_future(guard.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        raise


async def _answers(port: int) -> bool:
    """Whether GET /health brings status 200."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(_LOOPBACK, port), 5)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {_LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), _HEALTH_S)
        return line.startswith(b"HTTP/") and line.split()[1:2] == [b"200"]
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        writer.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
