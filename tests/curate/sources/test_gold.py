"""Every registered source: a gold answer from its bundled rows passes its verifier, and a mutated one fails.

A source without a truth that a verifier could decide is named here; so is one that has a test of its own.
"""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from curate.isolation import SandboxBlock
from curate.kinds import Source
from curate.plug import find, kinds
from curate.records import Answer, Attempt, Choice, Drop, Grid, Question, Reference, Tests, Unknown
from curate.resources import Machines
from curate.sources._published import Published
from curate.verifiers.program import blocks
from curate.verifiers.router import Router
from curate.verifiers.testcases import read_tests

# Of sources whose rows hold no truth at all, or one that only a model can compare: nothing to decide here.
UNDECIDED = {
    "camel": "its answers are a model's",
    "open_code_reasoning": "it has no tests",
    "openthoughts3": "it has no reference",
    "still2": "it has traces and no reference",
}
# Of sources that hold nothing known, and of those whose rows are made elsewhere.
OTHERS = {
    "hf": "any dataset",
    "jsonl": "any file",
    "parquet": "any file",
    "unprompted": "asks nothing",
    "quickstart": "test_quickstart_verdicts",
    "reasoning_gym": "test_reasoning_gym",
}
# Programs for sets that come without solutions.
PROGRAMS = {
    "livecodebench": {
        "abc000_a": "input()\nstops = [0, *map(int, input().split())]\n"
        "print(sum(abs(a - b) for a, b in zip(stops, stops[1:])))",
        "1000_B": "input()\ntime, out = 0, []\nfor rolls in map(int, input().split()):\n    time += rolls\n"
        "    out.append(time)\nprint(*out)",
        "9000": "class Solution:\n    def echo(self, s: str, k: int) -> str:\n        return s[max(0, len(s) - k):]",
    }
}
PUBLISHED = [kind for kind in kinds("curate.sources") if issubclass(find("curate.sources", kind), Published)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def machines() -> AsyncIterator[Machines]:
    async with Machines(SandboxBlock(backend="namespaces"), count=2) as opened:
        yield opened


def questions(kind: str) -> list[Question]:
    source = find("curate.sources", kind)()
    assert isinstance(source, Source)
    return [item for item in source.rehearsal().read() if not isinstance(item, Drop)]


def test_every_source_is_accounted_for() -> None:
    assert sorted([*PUBLISHED, *OTHERS]) == kinds("curate.sources")
    assert set(UNDECIDED) <= set(PUBLISHED)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", PUBLISHED)
async def test_gold_passes_and_mutated_gold_fails(kind: str, machines: Machines) -> None:
    decided = [one for one in questions(kind) if not isinstance(one.truth, Unknown | Reference)]
    assert bool(decided) != (kind in UNDECIDED), f"{kind}: say in UNDECIDED why nothing of it can be verified"
    resources = await machines.ready(("sandbox", "workers"))
    router = Router()
    for question in decided:
        right, wrong = pair(kind, question)
        verdict = (await router.verify(question, attempt(question, right), resources, {})).verdict
        assert verdict.outcome == "pass", (question.source_id, right, verdict)
        verdict = (await router.verify(question, attempt(question, wrong), resources, {})).verdict
        assert (verdict.outcome, verdict.reason) == ("fail", "wrong_answer"), (question.source_id, wrong, verdict)


def pair(kind: str, question: Question) -> tuple[str, str]:
    """A right solution and a mutated one."""
    truth = question.truth
    if isinstance(truth, Tests):
        program = gold_program(kind, question)
        return fenced(program), fenced(program + mutation(question))
    if isinstance(truth, Choice):
        other = "A" if truth.letter != "A" else "B"
        return f"The right one is \\boxed{{{truth.letter}}}.", f"The right one is \\boxed{{{other}}}."
    if isinstance(truth, Grid):
        cells = [list(row) for row in truth.cells]
        mutated = [[*cells[0][:-1], (cells[0][-1] + 1) % 10], *cells[1:]]
        return json.dumps(cells), json.dumps(mutated)
    assert isinstance(truth, Answer)
    return f"So it is \\boxed{{{truth.text}}}.", "So it is \\boxed{1000003}."


def gold_program(kind: str, question: Question) -> str:
    known = PROGRAMS.get(kind, {}).get(question.source_id)
    program = known or question.gold or question.meta["solutions"][0]
    if found := blocks(program):
        return found[-1].text
    start = question.starter_code or ""
    whole = "def " in program or "def " not in start
    return program if whole else start.rstrip("\n") + "\n" + program


def mutation(question: Question) -> str:
    """What makes a right program wrong: another value from its function, or one more line of output."""
    assert isinstance(question.truth, Tests)
    suite = read_tests(question.truth.cases, question.meta)
    if suite.entry is None:
        return "\nprint('mutated')\n"
    owner = "Solution." if "class Solution" in (question.starter_code or "") else ""
    return f"\n\n{owner}{suite.entry} = lambda *_args: 'mutated'\n"


def fenced(program: str) -> str:
    return f"```python\n{program.strip()}\n```"


def attempt(question: Question, solution: str) -> Attempt:
    return Attempt(
        id="a", question_id=question.id, sample=0, teacher="t", solution=solution, finish_reason="stop", request_key="r"
    )
