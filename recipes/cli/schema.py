"""`veristill schema`: the recipe's JSON schema, for editors."""

import typer

from recipes.cli.app import app


@app.command()
def schema() -> None:
    """Print the JSON schema of a recipe, for editors that check YAML while you type.

    Example: veristill schema > recipe.schema.json
    """
    import json

    from recipes.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
