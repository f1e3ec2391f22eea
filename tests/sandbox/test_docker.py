"""The docker backend on a real engine: how containers are closed in, images, packages, limits, addresses."""

import asyncio
import contextlib
import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Container, Limits, Program, Sandbox, SandboxError, Stdin
from sandbox.backends import boot
from sandbox.battery import examine
from sandbox.packages import USUAL

SEVEN = [Stdin(input="", expected="7\n")]


@pytest.fixture(autouse=True)
def _engine(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)


@pytest.fixture
def client(engine: str) -> Iterator[Any]:
    import docker

    with contextlib.closing(docker.APIClient(base_url=engine)) as found:
        yield found


def mine(client: Any) -> list[dict[str, Any]]:
    """What the engine says of the containers of this process."""
    from sandbox.backends.engine import owner

    found = client.containers(filters={"label": f"veristill.sandbox={owner()}"})
    return [client.inspect_container(one["Id"]) for one in found]


async def test_the_battery_gets_the_right_verdicts() -> None:
    async with Sandbox("docker") as box:
        assert box.backend == "docker"
        assert [found for found in await examine(box) if found[1] is not None] == []


async def test_the_container_is_closed_in(client: Any) -> None:
    async with Sandbox("docker", workers=1) as box:
        assert (await box.run(Program(source="print(7)", cases=SEVEN))).status == "pass"
        (container,) = mine(client)
    host, config = container["HostConfig"], container["Config"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    (profile,) = [json.loads(one[8:]) for one in host["SecurityOpt"] if one.startswith("seccomp=")]
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] if "args" not in rule and rule["action"] == "SCMP_ACT_ALLOW"
               for name in rule["names"]}  # fmt: skip
    assert not allowed & {"socket", "ptrace", "bpf", "keyctl", "io_uring_setup", "userfaultfd", "perf_event_open",
                          "process_vm_readv", "process_vm_writev", "setns", "kexec_load", "init_module"}  # fmt: skip
    assert host["Memory"] == host["MemorySwap"] > 1 << 30
    assert 0 < host["PidsLimit"] <= 1024
    assert host["NanoCpus"] > 0
    assert "size=" in host["Tmpfs"]["/tmp"]
    assert host["AutoRemove"] is True
    assert host["IpcMode"] == "private"
    assert config["User"] == "65534:65534"
    assert host["Binds"] is None and not container["Mounts"]


LOOK = """
import json, os
def can(act):
    try: act()
    except OSError: return False
    return True
text = json.dumps({
    "parents": sorted(name for name in os.listdir("/proc") if name.isdigit() and int(name) > 2),
    "writes": [place for place in ("/", "/usr", "/etc", "/dev", "/run") if can(lambda: open(place + "/x", "w"))],
    "masked": can(lambda: open("/proc/sys/kernel/core_pattern", "w")) or can(lambda: open("/proc/sysrq-trigger", "w"))
              or can(lambda: open("/proc/kcore", "rb").read(1)),
    "boot": os.path.exists("/tmp/veristill"),
    "fds": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if can(lambda: os.fstat(int(fd)))],
})
"""


async def test_what_a_test_finds_in_it() -> None:
    async with Sandbox("docker", workers=1) as box:
        for part in ('"parents": []', '"writes": []', '"masked": false', '"boot": false', '"fds": ['):
            source = f"{LOOK}\nprint(7 if {part!r} in text and 'veristill' not in text else text)"
            found = await box.run(Program(source=source, cases=SEVEN))
            assert found.status == "pass", found


async def test_the_image_is_made_once(client: Any) -> None:
    async with Sandbox("docker", workers=1):
        before = {one["Id"] for one in client.images()}
        (container,) = mine(client)
    async with Sandbox("docker", workers=1):
        (again,) = mine(client)
    assert again["Image"] == container["Image"]
    assert {one["Id"] for one in client.images()} == before


async def test_an_image_of_ones_own(client: Any) -> None:
    async with Sandbox("docker", workers=1):
        (container,) = mine(client)
    client.tag(container["Image"], "mine", "1")
    async with Sandbox("docker", workers=1, container=Container(image="mine:1")) as box:
        assert (await box.run(Program(source="import sys; print(7)", cases=SEVEN))).status == "pass"
    with pytest.raises(SandboxError, match=r"there is no image nobodys:1.*\n  docker build"):
        await Sandbox("docker", container=Container(image="nobodys:1")).__aenter__()


def test_an_image_with_another_python_is_refused() -> None:
    command = [sys.executable, "-c", Path(boot.__file__).read_text(), "3.99", "1"]
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"and its verdicts would not be those of 3.99" in done.stderr


async def test_an_unknown_runtime_says_what_to_do() -> None:
    with pytest.raises(SandboxError, match=r"(?s)nosuch.*register the runtime"):
        await Sandbox("docker", container=Container(runtime="nosuch")).__aenter__()


