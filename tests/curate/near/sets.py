"""Made-up sets of texts for the tests of near texts, and what comparing all pairs finds in them."""

import random
from collections.abc import Sequence

import numpy as np
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import cdist

ALPHABETS = ("abc ", "abcdefghij 0123456789", "αβγ é漢字", "😀😃a 1", "01")
STEM = "Tom has {} apples and buys {} more for {} dollars. How many apples does Tom have after {} days?"


def random_set(seed: int, rows: int = 500) -> list[str | None]:
    """Variants of some texts: edits, families, empty and short texts, nulls, lone surrogates, all shuffled."""
    draw = random.Random(seed)
    letters = ALPHABETS[seed % len(ALPHABETS)]
    stems = ["".join(draw.choices(letters, k=draw.choice((0, 1, 2, 3, 5, 9, 20, 60, 200)))) for _ in range(rows // 8)]
    texts: list[str | None] = ["", None, "\ud800", "a", "", None]
    while len(texts) < rows - 60:
        text = list(draw.choice(stems))
        for _ in range(draw.choice((0, 0, 1, 1, 2, 3, 6, 10))):
            text[draw.randrange(len(text) + 1) : draw.randrange(len(text) + 1)] = draw.choice(letters)
        texts.append("".join(text) if draw.random() > 0.02 else None)
    texts += [STEM.format(*(draw.randint(1, 10 ** draw.randint(1, 6)) for _ in range(4))) for _ in range(60)]
    draw.shuffle(texts)
    return texts


def brute(texts: Sequence[str | None], threshold: float) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """The scores of all pairs, above the diagonal; 0 below the threshold, and for a row without text.

    rapidfuzz leaves the cells of a None as they were in memory, so that it is given none.
    """
    given = [text or "" for text in texts]
    found = cdist(given, given, scorer=ratio, score_cutoff=threshold, dtype=np.float64)
    none = [row for row, text in enumerate(texts) if text is None]
    found[none], found[:, none] = 0, 0
    return np.triu(found, 1)


def components(reached: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> list[int]:
    """The lowest row of each row's group, by walking the graph: nothing of ours takes part."""
    near = reached | reached.T
    lowest = [-1] * len(near)
    for row in range(len(near)):
        waiting = [row] if lowest[row] < 0 else []
        while waiting:
            one = waiting.pop()
            if lowest[one] < 0:
                lowest[one] = row
                waiting += [int(other) for other in np.flatnonzero(near[one]) if lowest[other] < 0]
    return lowest
