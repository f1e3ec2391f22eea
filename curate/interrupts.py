"""What Ctrl-C does: while answers are on their way it is a request to the loop, else it ends the command."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

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
