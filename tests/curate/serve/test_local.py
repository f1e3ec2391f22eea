"""Servers on this machine: started when they are needed, kept, and gone with the run, however it ends."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from curate.calls.serving import local
from curate.calls.serving.guard import __file__ as GUARD
from curate.calls.serving.registry import registered
from curate.calls.serving.serve import Serve
from curate.calls.serving.servers import Servers
from curate.errors import InputError, Prerequisite, Stopped
from tests.compat.environments import NoPackages
from tests.curate.serve.test_slurm import until, write_recipe
from tests.tiny.serve import tiny_model

VERISTILL = Path(sys.executable).with_name("veristill")
SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted.py")))


class Told:
    """What the user was told, and why the run was stopped."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stops: list[Stopped] = []


@contextlib.asynccontextmanager
async def running(folder: Path, serve: Serve, told: Told | None = None) -> AsyncIterator[tuple[Servers, str]]:
    told = told or Told()
    async with Servers(folder, told.stops.append, told.lines.append) as servers:
        servers.want(serve, "m")
        yield servers, serve.mark("m")


async def ready(servers: Servers, mark: str) -> Path:
    return Path(await servers.ready(mark, asyncio.Event()))


def scripted(*args: str, **more: Any) -> Serve:
    return Serve(command=SCRIPTED, gpus=0, args=args, **more)


