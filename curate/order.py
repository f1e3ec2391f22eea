"""The order of a run, stage by stage, and the report of it.

Written against one interface, `Engine`: how questions are solved is the engine's business, the order is not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pyarrow as pa

from curate.assemble import Samples, Selection, decided_now, publish_dataset
from curate.attempts import AttemptTable, select, select_drops
from curate.calls.payments import spent_by, unanswered
from curate.drops import read_drops, write_drops
from curate.errors import InputError
from curate.flow import Flow, Options
from curate.gates import examine
from curate.ingest import Ingested, ingest, need_ingested
from curate.kinds import Gate
from curate.labels import Cleaning, Kept, label, label_drops
from curate.lengths import uncut
from curate.progress import Progress
from curate.publish.hub import push
from curate.publish.writer import DatasetWriter
from curate.pulse import Pulse
from curate.questions import QuestionTable
from curate.records import Drop, Question
from curate.report import Report, SolveCounts
from curate.resources import Resources, open_resources
from curate.run import Run
from curate.solve import Solved, Work
from curate.spending import lost_in_retries, money, with_rows


class Engine(Protocol):
    """Solves questions: `done` is called for each, in any order, on the engine's loop."""

    async def solve(
        self, groups: Iterator[pa.Table], work: Work, resources: Resources, done: Callable[[Question, Solved], None]
    ) -> None:
        """Solve every question of the row groups. Raises Stopped when it was told to stop, after draining."""


class Course:
    """One command's way through the stages of a flow."""

    def __init__(self, run: Run, flow: Flow, options: Options, engine: Engine, progress: Progress) -> None:
        self.run, self.flow, self.options, self.engine, self.progress = run, flow, options, engine, progress
        self._clock = time.monotonic()
        self._seconds: dict[str, float] = {}
        self._attempts = AttemptTable(run.folder)

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
            this = {**report.this_run, "seconds": self._seconds}
            report = report.model_copy(update={"this_run": this, "money": with_rows(report.money, report.publish)})
            run.write("report.json", report.to_json() + "\n")
            run.write("report.md", report.to_markdown())
        self._push(report)
        run.event("end", **{key: value for key, value in report.this_run.items() if isinstance(value, int)})
        return report

    async def prepare(self) -> tuple[Ingested, Kept]:
        """Read and clean the questions, without a report: what `curate.plan` needs of a run."""
        report, kept = await self._clean(Report(recipe=self.flow.name, ingest=self._ingest()))
        return report.ingest, kept

    def _ingest(self) -> Ingested:
        if self.options.partial:
            return need_ingested(self.run, self.flow.sources)
        done = ingest(self.run, self.flow.sources, self.options.limit, self.progress)
        self._lap("ingest")
        return done

    async def _clean(self, report: Report) -> tuple[Report, Kept]:
        ingested = report.ingest
        cleaning = Cleaning(self.run, self.flow.clean, ingested.rows, ingested.key)
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
                    await examine(cleaning, stage, self.run, self.flow.sandbox, self.progress)
                else:
                    label(cleaning, stage, self.progress)
            cleaning.apply(reused=reused)
        if not self.options.partial:
            cleaning.sweep()
        self._lap("clean")
        return report.model_copy(update={"clean": cleaning.counts}), cleaning.kept

    async def _answers(self, before: tuple[Report, Kept], publishing: ExitStack) -> Report:
        report, kept = before
        if self.options.until == "clean":
            return report
        partial = self.options.partial
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
            await self._solve(kept, work, resources, counts)
            if resources.calls.own_servers is not None:
                await resources.calls.own_servers.end()  # nothing is asked from here on
            self._lap("solve")
            changes = list(counts.spending.changed())
            for line in changes:
                self.progress.say(line)
            told |= {"damage": resources.ledger.damage(), **({"model_changes": changes} if changes else {})}
            this = {**this_run(resources, counts, report), **told, "recorded_unused": self._unused(resources)}
            report = report.model_copy(
                update={"solve": counts.totals(), "this_run": this, **self._paid(counts, resources)}
            )
            if self.options.until == "solve":
                return report
            # Held until the reports are written; what was solved waits for a --partial that is publishing.
            publishing.enter_context(self.run.publishing(wait=not partial))
            return self._publish(report, kept, work, resources)

    def _paid(self, counts: SolveCounts, resources: Resources) -> dict[str, Any]:
        """What was paid and to whom: told before publishing, which may fail."""
        lost = lost_in_retries(resources.ledger, self.run.name)
        spent = spent_by(resources.ledger, self.run.name).usd
        return {
            "money": money(counts.spending.totals(), lost, counts.outcomes, spent),
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

    def _publish(self, report: Report, kept: Kept, work: Work, resources: Resources) -> Report:
        attempts = self._attempts.table()
        counted = uncut(attempts) if self.flow.annotate.on_length.action == "drop" else attempts
        selected, labelled = select(self.run, attempts, self.flow.select)
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
            rows = publish_dataset(
                writer, self.run, Selection(kept, Samples(counted), Samples(selected)), work, resources, bar
            )
        write_drops(self.run.folder / "drops.parquet", self._drops())
        self._lap("publish")
        return report.model_copy(update={"publish": rows, "dataset": str(self.run.dataset)})

    def _push(self, report: Report) -> None:
        if not self.flow.publish.push or report.publish is None:
            return
        why = "it is partial" if report.partial else "--limit was given" if self.options.limit is not None else ""
        if not why and report.solve and report.solve["outcomes"].get("error"):
            why = "some answers have no verdict because of trouble on our side"
        if why:
            self.progress.say(f"not pushed: {why}")
        else:
            self.progress.say(f"pushed to {push(self.run.dataset, self.flow.publish)}")

    def _drops(self) -> Iterator[Drop]:
        yield from read_drops(self.run.questions / "drops.parquet")
        yield from label_drops(self.run, self.flow.clean)
        yield from self._attempts.drops()
        yield from select_drops(self.run)

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
