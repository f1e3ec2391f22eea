"""`veristill view`: a page to read traces in."""

import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import app, chosen

if TYPE_CHECKING:
    from curate.view.opening import Opened

_LEDGER = "ledger"
_NEEDED = ("nicegui", "markdown_it", "mdit_py_plugins", "latex2mathml", "pygments")


@app.command()
def view(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="RUN|DATASET", help="A run, or a dataset folder, .jsonl, .jsonl.gz, .parquet.")
    ],
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to serve the page at; 0: any free one.")
    ] = 8765,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to serve it at.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG",
            help="unverified, metadata or default (the first there); of a run also ledger: what is decided by now.",
        ),
    ] = None,
) -> None:
    """Read traces, their verdicts and the evidence on a local page. Works without a network; only reads.

    Example: veristill view quickstart
    """
    _need_extra()
    opened = _opened(chosen(context).root, what, config)
    port = _free(host, port)
    from curate.view.page import serve

    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def ready() -> None:
        typer.echo(f"{opened.title}: {address}  (Ctrl-C ends)")

    try:
        serve(opened, host=host, port=port, browser=browser, ready=ready)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        opened.shelf.close()


def _opened(root: Path, what: str, config: str | None) -> "Opened":
    """A run that has published nothing is read where its answers lie, in the ledger."""
    import asyncio

    from curate.view.opening import open_traces, run_of

    run = run_of(root, what)
    if run is None or (config != _LEDGER and (config is not None or run.dataset.is_dir())):
        return open_traces(root, what, config)
    from curate.view.decided import open_decided
    from recipes.load import read

    return asyncio.run(open_decided(run, read(run.folder / "recipe.lock.yaml")))


def _need_extra() -> None:
    """Raise Prerequisite where the extra is not installed."""
    from curate.errors import Prerequisite

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise Prerequisite(
            f"the page needs packages that are not installed: {', '.join(missing)}",
            next="pip install 'veristill[view]'",
        )


def _free(host: str, port: int) -> int:
    """The port, or a free one for 0. Raises InputError where it is taken or the address is not ours."""
    from curate.errors import InputError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise InputError(
            f"cannot serve at {host} port {port}: {error.strerror}", next="choose another --port or --host"
        ) from error
