"""One decision about two answers, without any process: text, plain numbers, words, then what the grammar reads."""

import re
from functools import lru_cache

from curate.verifiers.answers import words
from curate.verifiers.answers.compare import Comparison
from curate.verifiers.answers.node import Node, Unread, number, walk
from curate.verifiers.answers.normalise import clean, fold
from curate.verifiers.answers.policy import DEFAULT, Decision, Policy
from curate.verifiers.answers.relations import settled
from curate.verifiers.answers.spellings import read

LONGEST = 2000  # characters of an answer that is read; a longer one is compared as text
_PLAIN = re.compile(r"0|-?[1-9]\d{0,15}")
_GROUPS = re.compile(r"\d,\d{3}(?!\d)")
_CHOICE = re.compile("[A-J]")
_PREFIX = re.compile(r"([mM])(?:Pa|J|W|V|Hz|eV)\b")  # a thousandth, or a million times
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# What an algebra system is known to drop or misread, so that its word would count for nothing.
_NUMERIC = ("num", "-", "/", "+", "qty", "%", "*", "^")
_COMPUTED = ("num", "const", "+", "-", "*", "/", "^", "fn")
_DROPPED = ("qty", "%", "base", "ratio")


def decide(gold: str, answer: str, policy: Policy = DEFAULT) -> Decision:
    """Whether `answer` is the answer `gold`. Pure, and bounded to some milliseconds whatever the texts are."""
    return decide_clean(clean(gold), clean(answer), policy)


def decide_clean(gold: str, answer: str, policy: Policy = DEFAULT) -> Decision:
    """The same for two cleaned answers."""
    if not gold or not answer:
        return Decision(None, "empty")
    if _PLAIN.fullmatch(gold) and _PLAIN.fullmatch(answer):
        return Decision(gold == answer, "number")
    cased = _PREFIX.findall(gold) == _PREFIX.findall(answer)
    if gold == answer or (cased and fold(gold) == fold(answer) and len(gold) < LONGEST):
        return Decision(True, "text")
    if max(len(gold), len(answer)) > LONGEST:
        return Decision(None, "too long")
    if _CONTROL.search(answer) or _CONTROL.search(gold):
        return Decision(None, "control character")
    lettered = _letters(gold, answer) or _option(gold, answer, policy)
    if lettered is not None:
        return lettered
    by_words = words.same_words(gold, answer) if cased else None
    if by_words is not None:
        return Decision(by_words, "words")
    return _by_reading(gold, answer, policy)


@lru_cache(maxsize=4096)
def asks_for_number(gold: str) -> bool:
    """Whether a cleaned reference is one number, perhaps with a unit: then a bare last number may be the answer."""
    if _PLAIN.fullmatch(gold):
        return True
    if len(gold) > LONGEST:
        return False
    node = _read(gold)
    return node is not None and all(part.kind in _NUMERIC for part in walk(node[0]))


def _letters(gold: str, answer: str) -> Decision | None:
    """A choice: the reference is a letter, and so is the answer, or opens with one."""
    one, other = words.letter(gold), words.letter(answer)
    if one is None or other is None:
        return None
    if one[0] == other[0] and one[1] and other[1] and fold(one[1]) != fold(other[1]):
        return None
    return Decision(one[0] == other[0], "letter")


def _option(gold: str, answer: str, policy: Policy) -> Decision | None:
    """`(A) 3` beside `3`, and `ABD` beside `A, B, D`. That they differ may only mean that one names less."""
    if not (_CHOICE.search(gold) or _CHOICE.search(answer)):
        return None
    if words.several(gold) is not None or words.several(answer) is not None:
        one, other = words.letters(gold), words.letters(answer)
        return Decision(True, "letter") if one is not None and one == other else None
    texts = [words.option(gold), words.option(answer)]
    if (texts[0] is None) == (texts[1] is None):
        return None
    inner = decide_clean(texts[0] or gold, texts[1] or answer, policy)
    return Decision(True if inner.equal else None, "letter")


def _by_reading(gold: str, answer: str, policy: Policy) -> Decision:
    try:
        one, other = _read(gold), _read(answer)
    except RecursionError:
        return Decision(None, "nested")
    if one is None or other is None:
        return _unread(gold, answer, one, other)
    if ("pm" in gold or "pm" in answer) and one[0] != other[0] and (_signs_left(one[0]) or _signs_left(other[0])):
        return Decision(None, "signs")
    comparison = Comparison(policy)
    found = comparison.same(one[0], other[0])
    if found is not True and _GROUPS.search(gold + answer):
        found = _ungrouped(gold, answer, comparison, found)
    if found is False and (one[1] or other[1]):
        found = None  # `1/2x` may be meant otherwise
    ask = found is None and not any(part.kind in _DROPPED for node in (one[0], other[0]) for part in walk(node))
    return Decision(found, "value", ask and not _doubt_is_ours(one[0], other[0]))


def _signs_left(node: Node) -> bool:
    r"""Whether it has a `\pm` whose readings are not known: two of them may go together or not."""
    return any(part.kind in ("±", "∓") for part in walk(settled(node)))


def _doubt_is_ours(gold: Node, answer: Node) -> bool:
    """Rounding, a point or a list, an equation beside a value: an algebra system cannot know what was asked."""
    gold, answer = settled(gold), settled(answer)
    if "seq" in (gold.kind, answer.kind) and gold.kind != answer.kind:
        return True
    parts = [*walk(gold), *walk(answer)]
    if all(part.kind in _COMPUTED and part.value != "log" for part in parts):
        return True
    if any(part.kind == "num" and part.value[1] is not None for node in (gold, answer) for part in walk(node)):
        return True
    return gold.kind == "rel" or answer.kind == "rel"


def _ungrouped(gold: str, answer: str, comparison: Comparison, found: bool | None) -> bool | None:
    """Within brackets, `100,200` may be two numbers: read so on both sides, does that make them equal?"""
    bracketed = (gold[:1] in "([\\" or ", " in gold) and (answer[:1] in "([\\" or "," in answer)
    if found is False and not bracketed:
        return found
    sides = _read(gold, grouped=False), _read(answer, grouped=False)
    if sides[0] is None or sides[1] is None:
        return found
    other = comparison.same(sides[0][0], sides[1][0])
    return other if found is None or other else found


def _unread(gold: str, answer: str, one: tuple[Node, bool] | None, other: tuple[Node, bool] | None) -> Decision:
    spelt = words.spelt_number(answer if one is not None else gold)
    read_one = one or other
    if spelt is not None and read_one is not None:
        return Decision(Comparison(DEFAULT).same(number(spelt), read_one[0]), "words")
    worded, read_other = (gold, other) if one is None else (answer, one)
    if read_other is not None and other is not one and words.no_number(worded):
        numeric = all(part.kind in _NUMERIC for part in walk(read_other[0]))
        if numeric and Comparison(DEFAULT).same(read_other[0], number(0)) is False:
            return Decision(False, "words")  # a name or the like is no number
    return Decision(None, "unread", not (words.prose(gold) or words.prose(answer)))


@lru_cache(maxsize=4096)
def _read(text: str, grouped: bool = True) -> tuple[Node, bool] | None:
    try:
        return read(text, grouped=grouped)
    except Unread:
        return None
