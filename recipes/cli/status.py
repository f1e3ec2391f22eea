"""`veristill status`: where a run is, also while another process works on it."""

from typing import Annotated, Any

import typer

from recipes.cli.app import app, chosen


@app.command()
def status(
    context: typer.Context,
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", help="A recipe, or the name of a run; none: list the runs.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
) -> None:
    """Say where a run is: its stage, what is answered and verified, what is left. Only reads.

    Example: veristill status quickstart
    """
    import asyncio

    from curate.run import Run
    from curate.runs import runs
    from curate.status import status as state_of
    from recipes.cli import show
    from recipes.load import of_run

    root = chosen(context).root
    if recipe is None:
        names = runs(root)
        if json:
            show.as_json(names)
        else:
            typer.echo(
                "\n".join(names)
                if names
                else f"no runs under {root}; `veristill --root DIR` names the folder that holds runs/"
            )
        return
    flow = of_run(root, recipe)
    state = asyncio.run(state_of(Run(root, flow.name), flow))
    if json:
        show.as_json(state)
    else:
        show.pairs(_lines(state))


def _lines(state: dict[str, Any]) -> dict[str, object]:
    """One line each, the counts of solving in words."""
    lines = {name.replace("_", " "): value for name, value in state.items() if not isinstance(value, dict)}
    solve = state.get("solve") or {}
    for name, value in solve.items():
        lines[name] = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
    for name in ("domains", "sources"):
        if name in solve:
            lines[name] = "; ".join(
                f"{one}: " + ", ".join(f"{key} {count}" for key, count in counts.items())
                for one, counts in solve[name].items()
            )
    return {name: value for name, value in lines.items() if value not in (None, "")}
