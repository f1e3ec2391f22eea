"""Scores that others published (`eval/published.yaml`), to be shown beside ours: with their source, never as ours."""

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import Field

from curate.records import Record


class Table(Record):
    """One published table: scores in percent by model and benchmark (`name` or `name@version`)."""

    source: str = Field(pattern=r"^https://")
    about: str
    harness: str
    scores: dict[str, dict[str, float]]


class Published(NamedTuple):
    """One published score, a share from 0 to 1."""

    model: str
    score: float
    harness: str
    source: str


@lru_cache(maxsize=1)
def tables() -> tuple[Table, ...]:
    """All tables, in the order of the file."""
    return tuple(
        Table.model_validate(one) for one in yaml.safe_load((files("eval") / "published.yaml").read_text("utf-8"))
    )


def published(benchmark: str) -> list[Published]:
    """What was published for a benchmark (`name@version`): tables that name no version are for any."""
    name = benchmark.partition("@")[0]
    found = []
    for table in tables():
        for model, scores in table.scores.items():
            for known in (benchmark, name):
                if known in scores:
                    found.append(Published(model, scores[known] / 100, table.harness, table.source))
                    break
    return found
