"""`veristill eval`: models on benchmarks, and two evaluations side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recipes.cli.app import amount, app, chosen

if TYPE_CHECKING:
    from eval.block import Eval
    from eval.sample import Evaluated, Options
    from recipes.schema import Recipe

_COMPARE = "compare"


@app.command("eval")
def evaluate(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE | compare A B", help="A recipe with `eval:`, or two folders of results."),
    ],
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this model of the recipe; may be repeated.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Read at most N rows of each benchmark.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(metavar="USD", callback=amount, help="Stop before spending more; overrides the recipe."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Rehearse: bundled rows, made-up answers, no network; nothing is kept."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Ask models the questions of benchmarks and grade the answers, going on where it stopped; or compare two models.

    Example: veristill eval my-eval.yaml
    """
    import tempfile

    from eval.rehearse import rehearsal
    from eval.sample import Options
    from recipes.load import load

    if what[0] == _COMPARE:
        _compare(what[1:], json)
        return
    if len(what) > 1:
        raise typer.BadParameter(f"expected one recipe, or `{_COMPARE} A B`", param_hint="RECIPE")
    read = load(what[0])
    names = tuple(model or ())
    block = _block(read, names, what[0])
    options = Options(names, limit, max_cost)
    if not dry_run:
        _run(read, chosen(context).root, options, json)
        return
    with tempfile.TemporaryDirectory(prefix="veristill-rehearsal-") as root:
        rehearsed = read.model_copy(update={"eval": rehearsal(block)})
        _run(rehearsed, Path(root), options, json, rehearsed=True)


def _block(recipe: "Recipe", names: tuple[str, ...], where: str) -> "Eval":
    """The recipe's `eval:` block. Raises RecipeError where there is none, InputError for a model that it has not."""
    from curate.errors import InputError, RecipeError

    if recipe.eval is None:
        raise RecipeError("this recipe has no `eval:` block", where=where, next="see docs/how-to/evaluation.md")
    for name in names:
        if name not in recipe.eval.models:
            raise InputError(f"the recipe has no model '{name}'", next=f"it has: {', '.join(recipe.eval.models)}")
    return recipe.eval


def _run(recipe: "Recipe", root: Path, options: "Options", json: bool, *, rehearsed: bool = False) -> None:
    from eval.pose import Setting
    from eval.sample import evaluate as run_evaluation
    from recipes.cli import show

    assert recipe.eval is not None
    setting = Setting(root, recipe.name, recipe.sandbox, recipe.answers_from)
    done = run_evaluation(recipe.eval, setting, options)
    rows = [row for one in done.models for row in _scores(one)]
    if json:
        general = done.general.told if done.general is not None else None
        show.as_json({"rehearsal": rehearsed, "scores": rows, "general": general})
    else:
        _show(rows, done.general.told if done.general is not None else None, rehearsed=rehearsed)
        if not rehearsed:
            typer.echo("".join(f"\nwrote {one.folder}" for one in done.models))
    done.raise_for_errors()


def _scores(one: "Evaluated") -> list[dict[str, Any]]:
    """Write the scores of one model; returns those of each benchmark."""
    from eval.scores import write_scores

    return [{"model": one.model, **told} for told in write_scores(one.folder)["benchmarks"]]


def _show(rows: list[dict[str, Any]], general: dict[str, Any] | None, *, rehearsed: bool) -> None:
    from recipes.cli import show

    if rehearsed:
        typer.echo("rehearsal: bundled rows and made-up answers; nothing was asked, nothing is kept\n")
    head = ("model", "benchmark", "questions", "runs", "ours", "95 %", "evalchemy", "truncated", "unsure", "error")
    show.table(head, [_line(row) for row in rows])
    if general is not None:
        typer.echo("")
        show.pairs({name: value for name, value in general.items() if not isinstance(value, dict | list)})


def _line(row: dict[str, Any]) -> list[object]:
    """A line of the table; shares in percent."""
    ours, theirs = row.get("ours"), row.get("evalchemy")
    between = "" if ours is None or ours.get("low") is None else f"{100 * ours['low']:.1f} to {100 * ours['high']:.1f}"
    shares = [_percent(ours), between, _percent(theirs), round(100 * row["truncated"], 2)]
    return [row["model"], row["benchmark"], row["questions"], row["runs"], *shares, row["unsure"], row["error"]]


def _percent(estimate: dict[str, Any] | None) -> float | None:
    return None if estimate is None or estimate.get("mean") is None else round(100 * estimate["mean"], 2)


def _compare(folders: list[str], json: bool) -> None:
    from eval.compare import compare
    from recipes.cli import show

    if len(folders) != 2:
        raise typer.BadParameter("compare takes two folders of results", param_hint="A B")
    found = compare(*map(Path, folders))
    if json:
        show.as_json([one.told() for one in found])
        return
    head = ("benchmark", "grading", "A", "B", "what the data say")
    lines = [
        (one.benchmark, one.grading, round(100 * one.a.mean, 2), round(100 * one.b.mean, 2), one.words())
        for one in found
    ]
    show.table(head, lines)
