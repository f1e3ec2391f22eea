"""`veristill version`."""

import typer

from recipes.cli.app import app


@app.command()
def version() -> None:
    """Print the version.

    Example: veristill version
    """
    from importlib.metadata import version as installed

    typer.echo(f"veristill {installed('veristill')}")
