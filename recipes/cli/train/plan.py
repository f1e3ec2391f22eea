"""`veristill train plan`: what a fine-tune will take."""

from typing import Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group


@group.command()
def plan(
    context: typer.Context,
    recipe: Name,
    rows: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Rows of the dataset, where it is not on this machine.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what a fine-tune will take: memory of each GPU by part, machines, tokens, hours, dollars, disk.

    Example: veristill train plan openthinker-32b
    """
    from recipes.cli import show
    from recipes.load import load
    from recipes.training import block_of
    from train.plan import plan as planned
    from train.told import lines

    read = load(recipe)
    found = planned(block_of(read, recipe), name=read.name, root=chosen(context).root, rows=rows)
    if json:
        show.as_json(found.model_dump(mode="json"))
    else:
        typer.echo("\n".join(lines(found)))
