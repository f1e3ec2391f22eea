"""Every server that a run has started: none before its first request, none after its end."""

import asyncio
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from curate.calls.secret import key_of, without_keys
from curate.calls.serving.local import LocalServers
from curate.calls.serving.serve import Serve
from curate.calls.serving.slurm import SlurmServers
from curate.errors import InputError, Stopped, VeristillError

_AGAIN = "the same command starts them again and goes on where it stopped"


class _Fleet(Protocol):
    """The servers of one model, wherever they run."""

    async def start(self) -> None: ...
    async def watch(self) -> None: ...
    async def end(self) -> None: ...


class _Wanted(NamedTuple):
    serve: Serve
    model: str
    key_variable: str | None


class Servers:
    """Starts what `serve:` blocks ask for when it is first needed; use as `async with`, inside that of the calls.

    Each block has a folder of its own below `folder`: its logs, its scripts, and `endpoints/`, in which servers
    register (see `curate.calls.serving.registry`). `stop` is called when servers are lost for good, `say` tells the
    user.
    """

    def __init__(self, folder: Path, stop: Callable[[Stopped], None], say: Callable[[str], None]) -> None:
        self._folder, self._stop, self._say = folder, stop, say
        self._wanted: dict[str, _Wanted] = {}
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._watches: list[asyncio.Task[None]] = []
        self._fleets: list[_Fleet] = []
        self._up: set[str] = set()
        self._devices = _devices()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """Stop every server; one that is needed again is started again."""
        tasks = [*self._starts.values(), *self._watches]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fleets, self._fleets, self._watches = self._fleets, [], []
        self._starts.clear()
        self._up.clear()
        self._devices = _devices()
        await asyncio.gather(*(fleet.end() for fleet in fleets))

    def want(self, serve: Serve, model: str, key_variable: str | None = None) -> None:
        """Let calls ask for the servers of a block (by its `mark`). Nothing is started by saying so."""
        self._wanted.setdefault(serve.mark(model), _Wanted(serve, model, key_variable))

    async def ready(self, mark: str, stop: asyncio.Event) -> str:
        """The folder of the block's endpoints, when a server has come to answer or `stop` is set.

        The first to ask starts them. Raises Prerequisite or Stopped where no server comes to answer.
        """
        wanted = self._wanted[mark]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted.model.rstrip("/").rpartition("/")[2])[-40:]
        place = self._folder / f"{name}-{mark}"
        if mark not in self._up:
            await self._started(mark, place, stop)
        return str(place / "endpoints")

    async def _started(self, mark: str, place: Path, stop: asyncio.Event) -> None:
        if mark not in self._starts:
            self._starts[mark] = asyncio.create_task(self._start(mark, place))
        start = self._starts[mark]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({start, stopping}, return_when="FIRST_COMPLETED")
        finally:
            stopping.cancel()
        if start.done():
            start.result()

    async def _start(self, mark: str, place: Path) -> None:
        fleet = self._fleet(place, self._wanted[mark])
        self._fleets.append(fleet)
        await fleet.start()
        self._up.add(mark)
        self._watches.append(asyncio.create_task(self._watch(fleet)))

    async def _watch(self, fleet: _Fleet) -> None:
        try:
            await fleet.watch()
        except Stopped as why:
            self._stop(why)
        except VeristillError as error:
            self._stop(Stopped(error.what, where=error.where, next=error.next))
        except Exception as error:  # noqa: BLE001 - the boundary of a task: nobody else would hear of it, and wait
            what = without_keys(f"{type(error).__name__}: {error}")
            self._stop(Stopped(f"the servers cannot be watched any more ({what})", next=_AGAIN))

    def _fleet(self, place: Path, wanted: _Wanted) -> _Fleet:
        serve, model, variable = wanted
        place.mkdir(parents=True, exist_ok=True)
        key = key_of(variable)
        # The one server that takes its key from the environment, where no other user sees it.
        secrets = {"VLLM_API_KEY": key} if key is not None and serve.server == "vllm" else {}
        if serve.slurm is not None:
            return SlurmServers(serve, model, place, secrets, self._say)
        devices = [self._take(serve.gpus) for _ in range(serve.copies)]
        return LocalServers(serve, model, place, devices, secrets, self._say)

    def _take(self, count: int) -> Sequence[str]:
        """The next GPUs of this machine. Raises InputError where CUDA_VISIBLE_DEVICES names too few."""
        taken = list(itertools.islice(self._devices, count))
        if len(taken) < count:
            raise InputError(
                "the servers of this recipe need more GPUs than CUDA_VISIBLE_DEVICES names",
                next="lower serve.gpus or serve.copies, or name more of them",
            )
        return taken


def _devices() -> Iterator[str]:
    """The names of the GPUs that may be used: those of CUDA_VISIBLE_DEVICES, else 0, 1, 2..."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return map(str, itertools.count())
    return iter([one.strip() for one in named.split(",") if one.strip()])
