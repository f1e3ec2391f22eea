"""Where tests live: a process in its own namespaces, whose file system is a read-only view of little more than Python.

`enter` builds it once per zygote. The view is a list of what is shown, not of what is hidden: home folders, projects,
`/var`, `/sys` and the like do not exist in it. Nothing is written to the host's file system, so nothing is left there.
"""

import os
import select
import stat
from collections.abc import Mapping
from pathlib import Path

from sandbox.inside import kernel
from sandbox.worker_loop import PARENT, die_with_parent

NOBODY = 65534  # the user that tests are, and the traditional number of `nobody`
_CAP_SYS_ADMIN = 1 << 21
_OUTER = kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWPID
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")  # links into /usr on a merged system
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
          "/dev/stderr": "/proc/self/fd/2", "/dev/shm": "/tmp"}  # fmt: skip
_STAGE = "/tmp"  # where the new root is mounted until it is the root
PROC_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def enter(shown: Mapping[str, str]) -> None:
    """Go on as a process that sees only `shown` (a path of the host: the path inside), read-only, without privileges.

    No path inside may lie in another or in /tmp. This process stays behind and ends with its child; the function
    returns in the child alone. Raises OSError where the kernel refuses a step.
    """
    root = os.geteuid() == 0
    admin = root and bool(_capabilities() & _CAP_SYS_ADMIN)
    if root and not admin:
        _become_nobody()
    if admin:
        kernel.unshare(kernel.CLONE_NEWNS)
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
        map_ids(NOBODY, user, group)  # not 0: a cell in it could then map itself only with a capability more
    kernel.private_mounts()
    kernel.unshare(_OUTER)
    alive = _go_on_in_child()
    kernel.set_host_name("sandbox")
    os.umask(0o022)
    _build(shown)
    if admin:  # root first builds the view, since nobody may not read everything in it
        _become_nobody()
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    _hold_leash(alive)


def map_ids(inside: int, user: int, group: int) -> None:
    """In a fresh user namespace: be `inside`, who is `user` and `group` in the parent namespace, and nobody else."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {group} 1")


def _capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.set_dumpable(True)  # else /proc/self still belongs to root, and no user namespace can be set up


def _go_on_in_child() -> int:
    """Fork; the parent stays, as the process that the host knows. Returns, in the child, a pipe that it holds."""
    alive, leash = os.pipe()
    child = os.fork()
    if child:
        os.close(alive)
        die_with_parent()
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.close(leash)
    return alive


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
