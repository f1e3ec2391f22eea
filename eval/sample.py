"""An evaluation as a run: questions are read once, every sample is asked, verified and kept like any answer of a run.

It goes on where it was stopped: what has an answer or a verdict in the ledger costs nothing again.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from curate.calls.client import Calls
from curate.engine.local import Local
from curate.errors import Failed, InputError
from curate.flow import Annotate, Flow
from curate.ingest import Ingested, ingest
from curate.interrupts import plain_interrupts
from curate.kinds import Teacher
from curate.memory import give_back_freed_memory
from curate.progress import Progress
from curate.pulse import Pulse
from curate.questions import QuestionTable
from curate.records import Question
from curate.resources import Resources, open_resources
from curate.run import Run, usable
from curate.solve import Solved, Work
from eval.block import Bench, Eval
from eval.contamination import Nearest, similarities
from eval.forcing import Forced, Variant, variants
from eval.pose import BENCH, USE, Graders, Posed, Posing, Setting, Student, payer
from eval.protocol import Preset, benchmark, prompt_of
from eval.results import PROTOCOL, ResultWriter, slug
from eval.rows import Grading, rows_of
from eval.scores import write_scores
from eval.use import Used, in_use
from eval.weights import told_apart

_QUESTIONS = ".questions"  # of all models of a recipe: read once


class Options(NamedTuple):
    """How this command runs it."""

    models: tuple[str, ...] = ()  # none: all
    limit: int | None = None  # rows read of each benchmark
    max_cost_usd: float | None = None


class Evaluated(NamedTuple):
    """What one model's evaluation came to."""

    model: str
    folder: Path
    rows: int
    outcomes: dict[str, int]
    dropped: dict[str, int]  # rows of benchmarks that are no questions, by reason
    unasked: int  # questions to which a recording holds no answer: the scores are of the others
    answers_new: int
    answers_reused: int
    truncated: int
    cost_usd: float
    troubles: tuple[str, ...]
    scores: tuple[dict[str, Any], ...]  # of each benchmark, as in scores.json

    def raise_for_errors(self) -> None:
        """Raise Failed where a sample has no verdict because of trouble of ours."""
        if errors := self.outcomes.get("error", 0):
            why = f": {self.troubles[0]}" if self.troubles else ""
            raise Failed(
                f"{errors:,} answers of {self.model} have no verdict because of trouble on our side{why}",
                where=str(self.folder),
                next="the same command asks and verifies them again, and nothing else",
            )


class Done(NamedTuple):
    """What an evaluation came to: each model's, and the comparison in use where there is one."""

    models: tuple[Evaluated, ...]
    general: Used | None = None

    def raise_for_errors(self) -> None:
        """Raise Failed where anything is missing because of trouble of ours."""
        for one in self.models:
            one.raise_for_errors()
        if self.general is not None:
            self.general.raise_for_errors()


def evaluate(block: Eval, setting: Setting, options: Options | None = None) -> Done:
    """Evaluate every model (and every variant of budget forcing), holding the root. Raises any VeristillError.

    The comparison in use follows, unless only some of the models were asked for.
    """
    run = Run(setting.root, f"{setting.recipe}/eval")
    with run.writing():
        return asyncio.run(_evaluate(block, setting, options or Options()))


async def _evaluate(block: Eval, setting: Setting, options: Options) -> Done:
    plain_interrupts()
    give_back_freed_memory()
    with usable(setting.root):
        progress = Progress(quiet=setting.quiet)
        wanted = {name: block.models[name] for name in options.models or block.models}
        block = block.model_copy(update={"models": {**block.models, **await told_apart(wanted, progress)}})
        posings = posings_of(block)
        sources = tuple(_posed(one, posings[one.label], options.limit) for one in block.benchmarks)
        table = Run(setting.root, f"{setting.recipe}/eval/{_QUESTIONS}")
        table.folder.mkdir(parents=True, exist_ok=True)
        ingested = await asyncio.to_thread(ingest, table, sources, None, progress)
        _need_questions(posings, table)
        near = await asyncio.to_thread(similarities, block.contamination, QuestionTable(table.questions), progress)
        done = []
        for name in options.models or tuple(block.models):
            for variant in (None, *variants(block.budget_forcing)):
                one = _One(block, setting, options, posings, progress)
                done.append(await one.follow(name, variant, sources, (table, ingested), near))
        if options.models:
            return Done(tuple(done))
        return Done(tuple(done), await in_use(block, setting, options.limit, options.max_cost_usd, progress))


