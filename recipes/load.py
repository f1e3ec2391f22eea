"""From a name or path to a checked Recipe; whatever is wrong with it is told at once, with file, line and key."""

import difflib
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from curate.errors import RecipeError
from curate.paths import relative_to
from curate.runs import runs, said
from recipes.document import Document
from recipes.problems import recipe_error
from recipes.schema import Recipe

_SUFFIXES = (".yaml", ".yml")


def load(name: str) -> Recipe:
    """Read a recipe given by path or by the bare name of a shipped one. Raises RecipeError."""
    return read(find_recipe(name))


def load_flow(name: str) -> Recipe:
    """The same, of a recipe that makes a dataset. Raises RecipeError also for one that only trains or evaluates."""
    recipe = load(name)
    if not recipe.makes_dataset:
        raise RecipeError(
            "this recipe makes no dataset: it has no `sources:` and no `annotate:`",
            where=name,
            next=f"`veristill train plan {name}` is for its `train:` block" if recipe.train else None,
        )
    return recipe


def read(path: Path) -> Recipe:
    """Read and check the recipe in a file. Raises RecipeError, which lists every problem there is."""
    document = Document.read(path)
    with relative_to(path.resolve().parent):
        try:
            return Recipe.model_validate(document.values)
        except ValidationError as error:
            raise recipe_error(document, error, Recipe) from None


def shipped() -> dict[str, Path]:
    """The recipes that come with this package, by bare name."""
    found = [Path(str(entry)) for entry in files("recipes").iterdir() if entry.name.endswith(".yaml")]
    return {path.stem: path for path in sorted(found)}


def find_recipe(name: str) -> Path:
    """The file that `name` means: a path first, then the bare name of a shipped recipe. Raises RecipeError."""
    path = Path(name)
    if path.is_file():
        return path
    known = shipped()
    if name in known:
        return known[name]
    if path.suffix in _SUFFIXES or len(path.parts) > 1:
        raise RecipeError("there is no such recipe file" + _beside(path), where=name)
    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    if path.with_suffix(".yaml").is_file():
        meant = f"did you mean the file {path.with_suffix('.yaml')}? "
    raise RecipeError(
        f"there is no recipe '{name}'; {meant}shipped recipes: {', '.join(known)}",
        next="give a path (my-recipe.yaml), or one of these names",
    )


def of_run(root: Path, name: str) -> Recipe:
    """The recipe that `name` means to a command that reads a run: a file, the lock of that run, or a shipped recipe.

    Raises RecipeError.
    """
    if Path(name).is_file():
        return read(Path(name))
    if name in runs(root):
        return read(root / "runs" / name / "recipe.lock.yaml")
    try:
        return load(name)
    except RecipeError as error:
        if Path(name).exists() or name in shipped():
            raise  # there is a recipe, and something is wrong with it
        raise RecipeError(
            f"{error.what}; {said(root)}",
            where=error.where,
            next="give a recipe or the name of a run; `veristill --root DIR` names the folder that holds runs/",
        ) from None


def _beside(path: Path) -> str:
    """A hint at the nearest YAML file in the same folder."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES]
    except OSError:
        return f"; there is no folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, 1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""
