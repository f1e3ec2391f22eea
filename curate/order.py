"""The order of a run, stage by stage, and the report of it.

Written against one interface, `Engine`: how questions are solved is the engine's business, the order is not.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from itertools import chain
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from curate.assemble import Samples, Selection, decided_now, publish_dataset, publish_rl
from curate.attempts import AttemptTable, published_evidence, select, select_drops
from curate.calls.counters import Counters
from curate.calls.payments import spent_by, unanswered
from curate.drops import read_drops, write_drops
from curate.errors import InputError
from curate.flow import Flow, Options
from curate.gates import DIFFICULTY, asked_by_gates, cleaning_money, examine
from curate.ingest import Ingested, ingest, need_ingested
from curate.kinds import Gate, Label
from curate.labels import Cleaning, Kept, label, label_drops, scores
from curate.lengths import uncut
from curate.measures.measure import Measured, Wanted, measured
from curate.measures.names import COLUMNS, reads_texts, wanted
from curate.measures.rewards import REWARD
from curate.progress import Progress
from curate.publish.hub import push
from curate.publish.writer import DatasetWriter
from curate.pulse import Pulse
from curate.questions import QuestionTable
from curate.records import Drop, Question
from curate.report import Report, SolveCounts
from curate.resources import Resources, open_for_gate, open_resources
from curate.run import Run
from curate.solve import Solved, Work
from curate.spending import lost_in_retries, money, paid_for, with_rows
from curate.withheld import shown_drops


class Engine(Protocol):
    """Solves questions: `done` is called for each, in any order, on the engine's loop."""

    async def solve(
        self, groups: Iterator[pa.Table], work: Work, resources: Resources, done: Callable[[Question, Solved], None]
    ) -> None:
        """Solve every question of the row groups. Raises Stopped when it was told to stop, after draining."""


class Prepared(NamedTuple):
    """Questions before anything is asked: what was read, what is kept so far, and the stages that have not run."""

    ingested: Ingested
    kept: Kept
    left: Sequence[Label | Gate]


