"""`kind: dedup` beyond `exact`: evidence, policies, another dataset, and a higher threshold from stored scores."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.clean.dedup import Dedup
from curate.ingest import ingest
from curate.kinds import Opinion, Source
from curate.labels import clean, label_drops
from curate.near import ratio
from curate.progress import Progress
from curate.records import Answer, Drop, Question, Unknown
from curate.run import Run
from curate.sources.jsonl import Jsonl
from tests.curate.near.sets import brute, components, random_set

QUIET = Progress(quiet=True)
A = "How many apples does Tom have after he buys five of them?"
B = "How many apples does Tom have after he buys nine of them?"


def table(problems: list[str], **columns: list[Any]) -> pa.Table:
    count = len(problems)
    rest: dict[str, list[Any]] = {
        "seq": list(range(count)),
        "id": [f"id{n}" for n in range(count)],
        "starter_code": [None] * count,
        "truth_key": ["t"] * count,
        "truth_type": ["answer"] * count,
        "domain": ["math"] * count,
        "source": ["s"] * count,
    }
    return pa.table({"problem": pa.array(problems, pa.string()), **{**rest, **columns}})


def dropped(stage: Dedup, rows: pa.Table) -> dict[int, Opinion]:
    opinions = stage.label(rows)
    seqs = rows.column("seq").to_pylist()
    return {seq: one for seq, one in zip(seqs, opinions, strict=True) if not one.kept}


def test_evidence_names_partner_score_and_a_truth_that_differs() -> None:
    found = dropped(Dedup(rule="ratio", threshold=90), table([A, "other", B], truth_key=["t", "t", "u"]))
    assert list(found) == [2]
    assert found[2].reason == "duplicate"
    wanted = {"rule": "ratio", "threshold": 90.0, "partner_seq": 0, "partner_id": "id0", "truth": "differs"}
    evidence = dict(found[2].evidence)
    assert 90 < evidence.pop("score") < 100
    assert evidence == wanted


def test_a_chain_names_the_row_that_links() -> None:
    chain = ["a" * 40, "a" * 38 + "bb", "a" * 36 + "bbbb"]
    found = dropped(Dedup(rule="ratio", threshold=95), table(chain))
    assert (found[1].evidence["partner_seq"], "via_seq" in found[1].evidence) == (0, False)
    assert (found[2].evidence["partner_seq"], found[2].evidence["via_seq"]) == (0, 1)


def test_policies() -> None:
    rows = table([A, B, A + "?"], domain=["math", "code", "math"], truth_type=["unknown", "unknown", "answer"])
    assert list(dropped(Dedup(rule="ratio", threshold=90), rows)) == [1, 2]
    assert list(dropped(Dedup(rule="ratio", threshold=90, keep="with_truth"), rows)) == [0, 1]
    assert list(dropped(Dedup(rule="ratio", threshold=90, keep="longest"), rows)) == [0, 1]
    assert list(dropped(Dedup(rule="ratio", threshold=90, within="domain"), rows)) == [2]
    assert list(dropped(Dedup(rule="ratio", numbers="differ"), table(["add 17 and 1", "add 17 and 2"]))) == []
    assert list(dropped(Dedup(rule="exact", keep="longest"), table(["a b", "a  b", "a b"]))) == [0, 2]
    family = dropped(Dedup(rule="template", keep_per_family=1), table(["add 1", "add 2", "add 1 "]))
    assert [(one.reason, one.evidence["partner_seq"]) for one in family.values()] == [("family", 0), ("duplicate", 0)]
    with pytest.raises(ValidationError, match="numbers: differ"):
        Dedup(rule="template", numbers="differ")


def test_the_order_of_rows_does_not_count() -> None:
    texts = [one for one in random_set(1, 300) if one is not None and one.isprintable()]
    rows = table(texts)
    order = random.Random(0).sample(range(len(texts)), len(texts))
    for stage in (Dedup(rule="ratio", threshold=85), Dedup(rule="template"), Dedup(rule="minhash", threshold=85)):
        wanted = dropped(stage, rows)
        assert wanted
        assert dropped(stage, rows.take(order)) == wanted


@pytest.mark.parametrize("rule", ["exact", "ratio", "minhash"])
def test_against_another_dataset(rule: Any, tmp_path: Path) -> None:
    other = tmp_path / "old.jsonl"
    lines = [{"problem": "quite another thing", "answer": "1"}, {"problem": A, "answer": "5"}]
    other.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    columns = {"problem": "problem", "answer": "answer"}
    against = Jsonl.model_validate({"path": str(other), "domain": "math", "columns": columns})
    truth = next(one.truth_key for one in against.read() if isinstance(one, Question) and one.problem == A)
    stage = Dedup(rule=rule, threshold=90, against=against)
    found = dropped(stage, table([A, A, "mine alone"], truth_key=[truth] * 3))
    assert list(found) == [0, 1]
    for one in found.values():
        assert one.evidence["against"] == "old"
        assert one.evidence["partner_source_id"]
    before = stage.spec()
    other.write_text("", "utf-8")
    assert Dedup(rule=rule, threshold=90, against=against).spec() != before


class Texts(Source):
    """A set of texts as questions."""

    seed: int = 1

    def read(self) -> Iterator[Question | Drop]:
        for seq, text in enumerate(texts_of(self.seed)):
            truth = Answer(text="1") if seq % 2 else Unknown()
            one = Question.of(problem=text, domain="math", truth=truth, source="t", source_id=str(seq))
            yield one.model_copy(update={"seq": seq})

    def fingerprint(self) -> str:
        return str(self.seed)


def texts_of(seed: int) -> list[str]:
    return [one for one in random_set(seed, 400) if one is not None and "\ud800" not in one]


def test_a_higher_threshold_compares_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, "r")
    run.folder.mkdir(parents=True)
    done = ingest(run, [Texts()], None, QUIET)
    texts = texts_of(1)
    all_scores = brute(texts, 85)

    def groups(threshold: float) -> int:
        kept, _ = clean(run, [Dedup(rule="ratio", threshold=threshold)], done.rows, done.key, QUIET)
        for drop in label_drops(run, [Dedup(rule="ratio", threshold=threshold)]):
            by = drop.evidence.get("via_seq", drop.evidence["partner_seq"])
            assert all_scores[min(drop.seq, by), max(drop.seq, by)] == drop.evidence["score"] >= threshold
        return len(kept)

    assert groups(88) == len(set(components(all_scores >= 88)))
    compared = []
    scores = ratio.scores

    def counting(texts: Any, left: Any, right: Any, threshold: float) -> Any:
        compared.append(left.size)
        return scores(texts, left, right, threshold)

    monkeypatch.setattr(ratio, "scores", counting)
    assert groups(93) == len(set(components(all_scores >= 93)))
    assert sum(compared) == 0
    assert groups(97.5) == len(set(components(all_scores >= 97.5)))
    assert sum(compared) == 0
    assert groups(90) == len(set(components(all_scores >= 90)))  # lower: anew
    assert sum(compared) > 0
