"""A recipe's `train:` block with the places around it: what every training verb starts from."""

from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import InputError, Prerequisite, RecipeError, VeristillError
from curate.run import replace_file
from recipes.load import load, of_run, read
from recipes.schema import Recipe

if TYPE_CHECKING:
    from train.block import Train
    from train.preflight import Run
    from train.status import Model

LOCK = "recipe.lock.yaml"
_PLAN = "plan.json"


def block_of(recipe: Recipe, where: str) -> "Train":
    """The `train:` block. Raises RecipeError where there is none."""
    if recipe.train is None:
        raise RecipeError("this recipe has no `train:` block", where=where, next="see docs/how-to/training.md")
    return recipe.train


def folder_of(root: Path, name: str) -> Path:
    """The folder of a recipe's training run."""
    return (root / "runs" / name / "train").absolute()


def run_of(name: str, root: Path, *, rendering: bool = False) -> "tuple[Recipe, Run]":
    """The training run of the recipe `name` under `root`.

    Raises RecipeError, and Prerequisite where there is no training interpreter; with `rendering`, the one that
    `veristill train setup` would make stands in for it.
    """
    from train.environment import interpreter
    from train.preflight import Run

    recipe = load(name)
    block = block_of(recipe, name)
    try:
        python = interpreter(block.python, root)
    except Prerequisite:
        if not rendering:
            raise
        python = (root / ".train" / "bin" / "python").absolute()
    here = folder_of(root, recipe.name)
    return recipe, Run(block, recipe.name, here, python, here.parent / "dataset")


def found(root: Path, name: str) -> "tuple[Train | None, Path]":
    """The block and folder of a run that may only be known by its name: from a recipe, or from what a launch noted.

    Raises RecipeError.
    """
    place = folder_of(root, name)
    if not Path(name).is_file() and (place / "job.json").exists():
        lock = place / LOCK
        return (read(lock).train if lock.exists() else None), place
    recipe = of_run(root, name)
    return block_of(recipe, name), folder_of(root, recipe.name)


def note(recipe: Recipe, here: Path, root: Path) -> None:
    """Write down, beside the run, the recipe and what the plan says of it: `status` measures against that."""
    from train.plan import plan

    here.mkdir(parents=True, exist_ok=True)
    replace_file(here / LOCK, recipe.lock_text().encode())
    block = block_of(recipe, recipe.name)
    try:
        text = plan(block, name=recipe.name, root=root).model_dump_json(indent=1)
    except VeristillError:  # a plan needs the student's shape, a launch does not
        return
    replace_file(here / _PLAN, text.encode())


def planned(block: "Train | None", here: Path) -> "Model | None":
    """What the plan beside the run says; None where there is none, or on the CPU, whose peak nobody knows."""
    from train.machines import machine
    from train.planned import Plan
    from train.status import Model

    try:
        plan = Plan.model_validate_json((here / _PLAN).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    try:
        gpu = machine(block.cluster) if block is not None else None
    except RecipeError:  # a GPU whose peak nobody said: `plan` tells so
        return None
    if gpu is None or block is None:
        return None
    took = plan.time.hours if plan.time else None
    return Model(plan.steps.flops_per_token, block.world * gpu.tflops * 1e12, (took.low, took.high) if took else None)


def environment_at(place: Path | None, root: Path) -> Path:
    """The interpreter that `setup --check` looks at. Raises InputError, Prerequisite."""
    from train.environment import interpreter

    if place is not None and not place.exists():
        raise InputError("there is no such folder or program", where=str(place), next="veristill train setup")
    return interpreter(place, root)
