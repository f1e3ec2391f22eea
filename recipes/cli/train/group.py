"""The group of training verbs, and what they share on the command line."""

from typing import Annotated

import typer

from recipes.cli.app import app

group = typer.Typer(name="train", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(group)

Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@group.callback()
def train() -> None:
    """Fine-tune a student on a dataset, over many machines, by the recipe's `train:` block.

    In this order: setup, plan, stage, preflight, launch, status, finish. `launch` makes what was not made before.

    Example: veristill train plan openthinker-32b
    """


def say(text: str) -> None:
    """A line of progress: results alone go to standard output."""
    typer.echo(text, err=True)
