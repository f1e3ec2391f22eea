"""`veristill plan`: what a recipe will take, before it is paid for."""

from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import amount, app, chosen

if TYPE_CHECKING:
    from curate.plan import Plan
    from curate.projection import Range


@app.command()
def plan(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")],
    probe: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="First ask N questions for real; their answers are kept for the run."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", callback=amount, help="Stop the probe before spending more.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Read at most N rows of each source.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Say what a recipe will take: requests, tokens, dollars, hours, and what is already paid for. Asks nobody.

    With --probe, some questions are asked for real first, so that the figures are measured and not assumed.

    Example: veristill plan quickstart
    """
    import asyncio

    from curate.flow import Options
    from curate.plan import plan as planned
    from recipes.cli import show
    from recipes.load import load_flow

    read = load_flow(recipe)
    options = Options(root=chosen(context).root, limit=limit, max_cost_usd=max_cost, lock_text=read.lock_text())
    found = asyncio.run(planned(read, options, probe))
    if json:
        show.as_json(found.model_dump(mode="json"))
    else:
        _show(found)


def _show(found: "Plan") -> None:
    from recipes.cli import show

    asked = f"{found.rows:,} rows, {found.questions:,} questions after cleaning"
    recorded = f", {found.recorded:,} recorded answers to read" if found.recorded else ""
    show.pairs(
        {
            "questions": asked + recorded,
            "already paid for": f"{found.answered:,} answers, ${found.paid_usd:,.2f}",
            **({"probe": f"{found.probed:,} questions asked now"} if found.probed else {}),
        }
    )
    typer.echo("")
    amounts = (
        ("requests", found.requests),
        ("input tokens", found.input_tokens),
        ("output tokens", found.output_tokens),
        ("dollars", found.cost_usd),
        ("of these, judging", found.judge_usd),
        ("hours", found.hours),
        ("GPU hours", found.gpu_hours),
    )
    show.table(
        ("still to come", "low", "expected", "high"),
        [(name, *_ends(amount, name)) for name, amount in amounts if amount is not None],
    )
    for teacher in found.teachers:
        typer.echo(f"\n{teacher.teacher}: {teacher.basis}")
    for note in found.notes:
        typer.echo(f"\nnote: {note}")


def _ends(amount: "Range", name: str) -> tuple[str, str, str]:
    whole = name in ("requests", "input tokens", "output tokens")
    low, expected, high = (
        f"{value:,.0f}" if whole or value >= 1000 else _small(value)
        for value in (amount.low, amount.expected, amount.high)
    )
    return low, expected, high


def _small(value: float) -> str:
    """Three digits, and never an exponent: `1e-05` hours is read as a large number."""
    return "< 0.001" if 0 < value < 0.001 else f"{value:,.3g}"
