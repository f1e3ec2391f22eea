"""`veristill init`: a commented recipe to start from."""

from pathlib import Path
from typing import Annotated

import typer

from recipes.cli.app import app


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")] = Path("recipe.yaml"),
) -> None:
    """Write a commented recipe that runs as it is; an existing file is never overwritten.

    Example: veristill init my-recipe.yaml
    """
    from importlib.resources import files

    from curate.errors import InputError

    text = files("recipes").joinpath("cli/starter.yaml").read_text("utf-8")
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        raise InputError(
            "this file exists and is not overwritten", where=str(path), next="give another name: veristill init NAME"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write here: {error.strerror}", where=str(path)) from None
    typer.echo(f"wrote {path}; next: veristill check {path}")
