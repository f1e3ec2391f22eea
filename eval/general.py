"""Answers in use, beside the benchmarks: the user's own prompts, base against student, judged in both orders.

A judge that prefers whatever stands first cancels out: a prompt is won only by an answer that wins in both orders.
Beside it stand the rates of refusals and of answers without the form of one: a student that gained on benchmarks and
lost in use is seen.
"""

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from jinja2 import TemplateError
from pydantic import Field, field_validator

from curate.keys import digest
from curate.kinds import Ask, Teacher
from curate.prompts.prompt import compiled, filled, read, variables_of
from curate.records import Attempt, Record
from curate.resources import Resources
from curate.verifiers.judging.prompt import seen

USE = "judge"
_VARIABLES = frozenset({"request", "parts", "tag"})
_LONGEST = 20_000  # characters of a judge's reply
_MAX_TOKENS = 4096  # of a reply, where the model says nothing
_SAID = re.compile(r'"better"\s*:\s*"(first|second|equal)"', re.IGNORECASE)
# How an answer begins that refuses: what open models and services write, curly quotes as straight ones.
_NOT = r"(?:can['’]?t|cannot|won['’]?t|am unable|am not able|must decline|have to decline)\b"
_SORRY = rf"(?:(?:i['’]?m|i am) )?(?:really |very |truly )?(?:sorry|afraid|apologies)\b[^.!\n]{{0,60}}\bi {_NOT}"
_VERBS = "help|assist|comply|fulfil|provide|answer|do that|continue|engage|support|create|write"
_REFUSES = re.compile(
    rf"\W*(?:{_SORRY}|i {_NOT} (?:to )?(?:{_VERBS})|as an ai(?: language model)?,? i {_NOT})", re.IGNORECASE
)
_MARKS = ("<think>", "</think>", "<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|im_start|>")
_UNFINISHED = ("length", "malformed", "empty")

Side = Literal["base", "student", "equal", "inconsistent", "undecided"]
Better = Literal["first", "second", "equal"]
_SIDES: dict[Better, Side] = {"first": "base", "second": "student", "equal": "equal"}
_SWAPPED: dict[Better, Better] = {"first": "second", "second": "first", "equal": "equal"}
_WORDS: dict[str, Better] = {"first": "first", "second": "second", "equal": "equal"}


class PairPrompt(Record):
    """Two templates; `version` is raised with every change of a shipped prompt."""

    version: int = Field(1, ge=1)
    system: str
    user: str

    @field_validator("system", "user")
    @classmethod
    def _usable(cls, text: str) -> str:
        try:
            unknown = variables_of(text) - _VARIABLES
        except TemplateError as error:
            raise ValueError(str(error)) from error
        if unknown:
            raise ValueError(f"unknown variable {sorted(unknown)[0]}; known: {', '.join(sorted(_VARIABLES))}")
        return text


@lru_cache(maxsize=16)
def load(name: str) -> PairPrompt:
    """A prompt of `curate/prompts/pairwise`, or the user's where `name` ends in `.yaml`. Raises RecipeError."""
    return read("pairwise", name, lambda found, _: PairPrompt.model_validate(found))


class Pair(NamedTuple):
    """One request and the two answers to it."""

    id: str
    request: str
    base: Attempt
    student: Attempt


class Judged(NamedTuple):
    """What a judge said of a pair, in both orders (None: nothing that could be read), and what that comes to.

    `missing`: an answer or a reply of the judge never came, which the next run asks for again.
    """

    pair: Pair
    base_first: Better | None
    student_first: Better | None
    missing: bool = False

    @property
    def won(self) -> Side:
        """The side that won in both orders; `inconsistent` where the orders disagree."""
        if self.base_first is None or self.student_first is None:
            return "undecided"
        one = _SIDES[self.base_first]
        return one if one == _SIDES[_SWAPPED[self.student_first]] else "inconsistent"


def refuses(attempt: Attempt) -> bool:
    """Whether an answer refuses: the server says so, or it begins as refusals do."""
    return attempt.finish_reason == "refused" or bool(_REFUSES.match(attempt.solution.lstrip()[:300]))


