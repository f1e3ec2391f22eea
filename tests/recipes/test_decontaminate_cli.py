"""`veristill decontaminate`: OUT for every row, columns, resuming, private items, the self-test."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.contamination.against import Against
from curate.contamination.match import Matcher
from curate.sources.gpqa import Gpqa
from recipes.cli.main import command

RIVER = (
    "A river is 340 metres wide at the ford where two ferries leave at 9 o'clock. When do they meet for the first time?"
)
ROWS = [
    f"A farmer has {n} hens and {n + 7} geese, and sells half of each. How many birds are left?" for n in range(3000)
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": RIVER, "id": 7}) + "\n", "utf-8")
    rows: list[dict[str, Any]] = [{"problem": text, "answer": f"It is {n}."} for n, text in enumerate(ROWS)]
    rows[5]["problem"] = f"Think first. {RIVER}"
    rows[2500]["answer"] = f"We are asked: {RIVER.replace('340', '90')} So let us see."
    rows[9]["problem"] = None
    with gzip.open(tmp_path / "train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_out(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["decontaminate", "train.jsonl.gz", "--against", "mine.jsonl", "-o", "out.jsonl"]) == 0
    rows = lines(files / "out.jsonl")
    assert [row["row"] for row in rows] == list(range(len(ROWS)))
    assert list(rows[0]) == ["row", "contaminated", "bench", "item", "tier", "score", "spans"]
    assert [row["row"] for row in rows if row["contaminated"]] == [5]
    found = rows[5]
    (span,) = json.loads(found.pop("spans"))
    assert found == {"row": 5, "contaminated": True, "bench": "mine.jsonl", "item": "7", "tier": "exact", "score": 1.0}
    assert (span["start"], span["text"]) == (13, RIVER[:-1])
    assert not (files / "out.jsonl.state").exists()
    assert "3,000" in capsys.readouterr().out


def test_several_columns_into_parquet_and_tiers(files: Path) -> None:
    arguments = [
        "decontaminate",
        "train.jsonl.gz",
        "--against",
        "mine.jsonl",
        "--column",
        "problem",
        "--column",
        "answer",
    ]
    assert command([*arguments, "-o", "out.parquet"]) == 0
    table = pq.read_table(files / "out.parquet")
    found = [row for row in table.to_pylist() if row["contaminated"]]
    assert [(row["row"], row["tier"]) for row in found] == [(5, "exact"), (2500, "number_changed")]
    assert json.loads(found[1]["spans"])[0]["column"] == "answer"
    assert command([*arguments, "--drop", "exact", "-o", "out.parquet"]) == 0
    rows = pq.read_table(files / "out.parquet").to_pylist()
    assert [row["row"] for row in rows if row["contaminated"]] == [5]
    assert rows[2500]["tier"] == "number_changed"


def test_a_killed_one_goes_on(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["decontaminate", "train.jsonl.gz", "--against", "mine.jsonl", "--json", "-o"]
    assert command([*arguments, "whole.jsonl"]) == 0
    capsys.readouterr()
    real, calls = Matcher.find, []

    def killed(self: Matcher, texts: list[str]) -> Any:
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, texts)

    monkeypatch.setattr(Matcher, "find", killed)
    assert command([*arguments, "out.jsonl"]) == 4
    assert (files / "out.jsonl.state").is_dir() and not (files / "out.jsonl").exists()
    monkeypatch.setattr(Matcher, "find", real)
    monkeypatch.setattr("curate.contamination.scan._survey", None)  # the survey is not made again
    capsys.readouterr()
    assert command([*arguments, "out.jsonl"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["resumed"], summary["rows"], summary["contaminated"]) == (calls[0], len(ROWS), 1)
    assert (files / "out.jsonl").read_bytes() == (files / "whole.jsonl").read_bytes()
    assert not (files / "out.jsonl.state").exists()


def test_the_text_of_gpqa_is_told_nowhere(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = Gpqa.tiny()
    asked = [item.text for item in Against.model_validate(f"gpqa_diamond={tiny}").items()]
    (files / "train.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in asked), "utf-8")
    assert command(["decontaminate", "train.jsonl", "--against", f"gpqa_diamond={tiny}", "-o", "out.jsonl"]) == 0
    told = (files / "out.jsonl").read_text("utf-8") + "".join(capsys.readouterr())
    assert all(row["contaminated"] for row in lines(files / "out.jsonl"))
    assert not any(text[:30] in told for text in asked)


def test_the_self_test(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["decontaminate", "train.jsonl.gz", "--against", "mine.jsonl", "--self-test", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["recall"]["exact"]["recall"] == result["recall"]["embedded"]["recall"] == 1.0
    assert result["rows_found"] == 1 and not (files / "out.jsonl").exists()
    assert command(["decontaminate", "train.jsonl.gz", "--against", "mine.jsonl", "--self-test"]) == 0
    assert "embedded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train.jsonl.gz", "-o", "o.jsonl"], "--against"),
        (["train.jsonl.gz", "--against", "mine.jsonl"], "-o"),
        (["train.jsonl.gz", "--against", "aime23", "-o", "o.jsonl"], "did you mean"),
        (["train.jsonl.gz", "--against", "mine.jsonl", "--drop", "exat", "-o", "o.jsonl"], "no tier 'exat'"),
        (["train.jsonl.gz", "--against", "mine.jsonl", "--column", "text", "-o", "o.jsonl"], "no column 'text'"),
        (["train.jsonl.gz", "--against", "none.jsonl", "-o", "o.jsonl"], "no such file"),
        (["train.jsonl.gz", "--against", "mine.jsonl", "-o", "o.txt"], "must end in"),
    ],
)
def test_bad_usage(files: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["decontaminate", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(files.glob("*.state")), "what cannot begin leaves nothing behind"
