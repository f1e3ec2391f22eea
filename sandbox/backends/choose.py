"""Which backend a sandbox opens: the one asked for, or with `auto` the strongest that works here. Never none."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from sandbox.backends.namespaces import Namespaces
from sandbox.batch import single
from sandbox.frames import Backend
from sandbox.model import Container, Program, SandboxError, Stdin
from sandbox.packages import PackagesError
from sandbox.selftest import self_test

Name = Literal["auto", "docker", "namespaces"]


@dataclass(frozen=True)
class Setting:
    """What a sandbox is opened with. Of `auto`, a `container` with a runtime or image makes `docker`."""

    backend: Name = "auto"
    workers: int = 1
    packages: Sequence[str] = ()
    container: Container = field(default_factory=Container)

    def check(self) -> None:
        """Raise SandboxError for what cannot be meant."""
        if self.backend not in get_args(Name):
            raise SandboxError(f"there is no sandbox backend '{self.backend}'",
                               next="use 'auto', 'docker' or 'namespaces'")  # fmt: skip
        if self.workers < 1:
            raise SandboxError(f"{self.workers} workers can run nothing", next="use 1 or more; left out, one a core")
        if self.backend == "namespaces" and self.container != Container():
            raise SandboxError("`runtime` and `image` are of the backend 'docker', and 'namespaces' is asked for",
                               next="leave them out, or use backend 'docker'")  # fmt: skip


class Choice(NamedTuple):
    """An open backend, why it is this one, and the modules outside the standard library that tests can import."""

    backend: Backend
    why: str
    modules: frozenset[str]


async def enter(stack: AsyncExitStack, setting: Setting) -> Choice:
    """Open a backend on `stack`, and try it with programs that try to get out.

    Raises SandboxError where none works: with `auto`, for the reasons of both.
    """
    setting.check()
    if setting.backend == "namespaces":
        return await _tried(stack, _namespaces(setting), "as asked for")
    if setting.backend == "docker" or setting.container != Container():
        return await _tried(stack, _docker(setting), "as asked for")
    try:
        return await _tried(stack, _docker(setting), "a Docker engine answers")
    except PackagesError:
        raise  # the other backend has them no more than this one
    except SandboxError as error:
        without = error
    try:
        return await _tried(stack, _namespaces(setting), f"without Docker: {without.what}")
    except PackagesError:
        raise
    except SandboxError as error:
        raise SandboxError(
            f"no isolation works here. namespaces: {error.what}; docker: {without.what}",
            next=f"{error.next or without.next}; or install Docker (Debian, Ubuntu: apt-get install docker.io)",
        ) from None


async def _tried(stack: AsyncExitStack, backend: Backend, why: str) -> Choice:
    async with AsyncExitStack() as mine:
        await mine.enter_async_context(backend)
        await self_test(backend)
        modules = await _modules(backend)
        stack.push_async_exit(mine.pop_all())
    return Choice(backend, why, modules)


_LIST = """
import json, os, sys
own = os.path.dirname(os.__file__)
folders = [path for path in sys.path if os.path.isdir(path) and path not in ("/tmp", own, own + "/lib-dynload")]
print(json.dumps([name for path in folders for name in os.listdir(path)]))
"""


async def _modules(backend: Backend) -> frozenset[str]:
    """What a program of ours finds in the folders that tests import from."""
    program = Program(source=_LIST, cases=[Stdin(input="", expected="")])
    (facts,) = await backend.run(single(program, 0), program.limits)
    try:
        return frozenset(name.partition(".")[0] for name in json.loads(facts.stdout))
    except ValueError:
        raise SandboxError(f"the sandbox cannot list its packages: {facts.end} {facts.code}, "
                           f"{facts.report[:300]!r}") from None  # fmt: skip


def _namespaces(setting: Setting) -> Backend:
    return Namespaces(setting.workers, packages=setting.packages)


def _docker(setting: Setting) -> Backend:
    from sandbox.backends.docker import Docker

    return Docker(setting.workers, packages=setting.packages, container=setting.container)
