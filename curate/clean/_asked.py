"""What cleaning stages that ask a model share: the band of scores they keep, and what decides a model's replies."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, model_validator

from curate.errors import VeristillError
from curate.keys import deciding, digest
from curate.kinds import SCIENCE, Opinion, Teacher, Unexamined
from curate.prompts.prompt import load
from curate.records import Attempt, Question, Record
from curate.teachers._api import Api
from curate.verifiers.router import DEFAULTS, Router

_T = TypeVar("_T")
_SHOWN = 200  # characters of what went wrong

ScoreName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
DOMAINS = "Only questions of these domains; the others stay as they are. `science` covers physics, chemistry, biology."


class Bounds(Record):
    """The scores that are kept, both ends included; an end that is not given is open, without both all are kept."""

    min: float | None = Field(None, description="The lowest score that is kept.")
    max: float | None = Field(None, description="The highest score that is kept.")

    @model_validator(mode="after")
    def _has_room(self) -> "Bounds":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is more than `max`: nothing would be kept")
        return self

    def opinion(self, name: str, score: float, evidence: dict[str, Any], reasons: tuple[str, str]) -> Opinion:
        """The opinion on a score: dropped with the first reason below the band, with the second above it."""
        below = self.min is not None and score < self.min
        above = self.max is not None and score > self.max
        scores = {name: score}
        if not (below or above):
            return Opinion(True, None, evidence, scores)
        ends = {key: end for key, end in (("min", self.min), ("max", self.max)) if end is not None}
        return Opinion(False, reasons[0] if below else reasons[1], {**evidence, name: score, "keep": ends}, scores)


def applies(domain: str, domains: tuple[str, ...]) -> bool:
    """Whether a stage for `domains` (empty: all) looks at a question of `domain`."""
    return not domains or domain in domains or ("science" in domains and domain in SCIENCE)


def asked_of(teacher: Teacher, question: Question, domains: tuple[str, ...]) -> bool:
    """Whether a stage for `domains` asks this model about a question: the model may be for some domains alone."""
    return applies(question.domain, domains) and teacher.asks(question)


def meant_for(teacher: Teacher) -> dict[str, Any]:
    """The domains a model is for, as part of a stage's key: others keep their questions without a score."""
    return {"for": sorted(teacher.domains)} if teacher.domains else {}


async def all_of(coming: Iterable[Awaitable[_T]]) -> list[_T]:
    """What all of them came to. Raises what went wrong after the last has ended: none may outlive the ledger.

    What stops a run (a budget, an interrupt) goes before trouble with one question.
    """
    ended = await asyncio.gather(*coming, return_exceptions=True)
    wrong = [one for one in ended if isinstance(one, BaseException)]
    if wrong:
        raise next((one for one in wrong if isinstance(one, VeristillError)), wrong[0])
    return [one for one in ended if not isinstance(one, BaseException)]


def replies_by(teacher: Teacher) -> Any:
    """What decides a model's replies and stands in none of its fields: its prompt's text, the file of a recording."""
    if isinstance(teacher, Api):
        return digest(load("annotate", teacher.prompt).model_dump())
    path = getattr(teacher, "path", None)
    try:
        return None if path is None else [path.stat().st_size, path.stat().st_mtime_ns]
    except OSError:
        return None


def verified_by(router: Router) -> Any:
    """What decides the verdicts of a recipe: its chains, and the versions of all verifiers in them."""
    chains = {name: router.chain(name, "") for name in router.chains}
    chains |= {f" {truth}": router.chain("", truth) for truth in (*DEFAULTS, "reference")}
    versions = {name: [one.verifier_version() for one in chain] for name, chain in chains.items()}
    return [deciding(router), versions]


def came(attempt: Attempt, question: Question, error: str | None) -> Attempt:
    """The attempt, if the model has replied at all. Raises Unexamined where the call failed."""
    if attempt.finish_reason == "failed":
        raise Unexamined(f"no reply about question {question.id}: {error or 'the call failed'}"[:_SHOWN])
    return attempt
