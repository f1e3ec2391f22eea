"""`veristill train setup`: the training environment, made or looked at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, group

if TYPE_CHECKING:
    from train.environment import Examined


@group.command()
def setup(
    context: typer.Context,
    cpu: Annotated[bool, typer.Option("--cpu", help="For the CPU: trials and tests.")] = False,
    cuda: Annotated[bool, typer.Option("--cuda", help="For NVIDIA GPUs; neither: what this machine has.")] = False,
    python: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to make it in, by default ROOT/.train; with --check, any Python."),
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="PYTHON", help="The Python to make it with.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Make nothing; look at what is there.")] = False,
    json: Json = False,
) -> None:
    """Make the environment in which training runs, with exact versions of all it holds; say what is wrong with one.

    It is apart from this one, since LLaMA-Factory holds many packages at older versions. A set-up that was interrupted
    goes on with the same command. Recipes find it by `train.python`, VERISTILL_TRAIN_ENV, or as ROOT/.train.

    Example: veristill train setup --cpu
    """
    from curate.errors import Prerequisite
    from curate.progress import Progress
    from recipes.training import environment_at
    from train.environment import examine
    from train.setup import likely
    from train.setup import setup as make

    if cpu and cuda:
        raise typer.BadParameter("choose one of them", param_hint="--cpu / --cuda")
    root = chosen(context).root
    if check:
        found = examine(environment_at(python, root))
        problems = found.problems("cuda" if cuda else "cpu" if cpu else None)
        _show(found, problems, json)
        if problems:
            raise Prerequisite(f"{len(problems)} problems with this environment", where=found.executable,
                               next="veristill train setup")  # fmt: skip
        return
    made = make(python or root / ".train", "cpu" if cpu else "cuda" if cuda else likely(), Progress(), base=base)
    _show(made.found, [], json)


def _show(found: "Examined", problems: list[str], json: bool) -> None:
    from recipes.cli import show
    from train.environment import said

    warnings = found.warnings()
    if json:
        show.as_json({**found.model_dump(mode="json"), "problems": problems, "warnings": warnings})
        return
    show.pairs(said(found))
    for word, lines in (("problem", problems), ("warning", warnings)):
        for line in lines:
            typer.echo(f"{word}: {line}")
