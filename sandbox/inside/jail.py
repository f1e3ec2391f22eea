"""Where tests live: a process in its own namespaces, whose file system is a read-only view of little more than Python.

`enter` builds it once per zygote. The view is a list of what is shown, not of what is hidden: home folders, projects,
`/var`, `/sys` and the like do not exist in it. Nothing is written to the host's file system, so nothing is left there.
"""

import os
import platform
import select
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.inside import kernel, seccomp
from sandbox.worker_loop import PARENT, die_with_parent

NOBODY = 65534  # the user that tests are, and the traditional number of `nobody`
_TRUSTED = 65533  # the user of the host that the zygote is where root started it: nobody else's, as a rule
_FIRST_TO_GO = "900"  # of 1000: under pressure the kernel takes tests, the largest first, before anything of the host
_CAP_SYS_ADMIN = 1 << 21
_OUTER = kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWPID
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")  # links into /usr on a merged system
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
          "/dev/stderr": "/proc/self/fd/2", "/dev/shm": "/tmp"}  # fmt: skip
_STAGE = "/tmp"  # where the new root is mounted until it is the root
PROC_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def enter(shown: Mapping[str, str]) -> bool:
    """Go on as a process that sees only `shown` (a path of the host: the path inside), read-only, without a network.

    It keeps privileges in a user namespace of its own alone, which is what setting up cells takes. No path inside may
    lie in another or in /tmp. This process stays behind and ends with its child; the function returns in the child
    alone: whether NOBODY is another user than this one. Raises OSError where the kernel refuses a step.
    """
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    root = os.geteuid() == 0
    admin = root and bool(_capabilities() & _CAP_SYS_ADMIN)
    if root and not admin:
        _become_nobody()
    if admin:
        kernel.unshare(kernel.CLONE_NEWNS)
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        _map_one(user, group)
    kernel.private_mounts()
    kernel.unshare(_OUTER)
    alive, ask = _go_on_in_child(_map_two if admin else None)
    kernel.set_host_name("sandbox")
    os.umask(0o022)
    _build(shown)
    if admin:  # root first builds the view, since others may not read everything in it
        _own_users(alive, ask)
    os.close(ask)
    kernel.bound_capabilities()
    kernel.set_dumpable(False)
    kernel.no_new_privileges()
    _hold_leash(alive)
    kernel.load_filter(seccomp.assemble(platform.machine()))
    return admin


def _map_one(user: int, group: int) -> None:
    """In a fresh user namespace: be NOBODY, who is `user` and `group` in the parent namespace, and nobody else."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def _map_two(proc: int, child: int) -> None:
    """For a child in a fresh user namespace: root there is nobody that matters here, and NOBODY is nobody."""
    for kind in ("uid_map", "gid_map"):
        file = os.open(f"{child}/{kind}", os.O_WRONLY, dir_fd=proc)
        os.write(file, f"0 {_TRUSTED} 1\n{NOBODY} {NOBODY} 1\n".encode())
        os.close(file)


def _own_users(alive: int, ask: int) -> None:
    """Enter a user namespace, mapped by the parent, as its root: this process loses every right outside it."""
    os.setgroups([])
    kernel.unshare(kernel.CLONE_NEWUSER)
    os.write(ask, b"m")
    while not Path("/proc/self/gid_map").read_text():  # the second of the two that the parent writes
        if select.select([alive], [], [], 0.001)[0]:
            os._exit(1)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.set_dumpable(True)  # else /proc/self still belongs to root, and no user namespace can be set up


def _go_on_in_child(help_child: Callable[[int, int], None] | None) -> tuple[int, int]:
    """Fork; the parent stays, as the process that the host knows, and runs `help_child` once when asked.

    Returns, in the child, a pipe that the parent holds, and one to ask by.
    """
    alive, leash = os.pipe()
    asked, ask = os.pipe()
    proc = os.open("/proc", os.O_RDONLY)  # the child will move the root of both
    child = os.fork()
    if child:
        os.close(alive)
        os.close(ask)
        die_with_parent()
        if os.read(asked, 1) and help_child:
            help_child(proc, child)
        _await_end(child)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    for fd in (leash, asked, proc):
        os.close(fd)
    return alive, ask


def _await_end(child: int) -> None:
    """Wait for the child to end; end at once, and the child with it, when nobody writes to standard input any more."""
    ended = os.pidfd_open(child)
    events = select.poll()
    events.register(ended, select.POLLIN)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        events.register(0, 0)  # POLLHUP is told unasked
    if any(fd == 0 for fd, _ in events.poll()):
        os._exit(1)


def _hold_leash(alive: int) -> None:
    """Die when the parent dies. It comes after the last change of credentials, which makes the kernel forget it.

    The parent lives in another pid namespace, so `getppid` cannot tell whether it died before; its pipe can.
    """
    os.environ.pop(PARENT, None)
    die_with_parent()
    if select.select([alive], [], [], 0)[0]:
        os._exit(1)
    os.close(alive)


def _build(shown: Mapping[str, str]) -> None:
    trees = [(inside, kernel.open_tree(path)) for path, inside in shown.items()]
    for _, tree in trees:
        kernel.read_only(tree)
    trees += [(f"/dev/{name}", kernel.open_tree(f"/dev/{name}")) for name in _DEVICES]
    cache = Path("/etc/ld.so.cache").read_bytes() if Path("/etc/ld.so.cache").exists() else b""
    links = {path: str(Path(path).readlink()) for path in _MERGED if Path(path).is_symlink()}
    kernel.mount("tmpfs", _STAGE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    for path, tree in trees:
        _make_place(_STAGE + path, folder=stat.S_ISDIR(os.fstat(tree).st_mode))
        kernel.attach(tree, _STAGE + path)
        os.close(tree)
    for name in ("proc", "tmp", "etc"):
        Path(_STAGE, name).mkdir(exist_ok=True)
    for path, target in {**links, **_LINKS}.items():
        Path(_STAGE + path).symlink_to(target)
    Path(_STAGE, "etc/passwd").write_text(f"nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp:/bin/sh\n")
    Path(_STAGE, "etc/group").write_text(f"nogroup:x:{NOBODY}:\n")
    Path(_STAGE, "etc/ld.so.cache").write_bytes(cache)
    kernel.mount("proc", f"{_STAGE}/proc", "proc", PROC_FLAGS)  # allowed only while the host's own is in view
    kernel.enter_root(_STAGE)
    kernel.read_only("/")


def _make_place(path: str, *, folder: bool) -> None:
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        place.mkdir(exist_ok=True)
    else:
        place.touch()
