"""Other ways to change a text than those of the self-test, so that neither is tuned to the other."""

import random
import re
from collections.abc import Callable

_FULL = str.maketrans(
    "abcdefghijklmnopqrstuvwxyz0123456789", "ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ０１２３４５６７８９"
)
_KEYS = {"a": "s", "e": "w", "i": "o", "o": "p", "t": "r", "n": "m", "s": "d", "r": "t", "l": "k", "h": "j"}


def _words(text: str, change: Callable[[str], str]) -> str:
    """Change the words of prose only: what stands between dollars or after a backslash stays."""
    parts = re.split(r"(\$[^$]*\$|\\[a-zA-Z]+|\\\[.*?\\\])", text, flags=re.DOTALL)
    return "".join(
        part if number % 2 else re.sub(r"[A-Za-z]+", lambda m: change(m[0]), part) for number, part in enumerate(parts)
    )


def case_format(text: str, chance: random.Random) -> str:
    kind = chance.randrange(5)
    if kind == 0:
        return text.upper()
    if kind == 1:
        return "".join(one.upper() if chance.random() < 0.5 else one.lower() for one in text)
    if kind == 2:
        return "\n\n".join(text.split(". "))
    if kind == 3:
        return re.sub(r"\s+", " \t ", text).replace(",", " ,").replace(".", " . ")
    return (
        text.translate(_FULL) if "\\" not in text else text.replace("'", "’").replace("-", "–").replace(" ", "\u00a0")
    )


def latex(text: str, chance: random.Random) -> str:
    for old, new in (
        ("\\frac", "\\tfrac"),
        ("\\dots", "\\ldots"),
        ("\\leq", "\\le"),
        ("\\geq", "\\ge"),
        ("\\cdot", "\\times "),
    ):
        text = re.sub(re.escape(old) + "(?![a-z])", lambda _, new=new: new, text)
    if chance.random() < 0.5:
        text = text.replace("$$", "$").replace("\\[", "$").replace("\\]", "$")
    if chance.random() < 0.5:
        text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    return text.replace("$", "") if chance.random() < 0.3 else text.replace("$", "$$")


def wrapper(text: str, chance: random.Random) -> str:
    return chance.choice(
        (
            "Return your final response within \\boxed{{}}. {}",
            "You will be given a problem. Work it out slowly and carefully.\n\nProblem: {}\n\nLet's think about it.",
            "<|im_start|>user\n{}\nPlease show the whole derivation.<|im_end|>",
            "Hi! My teacher asked us this last week and I am stuck: {} Could somebody walk me through it?",
        )
    ).format(text)


def shuffle(text: str, chance: random.Random) -> str:
    sentences = re.split(r"(?<=[.?!])\s+", text)
    return " ".join(chance.sample(sentences, len(sentences)))


def embedded(text: str, chance: random.Random, rows: list[str]) -> str:
    before, after = (" ".join(chance.choice(rows) for _ in range(chance.randint(1, 20))) for _ in range(2))
    return f"{before} {text} {after}"


def numbers(text: str, chance: random.Random) -> str:
    return re.sub(r"\d+", lambda found: str(chance.randint(2, 10 ** chance.randint(1, 4))), text)


def typos(text: str, chance: random.Random) -> str:
    def slip(word: str) -> str:
        if len(word) < 3 or chance.random() > 0.18:
            return word
        place = chance.randrange(len(word) - 1)
        kind = chance.randrange(3)
        if kind == 0:
            return word[:place] + word[place + 1 :]
        if kind == 1:
            return word[:place] + _KEYS.get(word[place], "x") + word[place + 1 :]
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    return _words(text, slip)


def ocr(text: str, chance: random.Random) -> str:
    def misread(word: str) -> str:
        for old, new in (
            ("rn", "m"),
            ("m", "rn"),
            ("l", "1"),
            ("O", "0"),
            ("o", "0"),
            ("S", "5"),
            ("d", "cl"),
            ("w", "vv"),
            ("e", "c"),
        ):
            word = re.sub(old, lambda found, new=new: new if chance.random() < 0.1 else found[0], word)
        if len(word) > 7 and chance.random() < 0.06:
            word = f"{word[:4]}-\n{word[4:]}"
        return word

    return _words(text, misread)


CHANGES = {
    "exact": lambda text, chance: text,
    "case_format": case_format,
    "latex": latex,
    "wrapper": wrapper,
    "shuffle": shuffle,
    "numbers": numbers,
    "typos": typos,
    "ocr": ocr,
}
