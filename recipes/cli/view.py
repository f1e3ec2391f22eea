"""`veristill view`: a page to read traces in."""

import socket
from importlib.util import find_spec
from typing import Annotated

import typer

from recipes.cli.app import app, chosen

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
        str | None, typer.Option(metavar="CONFIG", help="unverified, metadata or default; default: the first there.")
    ] = None,
) -> None:
    """Read traces, their verdicts and the evidence on a local page. Works without a network; only reads.

    Example: veristill view quickstart
    """
    from curate.view.opening import open_traces

    _need_extra()
    opened = open_traces(chosen(context).root, what, config)
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
