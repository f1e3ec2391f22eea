"""Runs one server on this machine and takes it, with all that it started, to the grave: when our standard input ends,
which the kernel sees to however the run dies, or when the server ends. Standard library only; runs with `-I`.

    python -I guard.py LOG -- COMMAND...
"""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

_SUBREAPER, _DEATH_SIGNAL = 36, 1  # prctl(2)
_GRACE_S = 10.0  # between SIGTERM and SIGKILL


def main(log: str, command: list[str]) -> int:
    """The server's exit code; 127 where its program cannot be started."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans of the server become ours, so that none is missed at the end
    own = os.getpid()

    def tied() -> None:
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != own:
            os._exit(1)

    with Path(log).open("ab") as out:
        out.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}\n".encode())
        out.flush()
        try:
            server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=tied,  # this process has one thread
            )
        except OSError as error:
            out.write(f"{command[0]}: {error.strerror}\n".encode())
            return 127
    _wait(server)
    _end_all()
    return server.wait()


def _wait(server: "subprocess.Popen[bytes]") -> None:
    """Until the server ends or the run lets go."""
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        while server.poll() is None:
            if ready.select(0.2) and not os.read(0, 4096):
                return


def _end_all() -> None:
    """SIGTERM to everything below us, SIGKILL to what is left, until nothing is."""
    end = time.monotonic() + _GRACE_S
    asked: set[int] = set()
    while below := _below(os.getpid()):
        late = time.monotonic() > end
        for pid in below:
            if late or pid not in asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= below
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _below(top: int) -> set[int]:
    """Every live process that descends from `top`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                if state != "Z" or int(parent) == top:
                    parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    grown = {top}
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in grown and pid not in found}
        found |= grown
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3:]) & 0xFF)
