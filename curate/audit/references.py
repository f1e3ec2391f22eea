"""The reference of a row, taken from its worked solution by the rules by which an answer is taken from a solution."""

import re

from curate.records import Answer, Choice, Reference, Truth
from curate.verifiers.choice import find_letter
from curate.verifiers.extract import boxed, final_answer

_SHORT = 200  # characters of a text of one line that is no worked text but the answer itself
_LAST_LINE = re.compile(r"####[ \t]*(\S[^\n]*)")  # GSM8K's mark; elsewhere than at the end it is a heading
_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(\S[^\n]*)$", re.MULTILINE)


def truth_of(gold: str, domain: str, problem: str) -> Truth:
    """What a worked text states as right: a letter for puzzles, else an answer.

    In science an answer counts only where it is marked as one (boxed, or a letter alone): free text there is a
    `Reference`, which needs a judge. An empty `Answer` means that none was found.
    """
    text = gold.strip()
    if domain in ("puzzle", "science"):
        options = options_of(problem)
        named = find_letter(text, options) if domain == "puzzle" or len(text) <= len("(A).") else None
        if named is not None and named.letter is not None:
            return Choice(letter=named.letter, options=options)
    if domain == "science" and boxed(text) is None:
        return Reference(text=text)
    ends = _LAST_LINE.fullmatch(text.rpartition("\n")[2])
    if ends is not None:  # before "the answer is", which a worked text also says of what it finds on the way
        return Answer(text=ends[1])
    found = final_answer(text, plain_number=False)
    if found is not None:
        return Answer(text=found.text)
    return Answer(text=text if len(text) <= _SHORT and "\n" not in text else "")


def options_of(problem: str) -> tuple[str, ...]:
    """The options that a problem lists as lines `A. text`, `(B) text`, `C: text`; none unless they run from A."""
    lines = _OPTION.findall(problem)
    letters = [letter for letter, _ in lines]
    if len(letters) < 2 or letters != [chr(ord("A") + n) for n in range(len(letters))]:
        return ()
    return tuple(text.strip() for _, text in lines)
