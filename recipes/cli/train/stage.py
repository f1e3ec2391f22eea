"""`veristill train stage`: the student and the dataset at their commits."""

from pathlib import Path
from typing import Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group, say


@group.command()
def stage(
    context: typer.Context,
    recipe: Name,
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where they go, by default the run's own inputs/.")
    ] = None,
    json: Json = False,
) -> None:
    """Put the student and the dataset into place, at the commits that the recipe names; jobs then need no network.

    What is there already is kept, and a killed fetch goes on. HF_TOKEN is used for what asks for a login.

    Example: veristill train stage openthinker-7b
    """
    from recipes.cli import show
    from recipes.load import load
    from recipes.training import block_of, folder_of
    from train.stage import stage as put

    root = chosen(context).root
    read = load(recipe)
    here = folder_of(root, read.name)
    done = put(block_of(read, recipe), here, here.parent / "dataset", say, into=into)
    if json:
        show.as_json(done.model_dump(mode="json"))
        return
    for role, one in (("student", done.student), ("dataset", done.dataset)):
        typer.echo(f"{role}: {f'{one.source} at {one.commit} in {one.path}' if one else 'used where it lies'}")
