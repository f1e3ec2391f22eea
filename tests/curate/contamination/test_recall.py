"""Real benchmark items planted into real training questions: recall by change, and what is found of the real rows."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from curate.contamination.index import Index
from curate.contamination.items import Item
from curate.contamination.match import Matcher
from curate.contamination.plant import EMBEDDED, self_test
from tests.curate.contamination.changes import CHANGES, embedded

DROP = ("exact", "ngram", "number_changed", "fuzzy", "short")
CERTAIN = {"exact", "case_format", "latex", "wrapper", "shuffle", "numbers", "embedded"}


def questions(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row.get("problem") or row["question"] for row in rows]


def items_of(data: Path, sample: int) -> list[Item]:
    """Every AIME and AMC problem, and some of the others (all of them are benchmarks all the same)."""
    named = {
        name: questions(data / f"{name}.jsonl") for name in ("nemo_aime25/test", "limo_eval/amc", "limo_eval/math")
    }
    named["limo_eval/olympiadbench"] = questions(data / "limo_eval/olympiadbench.jsonl")
    found = [Item(name, str(number), text) for name, texts in named.items() for number, text in enumerate(texts)]
    short = [item for item in found if len(item.text) < 60]
    return random.Random(11).sample(found, sample) + short[:10]


@pytest.mark.real
def test_recall_and_what_is_found_of_gsm8k(data_dir: Path) -> None:
    rows = questions(data_dir / "gsm8k/train.jsonl.gz")
    items = items_of(data_dir, 30)
    chance = random.Random(4)
    planted = [(name, item, change(item.text, chance)) for item in items for name, change in CHANGES.items()]
    planted = [one for one in planted if one[0] == "exact" or one[2] != one[1].text]
    planted += [("embedded", item, embedded(item.text, chance, rows)) for item in items]
    texts = [*rows, *(text for _, _, text in planted)]
    index = Index({*items, *items_of(data_dir, 700)})
    survey = index.survey()
    index.surveyed(survey, texts)
    index.weigh(survey)
    found = Matcher(index).find(texts)
    flagged = sum(any(one.tier in DROP for one in seen) for seen in found[: len(rows)])
    assert flagged <= 0.003 * len(rows)
    tried: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for (name, item, _), seen in zip(planted, found[len(rows) :], strict=True):
        tried[name] += 1
        hit[name] += any(one.tier in DROP and one.item.text == item.text for one in seen)
    assert tried.keys() == {*CHANGES, "embedded"} and min(tried.values()) > 15
    recall = {name: hit[name] / count for name, count in tried.items()}
    assert {name: recall[name] for name in CERTAIN} == dict.fromkeys(CERTAIN, 1.0)
    assert recall["typos"] >= 0.85 and recall["ocr"] >= 0.85


@pytest.mark.real
def test_the_self_test_says_the_same_twice(data_dir: Path) -> None:
    rows = questions(data_dir / "gsm8k/test.jsonl")[:400]
    items = items_of(data_dir, 20)
    result = self_test(items, rows, DROP, seed=3)
    assert result == self_test(items[::-1], rows, DROP, seed=3)
    assert len(result["recall"]) >= 11 and EMBEDDED in result["recall"]
    assert all(result["recall"][name]["recall"] == 1.0 for name in ("exact", "format", "latex", "wrapper", EMBEDDED))
    assert result["recall"]["typos"]["recall"] >= 0.85
    assert result["rows_found"] == 0
    nothing = self_test(items, rows, ("candidate",), seed=3)
    assert nothing["recall"]["exact"]["found"] == 0, "what is not to be dropped is not found"
