"""Packed LiveCodeBench tests as one of its redistributions writes them: base64, zlib, pickle."""

import json
from pathlib import Path

import pytest

from curate.verifiers.testcases import read_tests
from sandbox import Call, Stdin

pytestmark = pytest.mark.real


def test_packed_tests_are_read(data_dir: Path) -> None:
    with (data_dir / "sandboxfusion/code_eval_live_code_bench_v1.jsonl").open(encoding="utf-8") as file:
        suites = [read_tests(json.loads(line)["test"], {}) for line in file]
    assert [suite.entry is None for suite in suites] == [True, False, True]
    assert [{type(case) for case in suite.cases} for suite in suites] == [{Stdin}, {Call}, {Stdin}]
    assert isinstance(suites[0].cases[0], Stdin)
    assert suites[0].cases[0].expected == "YES\nYES\nYES\nNO\nNO\nYES\n"