def misshapen(attempt: Attempt) -> bool:
    """Whether an answer lacks the form of one: cut, empty, its thinking left open, or marks of it left in the text."""
    return attempt.finish_reason in _UNFINISHED or any(mark in attempt.solution for mark in _MARKS)


def ask_of(prompt: PairPrompt, request: str, first: str, second: str) -> Ask:
    """The request for one comparison; every text stands between marks that it cannot close."""
    texts = [seen(request), seen(first), seen(second)]
    tag = "data-" + digest("pair", texts)[:12]
    parts = [{"name": "first", "text": texts[1]}, {"name": "second", "text": texts[2]}]
    values = {"request": texts[0], "parts": parts, "tag": tag}
    system, user = (filled(compiled(text), values, where="pairwise").strip() for text in (prompt.system, prompt.user))
    right, wrong = (json.dumps({"why": "made up", "better": word}) for word in ("first", "second"))
    return Ask(user, system, right=right, wrong=wrong)


def read_better(text: str) -> Better | None:
    """The word of a reply; None where it says none, or several that differ."""
    words = {found.lower() for found in _SAID.findall(text)} if len(text) <= _LONGEST else set()
    return _WORDS[words.pop()] if len(words) == 1 else None


async def judged(pairs: Sequence[Pair], judge: Teacher, prompt: str, resources: Resources) -> list[Judged]:
    """Every pair in both orders. An answer that never came decides nothing: its pair is `undecided` and `missing`.

    Raises Stopped where no more may be asked.
    """
    template = load(prompt)

    async def said(pair: Pair, *, swapped: bool) -> tuple[Better | None, bool]:
        shown = [_shown(pair.base), _shown(pair.student)]
        first, second = shown[::-1] if swapped else shown
        ask = ask_of(template, pair.request, first, second)
        call = judge.ask(ask, 0, resources)
        if call is None:
            return None, True
        call = call.model_copy(update={"max_tokens": call.max_tokens or _MAX_TOKENS, "use": USE})
        reply = await resources.calls.ask(call)
        attempt = judge.parse(ask.question(), 0, call, reply)
        word = read_better(attempt.solution) if attempt.finish_reason == "stop" else None
        return word, attempt.finish_reason == "failed"

    async def both(pair: Pair) -> Judged:
        if "failed" in (pair.base.finish_reason, pair.student.finish_reason):
            return Judged(pair, None, None, True)
        first, second = await asyncio.gather(said(pair, swapped=False), said(pair, swapped=True))
        return Judged(pair, first[0], second[0], first[1] or second[1])

    return list(await asyncio.gather(*(both(pair) for pair in pairs)))


def summary(found: Sequence[Judged]) -> dict[str, Any]:
    """Counts, the student's share of the decided prompts with its 95 % interval, and the rates of both models.

    The share counts a tie as half; the interval is Wilson's (1927) over prompts.
    """
    won = Counter(one.won for one in found)
    decided = won["base"] + won["student"] + won["equal"] + won["inconsistent"]
    share = (won["student"] + 0.5 * (won["equal"] + won["inconsistent"])) / decided if decided else None
    return {
        "prompts": len(found),
        "student_won": won["student"],
        "base_won": won["base"],
        "equal": won["equal"],
        "inconsistent": won["inconsistent"],
        "undecided": won["undecided"],
        "missing": sum(one.missing for one in found),
        "student_share": share,
        "student_share_95": None if share is None else wilson(share, decided),
        "refusals": _rates(found, refuses),
        "format_failures": _rates(found, misshapen),
    }


def wilson(share: float, count: int, z: float = 1.959964) -> list[float]:
    """Wilson's score interval of a share of `count`, by default at 95 %."""
    spread = 1 + z * z / count
    middle = (share + z * z / (2 * count)) / spread
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / spread
    return [max(0.0, middle - half), min(1.0, middle + half)]


def _rates(found: Sequence[Judged], what: Callable[[Attempt], bool]) -> dict[str, float | None]:
    """The share of each model's answers that came."""
    rates: dict[str, float | None] = {}
    for side in ("base", "student"):
        came = [one for one in (getattr(judged.pair, side) for judged in found) if one.finish_reason != "failed"]
        rates[side] = sum(map(what, came)) / len(came) if came else None
    return rates


def _shown(attempt: Attempt) -> str:
    return attempt.solution or "(no answer)"
