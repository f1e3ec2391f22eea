"""Plan: what a recipe will take before it is run, and what of it is already paid for.

Only reads, unless a probe is asked for: that sends the requests of some questions for real, into the ledger of the run,
so that nothing is paid twice. Where the sources were not read yet, they are read into a folder that is thrown away.
"""

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pydantic import Field

from curate.engine.local import Local
from curate.flow import Flow, Options
from curate.foreseen import COLUMNS, Foreseen, foreseen, reward_foreseen
from curate.gates import sample
from curate.ingest import ingest_key, ingested
from curate.interrupts import plain_interrupts
from curate.keys import digest
from curate.kinds import Gate
from curate.labels import Kept, Stage, clean
from curate.order import Course
from curate.progress import Progress
from curate.projection import Range, TeacherPlan
from curate.pulse import Pulse
from curate.questions import QuestionTable
from curate.records import Question, Record
from curate.resources import Resources, open_resources
from curate.run import Run
from curate.solve import Solved
from curate.survey import Survey
from curate.turns import Asking

_BATCH = 64


class Plan(Record):
    """What a recipe takes. Amounts of what is still to be asked; `paid_usd` went before."""

    recipe: str
    rows: int = Field(description="Rows of the sources.")
    questions: int = Field(description="Of these, the ones that are asked.")
    answered: int = 0
    recorded: int = Field(0, description="Questions with recorded answers: nothing is sent for them.")
    paid_usd: float = 0.0
    probed: int = Field(0, description="Questions that this command asked.")
    requests: Range
    input_tokens: Range
    output_tokens: Range
    cost_usd: Range | None = Field(description="None: a price is not known.")
    judge_usd: Range | None = Field(None, description="Of `cost_usd`, what the judges take, as far as it is known.")
    hours: Range = Field(description="Of waiting, all teachers at once, after the stages that ask a model.")
    gpu_hours: Range | None = None
    teachers: tuple[TeacherPlan, ...]
    notes: tuple[str, ...] = ()


class _Here(NamedTuple):
    """The questions to be asked, wherever they lie."""

    run: Run
    rows: int
    kept: Kept
    left: Sequence[Stage]  # cleaning stages that have not run

    def notes(self) -> list[str]:
        """What to say of them."""
        kinds = ", ".join(stage.kind() for stage in self.left)
        return [f"not cleaned by {kinds} yet, which may take questions away"] if kinds else []


def _kept_groups(here: _Here, columns: Sequence[str]) -> Iterator[pa.Table]:
    return map(here.kept.only, QuestionTable(here.run.questions).groups(columns))


async def plan(flow: Flow, options: Options, probe: int | None = None) -> Plan:
    """What the flow takes under `options.root`; with `probe`, after asking that many of its questions for real.

    Raises what reading the sources raises; with `probe` also Stopped and Prerequisite, as a run does.
    """
    plain_interrupts()  # the survey awaits nothing: asyncio would take an interrupt at its end
    run = Run(options.root, flow.name)
    progress = Progress(quiet=options.quiet)
    probed = 0
    if probe:
        with run.writing():
            run.write("recipe.lock.yaml", options.lock_text)
            probed = await _probe(run, flow, options, probe, progress)
    async with (
        _questions(run, flow, options, progress) as here,
        open_resources(run, flow, read_only=True) as resources,
    ):
        groups = partial(_kept_groups, here, COLUMNS)
        gates = await foreseen(here.left, groups, resources)
        survey = _surveyed(flow, here, resources, progress, gates)
        reward, plans = flow.reward(), gates.plans
        if reward is not None and survey.example is not None:
            rewards = await reward_foreseen(reward, survey.rewardable(), resources, run.name)
            plans = plans if rewards is None else (*plans, rewards)
        return _planned(flow, here, survey, plans).model_copy(update={"probed": probed})