class Course:
    """One command's way through the stages of a flow."""

    def __init__(self, run: Run, flow: Flow, options: Options, engine: Engine, progress: Progress) -> None:
        self.run, self.flow, self.options, self.engine, self.progress = run, flow, options, engine, progress
        self._clock = time.monotonic()
        self._seconds: dict[str, float] = {}
        self._columns = wanted(flow.select)
        self._attempts = AttemptTable(run.folder, keyed=reads_texts(self._columns, flow.measure))
        self._said: set[str] = set()

    async def follow(self) -> Report:
        """Go as far as the options say and write the reports. Raises Failed where the counts do not add up."""
        run, options = self.run, self.options
        ingested = self._ingest()
        run.event("start", until=options.until, partial=options.partial)
        report = Report(
            recipe=self.flow.name,
            partial=options.partial,
            dry_run=options.dry_run,
            until=options.until,
            limit=options.limit,
            ingest=ingested,
        )
        with ExitStack() as publishing:
            if options.until != "ingest":
                report = await self._answers(await self._clean(report), publishing)
            report.check()
            report = self._write(report)
        self._push(report)
        run.event("end", **{key: value for key, value in report.this_run.items() if isinstance(value, int)})
        return report

    def _write(self, report: Report) -> Report:
        this = {**report.this_run, "seconds": self._seconds}
        report = report.model_copy(update={"this_run": this, "money": with_rows(report.money, report.publish)})
        self.run.write("report.json", report.to_json() + "\n")
        self.run.write("report.md", report.to_markdown())
        return report

    async def prepare(self) -> "Prepared":
        """Read the questions and clean them as far as no model is asked: what `curate.plan` needs of a run."""
        ingested = self._ingest()
        report, kept = await self._clean(Report(recipe=self.flow.name, ingest=ingested), free=True)
        return Prepared(ingested, kept, self.flow.stages()[len(report.clean) :])

    def _ingest(self) -> Ingested:
        if self.options.partial:
            return need_ingested(self.run, self.flow.sources)
        done = ingest(self.run, self.flow.sources, self.options.limit, self.progress)
        self._lap("ingest")
        return done

    async def _clean(self, report: Report, *, free: bool = False) -> tuple[Report, Kept]:
        ingested = report.ingest
        cleaning = Cleaning(self.run, self.flow.stages(), ingested.rows, ingested.key)
        asked = Counters()
        while (stage := cleaning.stage) is not None:
            reused = cleaning.labelled(whole=not self.options.partial)
            if not reused:
                if self.options.partial:
                    raise InputError(
                        "cleaning has not ended yet, nothing can be published",
                        where=str(self.run.folder),
                        next="wait until the run is solving (`veristill status`), then publish --partial",
                    )
                if isinstance(stage, Gate):
                    if free and stage.models():
                        return report.model_copy(update={"clean": cleaning.counts}), cleaning.kept
                    asked += await self._examine(cleaning, stage, report)
                else:
                    label(cleaning, stage, self.progress)
            cleaning.apply(reused=reused)
        if not self.options.partial:
            cleaning.sweep()
        self._lap("clean")
        this = {**report.this_run, **asked_by_gates(asked)}
        return report.model_copy(update={"clean": cleaning.counts, "this_run": this}), cleaning.kept

    async def _examine(self, cleaning: Cleaning, stage: Gate, report: Report) -> Counters:
        try:
            calls = await examine(cleaning, stage, self.handles(stage, report.ingest), self.progress)
        except Exception as why:  # boundary: whatever ended it goes on up, once it is told what was spent
            if stage.models():
                self._lap("clean")
                told = {"clean": cleaning.counts, "money": cleaning_money(self.run, self.flow)}
                self._leave(why, lambda: report.model_copy(update=told))
            raise
        return calls.counters

    def handles(self, stage: Gate, ingested: Ingested) -> AbstractAsyncContextManager[Resources]:
        """What a gate needs, not yet open."""
        caps, needs = self.flow.budget.caps(self.options.max_cost_usd), stage.handles(ingested.kinds)
        return open_for_gate(self.run, self.flow, stage, needs, caps, self.progress.say)

    async def _answers(self, before: tuple[Report, Kept], publishing: ExitStack) -> Report:
        report, kept = before
        if self.options.until == "clean":
            return report.model_copy(update={"money": cleaning_money(self.run, self.flow)})
        partial = self.options.partial
        await asyncio.to_thread(self.flow.measure.counter)  # a tokenizer that cannot be had is told before it costs
        work = self._work(kept)
        async with open_resources(
            self.run,
            self.flow,
            needs=() if partial else work.needs(report.ingest.kinds),
            caps=self.flow.budget.caps(self.options.max_cost_usd),
            read_only=partial,
            say=self.progress.say,
        ) as resources:
            counts = SolveCounts()
            told = self._told(resources)
            self._name_idle_chains(work, report.ingest)
            try:
                await self._solve(kept, work, resources, counts)
            except Exception as why:  # boundary: whatever ended it goes on up, once it is told what was spent
                self._leave(why, lambda: self._solved(report, counts, resources, told))
                raise
            if resources.calls.own_servers is not None:
                await resources.calls.own_servers.end()  # a reward model's begin when they are needed
            self._lap("solve")
            changes = list(counts.spending.changed())
            for line in (one for one in changes if one not in self._said):
                self.progress.say(line)
            told |= {"model_changes": changes} if changes else {}
            report = self._solved(report, counts, resources, told)
            report.this_run["recorded_unused"] = self._unused(resources)
            if self.options.until == "solve":
                return report
            # Held until the reports are written; what was solved waits for a --partial that is publishing.
            publishing.enter_context(self.run.publishing(wait=not partial))
            try:
                attempts = await self._measured(report, work, resources)
            except Exception as why:  # boundary: whatever ended it goes on up, once it is told what was spent
                if self.flow.reward() is not None:
                    self._leave(why, lambda: self._rewarded(report, counts, resources))
                raise
            if resources.calls.own_servers is not None:
                await resources.calls.own_servers.end()  # nothing is asked from here on
            report = self._rewarded(report, counts, resources, attempts.rewards_failed)
            return self._publish(report, kept, (work, resources), attempts)

    def _rewarded(self, report: Report, counts: SolveCounts, resources: Resources, failed: int = 0) -> Report:
        """The report with what rewards took."""
        asked = resources.calls.of(REWARD)
        if not asked.asked:
            return report
        told = {
            "reward_replies_new": asked.answered,
            "reward_replies_reused": asked.reused + asked.given,
            "rewards_missing": failed,
            "reward_cost_usd": round(asked.cost, 6),
            "reward_cost_unknown": asked.cost_unknown,
        }
        return report.model_copy(update={"this_run": {**report.this_run, **told}, **self._paid(counts, resources)})

    def _solved(self, report: Report, counts: SolveCounts, resources: Resources, told: dict[str, Any]) -> Report:
        this = {**report.this_run, **this_run(resources, counts, report), **told, "damage": resources.ledger.damage()}
        return report.model_copy(update={"solve": counts.totals(), "this_run": this, **self._paid(counts, resources)})

    def _leave(self, why: Exception, report: Callable[[], Report]) -> None:
        """Write the report of a run that stopped while solving: what it has spent is known, and asked for."""
        self._lap("solve")
        what = str(getattr(why, "what", why)) or type(why).__name__
        try:
            self._write(report().model_copy(update={"incomplete": what}))
        except Exception as error:  # noqa: BLE001 - boundary: a full disk; what ended the run is the news
            self.progress.say(f"there is no report of what was spent ({error})")
        else:
            self.progress.say(f"what was spent so far stands in {self.run.folder / 'report.md'}")

    def _paid(self, counts: SolveCounts, resources: Resources) -> dict[str, Any]:
        """What was paid and to whom: told before publishing, which may fail."""
        lost = lost_in_retries(resources.ledger, self.run.name)
        spent = spent_by(resources.ledger, self.run.name).usd
        cleaning = paid_for(resources.ledger, self.run.name, DIFFICULTY, counts.spending.keys())
        besides = {"cleaning_usd": cleaning}
        if self.flow.measure.reward is not None:
            besides["rewards_usd"] = paid_for(resources.ledger, self.run.name, REWARD)
        return {
            "money": money(counts.spending.totals(), lost, counts.outcomes, spent, besides),
            "servers": resources.calls.servers(),
        }

    def _work(self, kept: Kept) -> Work:
        def groups(columns: list[str]) -> Iterator[pa.Table]:
            return map(kept.only, QuestionTable(self.run.questions).groups(columns))

        return self.flow.work()._replace(calibration=self.flow.calibration(groups))

    def _told(self, resources: Resources) -> dict[str, Any]:
        """What an earlier command left that the user must know before anything is paid again."""
        lost = 0 if resources.read_only else unanswered(resources.ledger, self.run.name)
        if lost:
            self.progress.say(f"{lost} requests were in flight when this run was ended: they may be paid twice")
        for line in resources.ledger.damage():
            self.progress.say(f"the ledger is damaged: {line}")
            self.run.event("damage", what=line)
        box = resources.sandbox
        return {"possibly_paid_twice": lost, **({"sandbox": f"{box.backend} ({box.why})"} if box else {})}

    def _name_idle_chains(self, work: Work, ingested: Ingested) -> None:
        domains = sorted({domain for domain, _ in ingested.kinds})
        for name in work.router.idle(domains):
            self.progress.say(f"verify.{name}: no question has this domain; the domains are: {', '.join(domains)}")

    def _unused(self, resources: Resources) -> int:
        unused = sum({id(teacher): teacher.unused(resources) for teacher in self.flow.annotate.teacher}.values())
        if unused and self.options.limit is None:
            self.progress.say(f"{unused} recorded answers belong to no question of this run (or to further samples)")
        return unused

    async def _solve(self, kept: Kept, work: Work, resources: Resources, counts: SolveCounts) -> None:
        table = QuestionTable(self.run.questions)
        with self.progress.stage("solve", _parts(kept, work)) as bar:
            bar.tell = Pulse(resources.calls, lambda: bar.left)

            def done(question: Question, solved: Solved) -> None:
                counts.add(question, solved)
                self._attempts.add(question, solved)
                for line in counts.spending.just_changed():  # told while there is time to look into it
                    self._said.add(line)
                    self.progress.say(line)
                verdicts = [one.verdict.outcome for one in solved.decided]
                bar.advance(passed=verdicts.count("pass"), judged=len(verdicts))

            groups = map(kept.only, table.groups())  # `map`, unlike a generator, holds no group back
            if self.options.partial:
                for _, part in decided_now(groups, work, resources):
                    for question, solved in part:
                        done(question, solved)
            else:
                async with bar.beating():
                    await self.engine.solve(groups, work, resources, done)

    async def _measured(self, report: Report, work: Work, resources: Resources) -> Measured:
        rows, names = report.ingest.rows, self._columns
        given = scores(self.run, self.flow.stages(), rows, [name for name in names if name not in COLUMNS])
        what = Wanted(names, self.flow.measure, given, work, rows, self.flow.select)
        found = await measured(self.run, self._attempts.table(), what, resources, self.progress)
        self._lap("measure")
        return found

    def _publish(self, report: Report, kept: Kept, solving: tuple[Work, Resources], found: Measured) -> Report:
        attempts, (work, resources) = found.attempts, solving
        counted = uncut(attempts) if self.flow.annotate.on_length.action == "drop" else attempts
        selected, labelled = select(self.run, attempts, self.flow.select, found.tokens_by)
        for line in (note for one in labelled for note in one.notes):
            self.progress.say(line)
        self._lap("select")
        report = report.model_copy(update={"select": labelled})
        if counted is not attempts:  # each that is left out has its Drop from selection
            left_out = {"left_out": attempts.num_rows - counted.num_rows}
            report = report.model_copy(update={"solve": {**(report.solve or {}), **left_out}})
        report.check()  # before anything is published over what stands there
        if self.options.until != "publish":
            return report
        options = self.options
        writer = DatasetWriter(
            self.run.dataset, self.flow.publish, name=self.flow.name, partial=options.partial, limit=options.limit
        )
        with self.progress.stage("publish", _parts(kept, work)) as bar:
            said = published_evidence(self.run, self.flow.select)
            chosen = Selection(kept, Samples(counted), Samples(selected), said)
            rows = publish_dataset(writer, self.run, chosen, work, resources, bar)
            exported = publish_rl(self.run, self.flow, chosen, counted)
        if exported is not None:
            rows |= {"rl": exported.rows, "rl_unscorable": exported.unscorable}
        write_drops(self.run.folder / "drops.parquet", self._drops())
        self._lap("publish")
        return report.model_copy(update={"publish": rows, "dataset": str(self.run.dataset)})

    def _push(self, report: Report) -> None:
        if not self.flow.publish.push or report.publish is None:
            return
        why = "it is partial" if report.partial else "--limit was given" if self.options.limit is not None else ""
        if not why and report.solve and report.solve["outcomes"].get("error"):
            why = "some answers have no verdict because of trouble on our side"
        if not why and report.this_run.get("rewards_missing"):
            why = "some answers have no reward because of trouble on our side"
        if why:
            self.progress.say(f"not pushed: {why}")
        else:
            self.progress.say(f"pushed to {push(self.run.dataset, self.flow.publish)}")

    def _drops(self) -> Iterator[Drop]:
        yield from read_drops(self.run.questions / "drops.parquet")
        later = chain(label_drops(self.run, self.flow.stages()), self._attempts.drops(), select_drops(self.run))
        yield from shown_drops(self.run, later)

    def _lap(self, stage: str) -> None:
        now = time.monotonic()
        self._seconds[stage] = round(now - self._clock, 3)
        self._clock = now


