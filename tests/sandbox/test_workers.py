"""The pool: limits, deaths, starts that fail, cancelling, and no process left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import SandboxError
from sandbox.workers import JobCrashed, JobTimeout, Workers
from tests.sandbox.conftest import Processes

ECHO = """
import os, signal, sys, time
from sandbox.worker_loop import serve

def handle(job):
    word, _, rest = job.partition(b" ")
    if word == b"loop":
        while True: pass
    if word == b"child":
        if os.fork() == 0:
            while True: pass
        os.wait()
    if word == b"sleep": time.sleep(60)
    if word == b"segv": os.kill(os.getpid(), signal.SIGSEGV)
    if word == b"raise": raise ValueError("no such job")
    if word == b"exit": os._exit(3)
    if word == b"memory": return bytes(1 << 31)
    if word == b"once":
        mark = rest.decode()
        if not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(1)
    if word == b"pid": return str(os.getpid()).encode()
    print("noise on stdout")
    assert sys.stdin.read() == ""
    return job

serve(handle)
"""
COMMAND = [sys.executable, "-c", ECHO]


async def test_answers_are_those_of_their_jobs() -> None:
    async with Workers(COMMAND, count=2) as workers:
        jobs = [b"%d" % number for number in range(20)]
        assert await asyncio.gather(*(workers.run(job, cpu_s=5, wall_s=20) for job in jobs)) == jobs


async def test_large_and_empty_jobs() -> None:
    async with Workers(COMMAND, count=1) as workers:
        for job in (b"", b"x" * (40 << 20)):
            assert await workers.run(job, cpu_s=20, wall_s=60) == job


async def test_cpu_limit_and_then_a_fresh_worker() -> None:
    async with Workers(COMMAND, count=1) as workers:
        first = await workers.run(b"pid", cpu_s=1, wall_s=20)
        started = time.process_time()
        with pytest.raises(JobTimeout) as caught:
            await workers.run(b"loop", cpu_s=0.3, wall_s=60)
        assert caught.value.kind == "cpu"
        assert time.process_time() - started < 0.5  # the watch itself costs next to nothing
        assert await workers.run(b"pid", cpu_s=1, wall_s=20) != first


async def test_wall_limit() -> None:
    async with Workers(COMMAND, count=1) as workers:
        with pytest.raises(JobTimeout) as caught:
            await workers.run(b"sleep", cpu_s=60, wall_s=0.3)
        assert caught.value.kind == "wall"


async def test_a_worker_keeps_its_process_between_jobs_and_retires() -> None:
    async with Workers(COMMAND, count=1, max_jobs=2) as workers:
        pids = [await workers.run(b"pid", cpu_s=1, wall_s=20) for _ in range(5)]
    assert len(set(pids)) == 3
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


@pytest.mark.parametrize(
    ("job", "how"), [(b"segv", "SIGSEGV"), (b"raise", "no such job"), (b"exit", "exit 3"), (b"memory", "MemoryError")]
)
async def test_a_job_that_kills_two_workers(job: bytes, how: str) -> None:
    async with Workers(COMMAND, count=1, memory_bytes=1 << 30) as workers:
        with pytest.raises(JobCrashed, match=how):
            await workers.run(job, cpu_s=5, wall_s=20)
        assert await workers.run(b"after", cpu_s=5, wall_s=20) == b"after"


async def test_a_job_is_tried_once_more(tmp_path: Path) -> None:
    async with Workers(COMMAND, count=1) as workers:
        job = b"once " + bytes(tmp_path / "mark")
        assert await workers.run(job, cpu_s=5, wall_s=20) == job


async def test_a_worker_that_died_idle_is_replaced() -> None:
    async with Workers(COMMAND, count=1) as workers:
        pid = int(await workers.run(b"pid", cpu_s=1, wall_s=20))
        os.kill(pid, signal.SIGKILL)
        assert await workers.run(b"x", cpu_s=5, wall_s=20) == b"x"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ([sys.executable, "-c", "import no_such_module"], "no_such_module"),
        ([sys.executable, "-c", "pass"], "exit 0"),
        (["/no/such/program"], "No such file"),
        ([sys.executable, "-c", "import sys; sys.stdout.write('hello, this is no frame')"], "does not start"),
    ],
)
async def test_a_start_that_fails_is_an_error_at_once(command: list[str], says: str) -> None:
    async with Workers(command, count=1) as workers:
        with pytest.raises(SandboxError, match=says):
            await workers.run(b"", cpu_s=5, wall_s=20)


async def test_cancelling_kills_the_worker() -> None:
    async with Workers(COMMAND, count=1) as workers:
        pid = int(await workers.run(b"pid", cpu_s=1, wall_s=20))
        job = asyncio.create_task(workers.run(b"loop", cpu_s=60, wall_s=60))
        await asyncio.sleep(0.2)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert int(await workers.run(b"pid", cpu_s=1, wall_s=20)) != pid
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


async def test_closing_leaves_no_process(processes: type[Processes]) -> None:
    before = processes.below(os.getpid())
    async with Workers(COMMAND, count=2) as workers:
        await asyncio.gather(*(workers.run(b"x", cpu_s=5, wall_s=20) for _ in range(2)))
        mine = processes.below(os.getpid()) - before
    assert mine
    assert not processes.alive(mine)
    with pytest.raises(SandboxError, match="closed"):
        await workers.run(b"x", cpu_s=5, wall_s=20)


async def test_closing_kills_a_worker_at_work() -> None:
    async with Workers(COMMAND, count=1) as workers:
        job = asyncio.create_task(workers.run(b"loop", cpu_s=60, wall_s=60))
        await asyncio.sleep(0.5)
    with pytest.raises(SandboxError, match="closed"):
        await job


def test_workers_die_with_a_parent_that_is_killed(processes: type[Processes]) -> None:
    script = (
        "import asyncio, sys\n"
        "from sandbox.workers import Workers\n"
        f"COMMAND = [sys.executable, '-c', {ECHO!r}]\n"
        "async def main():\n"
        "    async with Workers(COMMAND, count=2) as workers:\n"
        "        jobs = [asyncio.create_task(workers.run(job, cpu_s=60, wall_s=60)) for job in (b'loop', b'sleep')]\n"
        "        await asyncio.sleep(1)\n"
        "        print('running', flush=True)\n"
        "        await asyncio.gather(*jobs)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"running\n"
    below = processes.below(parent.pid)
    assert len(below) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while processes.alive(below) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not processes.alive(below)
