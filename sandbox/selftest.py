"""Programs that try the isolation before anything else runs in it: what a sandbox says of itself is not enough."""

import json

from sandbox.batch import single
from sandbox.frames import Backend, Facts
from sandbox.model import Limits, Program, SandboxError, Stdin

_PROBE = r"""
import json, os, socket

def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
print(json.dumps({
    "it sees no process but its own": {name for name in os.listdir("/proc") if name.isdigit()} <= {"1", "2"},
    "it is nobody": os.getuid() == os.geteuid() == 65534,
    "it has no capability": not any(int(value, 16) for name, value in status.items() if name.startswith("Cap")),
    "it cannot gain privileges": status["NoNewPrivs"].strip() == "1",
    "its system calls are filtered": status["Seccomp"].strip() == "2",
    "it has no internet socket": refused(lambda: socket.socket(socket.AF_INET)),
    "it has no local socket": refused(lambda: socket.socket(socket.AF_UNIX)),
    "it has no network interface": [line.split(":")[0].strip() for line in open("/proc/net/dev")][2:] == ["lo"],
    "it cannot write outside /tmp": refused(lambda: open("/probe", "w")) and refused(lambda: open("/usr/probe", "w")),
    "it can write in /tmp": not refused(lambda: open("/tmp/probe", "w").close()),
    "it does not see the host's folders": not any(os.path.exists(path) for path in ("/sys", "/var", "/boot", "/run")),
}))
"""
_QUICK = Limits(cpu_s=5.0, wall_s=20.0, memory_mb=512, output_mb=1)
_SHORT = Limits(cpu_s=0.1, wall_s=5.0, memory_mb=512, output_mb=1)


async def self_test(backend: Backend) -> None:
    """Raise SandboxError unless a program that inspects its cell finds it closed, and one that loops is ended."""
    facts = await _run(backend, _PROBE, _QUICK)
    try:
        found = json.loads(facts.stdout)
    except ValueError:
        raise SandboxError(
            f"the sandbox's self-test did not run: {facts.end} {facts.code}, {facts.report[:300]!r}"
        ) from None
    open_doors = [what for what, holds in found.items() if holds is not True]
    if open_doors:
        raise SandboxError(f"the sandbox is not tight on this machine; what should hold of a program and does not: "
                           f"{'; '.join(open_doors)}")  # fmt: skip
    facts = await _run(backend, "while True: pass", _SHORT)
    if facts.end != "cpu":
        raise SandboxError(f"the sandbox does not end a program that loops: {facts.end} {facts.code}")


async def _run(backend: Backend, source: str, limits: Limits) -> Facts:
    program = Program(source=source, cases=[Stdin(input="", expected="")])
    (facts,) = await backend.run(single(program, 0), limits)
    return facts
