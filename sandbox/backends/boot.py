"""The first process in a container: takes the sandbox's own files from its standard input and becomes the zygote.

Passed as text to the container's Python, so that an image holds nothing of ours and serves any version of us.
Arguments: the version of Python that will do, and for how many seconds the zygote waits for a job. Standard library
only.
"""

import json
import os
import signal
import site
import sys

_FOLDER = "/tmp/veristill"  # of a tmpfs that only this process sees
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ADDED = "/opt/veristill-packages"  # what `packages` of a recipe adds to an image
_FLAGS = ("-P", "-s", "-S", "-B")  # as in backends/namespaces.py


def main() -> None:
    """Unpack, and go on as `sandbox/zygote.py`."""
    wanted, lease_s = sys.argv[1:]
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if here != wanted:
        sys.exit(f"the image has Python {here}, and its verdicts would not be those of {wanted}")
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))  # the first process of a container has no default for it
    signal.setitimer(signal.ITIMER_REAL, float(lease_s))  # an engine that died sends nothing and closes nothing
    files = json.loads(_frame())
    signal.setitimer(signal.ITIMER_REAL, 0)
    for name, text in files.items():
        path = f"{_FOLDER}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - few imports make a quick start
        with open(path, "w") as file:  # noqa: PTH123
            file.write(text)
    python = os.path.realpath(sys.executable)
    settings = {"shown": _shown(), "paths": _paths(), "python": python, "lease_s": float(lease_s)}
    command = [sys.executable, *_FLAGS, f"{_FOLDER}/sandbox/zygote.py", json.dumps(settings)]
    os.execv(sys.executable, command)


def _frame() -> bytes:
    size = int.from_bytes(_read(8), "big")
    return _read(size)


def _read(size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = os.read(0, size - len(parts))
        if not part:
            sys.exit("the host went away")
        parts += part
    return parts


def _paths() -> list[str]:
    return [path for path in (_ADDED, *site.getsitepackages()) if os.path.isdir(path)]  # noqa: PTH112


def _shown() -> dict[str, str]:
    folders = {*_SYSTEM, sys.base_prefix, sys.base_exec_prefix, sys.prefix, *_paths()}
    real = sorted((one for one in folders if os.path.isdir(one) and not os.path.islink(one)), key=len)  # noqa: PTH112, PTH114
    shown: dict[str, str] = {}
    for path in real:
        if not any(path == other or path.startswith(other + "/") for other in shown):
            shown[path] = path
    return shown


if __name__ == "__main__":
    main()
