r"""`kind: choice`: does a solution name the right option?

One letter is taken from the solution: from the last box; else from the last phrase that announces one ("the answer is
C", "option C is correct", "I choose C"); else from the last line that is nothing but a letter; else from the only line
that opens with one (`C) 5`); else from the last sentence, where all its letters in parentheses agree. An answer that
repeats one option's text names that option. The article "A" is never an answer, and where letters occur but nothing
decides between them, the letter is left open.
"""

import re
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from curate.kinds import Verifier
from curate.records import Attempt, Choice, Question, Truth, Verdict
from curate.verifiers.answers.normalise import clean, fold
from curate.verifiers.extract import boxed, solution_part
from curate.verifiers.verdict import shown, verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources

_WRAPPED = re.compile(r"^\\(?:text|textbf|mathrm|mathbf|textit)\s*\{(.*)\}$", re.DOTALL)
_LETTER = re.compile(r"^(?:option|choice|answer)?\s*[:(]?\s*([A-Za-z])\s*[).:]?$", re.IGNORECASE)
_LED = re.compile(r"^\(?([A-Z])[).:](?:\s|\\|~|$)|^\\(?:text|textbf)\s*\{\(?([A-Z])\)?\.?\}")

# Phrases after which the letter stands. Every repetition is bounded: these run over whatever a model wrote.
_BE = r"(?:is|was|(?:must|would|should|will|has\s{1,3}to)\s{1,3}be)\b"
_ADVERB = r"(?:(?:the|indeed|therefore|thus|then|clearly|definitely|probably|likely)\s{1,3})?"
_GAP = r"[\s*_]{0,4}"
_ANNOUNCES = re.compile(
    rf"""\banswer\b{_GAP}(?:(?P<be>{_BE})\s{{0,3}}{_ADVERB})?{_GAP}(?P<colon>[:=])?
    |\b(?:correct|right|best|final|remaining|my|our)\s{{1,3}}(?:option|choice|letter|one)\b{_GAP}(?:{_BE}|[:=])\s{{0,3}}
    |(?<!if\ )\b(?:I|we)(?:['\u2019](?:d|ll))?\s{{1,3}}(?:(?:would|will|must|therefore|thus|shall)\s{{1,3}})?
      (?:choose|pick|select|go\s{{1,3}}with|opt\s{{1,3}}for)\b\s{{0,3}}""",
    re.IGNORECASE | re.VERBOSE,
)
_DENIES = re.compile(
    r"\banswer\s{1,3}(?:is\s{1,3}not|isn['\u2019]t|cannot\s{1,3}be|can['\u2019]t\s{1,3}be)\b", re.IGNORECASE
)
_JUDGED = re.compile(
    r"""(?<![\w\\])([A-Z])[)\]*_$]{0,4}\s{1,3}(?i:is|was|must\s{1,3}be|would\s{1,3}be)\s{1,3}
    (?i:(?P<no>not\b|wrong\b|incorrect\b|false\b)
      |(?:(?:therefore|thus|clearly|indeed|then)\s{1,3})?(?:the\s{1,3})?(?:only\s{1,3})?(?:correct|right|best|answer)\b
       (?!\s{1,3}(?:only|if|when|unless)\b))""",
    re.VERBOSE,
)
# What makes a phrase no statement: "if the answer is A", "neither B nor C is correct".
_DOUBT = re.compile(
    r"\b(?:if|whether|nor|or|and|suppose|assum\w{1,4}|unless|why|statement)\s{1,3}(?:that\s{1,3})?(?:the\s{1,3})?"
    r"(?:(?:correct|right|best|option|choice|answer|letter)\s{0,3})?[*_($\[]{0,4}$",
    re.IGNORECASE,
)
_OPENER = r"(?:[\s*_$`\"(\[~]|\\[(\[]|\\(?:text|textbf|textit|mathrm|mathbf)\s{0,3}\{){0,8}"
_LETTER_AT = re.compile(
    rf"(?P<open>{_OPENER}(?i:(?:option|choice|letter)\b)?{_OPENER})(?P<letter>[A-Za-z])(?![A-Za-z])"
)
_CLOSER = re.compile(r"[)\]}*$`\"]|\\[)\]]|_+(?!\w)")
# What may follow a bare letter so that it is a letter, not the word "A" or "I".
_END = re.compile(r"[ \t]*(?:\n|\Z|[.,:](?!\w)|[;!?])|[ \t]{1,3}(?:(?:because|since|as)\b|[-\u2013\u2014][ \t])")
_FULL_END = re.compile(r"[)\]}*_$`\"\\]{0,8}[ \t]*[.!]?[)\]}*_$`\"\\]{0,8}[ \t]*(?:\n|\Z)")
_MORE = re.compile(
    r"[)\]}*_$`\"\\]{0,8}[ \t]{0,3}(?:,[ \t]{0,3}(?:(?:and|or)\b)?|/|&|(?:and|or)\b)[ \t]{0,3}"
    r"(?:(?i:option|choice)[ \t])?[(\[*_$\\]{0,4}[A-HJ-Z](?!\w|[ \t]+[a-z])"
)
_ALONE = re.compile(r"^[ \t]*[*_(\[]*([A-Z])[*_)\].:]*[ \t]*$", re.MULTILINE)
_LED_LINE = re.compile(r"^[ \t]*[*_(\[]{0,4}([A-Z])[*_]{0,2}[).:\]][*_]{0,2}[ \t]", re.MULTILINE)
_PARENTHESISED = re.compile(r"\(([A-Z])\)")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_NEGATION = re.compile(
    r"\b(?:not|cannot|never|wrong|incorrect|eliminat\w+|exclud\w+|neither)\b|n['\u2019]t\b", re.IGNORECASE
)
# A capital that is no English word, or any that is called an option.
_SOME_LETTER = re.compile(r"(?<![\w'\u2019\\])([B-HJ-Z])(?![\w'\u2019])|\(([A-Z])\)|\b(?i:option|choice)\s([A-Z])\b")
_MOST = 200  # announcements weighed, from the last one back: no honest solution has as many
_LONGEST = 300  # characters of an announced option text


