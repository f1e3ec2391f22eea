"""Grids in every form that answers use, what is not one, and real ARC tasks."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest

from curate.records import Grid, Verdict
from curate.verifiers.grid import CellByCell, find_attempts
from tests.curate.verifiers.rows import attempt, question, resources

RIGHT = ((1, 2, 3), (4, 5, 6))
FORMS = {
    "json": "[[1, 2, 3], [4, 5, 6]]",
    "json on lines": "[\n  [1, 2, 3],\n  [4, 5, 6],\n]",
    "python tuples": "((1, 2, 3), (4, 5, 6))",
    "fenced json": "```json\n[[1,2,3],[4,5,6]]\n```",
    "digits": "123\n456",
    "spaces": "1 2 3\n4 5 6",
    "commas": "1, 2, 3\n4, 5, 6",
    "fenced digits": "```\n1 2 3\n4 5 6\n```",
    "table": "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |",
    "bars": "1|2|3\n4|5|6",
    "row lists": "[1, 2, 3]\n[4, 5, 6]",
    "row lists with commas": "[1 2 3],\n[4 5 6],",
    "matrix": "\\boxed{\\begin{pmatrix} 1 & 2 & 3 \\\\ 4 & 5 & 6 \\end{pmatrix}}",
    "array": "\\begin{array}{ccc}1&2&3\\\\\\hline 4&5&6\\\\\\end{array}",
    "boxed": "\\boxed{[[1,2,3],[4,5,6]]}",
    "crlf": "1 2 3\r\n4 5 6\r\n",
    "object": '{"output": [[1,2,3],[4,5,6]]}',
}


async def judged(solution: str, cells: tuple[tuple[int, ...], ...] = RIGHT, **options: Any) -> Verdict:
    row = question(Grid(cells=cells), domain="puzzle")
    return await CellByCell(**options).verify(row, attempt(solution), resources())


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("around", ["{}", "The input was [[9, 9], [8, 8]].\n\nThe output:\n\n{}\n\nEvery row is kept."])
async def test_every_form(name: str, around: str) -> None:
    text = around.replace("{}", FORMS[name])
    verdict = await judged(text)
    assert (verdict.outcome, verdict.reason) == ("pass", "ok"), verdict.evidence
    changed = ((1, 2, 3), (4, 5, 7))
    verdict = await judged(text, changed)
    assert (verdict.outcome, verdict.evidence["different_cells"]) == ("fail", 1)
    assert (await judged(text, ((1, 2, 3),))).evidence["different_cells"] is None
    assert (await judged(text, ((1, 4), (2, 5), (3, 6)))).outcome == "fail"


@pytest.mark.parametrize(
    "text",
    ["", "I cannot see a pattern.", "The answer is 3.", "There are\n3\ncells.", "x = [1, 2]", "[[1, 2], [3, 'a']]",
     "[[]]", "<think>[[1,2,3],[4,5,6]]</think>No idea.", "<think>[[1,2,3],[4,5,6]]", "[[1.5, 2], [3, 4]]",
     "[[true, false]]"],
)  # fmt: skip
async def test_no_grid(text: str) -> None:
    verdict = await judged(text)
    assert (verdict.outcome, verdict.reason) == ("fail", "no_answer"), verdict.evidence


async def test_the_last_grid_counts_and_uneven_rows_stay_open() -> None:
    assert (await judged("[[1,2,3],[4,5,6]]\n\nNo, rather:\n\n[[0,0,0],[4,5,6]]")).outcome == "fail"
    assert (await judged("[[0,0]]\n\n1 2 3\n4 5 6\n")).outcome == "pass"
    uneven = await judged("1 2 3\n4 5\n")
    assert (uneven.outcome, uneven.reason) == ("unsure", "unparsable")
    assert (await judged("```\n5\n```", ((5,),))).outcome == "pass"
    assert (await judged("[[5]]", ((5,),))).outcome == "pass"
    assert (await judged("[[-1, 10]]", ((-1, 10),))).outcome == "pass"


WRONG = "[[0,0,0],[0,0,0]]"


@pytest.mark.parametrize(
    ("text", "two", "one"),
    [
        (f"Attempt 1:\n{WRONG}\n\nAttempt 2:\n[[1,2,3],[4,5,6]]", "pass", "fail"),
        (f"**Attempt 1:**\n1 2 3\n4 5 6\n\n**Attempt 2:**\n{WRONG}", "pass", "pass"),
        (f'{{"attempt_1": [[1,2,3],[4,5,6]], "attempt_2": {WRONG}}}', "pass", "pass"),
        (f'[{{"attempt_1": {WRONG}, "attempt_2": [[1,2,3],[4,5,6]]}}]', "pass", "fail"),
        (f"[[1,2,3],[4,5,6]]\n\nor\n\n{WRONG}", "fail", "fail"),
        (f"Attempt 1:\n[[1,2,3],[4,5,6]]\n\nThat is wrong; my answer is\n{WRONG}", "fail", "fail"),
        (f"Attempt 1: {WRONG}\nAttempt 2: {WRONG}\nAttempt 3: [[1,2,3],[4,5,6]]", "fail", "fail"),
    ],
)
async def test_two_attempts_only_where_they_are_named(text: str, two: str, one: str) -> None:
    assert (await judged(text)).outcome == two
    assert (await judged(text, attempts=1)).outcome == one


@pytest.mark.parametrize(
    "text",
    ["[[1," * 100_000, "[[1,2]," * 50_000, "1 2\n" * 90_000, "attempt 1:\n[[1]]\n" * 20_000, "[" * 400_000,
     "9" * 399_999, "|-" * 190_000, "\\begin{matrix}" * 20_000, "1 2 \n\n" * 60_000, "[[1]]" * 70_000,
     "((((1,2)" * 40_000, "1 2\n" + "-" * 300_000 + "x", "1 2\n|" + " " * 300_000 + "x",
     ("1" + " " * 3990 + "x\n") * 90, ("[1" + " " * 3990 + "x\n") * 90],
)  # fmt: skip
def test_hostile_texts_end_soon(text: str) -> None:
    start = time.process_time()
    find_attempts(text)
    assert time.process_time() - start < 5


@pytest.mark.real
@pytest.mark.parametrize("file", ["arc_agi1/evaluation.jsonl.gz", "arc_agi2/evaluation.jsonl.gz"])
async def test_real_tasks_in_four_forms(file: str, data_dir: Path) -> None:
    """Every gold grid passes in each form after a text that shows the inputs; with one cell changed it fails."""
    with gzip.open(data_dir / file, "rt") as lines:
        tasks = [json.loads(line) for line in lines]
    for task in tasks:
        for test in task["test"]:
            gold = tuple(map(tuple, test["output"]))
            changed = [list(row) for row in gold]
            changed[-1][-1] = (changed[-1][-1] + 1) % 10
            shown = f"Input:\n{json.dumps(test['input'])}\n\nOutput:\n\n"
            for write in (json.dumps, _spaced, _fenced, _dense):
                if write is _dense and len(gold) == 1:
                    continue  # one line of digits outside a block is a number
                assert (await judged(shown + write(test["output"]), gold)).outcome == "pass", (task["id"], write)
                assert (await judged(shown + write(changed), gold)).outcome == "fail", (task["id"], write)


def _spaced(rows: list[list[int]]) -> str:
    return "```\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\n```"


def _fenced(rows: list[list[int]]) -> str:
    return "```\n" + "\n".join("".join(map(str, row)) for row in rows) + "\n```"


def _dense(rows: list[list[int]]) -> str:
    return "\n".join("".join(map(str, row)) for row in rows)
