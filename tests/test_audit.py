"""`veristill audit` as a user runs it, on a dataset of real rows with planted faults (tests/audit_faults.py)."""

import gzip
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.audit_faults import MAKERS, make, misjudged, write

VERISTILL = str(Path(sys.executable).with_name("veristill"))
COLUMNS = ["row", "outcome", "reason", "verifier", "verifier_version", "evidence", "seconds"]
# Each costs its whole CPU limit, or a gibibyte: a few are enough here, tests/bench/audit.py has 100 of each.
COSTLY = {"looping": 3, "memory_hog": 3}
Row = dict[str, Any]


def audit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VERISTILL, "audit", *map(str, arguments)], capture_output=True, text=True)


def read(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        rows: list[Row] = pq.read_table(path).to_pylist()
        return rows
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def row_of(**fields: Any) -> Row:
    right = {"ground_truth_solution": "It is \\boxed{5}.", "deepseek_solution": "So \\boxed{5}."}
    return {"problem": "p", "domain": "math", "source": "s", "test_cases": None, **right, **fields}


def lines(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.slow
@pytest.mark.real
def test_every_plant_is_judged_right_also_after_a_kill(data_dir: Path, tmp_path: Path) -> None:
    """1,500 rows, over 500 of them planted; the audit is killed in the middle and goes on."""
    rows = make(data_dir, 1500, 15, fewer=COSTLY)
    kinds = [kind for kind, _ in rows]
    assert len(MAKERS) >= 12
    write(rows, tmp_path / "set.jsonl")
    out, state = tmp_path / "out.parquet", tmp_path / "out.parquet.state"

    process = subprocess.Popen([VERISTILL, "audit", str(tmp_path / "set.jsonl"), "-o", str(out)])
    findings = state / "findings.jsonl"
    until = time.monotonic() + 300
    while not findings.exists() or findings.read_bytes().count(b"\n") < 400:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    with findings.open("ab") as file:
        file.write(b'[400, "pa')  # as a power cut leaves it

    done = audit(tmp_path / "set.jsonl", "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    assert "going on at row" in done.stderr
    summary = json.loads(done.stdout)
    found = read(out)
    assert misjudged(kinds, found) == []
    assert list(found[0]) == COLUMNS
    assert [one["row"] for one in found] == list(range(1500))
    assert not state.exists()

    assert summary["rows"] == 1500
    assert summary["this_run"]["rows"] <= 1100  # the rows before the kill were not judged again
    outcomes = Counter(one["outcome"] for one in found)
    assert summary["outcomes"] == {name: outcomes[name] for name in ("pass", "fail", "unsure", "error")}
    assert outcomes["unsure"] <= 0.03 * 1500
    assert outcomes["error"] == 0
    assert sum(group["rows"] for group in summary["groups"]) == 1500
    labels = summary["labels"]["all"]
    assert labels["false_accept"]["count"] == labels["false_reject"]["count"] == 0
    assert labels["labelled_wrong"]["fail"] == sum(kinds[one["row"]] != "untouched" for one in found if is_wrong(one))


def is_wrong(one: Row) -> bool:
    return one["outcome"] == "fail"


@pytest.mark.slow
@pytest.mark.real
def test_order_and_workers_change_no_verdict(data_dir: Path, tmp_path: Path) -> None:
    rows = make(data_dir, 200, 3, seed=2, fewer=dict.fromkeys(COSTLY, 0))
    order = random.Random(3).sample(range(len(rows)), len(rows))
    write(rows, tmp_path / "set.jsonl")
    write([rows[number] for number in order], tmp_path / "shuffled.jsonl")
    kept = [name for name in COLUMNS if name not in ("row", "seconds")]
    for name, workers in (("set", 2), ("shuffled", 1)):
        done = audit(tmp_path / f"{name}.jsonl", "-o", tmp_path / f"{name}.out.jsonl", "--workers", str(workers))
        assert done.returncode == 0, done.stderr
    straight, shuffled = read(tmp_path / "set.out.jsonl"), read(tmp_path / "shuffled.out.jsonl")
    for place, number in enumerate(order):
        assert [shuffled[place][name] for name in kept] == [straight[number][name] for name in kept]


def test_the_same_rows_in_every_form_of_dataset(tmp_path: Path) -> None:
    rows = [row_of(), row_of(deepseek_solution="So \\boxed{6}.")]
    plain = lines(tmp_path / "a.jsonl", rows)
    with gzip.open(tmp_path / "b.jsonl.gz", "wb") as file:
        file.write(plain.read_bytes())
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    (tmp_path / "published" / "metadata").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "published" / "metadata" / "train-00000.parquet")
    (tmp_path / "folder").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "folder" / "rows.parquet")
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet", "published", "folder"):
        done = audit(tmp_path / name, "-o", tmp_path / "out.jsonl")
        assert done.returncode == 0, done.stderr
        assert [one["outcome"] for one in read(tmp_path / "out.jsonl")] == ["pass", "fail"], name
        assert "wrong_answer" in done.stdout


def test_a_label_column_gives_a_confusion_matrix_and_the_rows_to_look_at(tmp_path: Path) -> None:
    wrong = "So \\boxed{6}."
    rows = [row_of(mine="yes"), row_of(mine="no"), row_of(mine="no", deepseek_solution=wrong)]
    rows += [row_of(mine=1, deepseek_solution=wrong), row_of(mine=None), row_of(mine="who knows")]
    done = audit(lines(tmp_path / "a.jsonl", rows), "--label", "mine", "--json")
    assert done.returncode == 0, done.stderr
    labels = json.loads(done.stdout)["labels"]
    assert labels["all"]["rows"] == 4
    assert (labels["all"]["false_accept"]["count"], labels["all"]["false_accept"]["of"]) == (1, 2)
    assert [one["row"] for one in labels["false_accepts"]] == [1]
    assert [one["row"] for one in labels["false_rejects"]] == [3]
    assert labels["false_rejects"][0]["evidence"]["answer"] == "6"
    told = audit(tmp_path / "a.jsonl", "--label", "mine").stdout
    assert "labelled wrong, passed" in told
    assert "2 of 6 rows have none that is read: true or false" in told
    assert "no row has a label in 'source' that is read" in audit(tmp_path / "a.jsonl", "--label", "source").stdout


def test_an_output_that_cannot_be_written_is_named_with_its_flag(tmp_path: Path) -> None:
    done = audit(lines(tmp_path / "a.jsonl", [row_of()]), "-o", "/proc/out.jsonl")
    assert done.returncode == 2 and "name another file with -o" in done.stderr, done.stderr


def test_unreadable_tests_are_an_error_and_exit_1(tmp_path: Path) -> None:
    rows = [row_of(domain="code", test_cases="{'inputs': ["), row_of()]
    done = audit(lines(tmp_path / "a.jsonl", rows), "-o", tmp_path / "out.jsonl")
    assert done.returncode == 1
    assert [(one["outcome"], one["reason"]) for one in read(tmp_path / "out.jsonl")] == [
        ("error", "unreadable_tests"),
        ("pass", "ok"),
    ]
    assert "1 row ended in error" in done.stderr


@pytest.mark.parametrize(
    ("fields", "arguments", "said"),
    [
        ({"qwen_solution": "x"}, (), "deepseek_solution, qwen_solution"),
        ({}, ("--response", "deepsek_solution"), "did you mean 'deepseek_solution'?"),
        ({}, ("--label", "nope"), "there is no column 'nope'"),
        ({}, ("-o", "out.csv"), "must end in .jsonl or .parquet"),
        ({}, ("-o", "a.jsonl"), "the output is the input"),
    ],
)
def test_bad_usage_ends_with_2_and_leaves_nothing(
    fields: Row, arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = audit(lines(tmp_path / "a.jsonl", [row_of(**fields)]), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]


def test_response_wins_over_solution_columns_and_can_be_picked(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [row_of(response="\\boxed{6}", qwen_solution="\\boxed{5}")])
    assert json.loads(audit(path, "--json").stdout)["outcomes"]["fail"] == 1
    assert json.loads(audit(path, "--json", "--response", "qwen_solution").stdout)["outcomes"]["pass"] == 1


@pytest.mark.parametrize("name", ["absent.jsonl", "absent", "a.csv", "empty.jsonl", "broken.jsonl"])
def test_what_is_no_dataset_ends_with_2(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text(json.dumps(row_of()) + "\n{\n")
    done = audit(tmp_path / name, "-o", tmp_path / "out.jsonl")
    assert done.returncode == 2
    assert name in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_two_audits_of_one_out_do_not_mix(tmp_path: Path) -> None:
    import fcntl

    path, state = lines(tmp_path / "a.jsonl", [row_of()]), tmp_path / "out.jsonl.state"
    state.mkdir()
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = audit(path, "-o", tmp_path / "out.jsonl")
    assert done.returncode == 4
    assert "another audit is writing here" in done.stderr


def test_an_interrupt_ends_with_4_and_the_same_command_goes_on(tmp_path: Path) -> None:
    program = "```python\nwhile True:\n    pass\n```"
    tests = json.dumps({"inputs": ["1\n"], "outputs": ["1\n"]})
    slow = row_of(domain="code", test_cases=tests, deepseek_solution=program)
    path, out = lines(tmp_path / "a.jsonl", [row_of()] * 50 + [slow] * 2), tmp_path / "out.jsonl"
    command = [VERISTILL, "audit", str(path), "-o", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    findings = tmp_path / "out.jsonl.state" / "findings.jsonl"
    until = time.monotonic() + 60
    while not findings.exists() or findings.read_bytes().count(b"\n") < 50:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "it goes on where it was" in said
    assert "veristill audit" in said
    assert not out.exists()
    lines(path, [row_of()] * 50)  # another input: its state is of no use
    done = audit(path, "-o", out)
    assert "beginning anew" in done.stderr
    assert done.returncode == 0
    assert len(read(out)) == 50
