"""The console script: runs one verb, and alone prints errors and chooses exit codes.

Every Python that a verb starts gets `-P`, so that a user's `train.py` or `eval.py` in the working directory never
stands in for ours.
"""

import atexit
import os
import select
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from curate.errors import Stopped, VeristillError
from recipes.cli import (  # noqa: F401 - each adds its verb
    audit,
    check,
    decontaminate,
    dedup,
    doctor,
    explain,
    init,
    plan,
    render,
    run,
    schema,
    status,
    version,
    view,
)
from recipes.cli import eval as _eval  # noqa: F401 - so does this; the builtin keeps its name
from recipes.cli.app import app
from recipes.cli.train import finish, launch, preflight, setup, stage  # noqa: F401 - verbs of `train`
from recipes.cli.train import plan as _plan  # noqa: F401 - verbs of `train` that have a namesake above
from recipes.cli.train import render as _render  # noqa: F401
from recipes.cli.train import status as _status  # noqa: F401

STOPPED = 4
# Typer carries its own click in newer versions and uses the public one in older: the class is found, not imported.
_UsageError: Any = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "UsageError")


def main() -> None:
    """Entry point of the console script."""
    code = command(sys.argv[1:])
    # All is said. Ctrl-C once more ends the wait for what still runs, with the code that was chosen; Python's own last
    # steps take moments and would end by the signal instead.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(code))
        atexit.register(signal.signal, number, signal.SIG_IGN)
    sys.exit(code)


def command(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code (docs/reference/cli.md lists them)."""
    os.environ["PYTHONSAFEPATH"] = "1"
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A script's `veristill ... &` inherits that, and a SIGTERM, which we take as an interrupt, would do nothing.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        _invoke(arguments)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except _UsageError as error:
        error.show()
        return 2
    except (KeyboardInterrupt, typer.Abort):
        kept = ": every answer that came in is kept" if _asks(arguments) else ""
        _say(f"\ninterrupted{kept}\n  go on with: {_again(arguments)}")
        return STOPPED
    except BrokenPipeError as error:
        if not _nobody_reads():
            return _failed(error, arguments)
        # Whoever read our output has seen enough; point stdout away so that the interpreter's own flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary to the user: everything becomes a message and a code
        return _failed(error, arguments)
    return 0


def _invoke(arguments: Sequence[str]) -> None:
    # Not `app(...)`: typer would turn an interrupt and a closed pipe into exit codes of its own.
    verb = typer.main.get_command(app)
    with verb.make_context("veristill", list(arguments)) as context:
        verb.invoke(context)


def _nobody_reads() -> bool:
    """Whether our output is the pipe that broke, and not one of a verb's own."""
    output = select.poll()
    output.register(1, 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def _asks(arguments: Sequence[str]) -> bool:
    """Whether the command line may have asked models: what it says of answers is true of no other."""
    verb = next((one for one in arguments if one in typer.main.get_command(app).commands), "")  # type: ignore[attr-defined]
    asking = {"run": "", "eval": "", "audit": "", "plan": "--probe", "decontaminate": "--reworded"}
    return verb in asking and any(one.split("=")[0] == asking[verb] or not asking[verb] for one in arguments)


def _again(arguments: Sequence[str]) -> str:
    return shlex.join(["veristill", *arguments])


def _failed(error: Exception, arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    if debug:
        traceback.print_exception(error)
    if isinstance(error, VeristillError):
        _say(f"error: {error}" + (f"\n  {_again(arguments)}" if isinstance(error, Stopped) else ""))
        return error.exit_code
    found = _from_sandbox(error) or _from_disk(error)
    if found is not None:
        text, code = found
        _say(f"error: {text}")
        return code
    _say(f"error: {type(error).__name__}: {error}")
    if not debug:
        with tempfile.NamedTemporaryFile("w", prefix="veristill-", suffix=".txt", delete=False) as kept:
            kept.write("".join(traceback.format_exception(error)))
        _say(f"  this is a defect of veristill; please report it with the traceback in {kept.name}")
    return 1


def _from_sandbox(error: Exception) -> tuple[str, int] | None:
    """No working isolation is a prerequisite that is missing."""
    from sandbox import SandboxError

    return (str(error), 3) if isinstance(error, SandboxError) else None


def _from_disk(error: Exception) -> tuple[str, int] | None:
    """A full disk stops a run that can go on; a place that cannot be written is bad usage."""
    from curate.run import usable

    if not isinstance(error, OSError):
        return None
    try:
        with usable(Path()):
            raise error
    except VeristillError as known:
        return str(known), known.exit_code
    except OSError:
        return None


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    # A scheduler's SIGTERM ends a run as Ctrl-C does: what is in flight is cancelled, what was stored stays.
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
