"""The system-call filters, interpreted call by call as the kernel does it: each number has the answer of its rule."""

import errno
import struct

import pytest

from sandbox.inside import seccomp

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, REFUSE, MISSING = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
SPECIAL = {"socketpair": (53, 199), "sigaction": (13, 134), "setpriority": (141, 140), "ioctl": (16, 29)}


def answer(program: bytes, number: int, arch: int, *arguments: int) -> int:
    """What the filter returns for a call."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at = value = 0
    while True:
        code, yes, no, constant = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x06:
            return int(constant)
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
            continue
        met = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
        at += yes if met else no


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_zygote_refuses_what_is_listed_and_nothing_else(machine: str) -> None:
    program, arch = seccomp.assemble(machine), ARCHITECTURES[machine]
    column = list(ARCHITECTURES).index(machine)
    refused = {call[column] for call in seccomp._REFUSED.values()} - {None}
    by_argument = {seccomp._PRLIMIT[column], seccomp._SETAFFINITY[column], *(call[column] for call in SPECIAL.values())}
    for number in set(range(seccomp._NEWEST + 1)) - by_argument:
        assert answer(program, number, arch) == (REFUSE if number in refused else ALLOW), number
    for number in (seccomp._NEWEST + 1, 500, 0x40000000, 0x40000029, 0xFFFFFFFF):
        assert answer(program, number, arch) == MISSING, number
    assert answer(program, 0, 0x40000003) == KILL  # the calls of another architecture
    assert answer(program, SPECIAL["socketpair"][column], arch, 1) == ALLOW
    assert answer(program, SPECIAL["socketpair"][column], arch, 2) == REFUSE
    assert answer(program, seccomp._PRLIMIT[column], arch, 7) == REFUSE


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_process_that_tests_share_ends_with_what_is_listed(machine: str) -> None:
    program, arch = seccomp.assemble(machine, "shared"), ARCHITECTURES[machine]
    column = list(ARCHITECTURES).index(machine)
    fatal = {call[column] for call in seccomp._FATAL.values()} - {None}
    refused = {call[column] for call in seccomp._REFUSED_TO_TESTS.values()}
    opening = {seccomp._OPEN[column], seccomp._OPENAT[column]}
    for number in range(seccomp._NEWEST + 1):
        wanted = KILL if number in fatal else REFUSE if number in refused else ALLOW
        assert answer(program, number, arch) == wanted, number
    for one in opening - {None}:
        flags = [0, 0o1] if one == seccomp._OPEN[column] else [0, 0, 0o1]
        assert answer(program, one or 0, arch, *flags) == KILL
    assert answer(program, seccomp._PRLIMIT[column], arch, 0, 0, 1) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_test_makes_no_namespace(machine: str) -> None:
    program, arch = seccomp.assemble(machine, "test"), ARCHITECTURES[machine]
    column = list(ARCHITECTURES).index(machine)
    clone = seccomp._CLONE[column]
    assert answer(program, clone, arch, 17) == ALLOW
    for flag in (1 << 17, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30):  # CLONE_NEW*, linux/sched.h
        assert answer(program, clone, arch, 17 | flag) == REFUSE
    assert answer(program, seccomp._CLONE3[column], arch) == MISSING
    for call in seccomp._REFUSED_TO_TESTS.values():
        assert answer(program, call[column] or 0, arch) == REFUSE
