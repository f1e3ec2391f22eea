"""The judge's prompt: a YAML file of two Jinja templates, and the data put into it so that it cannot leave its place.

Every text of others stands between marks whose name is a hash of all those texts, so that no answer can hold the mark
that closes it; what is invisible or no text is taken out before.
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import field_validator

from curate.keys import digest
from curate.prompts.prompt import read
from curate.records import Record

VARIABLES = frozenset({"question", "parts", "tag"})
_JINJA = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False
)
# Control characters, marks of direction, and what has no width: nothing that a reader of the answer would see.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class JudgePrompt(Record):
    """Two templates, and the form of the reply: `{"verdict": ...}` or `{"correct": ...}`."""

    system: str
    user: str
    reply: Literal["verdict", "correct"]

    @field_validator("system", "user")
    @classmethod
    def _usable(cls, text: str) -> str:
        try:
            unknown = meta.find_undeclared_variables(_JINJA.parse(text)) - VARIABLES
        except TemplateError as error:
            raise ValueError(str(error)) from error
        if unknown:
            raise ValueError(f"unknown variable {sorted(unknown)[0]}; known: {', '.join(sorted(VARIABLES))}")
        return text

    def mark(self) -> str:
        """Eight digits that change with any change of the prompt."""
        return digest(self.model_dump())[:8]


class Case(NamedTuple):
    """What a judge is shown; texts of others, as they came."""

    question: str | None
    reference: str
    answer: str


def render(prompt: JudgePrompt, case: Case, *, swapped: bool) -> tuple[str, str]:
    """The system and the user message about a case; the same case always gives the same text."""
    question = None if case.question is None else seen(case.question)
    parts = [
        {"name": "reference", "block": seen(case.reference)},
        {"name": "answer", "block": seen(case.answer)},
    ]
    values = {
        "question": question,
        "parts": parts[::-1] if swapped else parts,
        "tag": _tag([question or "", *(part["block"] for part in parts)]),
    }
    system, user = (_template(text).render(values).strip() for text in (prompt.system, prompt.user))
    return system, user


def seen(text: str) -> str:
    """A text as a reader sees it: without characters that are invisible, and without halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() and text.isprintable() else _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def _tag(texts: list[str]) -> str:
    for number in range(1000):
        tag = "data-" + digest("tag", number, texts)[:12]
        if not any(tag in text for text in texts):
            return tag
    raise ValueError("no mark is free")  # 12 hexadecimal digits of a hash, a thousand times: cannot happen


@lru_cache(maxsize=32)
def load(name: str) -> JudgePrompt:
    """A prompt of `curate/prompts/judge`, or the user's where `name` ends in `.yaml`. Raises RecipeError."""
    return read("judge", name, lambda found, _: JudgePrompt.model_validate(found))


@lru_cache(maxsize=64)
def _template(text: str) -> Template:
    return _JINJA.from_string(text)
