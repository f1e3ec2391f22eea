"""`veristill train preflight`: what can go wrong before a GPU-hour is spent."""

from typing import Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group, say


@group.command()
def preflight(
    context: typer.Context,
    recipe: Name,
    nodes: Annotated[
        bool, typer.Option("--nodes/--no-nodes", help="Run checks on every node, too; on Slurm in a short job.")
    ] = True,
    json: Json = False,
) -> None:
    """Check a fine-tune before it costs anything: keys, template, rows, batch, memory, disk, and every node.

    The rows are tokenised once on the way. Exit code 0: ready to launch; 2: the recipe or an input is wrong;
    3: something must be staged, installed or freed first.

    Example: veristill train preflight my-student.yaml
    """
    from recipes.cli import show
    from recipes.training import run_of
    from train.preflight import preflight as check

    _, run = run_of(recipe, chosen(context).root)
    report = check(run, say, ask_nodes=nodes)
    if json:
        show.as_json(report.model_dump(mode="json"))
    else:
        typer.echo("\n".join(report.lines()))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