def processes(mark: str) -> list[int]:
    """Live processes with `mark` in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


async def test_started_once_by_the_first_to_need_it(tmp_path: Path) -> None:
    told = Told()
    async with running(tmp_path, scripted(copies=2, env={"WHO": "me"}), told) as (servers, mark):
        assert processes(str(tmp_path)) == []
        folder, other = await asyncio.gather(ready(servers, mark), ready(servers, mark))
        assert folder == other
        while len(registered(folder)) < 2:
            await asyncio.sleep(0.1)
        assert {one.model for one in registered(folder)} == {"m"}
        assert len(processes(str(tmp_path))) == 2  # guards
        assert sum("starting" in line for line in told.lines) == 1
    assert registered(folder) == ()
    assert processes(str(tmp_path)) == []
    assert "serve m" in (folder.parent / "server-0.log").read_text()
    assert told.stops == []


async def test_one_that_breaks_down_is_started_again(tmp_path: Path) -> None:
    told = Told()
    async with running(tmp_path, scripted(), told) as (servers, mark):
        folder = await ready(servers, mark)
        for _ in range(3):
            port = registered(folder)[0].base_url.removesuffix("/v1").rpartition(":")[2]
            os.kill(next(pid for pid in processes(port) if pid not in processes("guard.py")), signal.SIGKILL)
            while [one.base_url for one in registered(folder)] in ([], [f"http://127.0.0.1:{port}/v1"]):
                await asyncio.sleep(0.05)
        assert told.stops == []
        port = registered(folder)[0].base_url.removesuffix("/v1").rpartition(":")[2]
        os.kill(next(pid for pid in processes(port) if pid not in processes("guard.py")), signal.SIGKILL)
        while not told.stops:
            await asyncio.sleep(0.05)
    assert "broke down 4 times" in told.stops[0].what
    assert sum("started again" in line for line in told.lines) == 3


async def test_one_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "BEAT_S", 0.1)
    monkeypatch.setattr(local, "_HEALTH_S", 0.2)
    told = Told()
    async with running(tmp_path, scripted(), told) as (servers, mark):
        folder = await ready(servers, mark)
        (first,) = registered(folder)
        port = first.base_url.removesuffix("/v1").rpartition(":")[2]
        os.kill(next(pid for pid in processes(port) if pid not in processes("guard.py")), signal.SIGSTOP)
        while [one.base_url for one in registered(folder)] in ([], [first.base_url]):
            await asyncio.sleep(0.05)
        assert sum("started again" in line for line in told.lines) == 1
        assert told.stops == []


async def test_a_run_hears_of_it_when_its_servers_cannot_be_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    told = Told()
    monkeypatch.setattr(local.LocalServers, "_serving", full)
    async with running(tmp_path, scripted(), told) as (servers, mark):
        with pytest.raises(OSError, match="No space"):
            await ready(servers, mark)
    monkeypatch.undo()
    monkeypatch.setattr(local.LocalServers, "watch", full)
    async with running(tmp_path, scripted(), told) as (servers, mark):
        await ready(servers, mark)
        while not told.stops:
            await asyncio.sleep(0.05)
    assert "No space left" in told.stops[0].what


async def test_one_that_never_answers_stops_the_run(tmp_path: Path) -> None:
    async with running(tmp_path, scripted("--die-early", copies=2)) as (servers, mark):
        with pytest.raises(Stopped, match="did not come to answer") as caught:
            await ready(servers, mark)
    assert "no weights" in caught.value.what
    assert "sk-abc" not in caught.value.what
    assert Path(caught.value.where or "").exists()


async def test_one_that_takes_too_long_stops_the_run(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 1000\n")
    sleeper.chmod(0o755)
    start = time.monotonic()
    async with running(tmp_path, Serve(command=(str(sleeper),), gpus=0, ready_s=1)) as (servers, mark):
        with pytest.raises(Stopped, match="did not come to answer"):
            await ready(servers, mark)
    assert time.monotonic() - start < 30


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    async with running(tmp_path, Serve(command=("no-such-server",))) as (servers, mark):
        with pytest.raises(Prerequisite, match="no-such-server"):
            await ready(servers, mark)


async def test_a_stop_does_not_wait_for_weights(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 1000\n")
    sleeper.chmod(0o755)
    stop = asyncio.Event()
    async with running(tmp_path, Serve(command=(str(sleeper),), gpus=0)) as (servers, mark):
        asyncio.get_running_loop().call_later(0.5, stop.set)
        await asyncio.wait_for(servers.ready(mark, stop), 5)
    assert processes(str(sleeper)) == []


async def test_each_server_has_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,5,7")
    show = tmp_path / "show"
    show.write_text("#!/bin/sh\necho devices $CUDA_VISIBLE_DEVICES key $VLLM_API_KEY\nexit 1\n")
    show.chmod(0o755)
    monkeypatch.setenv("OWN_KEY", "a-key-of-some-length")
    serve = Serve(command=(str(show),), gpus=2, copies=2)
    async with Servers(tmp_path, lambda why: None, lambda line: None) as servers:
        servers.want(serve, "m", "OWN_KEY")
        with pytest.raises(Stopped) as caught:
            await ready(servers, serve.mark("m"))
    assert "a-key-of-some-length" not in str(caught.value)
    logs = [path.read_text() for path in sorted(tmp_path.glob("*/server-*.log"))]
    assert "devices 2,3 key a-key" in logs[0]
    assert "devices 5,7 key a-key" in logs[1]
    async with running(tmp_path, Serve(command=(str(show),), gpus=2, copies=3)) as (servers, mark):
        with pytest.raises(InputError, match="more GPUs"):
            await ready(servers, mark)


def test_the_guard_ends_whatever_a_server_started(tmp_path: Path) -> None:
    """Processes of other sessions that shrug off SIGTERM among them; also when whoever holds the guard is killed."""
    marker = f"veristill-{tmp_path.name}-{os.getpid()}"
    holder = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(600)\n"
    )
    server = [*SCRIPTED, "serve", marker, "--deaf", "--host", "127.0.0.1", "--port", "0"]
    guard = [sys.executable, "-I", GUARD, str(tmp_path / "log"), "--", *server]
    held = subprocess.Popen([sys.executable, "-c", holder, *guard])
    until(lambda: len(processes(marker)) == 5, 20)  # holder, guard, server and the two that it started
    held.kill()
    held.wait()
    until(lambda: processes(marker) == [], 30)


def test_a_killed_run_takes_its_server_along(tmp_path: Path) -> None:
    serve = {"command": SCRIPTED, "gpus": 0, "args": ["--slow=1"]}
    path = write_recipe(tmp_path, 8, {"model": "m", "serve": serve, "concurrency": 2})
    command = [str(VERISTILL), "--root", str(tmp_path), "run", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # Two at once: the third comes when an answer is stored.
    until(lambda: sum(log.read_text().count("POST /v1") for log in tmp_path.glob("runs/r/serving/*/*.log")) >= 3)
    process.kill()
    process.communicate()
    until(lambda: processes(str(tmp_path / "runs")) == [], 30)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "runs" / "r" / "report.json").read_text())
    assert report["totals"]["solve"]["answered"] == 8
    assert report["this_run"]["answers_reused"] >= 1
    assert processes(str(tmp_path / "runs")) == []


def test_a_server_that_breaks_down_in_mid_run(tmp_path: Path) -> None:
    serve = {"command": SCRIPTED, "gpus": 0, "args": ["--slow=0.5", f"--mark={tmp_path}"]}
    path = write_recipe(tmp_path, 16, {"model": "m", "serve": serve, "concurrency": 2})
    command = [str(VERISTILL), "--root", str(tmp_path), "run", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: sum(log.read_text().count("POST /v1") for log in tmp_path.glob("runs/r/serving/*/*.log")) >= 4)
    server = set(processes(f"--mark={tmp_path}")) - set(processes("guard.py"))
    os.kill(server.pop(), signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert "started again" in out
    report = json.loads((tmp_path / "runs" / "r" / "report.json").read_text())
    assert report["totals"]["solve"]["answered"] == 16
    (log,) = (tmp_path / "runs" / "r" / "serving").glob("*/server-0.log")
    assert log.read_text().count("POST /v1") == 16  # what was in flight was not answered, all else but once


def test_teacher_and_judge_may_share_one_server(tmp_path: Path) -> None:
    """Only blocks that are alike in all but who asks: another block is another server."""
    served: dict[str, Any] = {"kind": "openai", "model": "m", "serve": {"command": SCRIPTED, "gpus": 0}}
    path = write_recipe(tmp_path, 3, served)
    recipe = {**json.loads(path.read_text()), "verify": {"math": ["judge"]}, "judge": served}
    path.write_text(json.dumps(recipe))
    command = [str(VERISTILL), "--root", str(tmp_path), "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "runs" / "r" / "serving").glob("*/server-0.log")
    assert log.read_text().count("POST /v1") > 3
    again = tmp_path / "again"
    again.mkdir()
    path.replace(again / "recipe.yaml")
    (tmp_path / "q.jsonl").replace(again / "q.jsonl")
    recipe["judge"] = {**served, "serve": {**served["serve"], "env": {"WHO": "judge"}}}
    (again / "recipe.yaml").write_text(json.dumps(recipe))
    command = [str(VERISTILL), "--root", str(again), "run", str(again / "recipe.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = [log.read_text() for log in (again / "runs" / "r" / "serving").glob("*/server-0.log")]
    assert len(logs) == 2
    assert min(log.count("POST /v1") for log in logs) >= 3


@pytest.mark.slow
def test_a_run_with_a_real_server_of_its_own(missing: Callable[[str], None], tmp_path: Path) -> None:
    try:
        python, model = tiny_model()
    except NoPackages as error:
        missing(f"packages from an index for transformers serve: {error}")
    serve = {
        "server": "transformers",
        "gpus": 0,
        "command": [str(python.with_name("transformers"))],
        "env": {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    }
    teacher = {"model": str(model), "serve": serve, "max_tokens": 8, "concurrency": 2, "timeout_s": 120}
    path = write_recipe(tmp_path, 6, teacher)
    command = [str(VERISTILL), "--root", str(tmp_path), "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "runs" / "r" / "report.json").read_text())
    assert report["totals"]["solve"]["answered"] == 6
    assert processes(str(tmp_path / "runs")) == []
    (log,) = (tmp_path / "runs" / "r" / "serving").glob("*/server-0.log")
    assert log.read_text().count("POST /v1/chat/completions") >= 6
    again = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "starting" not in again.stderr  # every answer is there: no server is needed
    assert log.read_text().count("POST /v1/chat/completions") == 6
