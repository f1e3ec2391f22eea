"""The hook of the crash tests: named points at which a process can be told to kill itself.

Without the environment variable `VERISTILL_FAULT` a point costs one comparison. `VERISTILL_FAULT=ledger.commit:3` sends
SIGKILL to this process at the third passing of that point; `ledger.commit:3:group` to its whole process group.
"""

import os
import signal
import threading

_WISH = os.environ.get("VERISTILL_FAULT")
_passed: dict[str, int] = {}
_lock = threading.Lock()


def point(name: str) -> None:
    """Die here, if `VERISTILL_FAULT` says so."""
    if _WISH is None:
        return
    wanted, _, rest = _WISH.partition(":")
    if wanted != name:
        return
    with _lock:
        _passed[name] = _passed.get(name, 0) + 1
        nth, _, mode = rest.partition(":")
        if _passed[name] != int(nth or 1):
            return
    if mode == "group":
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