class Named(NamedTuple):
    """The letter that a solution names (None: its answer is none of the letters), and the text it was read from."""

    letter: str | None
    text: str


class Letter(Verifier):
    """Compares the option that a solution names with the right one."""

    version: ClassVar[int] = 2
    takes: ClassVar[tuple[type[Truth], ...]] = (Choice,)

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """`fail/no_answer` where no option is named, `unsure/unparsable` where its letter stays open."""
        truth = question.truth
        assert isinstance(truth, Choice)
        right = truth.letter.strip().upper()
        named = find_letter(attempt.solution, truth.options)
        if named is None:
            return verdict_of(self, "fail", "no_answer", {"reference": right})
        evidence = {"answer": named.letter or shown(named.text), "reference": right}
        if named.letter is None:
            return verdict_of(self, "unsure", "unparsable", evidence)
        if named.letter == right:
            return verdict_of(self, "pass", "ok", evidence)
        return verdict_of(self, "fail", "wrong_answer", evidence)


def find_letter(solution: str, options: tuple[str, ...] = ()) -> Named | None:
    """The option that a solution names, or None where it names none. Letters count from A through `options`."""
    text = solution_part(solution)
    box = boxed(text)
    if box is not None:
        return Named(_letter_of(box, options), box)
    letter = _announced(text, options) or _on_a_line(text, options)
    if letter:
        return Named(letter, letter)
    sentence = _last_sentence(text)
    letters = {letter for letter in _PARENTHESISED.findall(sentence) if _possible(letter, options)}
    if len(letters) == 1 and not _NEGATION.search(sentence):
        return Named(letters.pop(), sentence)
    whole = _option_named(text, options)
    if whole:
        return Named(whole, text.strip())
    some = (next(filter(None, match.groups())) for match in _SOME_LETTER.finditer(text))
    return Named(None, sentence) if any(_possible(letter, options) for letter in some) else None


