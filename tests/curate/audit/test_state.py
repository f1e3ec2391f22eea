import json
import resource
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.audit.state import SCHEMA, Finding, State
from curate.errors import InputError, Stopped

IDENTITY = {"input": 1}


def finding(row: int, reason: str = "ok") -> Finding:
    outcome = "pass" if reason == "ok" else "error"
    return Finding(row, outcome, reason, "math", "1", '{"é": 1}', 0.5, "math", "s", None)


def fill(out: Path, *findings: Finding) -> None:
    with State(out, IDENTITY) as state:
        state.resume(lambda one: None)
        for one in findings:
            state.add(one)


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_out_holds_the_columns_in_order_and_the_state_goes(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    with State(out, IDENTITY) as state:
        assert state.resume(lambda one: None) == 0
        for row in range(3):
            state.add(finding(row))
        state.complete()
    assert [one.name for one in tmp_path.iterdir()] == [name]
    if name.endswith("jsonl"):
        found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    else:
        assert pq.read_schema(out).equals(SCHEMA)
        found = pq.read_table(out).to_pylist()
    wanted = {"outcome": "pass", "reason": "ok", "verifier": "math", "verifier_version": "1", "evidence": '{"é": 1}'}
    assert found == [{"row": row, **wanted, "seconds": 0.5} for row in range(3)]


def test_an_empty_audit_still_has_the_columns(tmp_path: Path) -> None:
    with State(tmp_path / "out.parquet", IDENTITY) as state:
        state.complete()
    assert pq.read_table(tmp_path / "out.parquet").schema.names == SCHEMA.names


def test_what_was_found_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    fill(out, finding(0), finding(1))
    seen: list[Finding] = []
    with State(out, IDENTITY) as state:
        assert state.resume(seen.append) == 2
        assert not state.restarted
    assert seen == [finding(0), finding(1)]


@pytest.mark.parametrize("torn", [b'[2, "pa', b'[2, "pass"]\n', b"\x00\x00\n", b'{"row": 2}\n'])
def test_a_torn_line_is_let_go_of(torn: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    fill(out, finding(0), finding(1))
    findings = tmp_path / "out.jsonl.state" / "findings.jsonl"
    with findings.open("ab") as file:
        file.write(torn)
    with State(out, IDENTITY) as state:
        assert state.resume(lambda one: None) == 2
        state.add(finding(2))
        state.complete()
    assert [json.loads(line)["row"] for line in out.read_text().splitlines()] == [0, 1, 2]


def test_our_trouble_is_done_again_and_unreadable_tests_are_not(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    fill(out, finding(0), finding(1, "unreadable_tests"), finding(2, "infrastructure"), finding(3))
    with State(out, IDENTITY) as state:
        assert state.resume(lambda one: None) == 2


def test_a_finished_audit_with_trouble_of_ours_keeps_its_state(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    for tried, reason in enumerate(("infrastructure", "ok")):
        with State(out, IDENTITY) as state:
            assert state.resume(lambda one: None) == tried
            for row in range(tried, 3):
                state.add(finding(row, reason if row == 1 else "ok"))
            state.complete()
        assert [json.loads(line)["reason"] for line in out.read_text().splitlines()] == ["ok", reason, "ok"]
    assert not state.folder.exists()


def test_a_line_that_the_disk_took_half_of_ends_the_audit(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with State(out, IDENTITY) as state:
        state.add(finding(0))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        action = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (120, limits[1]))
        try:
            with pytest.raises(OSError, match="No space left"):
                state.add(finding(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, action)
    with State(out, IDENTITY) as state:
        assert state.resume(lambda one: None) == 1


def test_another_input_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    fill(out, finding(0))
    with State(out, {"input": 2}) as state:
        assert state.restarted
        assert state.resume(lambda one: None) == 0


def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with State(out, IDENTITY), pytest.raises(Stopped, match="another audit"), State(out, IDENTITY):
        pass


def test_a_folder_of_that_name_which_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "out.jsonl.state" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("x")
    with pytest.raises(InputError, match="not the state of an audit"), State(tmp_path / "out.jsonl", IDENTITY):
        pass
    assert mine.read_text() == "x"
