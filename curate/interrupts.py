"""What Ctrl-C does: while answers are on their way it is a request to the loop, else it ends the command."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

from curate.errors import Stopped

_GO_ON = "run the same command: it goes on where it was"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class interrupts:
    """While this is open, SIGINT and SIGTERM call `act` on the loop; before and after they raise KeyboardInterrupt."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def __enter__(self) -> None:
        if not _ours():
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._act)

    def __exit__(self, *_: object) -> None:
        if not _ours():
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        plain_interrupts()


def plain_interrupts() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt at once (asyncio would wait for the next await)."""
    if not _ours():
        return

    def act(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, act)


def _ours() -> bool:
    # Used as a library, off the main thread: signals are the caller's.
    return threading.current_thread() is threading.main_thread()


def asked_to_stop() -> Stopped:
    """What ends a command at the first interrupt."""
    return Stopped("interrupted; every answer that was asked for is kept", next=_GO_ON)


def waits_for(flying: int) -> str:
    """What the user is told then; `flying` requests are on their way."""
    return f"stopping: waiting for {flying} answers in flight; Ctrl-C again abandons them"


def abandoned(flying: int) -> Stopped:
    """What ends it at the second one."""
    may = f"; {flying} answers in flight were abandoned and may be paid twice" if flying else ""
    return Stopped(f"interrupted{may}", next=_GO_ON)
