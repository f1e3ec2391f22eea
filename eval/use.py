"""Runs `eval.general`: both models answer the user's prompts, the judge compares them, and the outcome is written.

<root>/runs/<recipe>/eval/general.json     counts, the student's share with its interval, rates of both models
<root>/runs/<recipe>/eval/general.jsonl    every prompt with both answers and what the judge said in both orders
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from curate.assemble import decided_now
from curate.engine.local import Local
from curate.errors import Failed
from curate.flow import Annotate, Flow
from curate.ingest import ingest
from curate.progress import Progress
from curate.pulse import Pulse
from curate.questions import QuestionTable
from curate.records import Question
from curate.resources import Resources, open_resources
from curate.run import Run, replace_file
from curate.solve import Decided, Solved, Work
from curate.sources._published import PRIVATE
from eval.block import Eval, General
from eval.general import Judged, Pair, judged, summary
from eval.pose import USE, Graders, Posed, Posing, Setting, Student, payer

_LABEL = "general"
_PAIRS = 256  # in hand at a time


class Used(NamedTuple):
    """What the comparison came to; `told` is general.json."""

    told: dict[str, Any]
    missing: int

    def raise_for_errors(self) -> None:
        """Raise Failed where an answer or a reply of the judge never came."""
        if self.missing:
            raise Failed(
                f"{self.missing:,} prompts have no comparison: an answer or a reply of the judge is missing",
                next="the same command asks for what is missing, and nothing else",
            )


async def in_use(
    block: Eval, setting: Setting, limit: int | None, max_cost_usd: float | None, progress: Progress
) -> Used | None:
    """Compare the two models of `general`; None where there is no such block. Raises any VeristillError."""
    wanted = block.general
    if wanted is None:
        return None
    run = Run(setting.root, f"{setting.recipe}/eval/.{_LABEL}")
    run.folder.mkdir(parents=True, exist_ok=True)
    source = Posed(inner=wanted.prompts, label=_LABEL, take=wanted.take, limit=limit)
    await asyncio.to_thread(ingest, run, (source,), None, progress)
    table = QuestionTable(run.questions)
    students = {name: _student(block, wanted, name) for name in dict.fromkeys((wanted.base, wanted.student))}
    caps = block.budget.caps(max_cost_usd)
    for name, one in students.items():  # one after the other: each may start a server of its own
        flow = _flow(block, setting, source, (one,))
        async with open_resources(payer(setting), flow, caps=caps, say=progress.say) as resources:
            await _ask(name, table, _work(flow), resources, progress)
    flow = _flow(block, setting, source, (students[wanted.base], students[wanted.student]))
    async with open_resources(payer(setting), flow, caps=caps, say=progress.say) as resources:
        found = await _judge(wanted, table, (_work(flow), resources), progress)
    return _written(wanted, found, setting)


def _student(block: Eval, wanted: General, name: str) -> Student:
    chosen = block.settings()
    decoding = chosen.decoding.model_copy(update={"max_tokens": wanted.max_tokens or chosen.decoding.max_tokens})
    posing = Posing(
        label=_LABEL, edition="own", runs=1, prompt="as_is", system=chosen.system, seed=block.seed, decoding=decoding
    )
    model = block.models[name]
    return Student(inner=model, posings={_LABEL: posing}, concurrency=model.concurrency)


def _flow(block: Eval, setting: Setting, source: Posed, students: tuple[Student, ...]) -> Flow:
    assert block.general is not None
    return Flow(
        name=setting.recipe,
        sources=(source,),
        annotate=Annotate(teacher=students),
        verify=Graders(benches={_LABEL: []}),  # nothing is right or wrong here
        judge=block.general.judge,
        budget=block.budget,
        answers_from=setting.answers_from,
    )


def _work(flow: Flow) -> Work:
    work = flow.work()
    return work._replace(asking=work.asking._replace(use=USE))


async def _ask(name: str, table: QuestionTable, work: Work, resources: Resources, progress: Progress) -> None:
    with progress.stage(f"prompts to {name}", len(table)) as bar:
        bar.tell = Pulse(resources.calls, lambda: bar.left)

        def done(question: Question, solved: Solved) -> None:
            bar.advance()

        async with bar.beating():
            await Local(progress).solve(table.groups(), work, resources, done)


async def _judge(
    wanted: General, table: QuestionTable, made: tuple[Work, Resources], progress: Progress
) -> list[tuple[Question, Judged]]:
    work, resources = made
    found: list[tuple[Question, Judged]] = []
    with progress.stage("judge", len(table)) as bar:
        bar.tell = Pulse(resources.calls, lambda: bar.left)
        held: list[tuple[Question, Pair]] = []
        for question, pair in _pairs(table, work, resources):
            held.append((question, pair))
            if len(held) >= _PAIRS:
                found += await _said(held, wanted, resources)
                bar.advance(len(held))
                held = []
        found += await _said(held, wanted, resources)
        bar.advance(len(held))
    return found


async def _said(
    held: list[tuple[Question, Pair]], wanted: General, resources: Resources
) -> list[tuple[Question, Judged]]:
    said = await judged([pair for _, pair in held], wanted.judge, wanted.prompt, resources)
    return [(question, one) for (question, _), one in zip(held, said, strict=True)]


def _pairs(table: QuestionTable, work: Work, resources: Resources) -> Iterator[tuple[Question, Pair]]:
    for _, solved in decided_now(table.groups(), work, resources):
        for question, one in solved:
            attempts: list[Decided] = list(one.decided)
            if len(attempts) == 2:
                yield question, Pair(question.id, question.problem, attempts[0].attempt, attempts[1].attempt)


def _written(wanted: General, found: list[tuple[Question, Judged]], setting: Setting) -> Used:
    names = {"base": wanted.base, "student": wanted.student, "judge": wanted.judge.name(), "prompt": wanted.prompt}
    told: dict[str, Any] = {**names, **summary([one for _, one in found])}
    folder = Run(setting.root, f"{setting.recipe}/eval").folder
    lines = "".join(json.dumps(_line(*one), ensure_ascii=False) + "\n" for one in found)
    replace_file(folder / "general.jsonl", lines.encode("utf-8", "replace"))
    replace_file(folder / "general.json", (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return Used(told, int(told["missing"]))


def _line(question: Question, one: Judged) -> dict[str, Any]:
    shown = not question.meta.get(PRIVATE)
    return {
        "question_id": question.id,
        "source_id": question.source_id,
        "won": one.won,
        "base_first": one.base_first,
        "student_first": one.student_first,
        "prompt": question.problem if shown else None,
        "base": one.pair.base.solution if shown else None,
        "student": one.pair.student.solution if shown else None,
    }
