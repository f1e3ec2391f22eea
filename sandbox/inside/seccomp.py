"""The system-call filters, assembled by hand: no sockets, no new namespaces, no mounts, nothing of the kernel.

The rule is a list of refusals plus a ceiling: calls newer than those known here do not exist for a test. The zygote
loads most of it once (`zygote`), its children inherit that and add what only the zygote may do (`test`). Tests that
share a process (`shared`) end at once with a call that outlives a test.
"""

import errno
import os
import struct
from collections.abc import Iterable

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
_NEWEST = 456  # the last call of Linux 6.7 that was looked at; x32 calls (0x40000000 and up) lie above it too
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag that clone(2) takes, linux/sched.h
_AF_UNIX = 1

# name: (x86_64, aarch64), from asm/unistd_64.h and asm-generic/unistd.h
_REFUSED: dict[str, tuple[int, int | None]] = {
    # Sockets of every family: AF_VSOCK, for one, knows no network namespace.
    "socket": (41, 198), "bind": (49, 200), "connect": (42, 203), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # Other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    # Mounts and namespaces.
    "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    # Wide kernel surfaces that no program here needs.
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "vmsplice": (278, 75), "seccomp": (317, 277),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "personality": (135, 92),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    # A share of the CPU so small that the clocks hardly move.
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    # What would last in the init of a program's tests.
    "ioprio_set": (251, 30),
    # The machine itself.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116), "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "uselib": (134, None), "sysfs": (139, None), "ustat": (136, None), "nfsservctl": (180, 42),
    # Memory that no limit of ours counts.
    "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
# What the zygote and the init of a cell still need.
_REFUSED_TO_TESTS: dict[str, tuple[int, int | None]] = {
    "mount": (165, 40), "umount2": (166, 39), "memfd_create": (319, 279),
}  # fmt: skip
# Processes, signals, timers, limits and settings of the process: what ends a process that tests share.
_FATAL: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220), "clone3": (435, 435), "fork": (57, None), "vfork": (58, None),
    "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "rt_sigaction": (13, 134), "setitimer": (38, 103), "alarm": (37, None), "timer_create": (222, 107),
    "setrlimit": (160, 164), "setpriority": (141, 140), "sched_setaffinity": (203, 122), "prctl": (157, 167),
    "setsid": (112, 157), "setpgid": (109, 154), "chdir": (80, 49), "fchdir": (81, 50), "umask": (95, 166),
    # Changes of files: they are refused anyway, but a program may go on without them, and print another thing.
    "creat": (85, None), "openat2": (437, 437), "truncate": (76, 45), "mkdir": (83, None), "mkdirat": (258, 34),
    "mknod": (133, None), "mknodat": (259, 33), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "chmod": (90, None), "fchmodat": (268, 53), "fchmodat2": (452, 452),
}  # fmt: skip
_OPEN, _OPENAT = (2, None), (257, 56)
_TO_WRITE = 0o1 | 0o2 | 0o100  # O_WRONLY, O_RDWR, O_CREAT
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKETPAIR = (53, 199)
_SIGACTION = (13, 134)
_SETPRIORITY = (141, 140)
_PRLIMIT = (302, 261)
_IOCTL = (16, 29)
_SETFLAGS, _FSSETXATTR = 0x40086602, 0x401C5820  # linux/fs.h
_SETAFFINITY = (203, 122)

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_SIGCHLD = 17
_AT_NR, _AT_ARCH, _AT_ARG0, _AT_ARG1, _AT_ARG2 = (
    0,
    4,
    16,
    24,
    32,
)  # offsets in struct seccomp_data; the low half of an argument comes first


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def assemble(machine: str, layer: str = "zygote") -> bytes:
    """The filter of a layer (`zygote`, `test`, `shared`) for `machine` (as `platform.machine()` says).

    An array of `struct sock_filter`. Raises KeyError for an architecture whose numbers are not known here.
    """
    arch = _AUDIT_ARCH[machine]
    column = list(_AUDIT_ARCH).index(machine)
    code = [_op(_LOAD, _AT_ARCH), _op(_JUMP_EQUAL, arch, yes=1), _op(_RETURN, _KILL), _op(_LOAD, _AT_NR)]
    rules = {"zygote": _of_zygote, "test": _of_test, "shared": _of_shared}[layer](column)
    return b"".join([*code, *_search(_ranges(rules))])


_Code = tuple[bytes, ...]  # it ends in a return
_Rules = dict[int, _Code]  # by number of the call; what has no rule is allowed


