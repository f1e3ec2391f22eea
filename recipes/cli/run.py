"""`veristill run`: from questions to a verified, published dataset."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import amount, app, chosen

if TYPE_CHECKING:
    from curate.report import Report


# Shown also where they are 0: that nothing was new is what a second run is asked.
_ALWAYS = ("answers_new", "answers_reused", "verdicts_new", "verdicts_reused")


class Until(StrEnum):
    """The stages of a run, in order."""

    INGEST = "ingest"
    CLEAN = "clean"
    SOLVE = "solve"
    SELECT = "select"
    PUBLISH = "publish"


class Engine(StrEnum):
    """What runs the stages."""

    LOCAL = "local"


@app.command()
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")],
    until: Annotated[
        Until, typer.Option(metavar="STAGE", help="Stop after ingest, clean, solve, select or publish.")
    ] = Until.PUBLISH,
    partial: Annotated[bool, typer.Option("--partial", help="Publish what is decided so far, marked so.")] = False,
    engine: Annotated[Engine, typer.Option(metavar="ENGINE", help="What runs the stages: local.")] = Engine.LOCAL,
    max_cost: Annotated[
        float | None,
        typer.Option(metavar="USD", callback=amount, help="Stop before spending more; overrides the recipe."),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Read at most N rows of each source.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Rehearse: sample rows, fake answers, a throw-away folder, no network.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run a recipe; a run that was stopped goes on where it was.

    Example: veristill run quickstart
    """
    from curate.engine.local import execute
    from curate.flow import Options
    from recipes.load import load_flow

    del engine  # there is one
    read = load_flow(recipe)
    options = Options(
        root=chosen(context).root,
        until=until.value,
        partial=partial,
        max_cost_usd=max_cost,
        limit=limit,
        dry_run=dry_run,
        lock_text=read.lock_text(),
    )
    report = execute(read, options)
    if json:
        typer.echo(report.to_json())
    else:
        _show(report)
    report.raise_for_errors()


def _show(report: "Report") -> None:
    """The table of the stages, what this command did, and the line to copy."""
    from recipes.cli import show

    if report.dry_run:
        typer.echo("rehearsal: sample rows and made-up answers; nothing was asked, nothing is kept\n")
    elif report.partial:
        typer.echo("partial: what is decided so far; the same command without --partial goes on\n")
    show.table(("stage", "in", "kept", "dropped", "remark"), report.table())
    typer.echo("")
    told = {name: value for name, value in report.this_run.items() if value or name in _ALWAYS}
    show.pairs({name.replace("_", " "): _words(value) for name, value in told.items()})
    if report.dataset is not None and report.publish is not None and not report.publish["metadata"]:
        typer.echo(f"\n0 rows were selected: {_why_none(report)}")
    elif report.dataset is not None:
        call = f'load_dataset("{report.dataset}", "metadata", split="train")'
        typer.echo(f"\nfrom datasets import load_dataset; rows = {call}")


def _why_none(report: "Report") -> str:
    """Why nothing was left to load: the reasons of the last stage that dropped something."""
    stages = [*report.clean, *(report.select or [])]
    reasons = next((stage.reasons for stage in reversed(stages) if stage.dropped), report.ingest.reasons)
    return f"{_words(reasons) or 'there was no answer'}; drops.parquet beside the dataset says why for each"


def _words(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else value
