"""The self-test: items of a benchmark are planted into real rows under known transformations, and looked for.

What comes out is measured on the user's own rows and items: recall by transformation, and how many of the rows as they
stand are found.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from curate.contamination.index import Index
from curate.contamination.items import Item
from curate.contamination.match import TIERS, Found, Matcher, Tier

ROWS = 5000  # of the user's, at most
ITEMS = 200  # of the benchmarks', at most
_COMMAND = re.compile(r"(\\[a-zA-Z]+)")
_NUMBER = re.compile(r"\d+")
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b")
_NAMES = ("Priya", "Oskar", "Yuki", "Tendai", "Marta", "Ibrahim", "Leilani", "Anton")
_OTHER_WORDS = {
    "find": "determine", "determine": "find", "compute": "calculate", "evaluate": "compute",
    "how many": "what number of",
    "suppose": "assume", "let": "say", "each": "every", "every": "each", "such that": "so that", "value": "amount",
    "total": "overall", "what is": "give", "contains": "holds", "large": "big", "buys": "gets", "has": "owns",
    "real numbers": "reals", "positive": "nonnegative", "distinct": "different", "possible": "feasible",
}  # fmt: skip
_WRAPS = (
    "Solve the following math problem step by step. The last line should state the answer.\n\n{}",
    "{}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}.",
    "### Task\nYou are a careful tutor. Here is the exercise of a student:\n\n{}\n\nShow all work before you answer.",
    "Question: {}\nAnswer:",
)
_SCANNED = (
    ("rn", "m"),
    ("m", "rn"),
    ("l", "1"),
    ("o", "0"),
    ("cl", "d"),
    ("i", "l"),
    ("e", "c"),
    ("h", "b"),
    (" ", ""),
)

Change = Callable[[str, random.Random], str]


def format_changed(text: str, chance: random.Random) -> str:
    """Other case, spaces and punctuation."""
    words = text.split()
    cased = (chance.choice((str.upper, str.lower, str.title)))(" ".join(words)) if chance.random() < 0.8 else text
    bare = re.sub(r"[.,;:!?]", "", cased) if chance.random() < 0.5 else cased
    return chance.choice(("  ", " ", "\n")).join(bare.split())


def latex_changed(text: str, chance: random.Random) -> str:
    """Another way to write the same LaTeX."""
    for old, new in ((r"\frac", r"\dfrac"), (r"\left", ""), (r"\right", ""), (r"\cdot", r"\times"), (r"\le", r"\leq")):
        text = re.sub(re.escape(old) + r"(?![a-zA-Z])", lambda _, new=new: new, text)  # type: ignore[misc]
    text = re.sub(r"\^(\w)", r"^{\1}", text)
    if chance.random() < 0.5:
        text = re.sub(r"\$([^$]+)\$", r"\\( \1 \\)", text)
    return re.sub(r"(?<![\\$\w])(\d+)(?![\w$])", r"$\1$", text) if "$" not in text else text


def wrapped(text: str, chance: random.Random) -> str:
    """With instructions around it."""
    return chance.choice(_WRAPS).format(text)


def shuffled(text: str, chance: random.Random) -> str:
    """Its sentences in another order."""
    sentences = _SENTENCE.split(text)
    chance.shuffle(sentences)
    return " ".join(sentences)


def numbers_changed(text: str, chance: random.Random) -> str:
    """Every number another one of as many digits."""

    def other(found: re.Match[str]) -> str:
        low = 10 ** (len(found[0]) - 1)
        return str(chance.randint(low, 10 * low - 1))

    return _outside_commands(text, lambda part: _NUMBER.sub(other, part))


def names_changed(text: str, chance: random.Random) -> str:
    """Other names and other numbers."""
    names: dict[str, str] = {}
    renamed = _NAME.sub(lambda found: names.setdefault(found[0], chance.choice(_NAMES)), text)
    return numbers_changed(renamed, chance)


def misspelt(text: str, chance: random.Random) -> str:
    """Slips of the keyboard in 3 of 100 letters: one left out, doubled, swapped or another one."""

    def slip(part: str) -> str:
        letters = list(part)
        for place in range(len(letters) - 1):
            if letters[place].isalpha() and chance.random() < 0.03:
                kind = chance.randrange(4)
                if kind == 0:
                    letters[place] = ""
                elif kind == 1:
                    letters[place] *= 2
                elif kind == 2:
                    letters[place], letters[place + 1] = letters[place + 1], letters[place]
                else:
                    letters[place] = chance.choice("abcdefghijklmnopqrstuvwxyz")
        return "".join(letters)

    return _outside_commands(text, slip)


def scanned(text: str, chance: random.Random) -> str:
    """As a scanner misreads it: 1 in 12 of the letters that it takes for others."""

    def misread(part: str) -> str:
        for old, new in _SCANNED:
            part = re.sub(re.escape(old), lambda found, new=new: new if chance.random() < 0.08 else found[0], part)  # type: ignore[misc]
        return part

    return _outside_commands(text, misread)


def reworded(text: str, chance: random.Random) -> str:
    """Some words for others of the same meaning, by rule, and the sentences in another order."""
    for old, new in _OTHER_WORDS.items():
        text = re.sub(rf"\b{old}\b", new, text, flags=re.IGNORECASE)
    return shuffled(text, chance)


def _outside_commands(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith("\\") else change(part) for part in _COMMAND.split(text))


CHANGES: dict[str, Change] = {
    "exact": lambda text, chance: text,
    "format": format_changed,
    "latex": latex_changed,
    "wrapper": wrapped,
    "sentence_shuffle": shuffled,
    "number_changed": numbers_changed,
    "name_number": names_changed,
    "typos": misspelt,
    "ocr": scanned,
    "paraphrase": reworded,
}
EMBEDDED = "embedded"  # between two rows


class Planted(NamedTuple):
    """A transformed item."""

    change: str
    item: Item
    text: str


def plant(items: Sequence[Item], rows: Sequence[str], seed: int = 0) -> Iterator[Planted]:
    """Every item under every transformation that changes it (`exact` and `embedded`: always).

    `rows` are what an item is embedded between. The choice is by seed and item, not by order.
    """
    for item in items:
        for name, change in CHANGES.items():
            text = change(item.text, _chance(seed, name, item))
            if name == "exact" or text != item.text:
                yield Planted(name, item, text)
        if rows:
            chance = _chance(seed, EMBEDDED, item)
            before, after = (rows[chance.randrange(len(rows))] for _ in range(2))
            yield Planted(EMBEDDED, item, f"{before}\n\n{item.text}\n\n{after}")


def _chance(seed: int, name: str, item: Item) -> random.Random:
    return random.Random(f"{seed}:{name}:{item.bench}:{item.item}:{item.text}")


def sample(values: Sequence[Any], most: int, seed: int = 0) -> list[Any]:
    """At most `most` of the values, in their order."""
    if len(values) <= most:
        return list(values)
    return [values[place] for place in sorted(random.Random(seed).sample(range(len(values)), most))]


def self_test(items: Sequence[Item], rows: Sequence[str], drop: Sequence[Tier], seed: int = 0) -> dict[str, Any]:
    """Plant items into rows and look for them.

    Returns `recall` by transformation (planted, found, of them as which tier), and of the `rows` as they stand how many
    are found: true contamination is among those. Found means a tier in `drop`, and the planted item among them.
    """
    planted = list(plant(sample(items, ITEMS, seed), rows, seed))
    texts = [*rows, *(one.text for one in planted)]
    index = Index(items)
    survey = index.survey()
    index.surveyed(survey, texts)
    index.weigh(survey)
    found = Matcher(index).find(texts)
    recall: dict[str, dict[str, Any]] = {}
    for one, seen in zip(planted, found[len(rows) :], strict=True):
        told = recall.setdefault(one.change, {"planted": 0, "found": 0, "tiers": dict.fromkeys(TIERS, 0)})
        told["planted"] += 1
        best = _of(one.item, seen)
        if best is not None:
            told["found"] += best.tier in drop
            told["tiers"][best.tier] += 1
    for told in recall.values():
        told["recall"] = round(told["found"] / told["planted"], 4)
        told["tiers"] = {tier: count for tier, count in told["tiers"].items() if count}
    flagged = sum(any(one.tier in drop for one in seen) for seen in found[: len(rows)])
    return {"items": len(index.items), "rows": len(rows), "rows_found": flagged, "recall": recall}


def report(result: dict[str, Any]) -> Iterator[str]:
    """The result of a self-test in lines."""
    yield f"self-test: {result['rows_found']:,} of {result['rows']:,} rows as they stand are found; recall by change:"
    for name, told in result["recall"].items():
        yield f"  {name}: {told['recall']:.3f} ({told['found']:,} of {told['planted']:,})"


def _of(item: Item, seen: Sequence[Found]) -> Found | None:
    """The finding of an item, or of one with the same text in another benchmark."""
    return next((one for one in seen if one.item == item or one.item.text == item.text), None)
