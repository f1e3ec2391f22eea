"""What a report is written from: the results of one or several models, read once, without texts."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eval.compare import Compared, adjusted, compare
from eval.results import Samples
from eval.scores import read_samples, scores_of
from eval.unlike import read_lock

_GENERAL = "general.json"


class Model(NamedTuple):
    """The results of one model. `lock` is its protocol, empty where none lies beside the results."""

    name: str
    folder: Path
    lock: dict[str, Any]
    samples: tuple[Samples, ...]
    scores: tuple[dict[str, Any], ...]

    def of(self, bench: str) -> Samples | None:
        """Its samples of a benchmark (`name@version`)."""
        return next((one for one in self.samples if one.bench == bench), None)

    def score(self, bench: str) -> dict[str, Any] | None:
        """Its scores of a benchmark."""
        return next((one for one in self.scores if one["benchmark"] == bench), None)


class Gathered(NamedTuple):
    """Everything that the sections are made from. `compared`: each later model against the first."""

    models: tuple[Model, ...]
    compared: tuple[tuple[str, tuple[Compared, ...]], ...]
    general: dict[str, Any] | None  # the comparison in use, where all of its models are here

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark of any model, in the order in which they occur."""
        return tuple(dict.fromkeys(one.bench for model in self.models for one in model.samples))

    def pairs(self) -> Iterator[tuple[Model, str, dict[str, Any]]]:
        """Every model on every benchmark that it has, by benchmark."""
        for bench in self.benchmarks:
            for model in self.models:
                if (score := model.score(bench)) is not None:
                    yield model, bench, score


def gather(folders: Sequence[Path]) -> Gathered:
    """Read the results in the folders. Raises InputError for a folder without any.

    Where models share no benchmark, nothing is compared.
    """
    models = _renamed([_model(folder) for folder in folders])
    first = {one.bench for one in models[0].samples}
    found: list[tuple[str, list[Compared]]] = []
    for other in models[1:]:
        if first & {one.bench for one in other.samples}:
            found.append((other.name, compare(models[0].folder, other.folder)))
    every = iter(adjusted([one for _, several in found for one in several]))  # all that this page compares
    compared = tuple((name, tuple(next(every) for _ in several)) for name, several in found)
    return Gathered(tuple(models), compared, _general(models))


def _model(folder: Path) -> Model:
    samples = tuple(read_samples(folder))
    told = read_lock(folder)
    name = str(told.get("model") or (folder.parent.name if folder.suffix == ".parquet" else folder.name))
    return Model(name, folder, told, samples, tuple(scores_of(one) for one in samples))


def _renamed(models: list[Model]) -> list[Model]:
    """Models of one name in two folders are told apart by a letter."""
    names = [one.name for one in models]
    return [
        one if names.count(one.name) == 1 else one._replace(name=f"{one.name} ({_letter(at)})")
        for at, one in enumerate(models)
    ]


def _letter(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else str(at + 1)


def _general(models: Sequence[Model]) -> dict[str, Any] | None:
    """The comparison in use of the same recipe, where both of its models are shown."""
    path = models[0].folder.parent / _GENERAL
    if len({one.folder.parent for one in models}) > 1 or not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return told if {told.get("base"), told.get("student")} <= {one.name for one in models} else None
