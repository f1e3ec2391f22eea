"""Kills in mid-run, on a real Docker engine: nothing is lost, nothing is miscounted, nothing is left."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sandbox import Outcome, Program, Sandbox, SandboxError, Stdin
from sandbox.backends import docker as docker_backend
from sandbox.backends import engine
from sandbox.backends.container import Container
from sandbox.worker_loop import READY
from tests.engine import Engine
from tests.sandbox import inventory

RIGHT = "a, b = map(int, input().split())\nfor _ in range({turns}): pass\nprint(a + b)"
WRONG = "a, b = map(int, input().split())\nfor _ in range({turns}): pass\nprint(a - b)"


@pytest.fixture(scope="module", autouse=True)
def _host(own_engine: Engine) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", own_engine.url)
        yield


def programs(count: int) -> list[tuple[Program, str]]:
    """Programs and the status that each must get: two of three are right."""
    tests = [Stdin(input=f"{number} 4\n", expected=f"{number + 4}\n") for number in range(3)]
    return [
        (
            Program(source=(WRONG if number % 3 == 0 else RIGHT).format(turns=2 * 10**5 + number), cases=tests),
            "fail" if number % 3 == 0 else "pass",
        )
        for number in range(count)
    ]


async def verdicts(box: Sandbox, count: int, parts: Sequence[float], trouble: Callable[[], None]) -> list[Outcome]:
    """The outcomes of a run into which `trouble` comes when these parts of it are done."""
    work = [asyncio.create_task(box.run(program)) for program, _ in programs(count)]
    for part in parts:
        while sum(task.done() for task in work) < part * count:
            await asyncio.sleep(0.005)
        assert not all(task.done() for task in work)
        await asyncio.to_thread(trouble)
    return await asyncio.gather(*work)


async def gone(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while what() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not what()


def kill_container(engine: Engine) -> None:
    """The whole container, as an operator would."""
    subprocess.run(["docker", "-H", engine.url, "kill", next(iter(inventory.containers(engine)))],
                   check=True, capture_output=True)  # fmt: skip


def kill_zygote(engine: Engine) -> None:
    """The process that forks tests, and not the one above it."""
    os.kill(inventory.zygotes(engine)[0], signal.SIGKILL)


def kill_engine(engine: Engine) -> None:
    engine.kill()
    time.sleep(0.5)
    engine.start()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [kill_container, kill_zygote, kill_engine])
async def test_a_kill_changes_no_verdict_and_leaves_nothing(
    own_engine: Engine, trouble: Callable[[Engine], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Sandbox("docker", workers=2):  # the image is made
        pass
    await gone(lambda: inventory.containers(own_engine))
    before = inventory.host(own_engine)
    async with Sandbox("docker", workers=2) as box:
        parts = (0.5,) if trouble is kill_engine else (0.2, 0.5, 0.8)
        outcomes = await verdicts(box, 200, parts, lambda: trouble(own_engine))
    assert [outcome.status for outcome in outcomes] == [status for _, status in programs(200)]
    assert [outcome.passed for outcome in outcomes] == [3 if s == "pass" else 0 for _, s in programs(200)]
    await gone(lambda: inventory.containers(own_engine))
    await gone(lambda: inventory.host(own_engine)["shims"] != before["shims"])
    assert inventory.host(own_engine) == before
    assert not list(tmp_path.iterdir())


async def test_an_engine_that_is_gone_is_trouble_of_ours_and_never_a_verdict(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.backends.docker._RETURN_S", 0.5)
    monkeypatch.setattr("sandbox.backends.engine.LEASE_S", 2.0)
    async with Sandbox("docker", workers=2) as box:
        work = [asyncio.create_task(box.run(program)) for program, _ in programs(40)]
        while not any(task.done() for task in work):
            await asyncio.sleep(0.01)
        inside = inventory.inside(own_engine)
        assert inside
        own_engine.kill()
        try:
            outcomes = await asyncio.gather(*work)
            await gone(lambda: [pid for pid in inside if Path(f"/proc/{pid}").exists()])  # without their engine
        finally:
            own_engine.start()
        wanted = [status for _, status in programs(40)]
        assert {outcome.reason for outcome in outcomes if outcome.status == "error"} == {"infrastructure"}
        assert all(outcome.status in ("error", want) for outcome, want in zip(outcomes, wanted, strict=True))
        program, status = programs(1)[0]
        assert (await box.run(program)).status == status  # and it goes on when the engine is back
    await gone(lambda: inventory.containers(own_engine))


@pytest.mark.parametrize("sent", ["nothing", "half a job"])
async def test_a_container_to_which_nobody_speaks_ends(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    """An engine that dies closes nothing: not before the first byte, not in the middle of a job."""
    monkeypatch.setattr("sandbox.backends.engine.LEASE_S", 1.5)
    client = engine.connect()
    image = engine.ready_image(client, None, ())
    name = engine.create(client, image, pool="p", memory=1 << 30, processes=64, runtime=None)
    container = Container(client, name)
    await container.start()
    if sent == "half a job":
        files = docker_backend._files()
        await container.send(len(files).to_bytes(8, "big"), files)
        assert await container.receive(8 + len(READY)) == len(READY).to_bytes(8, "big") + READY
        await container.send((1000).to_bytes(8, "big"), b"half of it")
    assert inventory.containers(own_engine)
    await gone(lambda: inventory.containers(own_engine))
    await container.reap()
    client.close()


HOST = """
import asyncio
from sandbox import Limits, Program, Sandbox, Stdin
async def main():
    async with Sandbox("docker", workers=2) as sandbox:
        program = Program(source="while True: pass", cases=[Stdin(input="", expected="")], limits=Limits(cpu_s=600))
        tasks = [asyncio.create_task(sandbox.run(program)) for _ in range(2)]
        await asyncio.sleep(1)
        print("running", flush=True)
        await asyncio.gather(*tasks)
