"""`veristill eval`: models on benchmarks, and two evaluations side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recipes.cli.app import amount, app, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.block import Eval
    from eval.sample import Evaluated, Options
    from recipes.schema import Recipe

_COMPARE = "compare"
_Cost = Annotated[
    float | None, typer.Option(metavar="USD", callback=amount, help="Stop before spending more; overrides the recipe.")
]
_Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="FILE.html", help="compare: write the report on both there.")
]
_Inspect = Annotated[bool, typer.Option("--inspect", help="Write inspect-ai's logs beside the results, too.")]


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
    max_cost: _Cost = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Rehearse: bundled rows, made-up answers, no network; nothing is kept."),
    ] = False,
    inspect: _Inspect = False,
    json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    out: _Out = None,
) -> None:
    """Ask models the questions of benchmarks and grade the answers, going on where it stopped; or compare two models.

    A and B: folders of results, or RECIPE/MODEL, as in `veristill eval compare my-eval/base my-eval/student`.

    Example: veristill eval my-eval.yaml
    """
    import tempfile

    from eval.rehearse import rehearsal
    from eval.sample import Options
    from recipes.load import load

    if what[0] == _COMPARE:
        if model or limit or max_cost or dry_run or inspect:
            raise typer.BadParameter(f"{_COMPARE} reads results: it takes --json and -o alone")
        _compare(chosen(context).root, what[1:], out, json)
        return
    if len(what) > 1 or out is not None:
        raise typer.BadParameter(f"expected one recipe, or `{_COMPARE} A B [-o FILE.html]`", param_hint="RECIPE")
    read = load(what[0])
    names = tuple(model or ())
    block = _block(read, names, what[0])
    options = Options(names, limit, max_cost)
    if not dry_run:
        _run(read, chosen(context).root, options, json, inspect=inspect)
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


def _run(
    recipe: "Recipe", root: Path, options: "Options", json: bool, *, rehearsed: bool = False, inspect: bool = False
) -> None:
    from eval.pose import Setting
    from eval.sample import evaluate as run_evaluation
    from recipes.cli import show

    assert recipe.eval is not None
    setting = Setting(root, recipe.name, recipe.sandbox, recipe.answers_from)
    done = run_evaluation(recipe.eval, setting, options)
    rows = [{"model": one.model, **told} for one in done.models for told in one.scores]
    written = [] if rehearsed else _reports(done.models, inspect=inspect)
    if json:
        general = done.general.told if done.general is not None else None
        dropped = done.models[0].dropped if done.models else {}
        told = {"rehearsal": rehearsed, "scores": rows, "dropped": dropped, "general": general}
        show.as_json({**told, "unasked": {one.model: one.unasked for one in done.models}})
    else:
        _show(rows, done.general.told if done.general is not None else None, rehearsed=rehearsed)
        for reason, count in done.models[0].dropped.items() if done.models else ():
            typer.echo(f"left out of the benchmarks: {count:,} rows, {reason}")
        for one in done.models:
            if one.unasked:
                typer.echo(
                    f"{one.model}: {one.unasked:,} questions have no recorded answer: scored on the others alone"
                )
        typer.echo("".join(f"\nwrote {one}" for one in written))
    done.raise_for_errors()


def _reports(models: "Sequence[Evaluated]", *, inspect: bool) -> list[Path]:
    """Write each model's report beside its results, and one on all of them; returns what a reader opens."""
    import asyncio

    from eval.inspect_log import write_inspect
    from eval.report.written import PAGE, TEXT, write_report

    folders = [one.folder for one in models]
    places = [(folder, [folder]) for folder in folders]
    if len(folders) > 1:
        places.append((folders[0].parent, folders))
    for place, several in places:
        asyncio.run(write_report(several, place / PAGE, place / TEXT))
    logs = [path.parent for folder in folders for path in write_inspect(folder)[:1]] if inspect else []
    return [*(place / PAGE for place, _ in places), *logs]


def _show(rows: list[dict[str, Any]], general: dict[str, Any] | None, *, rehearsed: bool) -> None:
    from recipes.cli import show

    if rehearsed:
        typer.echo("rehearsal: bundled rows, made-up answers: the scores mean nothing, and nothing is kept\n")
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


def _compare(root: Path, what: list[str], out: Path | None, json: bool) -> None:
    import asyncio

    from eval.compare import compare
    from eval.report.written import write_report
    from eval.unlike import read_lock, unlike
    from recipes.cli import show

    if len(what) != 2:
        raise typer.BadParameter("compare takes two folders of results", param_hint="A B")
    if out is not None and out.suffix != ".html":
        raise typer.BadParameter(f"{out} does not end in .html", param_hint="-o")
    folders = [_folder(root, one) for one in what]
    found = compare(*folders)
    differing = unlike(read_lock(folders[0]), read_lock(folders[1]))
    if out is not None:
        asyncio.run(write_report(folders, out))
    if json:
        show.as_json({"not_alike": list(differing), "compared": [one.told() for one in found]})
        return
    show.pairs({"A": str(folders[0]), "B": str(folders[1])})
    typer.echo("")
    head = ("benchmark", "grading", "A", "B", "what the data say")
    lines = [
        (one.benchmark, one.grading, round(100 * one.a.mean, 2), round(100 * one.b.mean, 2), one.words())
        for one in found
    ]
    show.table(head, lines)
    for said in differing:
        typer.echo(f"\nnot evaluated alike: {said}")
    if out is not None:
        typer.echo(f"\nwrote {out}")


def _folder(root: Path, what: str) -> Path:
    """The folder of results that is meant: a path, or the model of a recipe as RECIPE/MODEL."""
    from eval.results import folder_of

    recipe, _, model = what.partition("/")
    named = folder_of(root, recipe, model) if recipe and model else None
    return named if named is not None and named.is_dir() and not Path(what).exists() else Path(what)