async def _probe(run: Run, flow: Flow, options: Options, count: int, progress: Progress) -> int:
    engine = Local(progress)
    course = Course(run, flow, options, engine, progress)
    ready = await course.prepare()
    drawn = _drawn(run, ready.kept, count)
    for stage in ready.left:
        if isinstance(stage, Gate):
            handles = course.handles(stage, ready.ingested)
            texts = partial(_kept_groups, _Here(run, ready.ingested.rows, ready.kept, ()), ["seq", "problem"])
            stage = await asyncio.to_thread(stage.prepared, texts, progress.say)
            await sample(stage, map(drawn.only, QuestionTable(run.questions).groups()), handles, progress)
    work = flow.work()
    work = work._replace(asking=_sparing(work.asking, count, len(drawn)))
    async with open_resources(
        run, flow, needs=work.needs(ready.ingested.kinds), caps=flow.budget.caps(options.max_cost_usd), say=progress.say
    ) as resources:
        with progress.stage("probe", len(drawn)) as bar:
            bar.tell = Pulse(resources.calls, lambda: bar.left)

            def done(question: Question, solved: Solved) -> None:
                bar.advance(solved.first)

            groups = map(drawn.only, QuestionTable(run.questions).groups())
            async with bar.beating():
                await engine.solve((group for group in groups if group.num_rows), work, resources, done)
    return len(drawn)


def _sparing(asking: Asking, count: int, questions: int) -> Asking:
    """What a probe asks: of many samples no more than make `count` answers of each teacher; rounds stay whole."""
    if asking.want is not None:
        return asking
    each = math.ceil(count / max(1, questions))
    return asking._replace(samples=min(asking.samples, each))


def _drawn(run: Run, kept: Kept, count: int) -> Kept:
    """`count` of the kept questions, the same ones each time, spread over all of them."""
    marks: list[tuple[str, int]] = []
    rows = 0
    for group in QuestionTable(run.questions).groups(["seq", "id"]):
        rows = max(rows, group.column("seq")[-1].as_py() + 1) if group.num_rows else rows
        for seq, id_ in zip(*(group.column(name).to_pylist() for name in ("seq", "id")), strict=True):
            if seq in kept:
                marks.append((digest("probe", id_), seq))
        marks = sorted(marks)[:count]
    drawn = Kept(rows)
    drawn.set([seq for _, seq in marks], True)
    return drawn


@asynccontextmanager
async def _questions(run: Run, flow: Flow, options: Options, progress: Progress) -> AsyncIterator[_Here]:
    """What an earlier command has ingested for this very recipe, else what is read now."""
    known = ingested(run)
    prints = [source.fingerprint() for source in flow.sources]
    if known is not None and known.key == ingest_key(flow.sources, prints, options.limit):
        kept, labelled = clean(run, flow.stages(), known.rows, known.key, None)
        yield _Here(run, known.rows, kept, flow.stages()[len(labelled) :])
        return
    # Stages that read the scores of gates wait for these; without a score they would drop, or keep, everything.
    left = [stage for stage in flow.stages() if isinstance(stage, Gate) or stage.wants()]
    now = tuple(stage for stage in flow.clean if not (isinstance(stage, Gate) or stage.wants()))
    pure = flow.model_copy(update={"clean": now})
    with tempfile.TemporaryDirectory(prefix="veristill-plan-") as root:
        aside = Run(Path(root), flow.name)
        with aside.writing():
            ready = await Course(aside, pure, options, Local(progress), progress).prepare()
        yield _Here(aside, ready.ingested.rows, ready.kept, left)


def _surveyed(flow: Flow, here: _Here, resources: Resources, progress: Progress, gates: Foreseen) -> Survey:
    survey = Survey(flow.work(), resources, gates.coming)
    fresh = not resources.ledger.count("reply") and not flow.answers_from
    with progress.stage("plan", len(here.kept)) as bar:
        for group in map(here.kept.only, QuestionTable(here.run.questions).groups()):
            for start in range(0, group.num_rows, _BATCH):
                part = group.slice(start, _BATCH)
                survey.take(part, fresh=fresh)
                bar.advance(part.num_rows)
    survey.close(fresh=fresh)
    return survey