def _need_questions(posings: Mapping[str, Posing], table: Run) -> None:
    """Raise InputError where a benchmark has no question: its scores would be missing without a word."""
    found = {
        json.loads(meta)[BENCH]
        for group in QuestionTable(table.questions).groups(["meta"])
        for meta in group.column("meta").to_pylist()
    }
    for label in posings:
        if label not in found:
            raise InputError(
                f"{label} has no question: every row of it was left out, or there was none",
                where=str(table.questions / "drops.parquet"),
                next="look at its file and its columns",
            )


def posings_of(block: Eval) -> dict[str, Posing]:
    """How each benchmark of a block is put and graded."""
    chosen = block.settings()
    return {one.label: _posing(one, block, chosen) for one in block.benchmarks}


def _posing(bench: Bench, block: Eval, chosen: Preset) -> Posing:
    known = benchmark(bench.bench.partition("@")[0]) if bench.bench is not None else benchmark("")
    runs = bench.runs or (chosen.runs if isinstance(chosen.runs, int) else known.runs)
    if bench.runs is None and chosen.runs == "evalchemy" and known.evalchemy is not None:
        runs = known.evalchemy.runs
    # Words of Evalchemy's for a benchmark that it does not have, in ways of its own, would be nobody's protocol.
    foreign = chosen.prompt == "evalchemy" and known.evalchemy is None
    decoding = chosen.decoding
    if bench.max_tokens is not None:
        decoding = decoding.model_copy(update={"max_tokens": bench.max_tokens})
    graded = known.evalchemy.grading if known.evalchemy is not None and "evalchemy" in block.gradings else None
    return Posing(
        label=bench.label,
        edition=bench.edition,
        runs=runs,
        prompt=bench.prompt or ("plain" if foreign else chosen.prompt),
        system=chosen.system,
        options=chosen.options,
        seeds=chosen.seeds,
        seed=block.seed,
        decoding=decoding,
        topic=bench.topic or known.topic,
        verify=bench.verify or known.verify,
        evalchemy=graded,
    )


def _posed(bench: Bench, posing: Posing, limit: int | None) -> Posed:
    return Posed(inner=bench.questions(), label=bench.label, options=posing.options, take=bench.take, limit=limit)


