"""`veristill render`: a dataset in another trace format."""

from pathlib import Path
from typing import Annotated

import typer

from recipes.cli.app import app


@app.command()
def render(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset folder, .jsonl, .jsonl.gz, .parquet.")],
    trace_format: Annotated[
        str, typer.Option(metavar="FORMAT", help="openthoughts, think, solution_only, or a jinja file.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="The .jsonl or .parquet file to write.")],
) -> None:
    """Write a dataset's conversations in another trace format; no teacher is asked.

    Example: veristill render runs/quickstart/dataset --trace-format think -o think.jsonl
    """
    from curate.publish.render import render_dataset
    from recipes.cli import show

    show.pairs(dict(render_dataset(Path(dataset), trace_format, out)))
    typer.echo(f"wrote {out}")
