"""Whether a recipe would work, found out offline: its files are there, its sources yield questions, its keys are set.

Nothing is asked of a teacher and nothing is written.
"""

import glob
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from curate.calls.budget import Budget
from curate.clean.difficulty import Difficulty
from curate.clean.subject import Subject
from curate.errors import InputError, RecipeError
from curate.flow import Flow
from curate.kinds import Gate, Source, Teacher
from curate.plug import Kind
from curate.records import Drop, Question, Tests
from curate.rehearse import ROWS
from curate.teachers._api import Api
from curate.teachers.replay import Replay
from curate.verifiers.testcases import UnreadableTests, read_tests
from recipes.document import Document, Key
from recipes.load import find_recipe, read
from recipes.problems import listed, spell
from recipes.recorded import check_recording
from recipes.schema import Recipe
from train.machines import machine

Place = tuple[Key, ...]


class Checked(BaseModel):
    """What a recipe would do, one line a stage, and what to know before it runs."""

    recipe: str
    name: str
    stages: dict[str, str]
    notes: list[str]


def check(name: str) -> Checked:
    """Check a recipe given by path or bare name. Raises RecipeError, which lists every problem there is."""
    path = find_recipe(name)
    recipe = read(path)
    document = Document.read(path)
    found = [*_missing_files(recipe), *_training(recipe)]
    notes = [*_unset_keys(recipe), *_missing_programs(recipe), *_no_servers(recipe)]
    missing_paths = {place for place, _ in found}
    missing = {place[:2] for place in missing_paths}
    for number, source in enumerate(recipe.sources):
        if ("sources", number) not in missing:
            try:
                notes += _first_rows(source, recipe)
            except InputError as error:
                found.append((("sources", number), str(error)))
    for number, teacher in enumerate(recipe.annotate.teacher):
        place = ("annotate", "teacher", number)
        if isinstance(teacher, Replay) and (*place, "path") not in missing_paths:
            try:
                check_recording(teacher)
            except InputError as error:
                found.append((place, str(error)))
    found += _unbounded(recipe)
    if found:
        places = [(document.line(place), spell(document.trail(place)), what) for place, what in found]
        raise listed(path, [(f"{path}:{line}", f"{key}: {what}") for line, key, what in sorted(places)])
    return Checked(recipe=str(path), name=recipe.name, stages=_stages(recipe), notes=notes)


def _kinds(flow: Flow) -> Iterator[tuple[Place, Kind]]:
    """Every configured object of a recipe and its place."""
    lists: list[tuple[Place, Any]] = [
        (("sources",), flow.sources),
        (("clean",), flow.clean),
        (("annotate", "teacher"), flow.annotate.teacher),
        *((("verify", domain), chain) for domain, chain in flow.verify.chains.items()),
        (("select",), flow.select),
    ]
    for place, items in lists:
        for number, item in enumerate(items):
            yield (*place, number), item


def _models(flow: Flow) -> Iterator[tuple[Place, str, Teacher]]:
    """Every model that is asked: its place, its part, and itself."""
    for number, teacher in enumerate(flow.annotate.teacher):
        yield ("annotate", "teacher", number), "teacher", teacher
    judges = flow.router().judges()
    for judge in judges:
        yield ("judge",) if judge == flow.judge else ("verify",), "judge", judge
    for number, stage in enumerate(flow.stages()):
        models = stage.models() if isinstance(stage, Gate) else ()
        for model in (*models[:1], *(one for one in models[1:] if one not in judges)):
            yield ("clean", number, "teacher"), stage.kind(), model


