"""The Linux calls that Python does not offer, through libc: namespaces, mounts, capabilities, seccomp.

Each function raises OSError with the name of the call. Numbers are those of the kernel's user-space headers.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)
# PyDLL keeps the interpreter lock during the call: a process that is copied here must find it held in the copy.
_locked = ctypes.PyDLL(None, use_errno=True)

# linux/sched.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
# linux/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME = 1, 2, 4, 8, 1024
MS_REC, MS_PRIVATE = 16384, 1 << 18
_MNT_DETACH = 2
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC, _MOVE_FROM_FD = 1, os.O_CLOEXEC, 4
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
# linux/prctl.h, linux/securebits.h, linux/capability.h
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 47, 4, 2
_CAPABILITY_VERSION_3, _LAST_CAP = 0x20080522, 40
_CAPABILITY_HEADER, _NO_CAPABILITIES = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
# Modify, attrib, moved, create, delete; and oneshot, for the first change is all that is asked. linux/inotify.h
_CHANGES = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x80000000
_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
# These have one number on every architecture; the next two have not.
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
_SYS_CLONE, _SYS_PIVOT_ROOT = {"x86_64": (56, 155), "aarch64": (220, 41)}.get(platform.machine(), (-1, -1))
_SIGCHLD = 17
_P_ALL = 0  # sys/wait.h
_CHILD = struct.pack("@16Q", 1 << (_SIGCHLD - 1), *[0] * 15)  # a sigset_t
_waited = ctypes.create_string_buffer(256)  # a status and a struct rusage, or a siginfo_t
_told = struct.Struct("@i4x5l")
_status_at, _usage_at = (ctypes.c_void_p(ctypes.addressof(_waited) + at) for at in (0, 8))
# By names of this module's: looking into another one writes to memory that forks share.
_fork, _wait4, _waitid, _sigtimedwait = _locked.fork, _locked.wait4, _locked.waitid, _locked.sigtimedwait


Step = tuple[Callable[..., Any], tuple[Any, ...]]  # a call, and what it is called with


def take(steps: Iterable[Step]) -> None:
    """Make calls that were listed before: of a child that has just been forked this touches the least memory."""
    for act, given in steps:
        if act(*given) == -1:
            number = ctypes.get_errno()
            raise OSError(number, f"{getattr(act, '__name__', act)}: {os.strerror(number)}")


def _done(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Move this process into fresh namespaces (the next child, for a pid namespace)."""
    _done(_libc.unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def fork_into(flags: int) -> int:
    """Fork with the child in fresh namespaces. The child must exit or exec: Python's own at-fork work is not done."""
    return _done(_locked.syscall(_SYS_CLONE, ctypes.c_ulong(flags | _SIGCHLD), None, None, None, None), "clone")


def fork() -> int:
    """Fork without Python's at-fork work, which costs more than the fork itself; this process must have one thread."""
    child: int = _fork()
    return child if child >= 0 else _done(child, "fork")


def mounting(source: str, target: str, kind: str, flags: int, data: str = "") -> Step:
    """To mount a file system of the named kind; `data` holds its own options."""
    return _libc.mount, (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system; see `mounting`."""
    act, given = mounting(source, target, kind, flags, data)
    _done(act(*given), f"mount {kind} on {target}")


def private_mounts() -> None:
    """Let no mount made here reach the namespace that this one was copied from."""
    _done(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None), "mount --make-rprivate /")


def open_tree(path: str) -> int:
    """A detached copy of the mounts at `path`, as a descriptor."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE
    return _done(_libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, path.encode(), ctypes.c_uint(flags)), f"open_tree {path}")


def attach(tree: int, target: str) -> None:
    """Put a detached copy of mounts in its place."""
    call = (_SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), ctypes.c_uint(_MOVE_FROM_FD))
    _done(_libc.syscall(*call), f"move_mount {target}")


