"""`veristill audit`: every row of a dataset verified again."""

import json as jsonlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from recipes.cli.app import app

_REASONS = 4  # of a group, in the table
_READ = "true or false, 1 or 0, pass or fail, correct or incorrect, right or wrong, yes or no"
_CUT = 100  # characters of a piece of evidence


class Backend(StrEnum):
    """What runs programs."""

    AUTO = "auto"
    DOCKER = "docker"
    NAMESPACES = "namespaces"


@app.command()
def audit(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A .jsonl, .jsonl.gz or .parquet file, a dataset folder, a hub id.")
    ],
    config: Annotated[
        str | None, typer.Option(metavar="NAME", help="The folder's or the hub's configuration; else metadata.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT", help="The .jsonl or .parquet file to write.")
    ] = None,
    sandbox: Annotated[
        Backend, typer.Option(metavar="BACKEND", help="What runs programs: auto, docker, namespaces.")
    ] = Backend.AUTO,
    response: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column that holds the answer; else response, or the one *_solution."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column that says which answers are right; else correct, is_correct, label or verified.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Programs run at once; else the cores.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Verify every row of a dataset with the OpenThoughts columns again; a killed audit with OUT goes on where it was.

    Example: veristill audit open-thoughts/OpenThoughts-114k --config metadata -o audit.parquet
    """
    from curate.audit.audit import Options
    from curate.audit.audit import audit as run_audit
    from recipes.cli import show

    options = Options(
        dataset=dataset, config=config, out=out, response=response, label=label, sandbox=sandbox.value, workers=workers
    )
    report = run_audit(options)
    if json:
        show.as_json(report.to_dict())
    else:
        _show(report.summary, report.this_run)
        if out is not None:
            typer.echo(f"\nwrote {out}")
    report.raise_for_errors()


def _show(summary: dict[str, Any], this_run: dict[str, Any]) -> None:
    from recipes.cli import show

    outcomes = ("pass", "fail", "unsure", "error")
    head = ("domain", "source", "rows", *outcomes, "most frequent reasons")
    rows = [
        (one["domain"], one["source"], one["rows"], *(one[name] for name in outcomes), _reasons(one["reasons"]))
        for one in summary["groups"]
    ]
    show.table(head, [*rows, ("all", "", summary["rows"], *(summary["outcomes"][name] for name in outcomes), "")])
    typer.echo("")
    first = [
        (one["outcome"], one["reason"], one["rows"], ", ".join(map(str, one["first"]))) for one in summary["reasons"]
    ]
    show.table(("outcome", "reason", "rows", "first rows"), first)
    if summary["labels"] is not None:
        _labels(summary["label"], summary["labels"], summary["rows"])
    elif summary["label"] is not None:
        typer.echo(f"\nno row has a label in '{summary['label']}' that is read: {_READ}")
    version = ", ".join(f"{one['verifier']} {one['version']}" for one in summary["verifiers"])
    typer.echo("")
    show.pairs({"answers from": summary["response"], "verifiers": version, **{k: v for k, v in this_run.items() if v}})


def _reasons(reasons: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(reasons.items())[:_REASONS]]
    return ", ".join([*shown, "..."] if len(reasons) > _REASONS else shown)


def _labels(column: str, labels: dict[str, Any], rows: int) -> None:
    """The confusion matrix and the rows where we and the label disagree."""
    from recipes.cli import show

    typer.echo(f"\nagainst the labels in '{column}' (intervals: 95 %)\n")
    if labels["all"]["rows"] < rows:
        typer.echo(f"{rows - labels['all']['rows']:,} of {rows:,} rows have none that is read: {_READ}\n")
    groups = [*labels["groups"], {"domain": "all", "source": "", **labels["all"]}]
    table = []
    for one in groups:
        right, wrong = one["labelled_right"], one["labelled_wrong"]
        counts = [right["pass"], right["fail"], wrong["pass"], wrong["fail"]]
        open_ = sum(side[name] for side in (right, wrong) for name in ("unsure", "error"))
        table.append(
            (one["domain"], one["source"], *counts, open_, _rate(one["false_accept"]), _rate(one["false_reject"]))
        )
    head = ("right: pass", "right: fail", "wrong: pass", "wrong: fail", "undecided", "false accepts", "false rejects")
    show.table(("domain", "source", *head), table)
    for kind, title in (("false_accepts", "labelled wrong, passed"), ("false_rejects", "labelled right, failed")):
        if labels[kind]:
            typer.echo(f"\n{title}:")
            show.table(
                ("row", "domain", "source", "reason", "verifier", "evidence"),
                [
                    (one["row"], one["domain"], one["source"], one["reason"], one["verifier"], _cut(one["evidence"]))
                    for one in labels[kind]
                ],
            )


def _rate(rate: dict[str, Any] | None) -> str:
    if rate is None:
        return "-"
    return f"{100 * rate['rate']:.2f} % ({100 * rate['low']:.2f} to {100 * rate['high']:.2f})"


def _cut(evidence: dict[str, Any]) -> str:
    text = jsonlib.dumps(
        {name: value for name, value in evidence.items() if name != "limits"}, ensure_ascii=False, sort_keys=True
    )
    return text if len(text) <= _CUT else text[: _CUT - 1] + "…"