def _planned(flow: Flow, here: _Here, survey: Survey, beside: tuple[TeacherPlan, ...]) -> Plan:
    """The plan of a survey; `beside` is what is asked before the teachers and after them."""
    teachers = survey.projected()
    nothing = Range.exactly(0.0)
    judging, notes = _judging(flow, survey, sum((one.requests for one in teachers), nothing))
    waiting = max((one.hours for one in teachers), key=lambda one: one.expected, default=nothing)
    teachers = (*beside, *teachers)
    requests = sum((one.requests for one in teachers), nothing)
    costs = [one.cost_usd for one in teachers]
    hours = [one.gpu_hours for one in teachers if one.gpu_hours is not None]
    made = Plan(
        recipe=flow.name,
        rows=here.rows,
        questions=len(here.kept),
        answered=sum(one.answered for one in teachers),
        recorded=sum(seen.recorded for seen in survey.seen),
        paid_usd=round(sum(one.paid_usd for one in teachers), 6),
        requests=requests,
        input_tokens=sum((one.input_tokens for one in teachers), nothing),
        output_tokens=sum((one.output_tokens for one in teachers), nothing),
        cost_usd=None if None in costs else sum(filter(None, costs), judging),
        judge_usd=judging if judging.high else None,
        hours=sum((one.hours for one in beside), waiting),
        gpu_hours=sum(hours, nothing) if hours else None,
        teachers=teachers,
    )
    return made.model_copy(
        update={"notes": (*here.notes(), *_wasted(flow, survey), *_spread(survey), *notes, *_notes(flow, made))}
    )


def _judging(flow: Flow, survey: Survey, requests: Range) -> tuple[Range, list[str]]:
    """What judging the answers to come costs, and what to say of it."""
    judges = ", ".join(judge.name() for judge in flow.router().judges())
    per_answer = survey.judging.mean()
    if not judges or not requests.high:
        return Range.exactly(0.0), []
    if per_answer is None:
        return Range.exactly(0.0), [f"what {judges} judges is not in these figures: --probe measures it"]
    return requests * per_answer, []


def _wasted(flow: Flow, survey: Survey) -> Iterator[str]:
    """Questions that nobody would be asked, and answers that would be paid for and never selected."""
    if nobody := survey.asks[()]:
        yield f"{nobody:,} questions have a domain that no teacher is for (`domains`): they are dropped, and not asked"
    lost = flow.never_selected(survey.truths)
    if lost:
        yield (
            f"nothing verifies the answers to {sum(survey.truths[pair] for pair in lost):,} of "
            f"{survey.truths.total():,} questions, and only verified ones are selected: map the column of their truth "
            "(`columns: {answer: ...}`), or add a chain to `verify:`"
        )


def _spread(survey: Survey) -> list[str]:
    if not survey.spread:
        return []
    return ["so many samples were looked at here and there: what is answered and paid for is an estimate, a run counts"]


def _notes(flow: Flow, made: Plan) -> Iterator[str]:
    if any(one.requests.high and one.basis.startswith("assumed") for one in made.teachers):
        yield "nothing was measured: --probe 50 asks 50 questions for real (and keeps the answers) for better figures"
    for one in made.teachers:
        if one.cost_usd is None:
            yield f"the price of {one.teacher} is not known: add price: {{input: USD, output: USD}} to it"
    action = flow.annotate.on_length.action
    if action in ("retry_larger", "continue") and any(one.basis.startswith("assumed") for one in made.teachers):
        yield f"answers that the cap cuts are asked for again (on_length: {action}): that is not in these figures"
    cap = flow.budget.max_cost_usd
    if cap is not None and made.cost_usd is not None and made.paid_usd + made.cost_usd.high > cap:
        left = max(0.0, cap - made.paid_usd)
        ends = [min(1.0, left / cost) if cost else 1.0 for cost in (made.cost_usd.high, made.cost_usd.expected)]
        yield f"the budget of ${cap:g} may end the run: it is enough for {ends[0]:.0%} to {ends[1]:.0%} of the rest"