def read_only(place: int | str) -> None:
    """No writing, set-id programs or devices: on a detached tree with all below it, or on the one mount at a path."""
    fd, path = (place, b"") if isinstance(place, int) else (_AT_FDCWD, place.encode())
    attributes = struct.pack("=QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    flags = ctypes.c_uint(_AT_EMPTY_PATH | _AT_RECURSIVE if isinstance(place, int) else 0)
    size = ctypes.c_size_t(len(attributes))
    _done(_libc.syscall(_SYS_MOUNT_SETATTR, fd, path, flags, attributes, size), "mount_setattr")


def enter_root(root: str) -> None:
    """Make `root`, a mount, the root of the file system, and detach the old one."""
    os.chdir(root)
    _done(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    _done(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")


def dumpable(on: bool) -> Step:
    """To set whether other processes of the same user may look into this one."""
    return _libc.prctl, (_PR_SET_DUMPABLE, int(on), 0, 0, 0)


def set_dumpable(on: bool) -> None:
    """Set whether other processes of the same user may look into this one."""
    act, given = dumpable(on)
    _done(act(*given), "prctl(PR_SET_DUMPABLE)")


def no_new_privileges() -> None:
    """No exec from here on gives privileges (set-id programs, file capabilities)."""
    _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def bound_capabilities() -> None:
    """Let no exec give a capability, for ever; those that this process has, it keeps."""
    for number in range(_LAST_CAP + 1):
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for those that this kernel does not know
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def no_capabilities() -> Step:
    """To give up every capability, for ever."""
    return _libc.capset, (_CAPABILITY_HEADER, _NO_CAPABILITIES)


class Changes:
    """Whether anything in a folder, or the folder itself, has changed since this was made."""

    def __init__(self, path: str) -> None:
        self._fd = _done(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")
        _done(_libc.inotify_add_watch(self._fd, path.encode(), ctypes.c_uint32(_CHANGES)), "inotify_add_watch")
        self._told = ctypes.create_string_buffer(4096)

    def __bool__(self) -> bool:
        return bool(_locked.read(self._fd, self._told, 4096) > 0)


class Ended(NamedTuple):
    """A child that was waited for: the status as wait(2) has it, seconds of CPU time, and KiB of memory at most."""

    child: int
    status: int
    cpu_s: float
    largest: int


def wait(child: int) -> Ended | None:
    """Wait for a child that has ended (-1: any); None where none has.

    Python's own `wait4` makes objects of all that the kernel tells, and imports a module for it.
    """
    pid = _wait4(child, _status_at, os.WNOHANG, _usage_at)
    if pid <= 0:
        return None
    status, user, user_us, system, system_us, largest = _told.unpack_from(_waited)
    return Ended(pid, status, user + system + (user_us + system_us) / 1e6, largest)


def has_child() -> bool:
    """Whether this process has a child that it has not waited for, ended or not."""
    return bool(_waitid(_P_ALL, 0, _waited, os.WEXITED | os.WNOHANG | os.WNOWAIT) == 0)


def pause(seconds: float) -> ctypes.Array[ctypes.c_char]:
    """A time for `await_child`."""
    return ctypes.create_string_buffer(struct.pack("@ll", int(seconds), int(seconds % 1 * 1e9)))


def await_child(most: ctypes.Array[ctypes.c_char]) -> None:
    """Wait for SIGCHLD, which must be blocked."""
    _sigtimedwait(_CHILD, None, most)


class Filter:
    """A seccomp filter that is ready to load: made before a fork, since making it touches much memory."""

    def __init__(self, program: bytes) -> None:
        """`program` is an array of `struct sock_filter`, 8 bytes each."""
        self._code = ctypes.create_string_buffer(program, len(program))
        self._given = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))

    def loading(self) -> Step:
        """To install it in this process and all that it will fork."""
        return _libc.prctl, (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._given, 0, 0)

    def load(self) -> None:
        """Install it; see `loading`."""
        act, given = self.loading()
        _done(act(*given), "prctl(PR_SET_SECCOMP)")


def load_filter(program: bytes) -> None:
    """Install a seccomp filter at once; see `Filter`."""
    Filter(program).load()


def set_host_name(name: str) -> None:
    """Name the machine, in this UTS namespace."""
    _done(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name))), "sethostname")


def fixed_addresses() -> bool:
    """Turn address randomisation off for the next exec; False where that is refused."""
    return int(_libc.personality(ctypes.c_ulong(_ADDR_NO_RANDOMIZE))) != -1


def keep_code_mapped(parts: Sequence[str]) -> None:
    """Have forks inherit the page tables of libraries whose names hold one of `parts`.

    A fork copies no page table of a file's mapping, unless a page of it was written to: its children then fault every
    page of code in again. So one byte is written with the value that it has. Where the kernel refuses, nothing is lost.
    """
    try:
        with open("/proc/self/maps") as file, open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123
            for line in file.read().splitlines():
                place, rights, *_, name = line.split(maxsplit=5) if line.count(" ") > 4 else [line, "", ""]
                if rights != "r-xp" or not any(part in name.rpartition("/")[2] for part in parts):
                    continue
                start, end = (int(number, 16) for number in place.split("-"))
                memory.seek(start)
                first = memory.read(end - start)[:1]
                memory.seek(start)
                memory.write(first)
    except OSError:
        return
