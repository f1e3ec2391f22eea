"""The audit and `score` are two ways to the same verdict; large rows pass through one at a time."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curate.audit.audit import Options, audit
from curate.audit.cases import Chosen, case_of
from curate.plug import find
from curate.resources import Machines
from curate.verifiers.router import Router
from curate.verifiers.scoring import Spec, score

STDIN = json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2\n", "3\n"]})
CALL = json.dumps({"fn_name": "f", "inputs": [[1], [2]], "outputs": [2, 3]})
ROWS: list[dict[str, Any]] = [
    {"domain": "math", "ground_truth_solution": "#### 1,234", "response": "\\boxed{1234}"},
    {"domain": "math", "ground_truth_solution": "\\boxed{\\frac{1}{2}}", "response": "It is \\boxed{0.6}."},
    {"domain": "math", "ground_truth_solution": "\\boxed{3}", "response": "I cannot say."},
    {"domain": "puzzle", "problem": "Q?\nA: x\nB: y", "ground_truth_solution": "B", "response": "The answer is B."},
    {"domain": "code", "test_cases": STDIN, "response": "```python\nprint(int(input()) + 1)\n```"},
    {"domain": "code", "test_cases": STDIN, "response": "```python\nprint(2)\n```"},
    {"domain": "code", "test_cases": CALL, "response": "```python\ndef f(n):\n    return n + 1\n```"},
    {"domain": "code", "test_cases": CALL, "response": "```python\ndef f(n):\n    return [][n]\n```"},
    {
        "domain": "code",
        "test_cases": CALL,
        "starter_code": "def f(n):\n",
        "response": "```python\n    return n + 1\n```",
    },
]


def test_the_audit_judges_as_score_does(tmp_path: Path) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    audit(Options(dataset=str(path), out=out, quiet=True))
    audited = [json.loads(line) for line in out.read_text("utf-8").splitlines()]

    async def scored() -> list[Any]:
        found = []
        async with Machines() as machines:
            for number, row in enumerate(ROWS):
                question = case_of(number, row, Chosen("response", None)).question
                (kind,) = {one.kind() for one in Router().chain(question.domain, question.truth.type)}
                verifier = find("curate.verifiers", kind)()
                handles = await machines.ready(verifier.needs)  # type: ignore[attr-defined]
                found.append(await score(Spec.of(verifier, question), row["response"], handles))  # type: ignore[arg-type]
        return found

    for one, verdict in zip(audited, asyncio.run(scored()), strict=True):
        assert (one["outcome"], one["reason"], one["verifier"]) == (verdict.outcome, verdict.reason, verdict.verifier)
        assert json.loads(one["evidence"]) == verdict.evidence
    assert [one["outcome"] for one in audited] == [
        "pass",
        "fail",
        "fail",
        "pass",
        "pass",
        "fail",
        "pass",
        "fail",
        "pass",
    ]


@pytest.mark.slow
def test_rows_of_20_mb_are_in_memory_a_few_at_a_time(tmp_path: Path) -> None:
    """30 rows hold 600 MB of tests; the process that reads them stays far below what they all need.

    Only four of them run: the others have no answer, and are read all the same.
    """
    numbers = " ".join(["1234567"] * 2_600_000)
    row = {"domain": "code", "response": "```python\nprint(len(input()))\n```"}
    row["test_cases"] = json.dumps({"inputs": [numbers + "\n"], "outputs": [f"{len(numbers)}\n"]})
    run, unanswered = (json.dumps(one) + "\n" for one in (row, row | {"response": ""}))
    with (tmp_path / "a.jsonl").open("w") as file:
        file.writelines([run, run, *[unanswered] * 26, run, run])
    assert (tmp_path / "a.jsonl").stat().st_size > 600_000_000
    code = (
        "import re, sys; from pathlib import Path; from recipes.cli.main import command;"
        "code = command(sys.argv[1:]);"  # and not ru_maxrss, which begins with what the parent had when it forked
        "print(re.search('VmHWM:\\\\s+(\\\\d+)', Path('/proc/self/status').read_text())[1]); sys.exit(code)"
    )
    arguments = ["audit", str(tmp_path / "a.jsonl"), "--json"]
    done = subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document, _, peak = done.stdout.rstrip().rpartition("\n")
    assert json.loads(document)["outcomes"] == {"pass": 4, "fail": 26, "unsure": 0, "error": 0}
    assert int(peak) < 450_000  # KiB
