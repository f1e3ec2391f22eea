"""`veristill check`: validate a recipe, offline."""

from typing import Annotated

import typer

from recipes.cli.app import app


@app.command()
def check(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped recipe.")],
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Validate a recipe offline and say what it would do: keys, kinds, files, the first rows of sources and recordings.

    Example: veristill check my-recipe.yaml
    """
    from curate.errors import RecipeError
    from recipes.check import check as checked
    from recipes.cli import show

    try:
        found = checked(recipe)
    except RecipeError as error:
        if json:
            show.as_json({"ok": False, "error": str(error)})
        raise
    if json:
        show.as_json({"ok": True, **found.model_dump()})
        return
    typer.echo(f"{found.recipe}: valid\n")
    show.pairs(found.stages, indent="  ")
    for note in found.notes:
        typer.echo(f"\nnote: {note}")
