"""`veristill dedup`: which rows of a file are equal or near, and which of them to keep."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from recipes.cli.app import app


class RuleName(StrEnum):
    """What makes a duplicate."""

    EXACT = "exact"
    RATIO = "ratio"
    TEMPLATE = "template"
    MINHASH = "minhash"


class NumbersRule(StrEnum):
    """What other numbers mean."""

    DIFFER = "differ"
    IGNORE = "ignore"


class KeepRule(StrEnum):
    """Which row of a group stays."""

    FIRST = "first"
    LONGEST = "longest"
    SHORTEST = "shortest"


File = Annotated[
    str, typer.Argument(metavar="FILE", help="A .jsonl, .jsonl.gz or .parquet file, a dataset folder, a hub id.")
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The .jsonl or .parquet file to write.")]
Score = Annotated[
    float, typer.Option(metavar="SCORE", min=0.01, max=100, help="Least rapidfuzz ratio of duplicates, of 100.")
]
PerFamily = Annotated[
    int, typer.Option(metavar="N", min=1, help="Rule template: how many different texts of a family stay.")
]
Config = Annotated[
    str | None, typer.Option(metavar="NAME", help="The folder's or the hub's configuration; else metadata.")
]

Column = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The text column that is compared; else problem, question, prompt...", show_default=False
    ),
]


@app.command()
def dedup(
    file: File,
    out: Out,
    column: Column = "",
    rule: Annotated[
        RuleName, typer.Option(metavar="RULE", help="exact, ratio, template (numbers masked) or minhash.")
    ] = RuleName.RATIO,
    threshold: Score = 95.0,
    numbers: Annotated[
        NumbersRule, typer.Option(metavar="RULE", help="differ: texts with other numbers are no duplicates; ignore.")
    ] = NumbersRule.IGNORE,
    keep: Annotated[
        KeepRule, typer.Option(metavar="WHICH", help="Which row of a group stays: first, longest, shortest.")
    ] = KeepRule.FIRST,
    keep_per_family: PerFamily = 3,
    within: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only rows with one value in this column are compared.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="FILE", help="Another dataset: rows in a group with one of its rows go.")
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option(metavar="OUT", help="An OUT of this FILE at a lower threshold: its scores are used again."),
    ] = None,
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find equal and near rows of a file; a killed command goes on where it was.

    Example: veristill dedup questions.jsonl -o duplicates.parquet --rule ratio --threshold 95
    """
    from curate.near.verb import Options
    from curate.near.verb import dedup as run_dedup
    from recipes.cli import show

    if numbers is NumbersRule.DIFFER and rule in (RuleName.TEMPLATE, RuleName.EXACT):
        raise typer.BadParameter(f"--numbers differ is for ratio and minhash, not for {rule.value}")
    options = Options(
        file=file, out=out, config=config, column=column, rule=rule.value, threshold=threshold,
        numbers=numbers.value, keep=keep.value, keep_per_family=keep_per_family, within=within,
        against=against, scores=scores,
    )  # fmt: skip
    summary = run_dedup(options)
    if json:
        show.as_json(summary)
        return
    _show(summary)
    typer.echo(f"\nwrote {out}")


def _show(summary: dict[str, Any]) -> None:
    from recipes.cli import show

    names = ("rows", "kept", "dropped", "without_text", "seconds")
    show.pairs({name.replace("_", " "): summary[name] for name in names})
    if summary["reasons"]:
        typer.echo("")
        show.table(("reason", "rows"), list(summary["reasons"].items()))
    typer.echo("\nreally unique texts")
    show.pairs(summary["unique"], indent="  ")
    for name, title in (("families", "texts that differ in their numbers alone"), ("clusters", "groups of duplicates")):
        if summary[name]:
            typer.echo(f"\n{title}, the largest:")
            show.table(("rows", "first row", "text"), [tuple(one.values()) for one in summary[name]])
