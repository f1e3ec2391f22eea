"""`veristill explain`: one question with everything that is known of it."""

from typing import Annotated, Any

import typer

from recipes.cli.app import app, chosen

_CUT = 600  # characters of a text that are shown without --full


@app.command()
def explain(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe, or the name of a run.")],
    row: Annotated[str, typer.Argument(metavar="ROW", help="The question's source id, seq:N or id:ID.")],
    full: Annotated[bool, typer.Option("--full", help="Show texts whole.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show one question, its labels, its answers, and each verdict with its evidence. Only reads.

    Example: veristill explain quickstart 0
    """
    import asyncio

    from curate.explain import explain as found_of
    from curate.run import Run
    from recipes.cli import show
    from recipes.load import of_run

    root = chosen(context).root
    flow = of_run(root, recipe)
    found = asyncio.run(found_of(Run(root, flow.name), flow, row))
    if json:
        show.as_json(found)
        return
    limit = None if full else _CUT
    if found["note"]:
        typer.echo(f"note: {found['note']}\n")
    _question(found["question"], limit)
    for label in found["labels"]:
        why = f", {label['reason']}" if label["reason"] else ""  # a kept question has one where a gate met trouble
        typer.echo(f"\n{label['stage']}: {'kept' if label['kept'] else 'dropped'}{why}")
        if why:
            _text("evidence", _laid_out(label["evidence"]), limit)
        for name, score in label["scores"].items():
            typer.echo(f"  {name}: {score:g}")
    for one in found["attempts"]:
        _attempt(one, limit)


def _laid_out(text: str) -> str:
    """JSON text with a line for each entry."""
    import json

    return json.dumps(json.loads(text), ensure_ascii=False, indent=2)


def _question(question: dict[str, Any], limit: int | None) -> None:
    from recipes.cli import show

    show.pairs({name: question[name] for name in ("seq", "id", "source", "source_id", "domain", "licence")})
    _text("problem", question["problem"], limit)
    truth = {key: value for key, value in question["truth"].items() if key != "cases"}
    _text("truth", ", ".join(f"{key} {value}" for key, value in truth.items()), limit)


def _attempt(one: dict[str, Any], limit: int | None) -> None:
    import json

    attempt, verdict = one["attempt"], one["verdict"]
    typer.echo(f"\n=== sample {attempt['sample']} of {attempt['teacher']} ({attempt['finish_reason']})")
    _text("reasoning", attempt["reasoning"] or "", limit)
    _text("solution", attempt["solution"], limit)
    by = f" by {verdict['verifier']} {verdict['verifier_version']}"
    typer.echo(f"\nverdict: {verdict['outcome']} / {verdict['reason']}{by}")
    _text("evidence", json.dumps(verdict["evidence"], ensure_ascii=False, indent=2), limit)
    for stage in one["selected"]:
        told = ", ".join(f"{name} {value}" for name, value in stage["evidence"].items())
        verb = "selected" if stage["kept"] else f"left out, {stage['reason']}"
        typer.echo(f"{stage['stage']}: {verb}" + (f" ({told})" if told else ""))


def _text(name: str, text: str, limit: int | None) -> None:
    if not text or text == "{}":
        return
    cut = text if limit is None or len(text) <= limit else text[:limit] + f"... ({len(text):,} characters; --full)"
    typer.echo(f"\n{name}:\n" + "\n".join(f"  {line}" for line in cut.splitlines()))
