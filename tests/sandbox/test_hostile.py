"""Every attack gets a right verdict on every backend and in every mode, and a benign program after it still passes."""

from collections.abc import Iterator

import pytest

from sandbox import Limits, Program, Sandbox
from tests.sandbox.hostile import ADD, ATTACKS, Attack
from tests.sandbox.hostile_abuse import ABUSES
from tests.sandbox.hostile_forge import FORGERIES
from tests.sandbox.hostile_state import LEFTOVERS

LIMITS = Limits(cpu_s=2.0, wall_s=4.0, memory_mb=256, output_mb=8, processes=32)
BENIGN = Program(source="print(sum(map(int, input().split())))", cases=[ADD], limits=LIMITS)


@pytest.fixture(scope="module", params=["fast", "strict"])
def hit(backend: str, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """An open sandbox with one worker, so that every program meets the zygote that the one before it met."""
    with Sandbox(backend, workers=1, mode=request.param) as sandbox:
        yield sandbox


@pytest.mark.parametrize("attack", [*ATTACKS, *FORGERIES, *ABUSES, *LEFTOVERS], ids=lambda attack: attack.name)
def test_attack(hit: Sandbox, attack: Attack) -> None:
    cases = [attack.case, *attack.more]
    program = Program(source=attack.source, cases=cases, entry="add", limits=attack.limits())
    outcome = hit.run_sync(program)
    assert outcome.reason in attack.reasons.split(), outcome
    assert (outcome.status == "pass") == (outcome.reason == "ok")
    assert hit.run_sync(BENIGN).status == "pass"


def test_names_are_unique() -> None:
    names = [attack.name for attack in (*ATTACKS, *FORGERIES, *ABUSES, *LEFTOVERS)]
    assert len(names) == len(set(names))


def test_crash_names_its_signal(box: Sandbox) -> None:
    outcome = box.run_sync(Program(source="import ctypes\nctypes.string_at(0)", cases=[ADD]))
    assert outcome.reason == "runtime_error"
    assert outcome.evidence["signal"] == "SIGSEGV"


def test_what_one_test_writes_the_next_does_not_see(box: Sandbox) -> None:
    source = (
        "import os\n"
        "seen = [p for p in ('/tmp/mark', '/dev/shm/mark', '/var/tmp/mark') if os.path.exists(p)]\n"
        "for p in ('/tmp/mark', '/dev/shm/mark'): open(p, 'w').write('x')\n"
        "import builtins, math\n"
        "seen += [m for m in (builtins, math) if hasattr(m, 'mark')]\n"
        "builtins.mark = math.mark = 1\n"
        "print('seen' if seen else 7)"
    )
    outcome = box.run_sync(Program(source=source, cases=[ADD, ADD, ADD]))
    assert (outcome.status, outcome.passed) == ("pass", 3), outcome


PROBES = {
    "internet sockets": "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
    "names": "import socket; socket.getaddrinfo('example.org', 80)",
    "AF_INET6": "import socket; socket.socket(socket.AF_INET6)",
    "AF_VSOCK": "import socket; socket.socket(40, socket.SOCK_STREAM)",
    "AF_NETLINK": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "AF_ALG": "import socket; socket.socket(38, socket.SOCK_SEQPACKET)",
    "AF_UNIX": "import socket; socket.socket(socket.AF_UNIX)",
    "AF_PACKET": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "unshare": "call(272, 0x10000000)",
    "setns": "call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
    "clone into a user namespace": "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "call(435, 0, 0)",
    "mount": "call(165, b'x', b'/tmp', b'tmpfs', 0, 0)",
    "umount": "call(166, b'/tmp', 0)",
    "the new mount calls": "call(430, b'tmpfs', 0)",
    "pivot_root": "call(155, b'/tmp', b'/tmp')",
    "chroot": "os.chroot('/tmp')",
    "ptrace": "call(101, 16, 1, 0, 0)",
    "process_vm_readv": "call(310, 1, 0, 0, 0, 0, 0)",
    "memory of init": "open('/proc/1/mem', 'rb')",
    "environment of init": "open('/proc/1/environ', 'rb')",
    "descriptors of init": "os.listdir('/proc/1/fd')",
    "io_uring": "call(425, 1, 0)",
    "keyctl": "call(250, 0, 0, 0, 0, 0)",
    "bpf": "call(321, 0, 0, 0)",
    "perf_event_open": "call(298, 0, 0, 0, 0, 0)",
    "userfaultfd": "call(323, 0)",
    "kexec": "call(246, 0, 0, 0, 0)",
    "modules": "call(175, 0, 0, 0)",
    "memfd_create": "os.memfd_create('x')",
    "System V memory": "call(29, 0, 1 << 20, 0o1600)",
    "a call newer than the filter": "call(463, 0, 0, 0, 0)",
    "a call of the x32 table": "call(0x40000000 + 39)",
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "a device": "os.mknod('/tmp/disk', 0o060600, os.makedev(8, 0))",
    "another user": "os.setuid(0)",
    "another group": "os.setgroups([0])",
    "capabilities": "call(126, struct.pack('=Ii', 0x20080522, 0), b'\\xff' * 24)",
    "more descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))",
    "more memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "safety from the OOM killer": "put('/proc/self/oom_score_adj', '-1000')",
    "a lower place for the OOM killer": "put('/proc/self/oom_score_adj', '10')",
    "its own user map": "put('/proc/self/uid_map', '0 0 1')",
    "kernel settings": "put('/proc/sys/kernel/hostname', 'x')",
    "sysrq": "put('/proc/sysrq-trigger', 'h')",
    "write to the root": "open('/x', 'w')",
    "write to /etc": "open('/etc/passwd', 'a')",
    "write to /usr": "open('/usr/x', 'w')",
    "write to Python": "open(os.__file__, 'a')",
    "home folders": "os.listdir('/home')",
    "/var": "os.listdir('/var')",
    "/sys": "os.listdir('/sys')",
    "/run": "os.listdir('/run')",
    "shadow": "open('/etc/shadow')",
    "the kernel log": "call(103, 3, bytes(10), 10)",
    "priority": "os.nice(19)",
}


def test_every_forbidden_thing_is_refused(box: Sandbox) -> None:
    """One program a probe; the numbers are those of x86_64."""
    import platform

    probes = {name: act for name, act in PROBES.items() if platform.machine() == "x86_64" or "call(" not in act}
    head = (
        "import os, struct, time, ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*a):\n"
        "    r = libc.syscall(*a)\n"
        "    if r == 0 and a[0] == 56: os._exit(0)\n"
        "    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
        "def put(path, text):\n"
        "    os.write(os.open(path, os.O_WRONLY), text.encode())\n"
        "def trial(name, act):\n"
        "    try:\n"
        "        exec(act)\n"
        "    except (OSError, ValueError):\n"
        "        return\n"
        "    print(name)\n"
    )
    lines = [f"trial({name!r}, {act!r})" for name, act in probes.items()]
    outcome = box.run_sync(
        Program(source=head + "\n".join(lines), cases=[{"kind": "stdin", "input": "", "expected": ""}])
    )
    assert outcome.status == "pass", outcome


def test_the_project_and_the_interpreter_of_the_host_are_out_of_sight(box: Sandbox) -> None:
    source = "def look(paths):\n    import os\n    return [p for p in paths if os.path.exists(p)]"
    here = [__file__, "/proc/1/root/etc/hostname", "/etc/hostname", "/etc/hosts"]
    outcome = box.run_sync(
        Program(source=source, entry="look", cases=[{"kind": "call", "args": [here], "expected": []}])
    )
    assert outcome.status == "pass", outcome
