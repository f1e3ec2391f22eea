"""Reading a judge's reply: one JSON object that ends it, or nothing. What is not certainly a verdict is none."""

import json
import re
from typing import Any, Literal, NamedTuple

Word = Literal["equal", "different", "unclear"]
_WORDS: dict[str, Word] = {"equal": "equal", "different": "different", "unclear": "unclear"}
_LONGEST = 20_000  # characters; a verdict and its sentence are a few hundred
_OBJECTS = 100  # openings of an object that are tried
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL | re.IGNORECASE)
# Formulas in a JSON text are often not escaped: a backslash that opens no JSON escape stands for itself.
_LOOSE = re.compile(r'\\(?:(?=u)(?!u[0-9a-fA-F]{4})|(?!["\\/bfnrtu]))')
_DECODER = json.JSONDecoder(strict=False)


class Read(NamedTuple):
    """What a reply says; `word` is None where it says nothing that can be read."""

    word: Word | None
    why: str = ""


def read_reply(text: str, form: Literal["verdict", "correct"]) -> Read:
    """The verdict of a reply: of its only object, or of several that agree; the last of them must end the text."""
    text = text.strip()
    if len(text) > _LONGEST:
        return Read(None)
    fenced = _FENCED.search(text)
    text = _LOOSE.sub(r"\\\\", text[: fenced.start()] + fenced.group(1).strip() if fenced else text)
    objects = [(value, end) for value, end in _objects(text) if form in value]
    said = [_word(value, form) for value, _ in objects]
    if not said or len(set(said)) > 1 or text[objects[-1][1] :].strip():
        return Read(None)
    why = objects[-1][0].get("why" if form == "verdict" else "reasoning")
    return Read(said[-1], why if isinstance(why, str) else "")


def _objects(text: str) -> list[tuple[dict[str, Any], int]]:
    """The JSON objects of a text, outermost only, each with the place where it ends."""
    found = []
    start = text.find("{")
    for _ in range(_OBJECTS):
        if start < 0:
            break
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            found.append((value, end))
        start = text.find("{", end)
    return found


def _word(value: dict[str, Any], form: str) -> Word | None:
    said = value.get(form)
    if form == "correct":
        return ("equal" if said else "different") if isinstance(said, bool) else None
    return _WORDS.get(said.strip().lower()) if isinstance(said, str) else None


def response_schema(form: Literal["verdict", "correct"]) -> dict[str, Any]:
    """The JSON schema of a reply; the reason stands first, so that a model has given it before it decides."""
    why = "why" if form == "verdict" else "reasoning"
    said: dict[str, Any] = {"type": "boolean"} if form == "correct" else {"type": "string", "enum": list(_WORDS)}
    return {
        "type": "object",
        "properties": {why: {"type": "string"}, form: said},
        "required": [why, form],
        "additionalProperties": False,
    }


def made_up(word: Word, form: Literal["verdict", "correct"]) -> str:
    """The reply that says `word`: what a rehearsal's judge replies."""
    if form == "correct":
        return json.dumps({"reasoning": "made up", "correct": word == "equal"})
    return json.dumps({"why": "made up", "verdict": word})
