"""Tables of attempts for the tests of selectors."""

import random
from typing import Any

import pyarrow as pa

from curate.kinds import Selector

WORDS = ("domain", "source", "outcome", "reason", "finish_reason", "teacher", "truth")


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """A table as a run makes it; what a row does not say is some usual value."""
    full = []
    for number, row in enumerate(rows):
        usual = {
            "seq": number, "sample": 0, "attempt_id": f"a{number}", "domain": "math", "source": "s", "outcome": "pass",
            "reason": "ok", "finish_reason": "stop", "teacher": "t/m", "chars": 10, "output_tokens": 4,
        }  # fmt: skip
        made = {**usual, **row}
        full.append({**made, "question_id": made.get("question_id", f"q{made['seq']}")})
    found = pa.Table.from_pylist(full)
    for name in WORDS:
        if name in found.column_names:
            found = found.set_column(
                found.column_names.index(name), name, found.column(name).cast(pa.string()).dictionary_encode()
            )
    return found


def chosen(selector: Selector, attempts: pa.Table) -> list[str]:
    """The ids of the attempts that are kept, sorted."""
    opinions = selector.select(attempts)
    assert len(opinions) == attempts.num_rows
    for opinion in opinions:
        assert (opinion.reason is None) == opinion.kept
    ids = attempts.column("attempt_id").to_pylist()
    return sorted(name for name, opinion in zip(ids, opinions, strict=True) if opinion.kept)


def shuffled(attempts: pa.Table, seed: int) -> pa.Table:
    """The same rows in another order, in several chunks."""
    order = list(range(attempts.num_rows))
    random.Random(seed).shuffle(order)
    mixed = attempts.take(pa.array(order))
    half = mixed.num_rows // 2
    return pa.concat_tables([mixed.slice(0, half).combine_chunks(), mixed.slice(half).combine_chunks()])


def many(count: int = 240, samples: int = 4) -> pa.Table:
    """Attempts of all kinds at some questions."""
    source = random.Random(5)
    rows = []
    for number in range(count):
        seq = number // samples
        rows.append(
            {
                "seq": seq,
                "sample": number % samples,
                "domain": ("math", "code", "science")[seq % 3 if seq % 5 else 0],
                "source": f"s{seq % 4}",
                "outcome": source.choice(["pass", "pass", "fail", "unsure", "error"]),
                "finish_reason": source.choice(["stop"] * 9 + ["length"]),
                "chars": source.randrange(50, 5000),
                "tokens": float(source.randrange(10, 1000)),
                "pass_rate": (seq % 5) / 4 if seq % 7 else None,
                "score": source.random() if number % 11 else None,
                "meta.cluster": f"c{seq % 6}",
                "truth": "unknown" if seq % 2 else "answer",
                "vote": float(source.choice([0, 0, 0, 1])) if seq % 2 else None,
                "answer": None,
            }
        )
    for row in rows:
        row["answer"] = None if row["vote"] is None else f"{row['vote']:g}"
    return table(rows)
