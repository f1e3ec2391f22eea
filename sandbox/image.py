"""Makes the image of the `docker` backend from this machine's own interpreter: no registry and no network is needed.

The image holds Python, its standard library, the packages that tests see, the shared libraries all of these need, and a
shell with a few small programs. Its tag is a hash of the names, sizes and times of these files.
"""

import hashlib
import os
import py_compile
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import IO

from sandbox.model import SandboxError

_FORMAT = 1  # bump it when what is made of the same files changes
_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_PROGRAMS = ("sh", "cat", "echo", "env", "false", "head", "ls", "printf", "rm", "sleep", "sort", "tr", "true", "wc")
_DATA = ("/usr/share/zoneinfo", "/usr/lib/locale/C.utf8", "/etc/ld.so.cache")
_PLACES = ("/dev", "/proc", "/run", "/sys", "/tmp", "/etc", "/usr/bin")
_NO_PART = ("ensurepip", "idlelib", "lib2to3/tests", "site-packages", "test", "turtledemo")  # of the standard library
_BATCH = 64  # files that one `ldd` looks at
_EPOCH = 0  # the time of folders and links


class Contents:
    """What goes into the image: real files and folders by their path in it, and links."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.links: dict[str, str] = {}

    def add(self, path: Path) -> None:
        """A file or a whole folder of this machine, at its own path; links on the way to it are kept."""
        real = self.follow(path)
        if real.is_dir():
            self.tree(real, str(real))
        elif real.is_file():
            self.files[str(real)] = real

    def tree(self, folder: Path, inside: str, *, without: Iterable[str] = ()) -> None:
        """What `folder` holds, under the path `inside`, but neither compiled files nor the folders `without`."""
        left_out = {folder / one for one in without}
        for base, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and Path(base, name) not in left_out)
            place = inside + base[len(str(folder)) :]
            for name in [*names, *(name for name in folders if Path(base, name).is_symlink())]:
                path = Path(base, name)
                if path.is_symlink():
                    if path.exists():
                        self.links[f"{place}/{name}"] = os.readlink(path)  # noqa: PTH115 - the text, not a Path
                elif path.is_file() and not name.endswith((".a", ".pyc")):
                    self.files[f"{place}/{name}"] = path

    def follow(self, path: Path) -> Path:
        """The real place of `path`; every link on the way becomes one of the image."""
        done = Path("/")
        rest = list(path.parts[1:])
        while rest:
            step = done / rest.pop(0)
            if step.is_symlink():
                target = os.readlink(step)  # noqa: PTH115
                self.links[str(step)] = target
                done, rest = Path("/"), [*Path(os.path.normpath(done / target)).parts[1:], *rest]
            else:
                done = step
        return done

    def libraries(self) -> None:
        """Add the shared libraries that the programs and modules here are linked to."""
        linked = sorted({str(path) for path in self.files.values() if _is_elf(path)})
        needed: set[str] = set()
        for at in range(0, len(linked), _BATCH):
            needed |= _linked(linked[at : at + _BATCH])
        known = {str(path) for path in self.files.values()}
        for path in sorted(needed):
            if os.path.realpath(path) not in known:
                self.add(Path(path))

    def key(self) -> str:
        """Names the image: it changes when a file, or its size or time, does."""
        said = hashlib.sha256(f"{_FORMAT} {sys.version}\n".encode())
        for name, path in sorted(self.files.items()):
            about = path.stat()
            said.update(f"{name} {about.st_size} {about.st_mtime_ns} {about.st_mode & 0o111}\n".encode())
        for name, target in sorted(self.links.items()):
            said.update(f"{name} -> {target}\n".encode())
        return said.hexdigest()[:20]


def contents(packages: Mapping[str, Path]) -> Contents:
    """Of the image for this interpreter with `packages` (by name at the top of site-packages); libraries not yet."""
    found = Contents()
    python = Path(getattr(sys, "_base_executable", sys.executable))
    found.add(python)
    real = found.follow(python)
    found.links["/usr/bin/python3"] = str(real)
    if str(real) == "/usr/bin/python3":
        del found.links["/usr/bin/python3"]
    stdlib = Path(os.__file__).parent
    real_stdlib = found.follow(stdlib)
    found.tree(real_stdlib, str(real_stdlib), without=_NO_PART)
    site = f"{real_stdlib}/site-packages"
    for name, path in packages.items():
        if path.is_dir():
            found.tree(path, f"{site}/{name}")
        else:
            found.files[f"{site}/{name}"] = path
    for name in _PROGRAMS:
        if (program := shutil.which(name, path="/usr/bin:/bin")) is not None:
            found.add(Path(program))
    for data in _DATA:
        found.add(Path(data))
    for link in _LINKS:
        if Path(link).is_symlink():
            found.follow(Path(link))
    return found


def write(found: Contents, out: IO[bytes]) -> None:
    """The image as a tar stream. Python files come with their compiled form, since nothing can write it inside."""
    folders: set[str] = set()
    with (
        tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for place in _PLACES:
            _folder(tar, place, folders)
        for link, target in sorted(found.links.items()):
            _folder(tar, os.path.dirname(link), folders)  # noqa: PTH120
            _entry(tar, link, tarfile.SYMTYPE, target=target)
        for name, path in sorted(found.files.items()):
            _folder(tar, os.path.dirname(name), folders)  # noqa: PTH120
            _file(tar, name, path)
            if name.endswith(".py") and (compiled := _compiled(path, Path(scratch, "one.pyc"))) is not None:
                inside = cache_from_source(name)
                _folder(tar, os.path.dirname(inside), folders)  # noqa: PTH120
                _file(tar, inside, compiled)


def packed(folder: Path, inside: str) -> Iterator[bytes]:
    """A folder of packages as a tar archive that unpacks to `inside`, in pieces."""
    found = Contents()
    found.tree(folder, inside)
    with tempfile.TemporaryFile() as file:
        write(found, file)
        file.seek(0)
        while part := file.read(1 << 20):
            yield part


def _folder(tar: tarfile.TarFile, path: str, made: set[str]) -> None:
    """With the folders above it; a folder that is reached over a link is the link's target's business."""
    if path in made or path in ("", "/"):
        return
    _folder(tar, os.path.dirname(path), made)  # noqa: PTH120
    made.add(path)
    _entry(tar, path, tarfile.DIRTYPE, mode=0o1777 if path == "/tmp" else 0o755)


def _entry(tar: tarfile.TarFile, name: str, kind: bytes, *, target: str = "", mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.type, entry.mode, entry.linkname, entry.mtime = kind, mode, target, _EPOCH
    tar.addfile(entry)


def _file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    about = path.stat()
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mtime = about.st_size, int(about.st_mtime)
    entry.mode = 0o755 if about.st_mode & stat.S_IXUSR else 0o644
    with path.open("rb") as file:
        tar.addfile(entry, file)


def _compiled(source: Path, scratch: Path) -> Path | None:
    """Its compiled form, made here where there is none; None for a file that does not compile."""
    ready = Path(cache_from_source(str(source)))
    try:
        if _is_of(ready.read_bytes()[:16], source):
            return ready
    except OSError:
        pass
    try:
        with warnings.catch_warnings(action="ignore"):
            py_compile.compile(str(source), cfile=str(scratch), dfile=str(source), doraise=True, quiet=2)
    except (py_compile.PyCompileError, OSError):
        return None
    return scratch


def _is_of(head: bytes, source: Path) -> bool:
    """Whether a compiled file's head names the time and size of its source (PEP 552)."""
    about = source.stat()
    size, seconds = about.st_size & 0xFFFFFFFF, int(about.st_mtime) & 0xFFFFFFFF
    return head[4:] == bytes(4) + seconds.to_bytes(4, "little") + size.to_bytes(4, "little")


def _is_elf(path: Path) -> bool:
    if not (".so" in path.name or os.access(path, os.X_OK)):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _linked(paths: Iterable[str]) -> set[str]:
    """The paths that the dynamic loader finds for what these are linked to."""
    try:
        done = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SandboxError(f"the image needs 'ldd' to find shared libraries: {error}",
                           next="install it, or name an image in `sandbox.image`") from error  # fmt: skip
    found = set()
    for line in done.stdout.splitlines():
        left, _, right = line.strip().partition(" => ")
        path = (right or left).partition(" (")[0].strip()
        if path.startswith("/") and not path.endswith(":"):
            found.add(path)
    return found


def stream(found: Contents) -> IO[bytes]:
    """The image in a temporary file, ready to be read."""
    found.libraries()
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    write(found, file)
    file.seek(0)
    return file
