"""How the sandbox starts, breaks, ends and refuses: nothing is left of it, and nothing runs without isolation."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sandbox import Limits, Program, Sandbox, SandboxError, Stdin
from sandbox.packages import PackagesError
from tests.sandbox.conftest import Processes

ADD = Stdin(input="3 4\n", expected="7\n")
SLOW = "x = sum(map(int, input().split()))\nfor _ in range(5 * 10**6): pass\nprint(x)"


def _zygotes(below: set[tuple[int, str]]) -> list[int]:
    """The process ids of zygotes among `below`: the children of the processes that the host started."""
    return [pid for pid, _ in below if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_a_zygote_that_is_killed_changes_no_verdict(processes: type[Processes]) -> None:
    before = processes.below(os.getpid())
    async with Sandbox("namespaces", workers=1) as sandbox:
        for inner in (False, True):  # the process that the host knows, and the zygote below it
            task = asyncio.create_task(sandbox.run(Program(source=SLOW, cases=[ADD])))
            await asyncio.sleep(0.15)
            assert not task.done()
            mine = sorted(_zygotes(processes.below(os.getpid()) - before))
            os.kill(mine[1] if inner else mine[0], signal.SIGKILL)
            assert (await task).status == "pass"


async def test_a_zygote_that_hangs_changes_no_verdict(
    processes: type[Processes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.frames._PATIENCE_S", 0.5)
    before = processes.below(os.getpid())
    async with Sandbox("namespaces", workers=1) as sandbox:
        mine = sorted(_zygotes(processes.below(os.getpid()) - before))
        os.kill(mine[1], signal.SIGSTOP)
        limits = Limits(cpu_s=0.1, wall_s=0.1)
        assert (await sandbox.run(Program(source="print(7)", cases=[ADD], limits=limits))).status == "pass"


async def test_cancelling_ends_the_program(processes: type[Processes]) -> None:
    before = processes.below(os.getpid())
    async with Sandbox("namespaces", workers=1) as sandbox:
        task = asyncio.create_task(sandbox.run(Program(source="while True: pass", cases=[ADD])))
        await asyncio.sleep(0.3)
        mine = processes.below(os.getpid()) - before
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _gone(processes, mine)
        assert (await sandbox.run(Program(source="print(7)", cases=[ADD]))).status == "pass"


async def test_closing_leaves_nothing(processes: type[Processes]) -> None:
    before = processes.below(os.getpid())
    daemon = "import os, time\nfor _ in range(3):\n    if os.fork() == 0: time.sleep(600 + bool(os.setsid()))\nprint(7)"
    async with Sandbox("namespaces", workers=2) as sandbox:
        outcome = await sandbox.run(Program(source=daemon, cases=[ADD, ADD]))
        mine = processes.below(os.getpid()) - before
    assert outcome.status == "pass"
    assert mine
    await _gone(processes, mine)


async def _gone(processes: type[Processes], which: set[tuple[int, str]]) -> None:
    deadline = time.monotonic() + 5
    while processes.alive(which) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not processes.alive(which)


HOST = """
import asyncio
from sandbox import Limits, Program, Sandbox, Stdin
FORKS = "import os, time\\nfor _ in range(3):\\n    if os.fork() == 0: os.setsid()\\ntime.sleep(600)"
LOOPS = "import os\\nos.fork()\\nwhile True: pass"
async def main():
    async with Sandbox("namespaces", workers=2) as sandbox:
        limits = Limits(cpu_s=60, wall_s=60)
        case = Stdin(input="", expected="")
        programs = [Program(source=source, cases=[case], limits=limits) for source in (FORKS, LOOPS)]
        tasks = [asyncio.create_task(sandbox.run(program)) for program in programs]
        await asyncio.sleep(1)
        print("running", flush=True)
        await asyncio.gather(*tasks)
