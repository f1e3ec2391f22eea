"""The prompt that a model rates a question or an answer with, and the reading of its reply: one number of the scale,
or nothing.

What is rated is data of others: it stands between marks that it cannot close, as in a judge's prompt.
"""

import json
import re
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError
from pydantic import Field, field_validator

from curate.keys import digest
from curate.prompts.prompt import compiled, filled, read, variables_of
from curate.records import Choice, Question, Record
from curate.verifiers.judging.prompt import seen

VARIABLES = frozenset({"problem", "options", "starter_code", "solution", "answer", "domain", "tag"})
_LONGEST = 20_000  # characters of a reply; a rating and its sentence are a few hundred
_NAMES = "difficulty|rating|score|level"
_NUMBER = r"(?P<value>-?\d{1,4}(?:\.\d{1,4})?)(?:\s*(?:/|out of)\s*(?P<of>\d{1,4}))?(?![\d/]|\.\d|\s*(?:-|–|to)\s*\d)"
_KEYED = re.compile(rf'"(?:{_NAMES})"\s*:\s*"?\s*{_NUMBER}', re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:{_NAMES})\b(?:\s+(?:is|of|would be|rating|score|level))*[\s:=*_`]{{1,12}}{_NUMBER}", re.IGNORECASE
)
_ALONE = re.compile(rf"[\s*_`\"'(]*{_NUMBER}[\s*_`\"').]*", re.IGNORECASE)


class RatingPrompt(Record):
    """Two templates and the ends of the scale; `version` is raised with every change of a shipped prompt."""

    name: str
    version: int = Field(1, ge=1)
    low: int
    high: int
    system: str
    user: str

    @field_validator("system", "user")
    @classmethod
    def _usable(cls, text: str) -> str:
        try:
            unknown = variables_of(text) - VARIABLES
        except TemplateError as error:
            raise ValueError(str(error)) from error
        if unknown:
            raise ValueError(f"unknown variable {sorted(unknown)[0]}; known: {', '.join(sorted(VARIABLES))}")
        return text


@lru_cache(maxsize=32)
def load(name: str, use: str = "difficulty") -> RatingPrompt:
    """A prompt of `curate/prompts/<use>`, or the user's where `name` ends in `.yaml`. Raises RecipeError."""
    return read(use, name, _rating_prompt)


def _rating_prompt(found: Any, name: str) -> RatingPrompt:
    return RatingPrompt.model_validate({"name": name, **found} if isinstance(found, dict) else found)


def render(
    prompt: RatingPrompt, question: Question, *, solution: bool = False, answer: str | None = None
) -> tuple[str, str]:
    """The system and the user message about a question, or an answer to it; equal ones always give the same text."""
    options = question.truth.options if isinstance(question.truth, Choice) else ()
    values: dict[str, Any] = {
        "problem": seen(question.problem),
        "options": [seen(option) for option in options],
        "starter_code": seen(question.starter_code) if question.starter_code else None,
        "solution": seen(question.gold) if solution and question.gold else None,
        "domain": question.domain,
    }
    if answer is not None:
        values["answer"] = seen(answer)
    values["tag"] = "data-" + digest("tag", json.dumps(values, sort_keys=True))[:12]
    where = f"question {question.id}"
    return filled(compiled(prompt.system), values, where=where).strip(), filled(
        compiled(prompt.user), values, where=where
    ).strip()


def read_rating(text: str, prompt: RatingPrompt) -> float | None:
    """The rating that a reply gives; None where it gives none, several that differ, or one off the scale.

    A JSON field comes before a number that is named in words, and that before a reply that is a number alone.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    alone = _ALONE.fullmatch(text)
    for found in (list(_KEYED.finditer(text)), list(_NAMED.finditer(text)), [alone] if alone else []):
        values = {_value(one, prompt) for one in found}
        if values:
            return values.pop() if len(values) == 1 else None
    return None


def _value(match: "re.Match[str]", prompt: RatingPrompt) -> float | None:
    value = float(match["value"])
    on_scale = prompt.low <= value <= prompt.high and match["of"] in (None, str(prompt.high))
    return value if on_scale else None


def made_up(prompt: RatingPrompt, *of: str) -> str:
    """What a rehearsal's model replies: a rating that follows from ids."""
    steps = prompt.high - prompt.low + 1
    rating = prompt.low + int(digest("rating", *of)[:8], 16) % steps
    return json.dumps({"why": "made up", "rating": rating})