def _unbounded(flow: Flow) -> Iterator[tuple[Place, str]]:
    """Models that could not be held to the budget: a run refuses them before it sends anything."""
    caps = flow.budget.caps()
    for place, part, teacher in _models(flow):
        if not isinstance(teacher, Api):
            continue
        cap = flow.annotate.max_tokens or teacher.max_tokens if part == "teacher" else 1  # a judge sets its own
        if place[0] == "clean" and part not in (Difficulty.kind(), Subject.kind()):  # these set their own
            cap = getattr(flow.clean[int(place[1])], "max_tokens", None) or teacher.max_tokens
        try:
            Budget(*caps).require_bounds(teacher.known_price(), cap, teacher.name())
        except InputError as error:
            yield place, f"{error.what}: {error.next}"
    if caps.max_gpu_hours is not None:
        prices = [teacher.known_price() for _, _, teacher in _models(flow) if isinstance(teacher, Api)]
        if not any(price is not None and price.gpus for price in prices):
            yield ("budget", "max_gpu_hours"), "no model says how many GPUs it runs on: add price: {gpu_hour, gpus}"


def _missing_programs(flow: Flow) -> Iterator[str]:
    """What starting the servers of `serve:` needs and this machine does not have."""
    for _, part, teacher in _models(flow):
        if not isinstance(teacher, Api) or teacher.serve is None:
            continue
        program, needs = teacher.serve.launch(teacher.model)[0], f"{part} {teacher.name()} is served by"
        if teacher.serve.slurm is not None:
            if shutil.which("sbatch") is None:
                yield f"{needs} jobs of Slurm, but sbatch is not there: run this on a node of the cluster"
        elif shutil.which(program) is None:
            yield (
                f"{needs} {program}, which is not there: install {teacher.serve.server} and name its program: "
                "serve: {command: [/path/to/it]}"
            )


def _no_servers(flow: Flow) -> Iterator[str]:
    for _, part, teacher in _models(flow):
        folder = getattr(teacher, "endpoints_folder", None)
        if folder is not None and not folder.is_dir():
            yield (
                f"{part} {teacher.name()} is asked at the servers that register in {folder}, and there is no such "
                "folder: a run waits an hour for the first"
            )


def _missing_files(flow: Flow) -> Iterator[tuple[Place, str]]:
    for place, item in _kinds(flow):
        for field in type(item).model_fields:
            value = getattr(item, field)
            if field == "endpoints_folder":  # may come later, with the servers: see `_no_servers`
                continue
            if isinstance(value, Path) and not value.exists() and not _matches(value):
                yield (*place, field), f"there is no file {value}"


