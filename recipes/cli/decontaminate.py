"""`veristill decontaminate`: benchmark questions in any file of questions or answers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recipes.cli.app import amount, app, chosen

_Against = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BENCH",
        help="A benchmark (aime24, livecodebench@release_v5), one whose files are here (gpqa_diamond=PATH), or a "
        "file of questions of your own. Several: with commas, or again.",
    ),
]
_Drop = Annotated[
    str | None,
    typer.Option(
        metavar="TIERS",
        help="Which tiers count as contaminated, with commas; else exact,ngram,number_changed,fuzzy,short.",
    ),
]
_Reworded = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Ask models too: a YAML file with `judge:` and `embed:`, as the cleaning stage `reworded` has them.",
    ),
]
# Fields of the stage that the verb has in another way, or not at all.
_NOT_HERE = {
    "against": "the benchmarks are those of --against",
    "domains": "every row is looked at",
    "score": "it is the column `score`",
}
_MaxCost = Annotated[float | None, typer.Option(metavar="USD", callback=amount, help="Stop before those cost more.")]


@app.command()
def decontaminate(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A .jsonl, .jsonl.gz or .parquet file, a dataset folder, a hub id.")
    ],
    more: Annotated[list[str] | None, typer.Argument(metavar="BENCH", help="More benchmarks, after --against.")] = None,
    against: _Against = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT", help="The .jsonl or .parquet file to write.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column to look at, again for each; else problem, question, prompt..."),
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="NAME", help="The folder's or the hub's configuration; else metadata.")
    ] = None,
    drop: _Drop = None,
    reworded: _Reworded = None,
    max_cost: _MaxCost = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Write nothing: plant changed benchmark items and print the recall.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find benchmark questions in a file, with the place of each; a killed one with OUT goes on where it was.

    Example: veristill decontaminate train.jsonl --against aime24,aime25,math500 -o contaminated.jsonl
    """
    from curate.contamination.scan import Options, scan, tested
    from recipes.cli import show

    if out is None and not self_test:
        raise typer.BadParameter("give the file to write with -o, or --self-test")
    _go_together(reworded, max_cost, self_test)
    told = {"drop": _tiers(drop)} if drop is not None else {}
    benches = _benches([*(against or []), *(more or [])])
    again = None if reworded is None else _again(reworded, benches, chosen(context).root, max_cost)
    options = Options(file, benches, out, tuple(column or ()), config, again=again, **told)
    if self_test:
        result = tested(options)
        show.as_json(result) if json else _show_test(result)
        return
    summary = scan(options)
    if json:
        show.as_json(summary.to_dict())
    else:
        _show(summary.to_dict())
        typer.echo(f"\nwrote {out}")


def _go_together(reworded: Path | None, max_cost: float | None, self_test: bool) -> None:
    if self_test and reworded is not None:
        raise typer.BadParameter("--self-test asks no models: leave --reworded out")
    if max_cost is not None and reworded is None:
        raise typer.BadParameter("--max-cost is for the models of --reworded")


def _benches(names: list[str]) -> Any:
    from pydantic import ValidationError

    from curate.contamination.against import Against

    if not names:
        raise typer.BadParameter("say what to hold it against: --against BENCH")
    found = []
    for name in names:
        for one in [name] if Path(name).exists() else name.split(","):
            try:
                found.append(Against.model_validate(one.strip()))
            except ValidationError as error:
                raise typer.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return tuple(found)


def _again(path: Path, benches: Any, root: Path, max_cost: float | None) -> Any:
    """The models in a file. Raises RecipeError."""
    from pydantic import ValidationError

    from curate.clean.reworded import Reworded
    from curate.contamination.again import Again
    from curate.errors import RecipeError
    from curate.paths import relative_to
    from recipes.document import Document
    from recipes.problems import recipe_error

    document = Document.read(path)
    for key, why in _NOT_HERE.items():
        if key in document.values:
            raise RecipeError(f"leave `{key}` out: {why}", where=f"{path}:{document.line((key,))}")
    with relative_to(path.resolve().parent):
        try:
            stage = Reworded.model_validate({**document.values, "against": benches})
        except ValidationError as error:
            raise recipe_error(document, error, Reworded) from None
    return Again(stage, root, max_cost)


def _tiers(text: str) -> Any:
    from typing import get_args

    from curate.clean.decontaminate import Dropped

    named = [one.strip() for one in text.split(",") if one.strip()]
    for one in named:
        if one not in get_args(Dropped):
            raise typer.BadParameter(f"there is no tier '{one}': {', '.join(get_args(Dropped))}")
    return tuple(named)


def _show(summary: dict[str, Any]) -> None:
    from recipes.cli import show

    show.pairs(
        {
            "rows": summary["rows"],
            "contaminated": summary["contaminated"],
            "benchmark items": summary["items"],
            "columns": ", ".join(summary["columns"]),
        }
    )
    if asked := summary["asked"]:
        cost = f"${asked['cost_usd']:,.4f}" + (" and more: a price is not known" if asked["cost_unknown"] else "")
        typer.echo(f"asked: {asked['replies_new']:,} replies came, {asked['replies_reused']:,} were there; {cost}")
    if summary["tiers"]:
        typer.echo("")
        show.table(("tier", "rows"), list(summary["tiers"].items()))
    if summary["benches"]:
        typer.echo("")
        rows = [
            (bench, sum(tiers.values()), ", ".join(f"{tier} {count:,}" for tier, count in tiers.items()))
            for bench, tiers in summary["benches"].items()
        ]
        show.table(("benchmark", "contaminated rows", "tiers"), rows)
        typer.echo("")
        names = ("row", "bench", "item", "tier", "score")
        show.table(names, [tuple(one[name] for name in names) for one in summary["first"]])


def _show_test(result: dict[str, Any]) -> None:
    from recipes.cli import show

    rows = [
        (name, told["planted"], told["found"], f"{told['recall']:.3f}", _by_tier(told["tiers"]))
        for name, told in result["recall"].items()
    ]
    show.table(("transformation", "planted", "found", "recall", "tiers"), rows)
    share = result["rows_found"] / max(result["rows"], 1)
    typer.echo(f"\n{result['rows_found']:,} of your {result['rows']:,} rows as they stand are found ({share:.2%})")


def _by_tier(tiers: dict[str, int]) -> str:
    return ", ".join(f"{tier} {count:,}" for tier, count in tiers.items())