async def test_a_test_may_need_more_memory_than_containers_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.backends.docker._MEMORY", 700 << 20)
    monkeypatch.setattr("sandbox.backends.docker._PROCESSES", 40)
    big = "x = bytearray(b'x') * (700 << 20)\nprint(7)"
    many = "import threading, time\nt = [threading.Thread(target=time.sleep, args=(0.3,)) for _ in range(60)]\n"
    many += "for one in t: one.start()\nprint(7)"
    async with Sandbox("docker", workers=1) as box:
        small = Limits(memory_mb=50, output_mb=1, processes=8)
        assert (await box.run(Program(source="print(7)", cases=SEVEN, limits=small))).status == "pass"
        limits = Limits(memory_mb=1024, processes=64)
        assert (await box.run(Program(source=big, cases=SEVEN, limits=limits))).status == "pass"
        assert (await box.run(Program(source=many, cases=SEVEN, limits=limits))).status == "pass"
        less = Limits(memory_mb=300, processes=64)
        assert (await box.run(Program(source=big, cases=SEVEN, limits=less))).reason == "memory_limit"


async def test_large_inputs_and_outputs() -> None:
    line = "x" * 999 + "\n"
    big = line * 12_000
    limits = Limits(cpu_s=10, output_mb=64)
    async with Sandbox("docker", workers=1) as box:
        source = "import sys\nsys.stdout.write(sys.stdin.read())"
        outcome = await box.run(Program(source=source, cases=[Stdin(input=big, expected=big)] * 3, limits=limits))
    assert (outcome.status, outcome.passed) == ("pass", 3)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that no index has, made by hand; pip's cache of ours starts empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "seven_things-1.0-py3-none-any.whl"
    about = "seven_things-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("seven_things/__init__.py", "SEVEN = 7\n")
        made.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: seven-things\nVersion: 1.0\n")
        made.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{about}/RECORD", "")
    return path


async def test_packages_can_be_added(backend: str, wheel: Path) -> None:
    program = Program(source="import seven_things\nprint(seven_things.SEVEN)", cases=SEVEN)
    writes = Program(source="import seven_things\nopen(seven_things.__file__, 'a')", cases=SEVEN)
    async with Sandbox(backend, workers=1) as box:
        assert (await box.run(program)).status != "pass"
    for _ in range(2):  # made, then found again
        async with Sandbox(backend, workers=1, packages=[str(wheel)]) as box:
            outcome = await box.run(program)
            assert outcome.status == "pass", outcome
            assert (await box.run(writes)).reason == "runtime_error"


async def test_packages_can_be_added_to_a_named_image(wheel: Path, client: Any) -> None:
    async with Sandbox("docker", workers=1):
        (container,) = mine(client)
    client.tag(container["Image"], "mine", "2")
    program = Program(source="import seven_things\nprint(seven_things.SEVEN)", cases=SEVEN)
    wanted = Container(image="mine:2")
    async with Sandbox("docker", workers=1, packages=[str(wheel)], container=wanted) as box:
        assert (await box.run(program)).status == "pass"


async def test_a_package_that_cannot_be_had_says_what_to_run(backend: str, wheel: Path) -> None:
    missing = str(wheel.with_name("eight_things-1.0-py3-none-any.whl"))
    with pytest.raises(SandboxError, match=r"(?s)cannot install packages for tests.*with a network: .*--target"):
        await Sandbox(backend, packages=[missing]).__aenter__()


async def test_only_usual_and_added_packages_are_there(backend: str) -> None:
    """A package that merely happens to be installed here is as absent as on any other machine."""
    async with Sandbox(backend, workers=1) as box:
        there = await box.run(Program(source="import sympy, sortedcontainers, numpy\nprint(7)", cases=SEVEN))
        assert there.status == "pass", there
        assert (await box.run(Program(source="import pyarrow\nprint(7)", cases=SEVEN))).status != "pass"


@contextlib.asynccontextmanager
async def over_tcp(socket: str) -> AsyncIterator[str]:
    """The engine at a port of this machine."""

    async def pump(read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await read.read(1 << 16):
                write.write(part)
                await write.drain()
        if write.can_write_eof():
            with contextlib.suppress(OSError):
                write.write_eof()

    async def bridge(read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(socket)
        await asyncio.gather(pump(read, back), pump(there, write))
        back.close()
        write.close()

    server = await asyncio.start_server(bridge, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_engine_over_tcp(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not engine.startswith("unix://"):
        pytest.skip("the engine of DOCKER_HOST is over TCP already")
    async with over_tcp(engine.removeprefix("unix://")) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        async with Sandbox("docker", workers=2) as box:
            program = Program(source="print(7)", cases=SEVEN)
            outcomes = await asyncio.gather(*(box.run(program) for _ in range(10)))
            assert {outcome.status for outcome in outcomes} == {"pass"}


async def test_closing_leaves_no_container(client: Any) -> None:
    async with Sandbox("docker", workers=2) as box:
        program = Program(source="print(7)", cases=SEVEN)
        await asyncio.gather(*(box.run(program) for _ in range(4)))
        made = {one["Id"] for one in mine(client)}
    assert made
    for _ in range(200):
        if not any(there(client, one) for one in made):
            break
        await asyncio.sleep(0.05)
    assert not any(there(client, one) for one in made)


def there(client: Any, container: str) -> bool:
    """As the engine says when it is asked for it: its list may name one that ended in the moment of its removal."""
    from docker.errors import NotFound

    try:
        return bool(client.inspect_container(container))
    except NotFound:
        return False


def test_the_dockerfile_has_the_usual_packages() -> None:
    text = (Path(boot.__file__).parent.parent / "Dockerfile").read_text()
    assert sorted(text.partition("--no-cache-dir \\\n")[2].partition("USER")[0].replace("\\\n", " ").split()) == sorted(
        USUAL
    )