class _One:
    """The evaluation of one model."""

    def __init__(
        self, block: Eval, setting: Setting, options: Options, posings: Mapping[str, Posing], progress: Progress
    ) -> None:
        self._block, self._setting, self._options = block, setting, options
        self._posings, self._progress = posings, progress
        self._troubles: Counter[str] = Counter()

    async def follow(
        self,
        name: str,
        variant: Variant | None,
        sources: Sequence[Posed],
        read: tuple[Run, Ingested],
        near: Nearest,
    ) -> Evaluated:
        """Ask, verify and write the results of one model. Raises any VeristillError."""
        table, ingested = read
        label = name if variant is None else f"{name}-{variant.name}"
        run = Run(self._setting.root, f"{self._setting.recipe}/eval/{slug(label)}")
        run.folder.mkdir(parents=True, exist_ok=True)
        inner = self._block.models[name]
        student = Student(
            inner=inner if variant is None else variant.asked(inner),
            posings=dict(self._posings),
            concurrency=inner.concurrency,
        )
        flow = self._flow(student, sources)
        work = flow.work()
        work = work._replace(asking=work.asking._replace(use=USE))
        lock = self._lock(label, inner, variant, work, ingested)
        async with open_resources(
            payer(self._setting),
            flow,
            needs=work.needs(ingested.kinds),
            caps=self._block.budget.caps(self._options.max_cost_usd),
            say=self._progress.say,
        ) as resources:
            if variant is not None:  # every request of it is several, which only its calls know of
                resources = replace(resources, calls=cast(Calls, Forced(resources.calls, variant)))
            if self._block.reward is not None:
                await self._block.reward.open(resources)
            questions = QuestionTable(table.questions)
            await self._ask(label, questions, work, resources)
            if resources.calls.own_servers is not None:
                await resources.calls.own_servers.end()
            done = await self._write(label, run.folder, questions, (work, resources, ingested), near)
            run.write(PROTOCOL, lock)  # not before: old results would lie under what was never asked for them
            return done

    def _flow(self, student: Student, sources: Sequence[Posed]) -> Flow:
        own = {label: list(one.verify) for label, one in self._posings.items() if one.verify is not None}
        chains = {domain: list(chain) for domain, chain in self._block.verify.items()}
        return Flow(
            name=self._setting.recipe,
            sources=tuple(sources),
            annotate=Annotate(teacher=(student,), samples=max(one.runs for one in self._posings.values())),
            verify=Graders(chains=chains, benches=own),
            judge=self._block.judge,
            budget=self._block.budget,
            sandbox=self._setting.sandbox,
            answers_from=self._setting.answers_from,
        )

    async def _ask(self, label: str, questions: QuestionTable, work: Work, resources: Resources) -> None:
        with self._progress.stage(f"evaluate {label}", len(questions)) as bar:
            bar.tell = Pulse(resources.calls, lambda: bar.left)

            def done(question: Question, solved: Solved) -> None:
                self._troubles.update(solved.troubles)
                outcomes = [one.verdict.outcome for one in solved.decided]
                bar.advance(passed=outcomes.count("pass"), judged=len(outcomes))

            async with bar.beating():
                await Local(self._progress).solve(questions.groups(), work, resources, done)

    async def _write(
        self,
        label: str,
        folder: Path,
        questions: QuestionTable,
        made: tuple[Work, Resources, Ingested],
        near: Nearest,
    ) -> Evaluated:
        work, resources, ingested = made
        outcomes: Counter[str] = Counter()
        rows = truncated = 0
        asked: set[tuple[str, str, int]] = set()
        cost = 0.0
        grading = Grading(self._posings, self._block.reward, near)
        with ResultWriter(folder) as writer, self._progress.stage(f"results {label}", None) as bar:
            async for row in rows_of(questions.groups(), work, resources, grading):
                writer.add(row)
                rows += 1
                asked.add((row["bench"], row["version"], row["seq"]))
                outcomes[row["outcome"]] += 1
                truncated += row["finish_reason"] == "length"
                cost += row["cost_usd"] or 0.0
                bar.advance()
        counters = resources.calls.of(USE)
        # Now: where another model stops the command, old scores must not lie beside new results.
        scores = await asyncio.to_thread(write_scores, folder)
        return Evaluated(
            model=label,
            folder=folder,
            rows=rows,
            outcomes=dict(sorted(outcomes.items())),
            dropped=ingested.reasons,
            unasked=len(questions) - len(asked),
            answers_new=counters.answered,
            answers_reused=counters.reused,
            truncated=truncated,
            cost_usd=round(cost, 6),
            troubles=tuple(why for why, _ in self._troubles.most_common(10)),
            scores=tuple(scores["benchmarks"]),
        )

    def _lock(self, label: str, model: Teacher, variant: Variant | None, work: Work, ingested: Ingested) -> str:
        """What is asked, resolved: a pure function of recipe and sources, with no secret in it."""
        versions = {
            f"{domain}, {truth}": [f"{one.kind()} {one.verifier_version()}" for one in work.router.chain(domain, truth)]
            for domain, truth in ingested.kinds
        }
        told = {
            "recipe": self._setting.recipe,
            "model": label,
            "teacher": {"kind": model.kind(), **model.model_dump(mode="json", exclude_defaults=True)},
            "preset": self._block.preset,
            "gradings": list(self._block.gradings),
            "budget_forcing": None if variant is None else variant.told(),
            "questions": {"key": ingested.key, "kept": ingested.questions, "dropped": ingested.reasons},
            "verifiers": versions,
            "benchmarks": [_told(one) for one in self._posings.values()],
        }
        return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=120))


def _told(posing: Posing) -> dict[str, Any]:
    return {
        **posing.model_dump(mode="json", exclude={"verify"}),
        "verify": None if posing.verify is None else [one.spec() for one in posing.verify],
        "prompt_text": prompt_of(posing.prompt).model_dump(mode="json", exclude_none=True),
    }
