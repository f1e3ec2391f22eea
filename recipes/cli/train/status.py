"""`veristill train status`: where a fine-tune is, once or again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, group

if TYPE_CHECKING:
    from train.status import Status


@group.command()
def status(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe, or the name of a run.")],
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until it has ended.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="How often, with --watch.")] = 5.0,
    curve: Annotated[bool, typer.Option("--curve", help="Draw the loss in the terminal, too.")] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the loss into this picture.")] = None,
    json: Json = False,
) -> None:
    """Say where a fine-tune is: step, loss, tokens a second, MFU, hours left, last checkpoint, every node. Only reads.

    Example: veristill train status my-student.yaml --curve
    """
    from recipes.training import found, planned
    from train.status import status as state_of
    from train.status import watch as again

    root = chosen(context).root
    block, here = found(root, recipe)
    model = planned(block, here)

    def read() -> "Status":
        return state_of(block, here, model)

    if watch:
        show_one = _as_lines() if json or not _terminal() else _live(here, curve)
        for now in again(read, every):
            show_one(now, json)
    else:
        _print(read(), here, curve, json)
    if png is not None:
        _draw(here, png, root)


def _terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def _print(now: "Status", here: Path, curve: bool, json: bool) -> None:
    from recipes.cli import show
    from train.status import lines

    if json:
        show.as_json(now.model_dump(mode="json"))
        return
    show.pairs(lines(now))
    if curve:
        typer.echo("\n" + _curve(here))


def _curve(here: Path) -> str:
    from train.curve import text
    from train.readings import points
    from train.status import job_of

    return text(points(here / job_of(here).output)) or "no loss in the log yet"


def _as_lines() -> "Callable[[Status, bool], None]":
    """A line for each change: what a log or another program reads."""
    last: list[str] = []

    def show_one(now: "Status", json: bool) -> None:
        from train.status import lines

        if json:
            typer.echo(now.model_dump_json())
            return
        said = lines(now)
        line = "  ".join(f"{name} {said[name]}" for name in ("state", "step", "loss", "speed") if name in said)
        if line not in last:
            last[:] = [line]
            typer.echo(line)

    return show_one


def _live(here: Path, curve: bool) -> "Callable[[Status, bool], None]":
    """The same screen over and over."""
    from rich.live import Live
    from rich.text import Text

    live = Live(auto_refresh=False)

    def show_one(now: "Status", json: bool) -> None:
        from train.status import ENDED, lines

        said = lines(now)
        width = max(len(name) for name in said)
        text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in said.items())
        if not live.is_started:
            live.start()
        live.update(Text(text + ("\n\n" + _curve(here) if curve else "")), refresh=True)
        if now.state in ENDED:
            live.stop()

    return show_one


def _draw(here: Path, path: Path, root: Path) -> None:
    from train.curve import png
    from train.environment import interpreter
    from train.readings import points
    from train.status import job_of

    job = job_of(here)
    python = Path(job.python) if Path(job.python).exists() else interpreter(None, root)
    png(points(here / job.output), path, python, job.name)
    typer.echo(f"wrote {path}", err=True)