def _ranges(rules: _Rules) -> list[tuple[int, _Code]]:
    """The first number of each range of calls that are treated alike, and how."""
    found: list[tuple[int, _Code]] = [(0, (_op(_RETURN, _ALLOW),))]
    for number in sorted({*rules, *(number + 1 for number in rules)} - {_NEWEST + 2}):
        code = rules.get(number, (_op(_RETURN, _ALLOW),))
        if code != found[-1][1]:
            found.append((number, code))
    return found


def _search(ranges: list[tuple[int, _Code]]) -> list[bytes]:
    """Find the range by halves: the kernel goes through a filter for every call that there is when it is loaded."""
    if len(ranges) == 1:
        return list(ranges[0][1])
    middle = len(ranges) // 2
    lower, upper = _search(ranges[:middle]), _search(ranges[middle:])
    return [_op(_JUMP_AT_LEAST, ranges[middle][0], no=len(upper)), *upper, *lower]


def _all(calls: Iterable[tuple[int | None, int | None]], column: int, answer: bytes) -> _Rules:
    return {number: (answer,) for call in calls if (number := call[column]) is not None}


def _of_zygote(column: int) -> _Rules:
    refuse, nothing = _op(_RETURN, _ERRNO | errno.EPERM), _op(_RETURN, _ERRNO)
    missing, allow = _op(_RETURN, _ERRNO | errno.ENOSYS), _op(_RETURN, _ALLOW)
    rules = _all(_REFUSED.values(), column, refuse)
    rules[_NEWEST + 1] = (missing,)  # and all above
    # A pair of connected sockets reaches nobody; asyncio and multiprocessing are built on it.
    rules[_SOCKETPAIR[column]] = (_op(_LOAD, _AT_ARG0), _op(_JUMP_EQUAL, _AF_UNIX, no=1), allow, refuse)
    # Setting what SIGCHLD does has no effect: the kernel forgets the CPU time of children whose parent ignores it.
    is_child = [_op(_LOAD, _AT_ARG0), _op(_JUMP_EQUAL, _SIGCHLD, no=4)]
    asks_only = [_op(_LOAD, _AT_ARG1), _op(_JUMP_EQUAL, 0, no=3), _op(_LOAD, _AT_ARG1 + 4), _op(_JUMP_EQUAL, 0, no=1)]
    rules[_SIGACTION[column]] = (*is_child, *asks_only, allow, nothing)
    # The priority that this process has already: `os.nice(0)` asks so.
    usual = os.getpriority(os.PRIO_PROCESS, 0) & 0xFFFFFFFF
    rules[_SETPRIORITY[column]] = (_op(_LOAD, _AT_ARG2), _op(_JUMP_EQUAL, usual, no=1), allow, refuse)
    # Flags of files last, and nothing tells of their change.
    asked = (_op(_LOAD, _AT_ARG1), _op(_JUMP_EQUAL, _SETFLAGS, yes=1), _op(_JUMP_EQUAL, _FSSETXATTR, no=1))
    rules[_IOCTL[column]] = (*asked, refuse, allow)
    # Only of itself: the init of a cell is another process of the same user where there is but one user.
    for number in (_PRLIMIT[column], _SETAFFINITY[column]):
        rules[number] = (_op(_LOAD, _AT_ARG0), _op(_JUMP_EQUAL, 0, no=1), allow, refuse)
    return rules


def _of_test(column: int) -> _Rules:
    refuse, allow = _op(_RETURN, _ERRNO | errno.EPERM), _op(_RETURN, _ALLOW)
    rules = _all(_REFUSED_TO_TESTS.values(), column, refuse)
    # clone3 keeps its flags in memory, where a filter cannot look; libc falls back to clone.
    rules[_CLONE3[column]] = (_op(_RETURN, _ERRNO | errno.ENOSYS),)
    rules[_CLONE[column]] = (_op(_LOAD, _AT_ARG0), _op(_JUMP_BITS, _NEW_NAMESPACES, no=1), refuse, allow)
    return rules


def _of_shared(column: int) -> _Rules:
    kill, allow = _op(_RETURN, _KILL), _op(_RETURN, _ALLOW)
    rules = _all(_FATAL.values(), column, kill) | _all(
        _REFUSED_TO_TESTS.values(), column, _op(_RETURN, _ERRNO | errno.EPERM)
    )
    asks_only = [_op(_LOAD, _AT_ARG2), _op(_JUMP_EQUAL, 0, no=3), _op(_LOAD, _AT_ARG2 + 4), _op(_JUMP_EQUAL, 0, no=1)]
    rules[_PRLIMIT[column]] = (*asks_only, allow, kill)
    for call, flags in ((_OPEN, _AT_ARG1), (_OPENAT, _AT_ARG2)):
        if (number := call[column]) is not None:
            rules[number] = (_op(_LOAD, flags), _op(_JUMP_BITS, _TO_WRITE, no=1), kill, allow)
    return rules
