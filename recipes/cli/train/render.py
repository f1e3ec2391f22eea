"""`veristill train render`: every file of a training run, and nothing started."""

from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group, say

if TYPE_CHECKING:
    from train.preflight import Run
    from train.render import Inputs


@group.command()
def render(
    context: typer.Context,
    recipe: Name,
    show_file: Annotated[
        str | None, typer.Option("--show", metavar="FILE", help="Print this file of them, such as sft.yaml.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the files of a training run: LLaMA-Factory's, DeepSpeed's, the launcher's. They run by hand, too.

    Example: veristill train render openthinker-32b --show sft.yaml
    """
    from curate.errors import InputError
    from recipes.cli import show
    from recipes.training import note, run_of
    from train.render import rendered, write

    root = chosen(context).root
    read, run = run_of(recipe, root, rendering=True)
    inputs, tokens = _there(run)
    made = rendered(run.block, name=run.name, here=run.here, python=str(run.python), inputs=inputs, tokenized=tokens)
    changed = write(made, run.here)
    note(read, run.here, root)
    if show_file is not None:
        if show_file not in made.files:
            raise InputError(f"there is no file '{show_file}'", next=f"there are: {', '.join(sorted(made.files))}")
        typer.echo(made.files[show_file], nl=False)
    elif json:
        show.as_json({"folder": str(run.here), "files": sorted(made.files), "changed": changed})
    else:
        typer.echo("\n".join(f"{run.here / name}{'' if name in changed else '  (as it was)'}" for name in made.files
                             if not name.startswith("code/")))  # fmt: skip


def _there(run: "Run") -> "tuple[Inputs, str | None]":
    """What is on this machine already: inputs that were staged, rows that were tokenised."""
    from curate.errors import Prerequisite, VeristillError
    from train import tokens
    from train.environment import examine
    from train.render import Inputs
    from train.stage import staged

    try:
        inputs = staged(run.block, run.here, run.published)
    except Prerequisite as error:
        say(f"note: {error.what}; its name stands in the files")
        return Inputs(), None
    if inputs.data is None or inputs.student is None or not (run.here / tokens.FOLDER).is_dir():
        return inputs, None
    try:
        key = tokens.key(run.block, inputs.data, inputs.student, examine(run.python, imports=False))
    except VeristillError:  # no interpreter yet: rows are tokenised by what launches it
        return inputs, None
    inputs = inputs._replace(learns=tokens.learns(run.block, inputs.data, inputs.student))
    return inputs, f"{tokens.FOLDER}/{key}" if (run.here / tokens.FOLDER / key / "facts.json").is_file() else None
