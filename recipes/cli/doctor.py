"""`veristill doctor`: whether this machine can be trusted with a run."""

from enum import StrEnum
from typing import Annotated

import typer

from recipes.cli.app import app, chosen


class Backend(StrEnum):
    """What runs programs."""

    AUTO = "auto"
    DOCKER = "docker"
    NAMESPACES = "namespaces"


@app.command()
def doctor(
    context: typer.Context,
    sandbox: Annotated[
        Backend, typer.Option(metavar="BACKEND", help="The sandbox to try: auto, docker, namespaces.")
    ] = Backend.AUTO,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Try the sandbox with hostile programs and every verifier with a right and a wrong answer; look at the set-up.

    Where there is a network, compare the columns of the named sources' sets with those that are read.

    Exit code 0: all is well; 1: a check failed; 3: something must be installed or enabled first.

    Example: veristill doctor
    """
    import asyncio

    from recipes.cli import show
    from recipes.doctor import diagnose

    diagnosis = asyncio.run(diagnose(chosen(context).root, sandbox.value))
    if json:
        show.as_json(diagnosis.to_dict())
    else:
        rows = [(one.about, one.name, one.state, one.said) for one in diagnosis.findings]
        show.table(("about", "check", "state", "remark"), rows)
        if not diagnosis.problems:
            typer.echo("\nall is well")
    diagnosis.raise_for_problems()