def _parts(kept: Kept, work: Work) -> int:
    """What solving and publishing go through: the questions, each of them as often as its samples are cut."""
    return len(kept) * sum(1 for _ in work.asking.parts())


def this_run(resources: Resources, counts: SolveCounts, report: Report) -> dict[str, Any]:
    """What this command did, as against what stands there now."""
    calls, judge = resources.calls.of("answer"), resources.calls.of("judge")
    judged = {
        "judge_replies_new": judge.answered,
        "judge_replies_reused": judge.reused + judge.given,
        "judge_calls_failed": judge.failed,
        "judge_cost_usd": round(judge.cost, 6),
        "judge_cost_unknown": judge.cost_unknown,
    }
    return {
        "questions_reused": report.ingest.reused,
        "labels_reused": sum(one.reused for one in report.clean),
        "answers_new": calls.answered,
        "answers_reused": calls.reused,
        "answers_recorded": calls.given,
        "requests_sent": calls.sent,
        "calls_failed": calls.failed,
        "calls_retried": calls.retried,
        "cost_usd": round(calls.cost, 6),
        "cost_unknown": calls.cost_unknown,
        **(judged if judge.asked else {}),
        "verdicts_new": counts.new,
        "verdicts_reused": counts.reused,
        "troubles": dict(counts.troubles.most_common(10)),
    }