asyncio.run(main())
"""


@pytest.mark.parametrize("moment", [0.0, 0.3])
async def test_a_host_that_is_killed_leaves_nothing(processes: type[Processes], moment: float) -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE)
    assert host.stdout is not None
    assert host.stdout.readline() == b"running\n"
    await asyncio.sleep(moment)
    whole = 2 * 2 + 2 + 8 + 2  # two zygotes and the processes above them, two inits, and the programs
    deadline = time.monotonic() + 20  # a busy machine starts them late
    while len(below := processes.below(host.pid)) < whole and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert len(below) >= whole
    host.kill()
    host.wait()
    host.stdout.close()
    await _gone(processes, below)


def test_a_host_that_is_killed_while_it_starts_leaves_nothing(processes: type[Processes]) -> None:
    for pause in (0.05, 0.2, 0.3, 0.35, 0.4, 0.5):
        host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + pause
        below: set[tuple[int, str]] = set()
        while time.monotonic() < deadline:
            below |= processes.below(host.pid)
        host.kill()
        host.wait()
        deadline = time.monotonic() + 5
        while processes.alive(below) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not processes.alive(below)


def test_what_a_program_writes_does_not_reach_the_host() -> None:
    name = f"veristill-{os.getpid()}"
    places = "('/tmp', '/dev/shm', '/var/tmp', '/run', '/')"
    source = (
        f"import os\nfor place in {places}:\n"
        f"    try: open(f'{{place}}/{name}', 'w').close()\n    except OSError: pass\nprint(7)"
    )
    assert Sandbox(workers=1).run_sync(Program(source=source, cases=[ADD])).status == "pass"
    assert not [place for place in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/") if Path(place, name).exists()]


def test_what_cannot_be_meant_is_said_at_once() -> None:
    for given in ({"workers": 0}, {"audit": 3}, {"mode": "slow"}, {"backend": "dockr"}):
        with pytest.raises(SandboxError) as caught:
            Sandbox(**given)
        assert caught.value.next


async def test_the_sync_calls_say_what_to_use_in_an_event_loop() -> None:
    program = Program(source="print(7)", cases=[Stdin(input="", expected="7")])
    with pytest.raises(SandboxError, match="await sandbox"):
        Sandbox(workers=1).run_sync(program)
    with pytest.raises(SandboxError, match="async with"):
        Sandbox(workers=1).__enter__()


def test_packages_that_cannot_be_had_are_no_lack_of_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(PackagesError) as caught:
        Sandbox(workers=1, packages=["bad req >= !!"]).__enter__()
    assert caught.value.what.startswith("cannot install packages for tests")
    assert "'bad req >= !!'" in str(caught.value.next)  # as a shell takes it
    assert "docker" not in str(caught.value).lower()


def test_no_run_without_isolation() -> None:
    """Under a filter that refuses namespaces the sandbox does not open, and says what to do."""
    script = """
    import platform
    from sandbox import Program, Sandbox, SandboxError, Stdin
    from sandbox.inside import kernel, seccomp
    kernel.no_new_privileges()
    kernel.load_filter(seccomp.assemble(platform.machine()))
    try:
        print(Sandbox("namespaces", 1).run_sync(Program(source="print(7)", cases=[Stdin(input="", expected="7")])))
    except SandboxError as error:
        print("refused", error.what, "NEXT", error.next)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused no sandbox can start here"), done
    assert "unshare" in done.stdout
    assert "NEXT None" not in done.stdout


ORDINARY = """
import os, sys
sys.path.insert(0, {root!r})
from sandbox.inside import kernel
# As nobody, with a view in which nobody may look into the folders that this interpreter and the project lie in.
kernel.unshare(kernel.CLONE_NEWNS)
kernel.private_mounts()
trees = [(path, kernel.open_tree(path)) for path in {paths!r}]
for top in {{"/" + path.split("/")[1] for path, _ in trees}} - {{"/usr", "/bin", "/lib"}}:
    kernel.mount("tmpfs", top, "tmpfs", 0, "mode=755")
for path, tree in trees:
    if not path.startswith("/usr/"):
        os.makedirs(path, exist_ok=True)
        kernel.attach(tree, path)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.execv({python!r}, [{python!r}, "-c", {script!r}])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="everything here runs as an ordinary user already")
def test_it_works_as_an_ordinary_user() -> None:
    root = str(Path(__file__).parent.parent.parent)
    script = f"""
import os, sys
assert os.getuid() == 65534
sys.path.insert(0, {root!r})
from sandbox import *
from tests.sandbox.hostile import ATTACKS
wanted = ("fork bomb", "memory in many processes", "daemon", "kill everybody", "native crash", "loop in a child")
with Sandbox(workers=1) as box:
    print(box.run_sync(Program(source="print(7)", cases=[Stdin(input="", expected="7")] * 3)).status)
    limits = Limits(cpu_s=1, wall_s=2, memory_mb=256, output_mb=8, processes=32)
    for attack in ATTACKS:
        if attack.name in wanted or attack.name.startswith("memory"):
            outcome = box.run_sync(Program(source=attack.source, cases=[attack.case], limits=limits, entry="add"))
            assert outcome.reason in attack.reasons.split() + ["time_limit"], (attack.name, outcome)
from tests.sandbox.test_modes import LEAVES, left
with Sandbox("namespaces", workers=1, mode="strict") as box:
    for name in LEAVES:  # here tests are the same user as the init of their cell
        outcome, _ = left(box, name)
        assert outcome.status == "pass", (name, outcome)
print("done")
"""
    paths = sorted({sys.base_prefix, sys.prefix, root}, key=len)
    paths = [path for path in paths if not any(Path(path).is_relative_to(other) for other in paths if other != path)]
    program = ORDINARY.format(root=root, paths=paths, python=sys.executable, script=script)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "pass\ndone\n", done


def test_importing_it_is_cheap() -> None:
    """At most 50 ms of CPU time beyond pydantic, of which every user of it has need anyway."""
    script = "import time\nfrom pydantic import BaseModel\n"
    script += "class First(BaseModel): x: int = 0\na = time.process_time()\n"
    script += "import sandbox; sandbox.Program; print(time.process_time() - a)"
    best = min(float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(5))
    assert best < 0.05


def test_it_does_not_depend_on_the_working_directory(tmp_path: Path) -> None:
    for name in ("sandbox", "json", "signal", "site", "ctypes", "random"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    script = tmp_path / "main.py"
    script.write_text(
        f"import sys\nsys.path[0] = {str(Path(__file__).parent.parent.parent)!r}\n"
        "from sandbox import *\n"
        "print(Sandbox(workers=1).run_sync(Program(source='print(7)', cases=[Stdin(input='', expected='7')])).status)\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "pass\n", done
