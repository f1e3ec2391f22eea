"""The command line's root: its help, its global options, and what every verb is told."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="veristill",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 some of the work failed; 2 bad usage, recipe or input; 3 something must be "
    "installed or enabled first; 4 stopped, and the same command goes on.",
)


@dataclass(frozen=True)
class Settings:
    """The global options."""

    root: Path


def _print_version(wanted: bool) -> None:
    if wanted:
        from recipes.cli.version import version

        version()
        raise typer.Exit


@app.callback()
def settings(
    context: typer.Context,
    root: Annotated[Path, typer.Option(metavar="DIR", help="Where runs/ and ledger/ lie.")] = Path(),
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Verified reasoning data: from questions to a verified, published dataset, by one YAML recipe.

    Example: veristill run quickstart
    """
    context.obj = Settings(root=root)


def chosen(context: typer.Context) -> Settings:
    """The global options of this command line."""
    found: Settings = context.obj
    return found


def amount(value: float | None) -> float | None:
    """A sum of money that was given. Raises BadParameter for one that is none."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter("expected an amount above 0")
    return value