asyncio.run(main())
"""


async def test_a_host_that_is_killed_leaves_no_container(own_engine: Engine) -> None:
    await gone(lambda: inventory.containers(own_engine))
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE)
    assert host.stdout is not None
    assert host.stdout.readline() == b"running\n"
    assert len(inventory.containers(own_engine)) == 2
    host.kill()
    host.wait()
    host.stdout.close()
    await gone(lambda: inventory.containers(own_engine))


async def test_what_a_dead_owner_never_started_is_removed(own_engine: Engine) -> None:
    """Killed between making a container and starting it: the next sandbox removes it."""
    script = (
        "import os, signal\nfrom sandbox.backends import engine\nclient = engine.connect()\n"
        "image = engine.ready_image(client, None, ())\n"
        "print(engine.create(client, image, pool='p', memory=1 << 30, processes=64, runtime=None), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert inventory.containers(own_engine) == {done.stdout.strip()}, done
    async with Sandbox("docker", workers=1):
        assert done.stdout.strip() not in inventory.containers(own_engine)
    await gone(lambda: inventory.containers(own_engine))


async def test_a_removal_that_the_engine_refuses_at_first_is_asked_for_again(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was started a moment ago and still waits for its container's end."""
    from docker.errors import APIError

    client = engine.connect()
    image = engine.ready_image(client, None, ())
    name = engine.create(client, image, pool="refused", memory=1 << 30, processes=64, runtime=None)
    remove, refusals = client.remove_container, iter([True, True, False])

    def reluctant(*arguments: object, **named: object) -> None:
        if next(refusals):
            raise APIError("could not kill: tried to kill container, but did not receive an exit event")
        remove(*arguments, **named)

    monkeypatch.setattr(client, "remove_container", reluctant)
    engine.clear(client, "refused")
    assert name not in inventory.containers(own_engine)
    client.close()


async def test_cancelling_in_any_moment_leaves_no_container(own_engine: Engine) -> None:
    async def whole() -> None:
        async with Sandbox("docker", workers=2) as box:
            await asyncio.gather(*(box.run(program) for program, _ in programs(8)))

    for moment in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8):
        task = asyncio.create_task(whole())
        await asyncio.sleep(moment)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await gone(lambda: inventory.containers(own_engine))


async def test_no_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxError, match=r"no Docker engine answers.*\n  start Docker"):
        await Sandbox("docker").__aenter__()
    async with Sandbox("auto", workers=1) as box:
        assert box.backend == "namespaces"
        assert box.why.startswith("without Docker: no Docker engine answers")
