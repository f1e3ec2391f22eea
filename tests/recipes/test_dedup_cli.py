"""`veristill dedup`: a row of OUT for every row of FILE, going on after a kill, scores used again, plain errors."""

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import Stopped
from curate.near import ratio, verb
from curate.near.verb import Options, dedup
from recipes.cli.main import command
from tests.curate.near.sets import brute, components, random_set

COLUMNS = ["row", "cluster", "kept", "partner", "score", "reason"]


def write(path: Path, texts: list[str | None], column: str = "problem", **more: list[Any]) -> Path:
    rows = [{column: text, **{name: values[n] for name, values in more.items()}} for n, text in enumerate(texts)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(content, "utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def plain(seed: int, rows: int = 500) -> list[str | None]:
    return [None if text is None else text.replace("\ud800", "") for text in random_set(seed, rows)]


@pytest.mark.parametrize(
    ("given", "out"), [("q.jsonl", "o.parquet"), ("q.jsonl.gz", "o.jsonl"), ("q.parquet", "o.jsonl")]
)
def test_every_row_is_there(given: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = plain(1)
    file = write(tmp_path / given, texts)
    assert command(["dedup", str(file), "-o", str(tmp_path / out), "--threshold", "88", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    rows = read(tmp_path / out)
    all_scores = brute(texts, 88)
    assert [list(row) for row in rows] == [COLUMNS] * len(texts)
    assert [row["row"] for row in rows] == list(range(len(texts)))
    assert [row["cluster"] for row in rows] == components(all_scores > 0)
    for row in rows:
        if row["kept"]:
            assert row["partner"] is row["score"] is None
            assert row["reason"] == (None if texts[row["row"]] is not None else "no text")
        else:
            assert row["partner"] == row["cluster"]
            said, _, by = row["reason"].partition("; by row ")
            assert said == "ratio >= 88"
            place = int(by) if by else row["partner"]
            assert row["score"] == all_scores[min(place, row["row"]), max(place, row["row"])]
    assert summary["rows"] == len(texts)
    assert summary["kept"] == sum(row["kept"] for row in rows) == len({row["cluster"] for row in rows})
    there = [text for text in texts if text is not None]
    assert summary["without_text"] == len(texts) - len(there)
    assert summary["unique"]["exact"] == len(set(there))
    assert summary["unique"]["fuzzy"] == summary["kept"] - summary["without_text"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([given, out])


def test_a_family_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[str | None] = [f"We add {n} and {n * n}. The sum is {n + n * n}." for n in range(50)]
    file = write(tmp_path / "a.jsonl", [*answers, answers[3], "Another answer."], "deepseek_solution")
    out = tmp_path / "o.jsonl"
    assert command(["dedup", str(file), "-o", str(out), "--column", "deepseek_solution", "--rule", "template"]) == 0
    shown = capsys.readouterr().out
    assert "exact       51" in shown
    assert "template    2" in shown
    assert "51          0  We add 0 and 0. The sum is 0." in shown
    reasons = [row["reason"] for row in read(out)]
    assert reasons == [None] * 3 + ["family"] * 47 + ["family", None]
    assert command(["dedup", str(file), "-o", str(out), "--column", "deepseek_solution", "--rule", "exact"]) == 0
    assert [row["partner"] for row in read(out) if not row["kept"]] == [3]


@pytest.mark.parametrize("rule", ["ratio", "minhash"])
def test_a_killed_one_goes_on(rule: str, tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", plain(3))
    code = (
        "import os, sys\n"
        "from curate.near import ratio, verb\n"
        "ratio._ROWS = 4\n"
        "heard = verb._heard\n"
        "def die(state, bar, done, links):\n"
        "    heard(state, bar, done, links)\n"
        "    if done[0] == 3: os.kill(os.getpid(), 9)\n"
        "verb._heard = die\n"
        "verb.dedup(verb.Options(file=sys.argv[1], out=sys.argv[2], rule=sys.argv[3], threshold=85))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-P", "-c", code, str(file), str(tmp_path / "o.jsonl"), rule], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "o.jsonl.state").is_dir()
    assert not (tmp_path / "o.jsonl").exists()
    parts: list[int] = []
    heard = verb._heard
    options = Options(file=str(file), out=tmp_path / "o.jsonl", rule=rule, threshold=85, quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio, "_ROWS", 4)
        patch.setattr(
            verb, "_heard", lambda state, bar, done, links: (parts.append(done[0]), heard(state, bar, done, links))
        )
        dedup(options)
        assert parts[0] == 4
        dedup(options.model_copy(update={"out": tmp_path / "whole.jsonl"}))
    assert read(tmp_path / "o.jsonl") == read(tmp_path / "whole.jsonl")
    assert not (tmp_path / "o.jsonl.state").exists()


def test_an_interrupt_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "q.jsonl", plain(1, 100))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "_heard", interrupt)
    with pytest.raises(Stopped, match="goes on"):
        dedup(Options(file=str(file), out=tmp_path / "o.jsonl", quiet=True))


def test_scores_are_used_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = plain(1)
    file, old, new = str(write(tmp_path / "q.jsonl", texts)), str(tmp_path / "old.parquet"), str(tmp_path / "new.jsonl")
    assert command(["dedup", file, "-o", old, "--threshold", "85"]) == 0
    monkeypatch.setattr(ratio, "scanner", lambda: pytest.fail("compared again"))
    assert command(["dedup", file, "-o", new, "--threshold", "92.5", "--scores", old]) == 0
    assert [row["cluster"] for row in read(Path(new))] == components(brute(texts, 92.5) > 0)
    monkeypatch.undo()
    other = str(write(tmp_path / "other.jsonl", plain(0)))
    for arguments, said in [
        ([file, "--threshold", "80", "--scores", old], "lower threshold"),
        ([file, "--threshold", "90", "--numbers", "differ", "--scores", old], "equal numbers"),
        ([other, "--threshold", "90", "--scores", old], "another file"),
        ([file, "--threshold", "90", "--scores", file], "not an OUT"),
        ([file, "--rule", "minhash", "--scores", old], "only the rule ratio"),
    ]:
        capsys.readouterr()
        assert command(["dedup", *arguments, "-o", str(tmp_path / "bad.jsonl")]) == 2
        assert said in capsys.readouterr().err
        assert not list(tmp_path.glob("bad*"))


@pytest.mark.parametrize("end", ["parquet", "jsonl"])
def test_scores_of_something_else_are_not_used(end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = "How many apples has Tom after he buys five?", "How many apples has Tim after he buys five?"
    file = str(write(tmp_path / "q.jsonl", [a, b, "other"], lang=["x", "y", "x"], near=["n", "n", "k"]))
    old, lang, new = (str(tmp_path / f"{name}.{end}") for name in ("old", "lang", "new"))
    assert command(["dedup", file, "-o", old, "--threshold", "90"]) == 0
    assert command(["dedup", file, "-o", lang, "--threshold", "90", "--within", "lang"]) == 0
    assert [row["kept"] for row in read(Path(old))] == [True, False, True]
    capsys.readouterr()
    assert command(["dedup", file, "-o", new, "--threshold", "92", "--within", "lang", "--scores", old]) == 2
    assert "equal lang" in capsys.readouterr().err
    # No pair says by which rule and of which column: Parquet's own word does, else all is compared anew.
    done = command(["dedup", file, "-o", new, "--threshold", "92", "--scores", lang])
    assert done == (2 if end == "parquet" else 0)
    if done == 0:
        assert [row["kept"] for row in read(Path(new))] == [True, False, True]
    write(tmp_path / "q.jsonl", [a, b, b], lang=["x", "y", "x"])
    if end == "parquet":  # the pair is as it was, the row behind it is not
        capsys.readouterr()
        assert command(["dedup", file, "-o", new, "--threshold", "92", "--scores", old]) == 2
        assert "another file" in capsys.readouterr().err


def test_a_threshold_keeps_every_digit(tmp_path: Path) -> None:
    file, old = str(write(tmp_path / "q.jsonl", ["a" * 40, "a" * 39 + "b"])), tmp_path / "old.jsonl"
    assert command(["dedup", file, "-o", str(old), "--threshold", "90.12345678"]) == 0
    assert read(old)[1]["reason"] == "ratio >= 90.12345678"
    new = ["dedup", file, "-o", str(tmp_path / "new.jsonl"), "--scores", str(old), "--threshold"]
    assert command([*new, "90.12345678"]) == 0
    assert command([*new, "90.1234567"]) == 2


def test_a_kill_while_the_state_goes_leaves_one_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(file=str(write(tmp_path / "q.jsonl", ["a", "b"])), out=tmp_path / "o.jsonl", quiet=True)
    monkeypatch.setattr("curate.tables.shutil.rmtree", lambda *_, **__: None)
    dedup(options)
    assert [path.name for path in (tmp_path / "o.jsonl.state").iterdir()] == ["lock"]
    monkeypatch.undo()
    dedup(options)
    assert not (tmp_path / "o.jsonl.state").exists()


def test_against_and_within(tmp_path: Path) -> None:
    texts: list[str | None] = [
        "a question of ten words",
        "a question of ten wordS",
        "my own",
        "a question of ten words",
    ]
    file = str(write(tmp_path / "q.jsonl", texts, lang=["x", "x", "x", "y"]))
    other = str(write(tmp_path / "old.jsonl", ["none", "a question of ten words!"], lang=["x", "x"]))
    out = tmp_path / "o.jsonl"
    assert command(["dedup", file, "-o", str(out), "--against", other, "--threshold", "90", "--within", "lang"]) == 0
    rows = read(out)
    assert [row["kept"] for row in rows] == [False, False, True, True]
    assert [row["cluster"] for row in rows] == [0, 0, 2, 3]
    assert (rows[0]["partner"], rows[0]["reason"]) == (1, "ratio >= 90, equal lang; partner of the other file")
    assert rows[1]["reason"] == "ratio >= 90, equal lang; by row 0; partner of the other file"


def test_the_column_of_questions_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "o.jsonl")
    for column in ("question", "prompt"):
        file = str(write(tmp_path / f"{column}.jsonl", ["a", "a", "b"], column))
        assert command(["dedup", file, "-o", out, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["dropped"] == 1


def test_plain_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(write(tmp_path / "q.jsonl", ["a", "b"], "question", n=[[1], [2]]))
    bare = str(write(tmp_path / "bare.jsonl", ["a", "b"], "sum"))
    out = str(tmp_path / "o.jsonl")
    for arguments, said in [
        ([bare, "-o", out], "say it with --column; it has: sum"),
        ([file, "-o", out, "--column", "n"], "holds no text but a list"),
        ([file, "-o", file, "--column", "question"], "the output is the input"),
        ([file, "-o", "o.csv", "--column", "question"], "must end in"),
        ([str(tmp_path / "none.jsonl"), "-o", out], "no such file"),
        (
            [file, "-o", out, "--column", "question", "--rule", "template", "--numbers", "differ"],
            "for ratio and minhash",
        ),
        ([file, "-o", out, "--threshold", "101"], "threshold"),
    ]:
        assert command(["dedup", *arguments]) == 2
        assert said in capsys.readouterr().err, said
    assert {path.name for path in tmp_path.iterdir()} == {"q.jsonl", "bare.jsonl"}


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_lone_surrogate_is_a_character(json_: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, out = str(write(tmp_path / "q.jsonl", ["a \ud800 b", "a \ud800 b", "c"])), tmp_path / "o.jsonl"
    assert command(["dedup", file, "-o", str(out), *json_]) == 0
    assert "a ? b" in capfd.readouterr().out
    assert [row["kept"] for row in read(out)] == [True, False, True]


def test_the_partition_is_the_same_in_any_order(tmp_path: Path) -> None:
    texts = plain(2)
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    groups = []
    for name, some in (("a", texts), ("b", [texts[one] for one in order])):
        out = tmp_path / f"{name}.out.jsonl"
        dedup(Options(file=str(write(tmp_path / f"{name}.jsonl", some)), out=out, threshold=90, quiet=True))
        named = order if name == "b" else list(range(len(texts)))
        clusters: dict[int, set[int]] = {}
        for row in read(out):
            clusters.setdefault(row["cluster"], set()).add(named[row["row"]])
        groups.append(sorted(map(sorted, clusters.values())))
    assert groups[0] == groups[1]
