"""Where a journal may lie: SQLite's write-ahead log needs a local disk; on a network file system it goes to scratch."""

import hashlib
import os
from pathlib import Path

from curate.errors import InputError

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "9p"}
)


def journal_folder(partition: Path) -> Path:
    """The folder for the journals of `partition`: itself on a local disk, else one under `VERISTILL_SCRATCH`
    (default `/var/tmp/veristill-<uid>`), named by the partition's path, so that the next run on this machine finds it.
    """
    if not on_network(partition):
        return partition
    scratch = os.environ.get("VERISTILL_SCRATCH") or f"/var/tmp/veristill-{os.getuid()}"
    name = hashlib.sha256(str(partition.resolve()).encode()).hexdigest()[:16]
    folder = Path(scratch) / name
    Path(scratch).mkdir(mode=0o700, parents=True, exist_ok=True)
    if Path(scratch).stat().st_uid != os.getuid():
        # Where everybody may write, a folder that is not ours could have been put there to read our answers.
        raise InputError(
            "belongs to somebody else", where=scratch, next="set VERISTILL_SCRATCH to a local folder of yours"
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def on_network(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether `path` lies on a network or FUSE file system, as far as the table of mounts tells."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    place = path.resolve()
    best, kind = -1, ""
    for line in lines:
        _, mount, found, *_ = line.split(" ")
        point = Path(mount.replace("\\040", " "))
        if (place == point or point in place.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), found
    return kind in _NETWORK or kind.startswith("fuse.")
