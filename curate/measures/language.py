"""The language of an answer, and how much of it is in another script: code and formulas have neither.

Which language a text is in is decided as for questions (`curate.clean._languages`), on samples of a long one.
"""

import re

import numpy as np
import numpy.typing as npt

from curate.clean._languages import language_of as _language_of

_SAMPLED = 3000  # characters at the beginning, in the middle and at the end, of a longer text
_NO_WORDS = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|\$\$.*?\$\$|\\\[.*?\\\]|\\\(.*?\\\)|\$[^$\n]{1,300}\$|https?://\S+",
    re.DOTALL,
)
# Beginnings of Unicode ranges and the script of their letters; Han and kana, which are written together, are one, and
# Greek is left out because mathematics is written with it.
_RANGES = [
    (0x41, "latin"), (0x5B, ""), (0x61, "latin"), (0x7B, ""), (0xC0, "latin"), (0xD7, ""), (0xD8, "latin"),
    (0xF7, ""), (0xF8, "latin"), (0x250, ""), (0x400, "cyrillic"), (0x530, "armenian"), (0x590, "hebrew"),
    (0x600, "arabic"), (0x700, ""), (0x750, "arabic"), (0x780, ""), (0x900, "devanagari"), (0x980, "bengali"),
    (0xA00, "other"), (0xE00, "thai"), (0xE80, "other"), (0x10A0, "georgian"), (0x1100, "hangul"), (0x1200, "other"),
    (0x1E00, "latin"), (0x1F00, ""), (0x3041, "han"), (0x3130, "hangul"), (0x3190, ""), (0x31F0, "han"), (0x3200, ""),
    (0x3400, "han"), (0x4DC0, ""), (0x4E00, "han"), (0xA000, "other"), (0xA4D0, ""), (0xAC00, "hangul"), (0xD7B0, ""),
    (0xF900, "han"), (0xFB00, ""), (0xFB50, "arabic"), (0xFE00, ""), (0xFF66, "han"), (0xFFA0, ""), (0x20000, "han"),
    (0x33480, ""),
]  # fmt: skip
_STARTS = np.array([start for start, _ in _RANGES], dtype=np.uint32)
_SCRIPTS = sorted({script for _, script in _RANGES})  # the first is "", no script
_CODES = np.array([0, *(_SCRIPTS.index(script) for _, script in _RANGES)])


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the language that most of its words are in; None where there are too few to say."""
    if len(text) > 3 * _SAMPLED:
        middle = len(text) // 2
        text = "\n".join((text[:_SAMPLED], text[middle : middle + _SAMPLED], text[-_SAMPLED:]))
    return _language_of(text).name


def other_script(text: str) -> float:
    """The share of its letters, 0 to 1, in another script than most of them; a sign of Han or hangul is one letter."""
    if text.isascii() or np.count_nonzero(_letters(text)) < 2:
        return 0.0
    letters = _letters(_NO_WORDS.sub(" ", text))
    total = int(letters.sum())
    return 0.0 if total == 0 else 1.0 - int(letters.max()) / total


def _letters(text: str) -> npt.NDArray[np.int64]:
    """Letters of each script."""
    points: npt.NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    counts = np.bincount(_CODES[np.searchsorted(_STARTS, points, "right")], minlength=len(_SCRIPTS))
    counts[0] = 0
    return counts.astype(np.int64)