def _matches(pattern: Path) -> bool:
    return bool(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - the pattern is a whole path


def _first_rows(source: Source, flow: Flow) -> Iterator[str]:
    """Read the first rows of a source (of its rehearsal: no network) for what a run would trip over."""
    first: Question | Drop | None = None
    pairs: set[tuple[str, str]] = set()
    nobodys: set[str] = set()  # domains
    for row in islice(source.rehearsal().read(), ROWS):
        if first is None:
            first = row
            if isinstance(row, Drop):
                yield f"the first row of source {source.kind()} is no question: {row.reason}"
        if isinstance(row, Question):
            pairs.add((row.domain, row.truth.type))
            if not any(teacher.asks(row) for teacher in flow.annotate.teacher):
                nobodys.add(row.domain)
            if isinstance(row.truth, Tests):
                yield from _unreadable(row, row.truth, source)
                break
    if nobodys:
        yield (
            f"no teacher is asked about {', '.join(sorted(nobodys))} (first rows of source {source.kind()}): add it to "
            "the `domains` of one; questions that nobody is asked are dropped"
        )
    if first is None:
        yield f"source {source.kind()} has no rows"
    elif pairs and flow.never_selected(pairs) == pairs:
        yield (
            f"nothing verifies the answers to the first rows of source {source.kind()} (domain and truth: "
            f"{', '.join(sorted(' '.join(pair) for pair in pairs))}), and only verified ones are selected: map the "
            "column of their truth (`columns: {answer: ...}`), or add a chain to `verify:`"
        )


def _unreadable(question: Question, tests: Tests, source: Source) -> Iterator[str]:
    try:
        read_tests(tests.cases, question.meta)
    except UnreadableTests as why:
        yield (
            f"the tests of row {question.seq} ({question.source_id}) of source {source.kind()} cannot be read: {why}; "
            "answers to such rows end as error/unreadable_tests"
        )


def _training(recipe: Recipe) -> Iterator[tuple[Place, str]]:
    """What `train:` says and arithmetic denies."""
    if recipe.train is None:
        return
    try:
        recipe.train.accumulate()
    except RecipeError as error:
        yield ("train", "batch"), f"{error.what}: {error.next}"
    try:
        machine(recipe.train.cluster)
    except RecipeError as error:
        yield ("train", "cluster", "gpu"), f"{error.what}: {error.next}"


def _stages(recipe: Recipe) -> dict[str, str]:
    made = _dataset_stages(recipe) if recipe.makes_dataset else {}
    return made if recipe.train is None else {**made, "train": recipe.train.words()}


def _dataset_stages(flow: Flow) -> dict[str, str]:
    judges = [judge.name() for judge in flow.router().judges()]
    teachers = [teacher.name() for teacher in flow.annotate.teacher]
    chains = [f"{domain}: {_chain(chain)}" for domain, chain in flow.verify.chains.items()]
    return {
        "ingest": ", ".join(_words(source) for source in flow.sources),
        "clean": ", ".join(_words(stage) for stage in flow.clean) or "nothing",
        "solve": f"{_answers(flow)} from {', '.join(teachers)}",
        "verify": f"preset {flow.verify.preset}"
        if flow.verify.preset
        else "; ".join([*chains, "every other domain: by its truth"]),
        **({"judge": ", ".join(judges)} if judges else {}),
        "select": ", ".join(_words(selector) for selector in flow.select),
        "publish": f"runs/{flow.name}/dataset, traces as {flow.publish.trace_format}"
        + (f", pushed to {flow.publish.repo}" if flow.publish.push else ", not pushed"),
    }


def _answers(flow: Flow) -> str:
    rounds = flow.annotate.until_verified
    if rounds is None:
        return f"{flow.annotate.samples:,} answer(s) per question"
    return f"up to {rounds.max_samples} answers per question, until {rounds.want} is verified,"


def _chain(chain: Any) -> str:
    return ", then ".join(_words(verifier) for verifier in chain) or "none (unsure/no_verifier)"


def _words(item: Kind) -> str:
    """Kind and what it is set to: `jsonl (path=questions.jsonl)`."""
    options = item.model_dump(mode="json", exclude_defaults=True)
    text = ", ".join(f"{key}={value}" for key, value in options.items() if not isinstance(value, dict | list))
    words = f"{item.kind()} ({text})" if text else item.kind()
    models = ", ".join(model.name() for model in item.models()) if isinstance(item, Gate) else ""
    return f"{words} by {models}" if models else words


def _unset_keys(flow: Flow) -> Iterator[str]:
    """Each variable once, with all that need it."""
    needs: dict[str, list[str]] = {}
    reward = flow.reward()
    asked: list[tuple[str, Any]] = [(what, model) for _, what, model in _models(flow)]
    if reward is not None:  # a kind of its own may ask a model in yet another field: each is looked at
        fields = (getattr(reward, name) for name in type(reward).model_fields)
        asked += [("reward", one) for one in (reward, *fields)]
    for what, model in asked:
        for key in model.key_variables() if hasattr(model, "key_variables") else ():
            if not os.environ.get(key):
                name = reward.name() if what == "reward" and reward is not None else model.name()
                needs.setdefault(key, []).append(f"{what} {name}")
    for key, named in needs.items():
        who = list(dict.fromkeys(named))
        yield (
            f"{', '.join(who)} {'needs' if len(who) == 1 else 'need'} the environment variable {key}, which is not "
            f"set: export {key}=..."
        )
