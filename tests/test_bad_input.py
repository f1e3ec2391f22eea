"""Bad input of every kind: the right exit code, one clear message without a traceback, and nothing lost."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

from recipes.cli.main import command

VERISTILL = str(Path(sys.executable).with_name("veristill"))
RECIPE = """\
name: bad
sources:
  - {kind: jsonl, path: q.jsonl, domain: math, columns: {id: id, problem: problem, answer: answer}}
annotate: {teacher: {kind: fake, error_rate: 0.0}}
"""
ROWS = [{"id": number, "problem": f"{number} + 1?", "answer": str(number + 1)} for number in range(6)]


class Bad(NamedTuple):
    """A way to spoil a good folder, the exit code, and words that the message holds."""

    spoil: Callable[[Path], None]
    code: int
    words: list[str]


def _recipe(old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        assert old in RECIPE
        (folder / "r.yaml").write_text(RECIPE.replace(old, new, 1), "utf-8")

    return spoil


def _rows(text: str | bytes) -> Callable[[Path], None]:
    data = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / "q.jsonl").write_bytes(data) and None


def _lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _both(*spoils: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: [spoil(folder) for spoil in spoils] and None


# Nothing was run in these folders before: the first message decides.
BAD = {
    "unknown key": Bad(_recipe("annotate:", "anotate:"), 2, ["r.yaml:4", "did you mean 'annotate'?"]),
    "wrong type": Bad(_recipe("error_rate: 0.0", "error_rate: some"), 2, ["r.yaml:4", "error_rate", "number"]),
    "unknown kind": Bad(_recipe("kind: fake", "kind: fale"), 2, ["r.yaml:4", "did you mean 'fake'?"]),
    "broken YAML": Bad(_recipe("annotate: {", "annotate: {{"), 2, ["r.yaml:", "not valid YAML"]),
    "a recipe that is not UTF-8": Bad(lambda f: (f / "r.yaml").write_bytes(b"name: \xff") and None, 2, ["UTF-8"]),
    "an empty recipe": Bad(lambda f: (f / "r.yaml").write_bytes(b"") or None, 2, ["empty"]),
    "a missing source file": Bad(lambda f: (f / "q.jsonl").rename(f / "p.jsonl") and None, 2, ["q.jsonl", "p.jsonl"]),
    "a wrong column": Bad(_recipe("problem: problem", "problem: problme"), 2, ["problme", "problem"]),
    "an empty file": Bad(_rows(""), 2, ["q.jsonl", "no rows"]),
    "a file of empty lines": Bad(_rows("\n\n\n"), 2, ["q.jsonl", "no rows"]),
    "a broken JSON line": Bad(_rows(_lines(*ROWS) + '{"id": 7, \n'), 2, ["q.jsonl:7"]),
    "a line that is no object": Bad(_rows(_lines(*ROWS) + "[1]\n"), 2, ["q.jsonl:7"]),
    "one id twice": Bad(_rows(_lines(*ROWS, ROWS[2])), 2, ["q.jsonl:7", "2"]),
    "a file that is not UTF-8": Bad(_rows(_lines(*ROWS).encode() + b'{"problem": "\xe9"}\n'), 2, ["q.jsonl:7"]),
    "a truncated gzip": Bad(
        _both(_recipe("q.jsonl", "q.jsonl.gz"), lambda f: (f / "q.jsonl.gz").write_bytes(b"\x1f\x8b\x08abc") and None),
        2, ["q.jsonl.gz"],
    ),
    "a folder for a file": Bad(
        _both(lambda f: (f / "q.jsonl").unlink(), lambda f: (f / "q.jsonl").mkdir()), 2, ["q.jsonl"]
    ),
    "a file that may not be read": Bad(lambda f: (f / "q.jsonl").chmod(0), 2, ["q.jsonl"]),
    "a missing key variable": Bad(
        _recipe("{kind: fake, error_rate: 0.0}", "{kind: openai, model: m, api_key_env: NO_SUCH_KEY}"),
        3, ["NO_SUCH_KEY", "export"],
    ),
    "a missing recording": Bad(
        _recipe("{kind: fake, error_rate: 0.0}", "{kind: replay, path: no.jsonl}"), 2, ["no.jsonl"]
    ),
    "a root that is a file": Bad(lambda f: (f / "runs").write_text("x") and None, 2, ["runs"]),
}  # fmt: skip


def _run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", **more}
    environment.pop("NO_SUCH_KEY", None)
    return subprocess.run([VERISTILL, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def _good(folder: Path) -> None:
    (folder / "r.yaml").write_text(RECIPE, "utf-8")
    (folder / "q.jsonl").write_text(_lines(*ROWS), "utf-8")


@pytest.mark.parametrize("name", BAD)
def test_one_clear_message_and_the_right_code(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if name == "a file that may not be read" and os.geteuid() == 0:
        pytest.skip("root reads every file")
    _good(tmp_path)
    BAD[name].spoil(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # `command` sets it: put it back afterwards
    actions = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = command(["run", "r.yaml"])
    finally:
        for number, action in actions.items():
            signal.signal(number, action)
    shown = capfd.readouterr()
    assert code == BAD[name].code, shown
    assert shown.out == ""
    _one_message(shown.err, BAD[name].words)


def _one_message(text: str, words: list[str]) -> None:
    assert "Traceback" not in text
    assert text.count("error: ") == 1, text
    for word in words:
        assert word in text, text


# Rows that do not spoil a run: each becomes a question, or a drop with this reason.
ROW_TROUBLE = [
    ({"id": 10, "problem": "", "answer": "1"}, "empty_problem"),
    ({"id": None, "problem": None, "answer": None}, "empty_problem"),
    ('{"id": 11, "problem": "a\\ud800b", "answer": "1"}', "not_unicode"),
    ({"id": 12, "problem": "a\0b: 1 + 1?", "answer": "2"}, None),
    ({"id": 13, "problem": "x" * 5_000_000, "answer": "2"}, None),
    ({"id": 14, "problem": "1 + 1?", "answer": None}, None),
    ({"id": 15, "problem": "1 + 1?", "answer": "2", "more": {"x": [None]}}, None),
]


def test_troublesome_rows_are_kept_or_dropped_and_counted(tmp_path: Path) -> None:
    _good(tmp_path)
    lines = [row if isinstance(row, str) else json.dumps(row) for row, _ in ROW_TROUBLE]
    (tmp_path / "q.jsonl").write_text(_lines(*ROWS) + "\n".join(lines) + "\n", "utf-8")
    done = _run(tmp_path, "run", "r.yaml", "--json")
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)["totals"]["ingest"]
    reasons = Counter(reason for _, reason in ROW_TROUBLE if reason)
    assert totals["rows"] == len(ROWS) + len(ROW_TROUBLE)
    assert totals["reasons"] == dict(reasons)
    assert totals["questions"] == totals["rows"] - reasons.total()
    drops = pq.read_table(tmp_path / "runs/bad/drops.parquet").to_pylist()
    assert Counter(drop["reason"] for drop in drops if drop["stage"] == "ingest") == reasons


def test_what_was_there_survives_bad_input(tmp_path: Path) -> None:
    """A run, then broken input, then the good input again: nothing is asked twice."""
    _good(tmp_path)
    first = _run(tmp_path, "run", "r.yaml", "--json")
    assert first.returncode == 0, first.stderr
    before = _content(tmp_path / "runs/bad/dataset")
    (tmp_path / "q.jsonl").write_text(_lines(*ROWS) + "{", "utf-8")
    assert _run(tmp_path, "run", "r.yaml").returncode == 2
    assert _content(tmp_path / "runs/bad/dataset") == before
    _good(tmp_path)
    again = _run(tmp_path, "run", "r.yaml", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["this_run"]["answers_new"] == 0
    assert _content(tmp_path / "runs/bad/dataset") == before


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("root", ["/dev/null/x", "/sys/veristill"])
def test_an_unwritable_root(root: str, tmp_path: Path) -> None:
    _good(tmp_path)
    done = _run(tmp_path, "--root", root, "run", "r.yaml")
    assert done.returncode == 2, done.stderr
    _one_message(done.stderr, ["cannot write here", "--root"])


def test_a_second_run_in_the_same_folder_stops_with_4(tmp_path: Path) -> None:
    _good(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.replace("error_rate: 0.0", "error_rate: 0.0, latency_s: 20"), "utf-8")
    first = subprocess.Popen([VERISTILL, "run", "r.yaml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        while not (tmp_path / "runs/bad/questions").is_dir():
            assert first.poll() is None, first.communicate()
        second = _run(tmp_path, "run", "r.yaml")
        assert second.returncode == 4, second.stderr
        _one_message(second.stderr, ["another veristill"])
        assert _run(tmp_path, "status", "r.yaml").returncode == 0
    finally:
        first.kill()
        first.communicate()


def test_a_full_disk_stops_with_4_and_the_same_command_goes_on(tmp_path: Path, missing: Callable[[str], None]) -> None:
    """On a file system of 3 MB: the questions do not fit; with more room the same command ends well."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        missing("mount (a size-limited tmpfs needs root)")
    try:
        _good(tmp_path)
        rows = [{"id": number, "problem": os.urandom(20_000).hex(), "answer": "1"} for number in range(200)]
        (tmp_path / "q.jsonl").write_text(_lines(*rows), "utf-8")
        done = _run(tmp_path, "--root", str(disk), "run", "r.yaml")
        assert done.returncode == 4, done.stderr
        _one_message(done.stderr, ["disk is full"])
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        again = _run(tmp_path, "--root", str(disk), "run", "r.yaml", "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["totals"]["ingest"]["questions"] == 200
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_status_and_explain_of_nothing(tmp_path: Path) -> None:
    _good(tmp_path)
    for arguments in (["status", "r.yaml"], ["explain", "r.yaml", "0"]):
        done = _run(tmp_path, *arguments)
        assert done.returncode == 2, done.stderr
        _one_message(done.stderr, ["veristill run"])
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "ledger").exists()