def _letter_of(text: str, options: tuple[str, ...]) -> str | None:
    text = clean(text)
    by_text = _option_named(text, options)
    while match := _WRAPPED.match(text):
        text = match.group(1).strip()
    match = _LETTER.match(text)
    if match and _possible(match.group(1).upper(), options):
        return match.group(1).upper()
    if by_text:
        return by_text
    led = _LED.match(text)
    letter = (led.group(1) or led.group(2)) if led else None
    return letter if letter and _possible(letter, options) else None


def _announced(text: str, options: tuple[str, ...]) -> str | None:
    """The letter of the last announcement that names one which nothing later denies."""
    found = [match for pattern in (_ANNOUNCES, _DENIES, _JUDGED) for match in pattern.finditer(text)]
    denied: set[str] = set()
    for match in sorted(found, key=re.Match.start, reverse=True)[:_MOST]:
        if _DOUBT.search(text[max(0, match.start() - 40) : match.start()]):
            continue
        if match.re is _JUDGED:
            letter = match[1] if _possible(match[1], options) else None
        else:
            letter = _letter_at(text, match.end(), options)
        if match.re is _DENIES or (match.re is _JUDGED and match["no"]):
            denied.add(letter or "")
            continue
        if match.re is _ANNOUNCES:
            if text[match.start()].lower() == "a" and not (match["be"] or match["colon"]):
                letter = letter if letter and _closes_the_line(text, match.end()) else None
            elif letter is None:
                letter = _text_at(text, match.end(), options)
        if letter and letter not in denied:
            return letter
    return None


def _letter_at(text: str, start: int, options: tuple[str, ...]) -> str | None:
    """The option letter that stands right after `start`, or None: a word, an article, or one letter of several."""
    match = _LETTER_AT.match(text, start)
    if match is None or not _possible(match["letter"].upper(), options):
        return None
    letter, end = match["letter"], match.end()
    if _MORE.match(text, end) or ("\n" in match["open"] and not _FULL_END.match(text, end)):
        return None
    if _CLOSER.match(text, end):
        return letter.upper()
    if letter.isupper():
        return letter if _END.match(text, end) else None
    # A lower-case letter must end its sentence; "a" at the end of a line may still be the article.
    ends = _FULL_END.match(text, end)
    return letter.upper() if ends and (letter != "a" or text[end : end + 1] in ("", ".")) else None


def _closes_the_line(text: str, start: int) -> bool:
    match = _LETTER_AT.match(text, start)
    return match is not None and _FULL_END.match(text, match.end()) is not None


def _text_at(text: str, start: int, options: tuple[str, ...]) -> str | None:
    """The option whose text is the rest of the sentence after `start`."""
    if not options:
        return None
    line = text[start : start + _LONGEST].lstrip("*_$ \t\n").partition("\n")[0]
    sentence = re.split(r"\.(?:\s|$)", line, maxsplit=1)[0].strip("*_$ ")
    return _option_named(sentence, options)


def _on_a_line(text: str, options: tuple[str, ...]) -> str | None:
    """The last letter alone on its line, else the only one that a line opens with (several are a list of options)."""
    alone = [letter for letter in _ALONE.findall(text) if _possible(letter, options)]
    if alone:
        return str(alone[-1])
    led = [match for match in _LED_LINE.finditer(text) if _possible(match[1], options)]
    rest = text[led[0].end() :] if led else ""
    if len(led) != 1 or "\n" in rest.strip() or _PARENTHESISED.search(rest):
        return None
    said = _option_named(rest, options)
    return led[0][1] if said in (None, led[0][1]) else None


def _last_sentence(text: str) -> str:
    text = text.rstrip()
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return text[ends[-1] if ends else 0 :].strip()


def _option_named(text: str, options: tuple[str, ...]) -> str | None:
    if not options or len(text) > 2 * max(map(len, options)) + _LONGEST:
        return None
    wanted = _plain(text)
    same = [index for index, option in enumerate(options) if wanted and _plain(option) == wanted]
    return chr(ord("A") + same[0]) if len(same) == 1 else None


def _plain(text: str) -> str:
    return fold(clean(text)).casefold()


def _possible(letter: str, options: tuple[str, ...]) -> bool:
    return not options or ord(letter) - ord("A") < len(options)
