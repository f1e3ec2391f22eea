"""The recipes of published sets: each holds the constants that its page states, rehearses offline, and can be planned.

The constants are those of the pages in docs/recipes, which say where each was read.
"""

import re
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
import yaml

from curate.clean.contains import Contains
from curate.engine.local import execute
from curate.errors import Prerequisite
from curate.flow import Options
from curate.kinds import Label
from curate.plan import plan
from curate.plug import Kind
from curate.rehearse import rehearsal, rehearsal_options
from curate.teachers._api import Api
from curate.teachers.fake import Fake
from recipes.check import check
from recipes.load import load
from recipes.schema import Recipe

read = cache(load)
ROOT = Path(__file__).parents[2]
NAMES = ("openthoughts-114k-unverified", "openthoughts3", "s1k", "s1.1", "limo", "bespoke-stratos-17k")
BENCHMARKS = {"math500", "aime24", "aime25", "gpqa_diamond"}  # what all of them are measured on


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a rehearsal reached for {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class Constant(NamedTuple):
    """One constant: the recipe, what it is of, the reference's value, and where ours stands."""

    recipe: str
    name: str
    theirs: Any
    ours: Callable[[Recipe], Any]


def _kinds(found: tuple[Kind, ...]) -> list[str]:
    return [one.kind() for one in found]


def _stages(recipe: Recipe, kind: str) -> list[Any]:
    return [one for one in recipe.clean if one.kind() == kind]


def _chain(domain: str, truth: str) -> Callable[[Recipe], list[str]]:
    return lambda recipe: [one.kind() for one in recipe.router().chain(domain, truth)]


def _asked(field: str) -> Callable[[Recipe], list[Any]]:
    return lambda recipe: [getattr(one, field) for one in recipe.annotate.teacher]


def _gate(kind: str, field: str) -> Callable[[Recipe], list[Any]]:
    return lambda recipe: [getattr(one, field) for one in _stages(recipe, kind)]


def _gate_models(kind: str) -> Callable[[Recipe], list[str]]:
    return lambda recipe: [one.teacher.model for one in _stages(recipe, kind)]


def _tops(recipe: Recipe) -> list[tuple[str, tuple[str, ...], float]]:
    return [(one.score, one.domains, one.share) for one in _stages(recipe, "top")]


OT3, STRATOS = "openthoughts3", "bespoke-stratos-17k"
CONSTANTS = [
    Constant(OT3, "math", ("nvidia/OpenMathInstruct-2", ("math", "augmented_math")),
             lambda recipe: (recipe.sources[0].origin.repo, recipe.sources[0].problem_sources)),  # type: ignore[attr-defined]
    Constant(OT3, "code and science", ["mlfoundations-dev/load_in_code_0d", "mlfoundations-dev/d1_science_load_in"],
             lambda recipe: [one.path for one in recipe.sources[1:]]),  # type: ignore[attr-defined]
    Constant(OT3, "who says how hard", ["gpt-4o-mini"], _gate_models("difficulty")),
    Constant(OT3, "of what", [("code",)], _gate("difficulty", "domains")),
    Constant(OT3, "whose length counts", ["gpt-4.1-mini"], _gate_models("response_length")),
    Constant(OT3, "at which temperature", [1.0],
             lambda recipe: [one.teacher.temperature for one in _stages(recipe, "response_length")]),
    Constant(OT3, "length of what", [("math", "science")], _gate("response_length", "domains")),
    Constant(OT3, "questions of code", 15_625, lambda recipe: round(_tops(recipe)[0][2] * 60_000 / 25) * 25),
    Constant(OT3, "questions of science", 6_250, lambda recipe: round(_tops(recipe)[2][2] * 49_512 / 25) * 25),
    Constant(OT3, "dedup", ["exact"], _gate("dedup", "rule")),
    Constant(OT3, "answers a question", 16, lambda recipe: recipe.annotate.samples),
    Constant(OT3, "teacher", ["Qwen/QwQ-32B"], _asked("model")),
    Constant(OT3, "what is kept", ["all"], lambda recipe: _kinds(recipe.select)),
    Constant("s1k", "pool", "simplescaling/data_ablation_full59K", lambda recipe: recipe.sources[0].path),  # type: ignore[attr-defined]
    Constant("s1k", "models that must fail", ["Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-32B-Instruct"],
             _gate_models("pass_rate")),
    Constant("s1k", "how often they may pass", [0, 0],
             lambda recipe: [one.keep.max for one in _stages(recipe, "pass_rate")]),
    Constant("s1k", "rows", 1000, lambda recipe: recipe.select[-1].size),  # type: ignore[attr-defined]
    Constant("s1k", "draw", ("balance", "longest", "tokens"),
             lambda recipe: (recipe.select[-1].kind(), recipe.select[-1].within, recipe.select[-1].length)),  # type: ignore[attr-defined]
    Constant("s1k", "tokens of", "Qwen/Qwen2.5-32B-Instruct", lambda recipe: recipe.measure.tokenizer),
    Constant("s1.1", "questions", "simplescaling/s1K-1.1", lambda recipe: recipe.sources[0].edition_origin().repo),  # type: ignore[attr-defined]
    Constant("s1.1", "teacher", ["deepseek-reasoner"], _asked("model")),
    Constant("s1.1", "what is kept", ["all"], lambda recipe: _kinds(recipe.select)),
    Constant("s1.1", "what is dropped before", [()], _gate("decontaminate", "drop")),
    Constant("limo", "models that must fail or seldom pass",
             ["Qwen/Qwen2.5-Math-7B-Instruct", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"], _gate_models("pass_rate")),
    Constant("limo", "answers of the strong model", 32, lambda recipe: _stages(recipe, "pass_rate")[1].samples),
    Constant("limo", "of which right", (1, 3),
             lambda recipe: tuple(32 * end for end in (_stages(recipe, "pass_rate")[1].keep.min,
                                                       _stages(recipe, "pass_rate")[1].keep.max))),
    Constant("limo", "rows", 817, lambda recipe: recipe.select[-1].size),  # type: ignore[attr-defined]
    Constant("limo", "right answers alone", "verified", lambda recipe: recipe.select[0].kind()),
    Constant(STRATOS, "order of the sources", ["numina_math", "numina_math", "apps", "still2", "taco"],
             lambda recipe: _kinds(recipe.sources)),
    Constant(STRATOS, "math", [("amc_aime", "math"), ("olympiads",)],
             lambda recipe: [one.subsets for one in recipe.sources[:2]]),  # type: ignore[attr-defined]
    Constant(STRATOS, "math is not filtered", [((), False, False, False)] * 2,
             lambda recipe: [(one.drop_keywords, one.drop_multipart, one.drop_proofs, one.drop_unboxed)  # type: ignore[attr-defined]
                             for one in recipe.sources[:2]]),
    Constant(STRATOS, "apps", "test", lambda recipe: recipe.sources[2].split),  # type: ignore[attr-defined]
    Constant(STRATOS, "still2", {"puzzle", "physics", "biology", "chemistry"},
             lambda recipe: {*recipe.sources[3].domains}),  # type: ignore[attr-defined]
    Constant(STRATOS, "teachers", ["deepseek-reasoner"] * 2, _asked("model")),
    Constant(STRATOS, "temperatures", [0.0, 0.0], _asked("temperature")),
    Constant(STRATOS, "cap on the tokens of code", 8192, lambda recipe: recipe.annotate.teacher[0].max_tokens),  # type: ignore[attr-defined]
    Constant(STRATOS, "judge", "gpt-4o-mini", lambda recipe: recipe.judge.model),  # type: ignore[union-attr]
    Constant(STRATOS, "code is run", ["code"], _chain("code", "tests")),
    Constant(STRATOS, "science is not verified", [], _chain("science", "unknown")),
    Constant(STRATOS, "puzzles are not verified", [], _chain("puzzle", "unknown")),
    Constant(STRATOS, "rows of a source", {"numina_math": 10_500, "apps": 2500, "taco": 3000},
             lambda recipe: recipe.select[-1].caps),  # type: ignore[attr-defined]
]  # fmt: skip


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda one: f"{one.recipe}: {one.name}")
def test_a_constant(constant: Constant) -> None:
    assert constant.ours(read(constant.recipe)) == constant.theirs


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole(name: str) -> None:
    """A head that says how to use it, a budget, benchmarks kept out, a page in the navigation, a row in the list."""
    recipe = read(name)
    head = (ROOT / "recipes" / f"{name}.yaml").read_text("utf-8").split("name:")[0]
    assert f"veristill run {name} --dry-run" in head
    assert f"veristill plan {name}" in head
    assert {f"{key}=" in head for key in _keys(recipe)} == {True}
    assert recipe.budget.max_cost_usd is not None
    (stage,) = _stages(recipe, "decontaminate")
    assert {one.name.split("@")[0] for one in stage.against} >= BENCHMARKS
    page = (ROOT / "docs" / "recipes" / f"{name}.md").read_text("utf-8")
    for title in (f"# {name}", "## What the reference does", "## What we changed", "## Where this was read"):
        assert title in page
    assert page.count("https://") >= 2, "a page names its sources"
    assert re.search(
        rf"^\| \[?`{re.escape(name)}`", (ROOT / "docs/reference/shipped-recipes.md").read_text("utf-8"), re.M
    )
    assert f"recipes/{name}.md" in yaml.safe_dump(_navigation())


def _keys(recipe: Recipe) -> set[str]:
    """The environment variables that its models need."""
    models = [one for one in recipe.models() if isinstance(one, Api)]
    plain = {"OPENAI_API_KEY" for one in models if one.base_url is None and one.serve is None}
    return plain | {one.api_key_env for one in models if one.api_key_env is not None}


def _navigation() -> Any:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    return yaml.safe_load(text[text.index("\nnav:") :])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_and_rehearses(name: str, offline: None) -> None:
    assert check(name).name == name
    recipe = read(name)
    report = execute(recipe, Options(dry_run=True, quiet=True))
    assert report.solve is not None
    assert report.publish is not None
    assert report.solve["failed"] == report.solve["outcomes"].get("error", 0) == 0
    assert report.solve["asked"] == report.solve["answered"] > 0
    assert report.publish["metadata"] > 0


@pytest.mark.parametrize("name", NAMES)
async def test_it_can_be_planned(name: str, offline: None, tmp_path: Path) -> None:
    """The plan of the recipe itself, gates and prices included, over the sample rows of its sources."""
    recipe = read(name)
    clean = tuple(one.rehearsal() if isinstance(one, Label) else one for one in recipe.clean)
    sources = tuple(one.rehearsal() for one in recipe.sources)
    found = await plan(
        recipe.model_copy(update={"clean": clean, "sources": sources}),
        Options(root=tmp_path / "root", limit=8, quiet=True),
    )
    assert found.requests.expected > 0
    assert found.cost_usd is not None, "every model has a price"
    assert found.cost_usd.expected > 0
    assert not (tmp_path / "root").exists()


async def test_without_a_network_the_plan_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(Prerequisite, match=r"simplescaling/s1K-1\.1"):
        await plan(read("s1.1"), Options(root=tmp_path / "root", quiet=True))


def test_unverified_shares_every_answer() -> None:
    """It asks word for word what the verified recipe asks, so that under one root it pays for nothing."""
    verified, unverified = read("openthoughts-114k"), read("openthoughts-114k-unverified")
    for block in ("sources", "clean", "annotate", "publish"):
        assert getattr(unverified, block) == getattr(verified, block), block
    assert _kinds(unverified.select) == ["all"]
    assert not unverified.router().judges(), "labels that cost nothing"


@pytest.mark.parametrize("name", ["s1k", "limo"])
def test_what_a_model_solves_is_dropped(name: str, tmp_path: Path) -> None:
    recipe = read(name)
    gates = {"teacher": Fake(error_rate=0.0), "samples": 1}
    clean = tuple(one.rehearsal() if isinstance(one, Label) else one.model_copy(update=gates) for one in recipe.clean)
    flow = rehearsal(recipe).model_copy(update={"clean": clean})
    report = execute(flow, rehearsal_options(Options(root=tmp_path, until="clean", quiet=True)))
    first, second = [one for one in report.clean if one.stage.endswith("-pass_rate")]
    assert first.seen > 0
    assert first.reasons == {"too_easy": first.seen}
    assert second.seen == 0, "the second is asked only about what the first has left"


@pytest.mark.parametrize(
    ("problem", "kept"),
    [
        ("Find $x$ if $2x = 4$.", True),
        ("The answer is **bold** but plain.", True),
        ("Step 3. Compute $p = 7$", True),
        ("[asy] draw((0,0)--(1,1)); [/asy] Find the length.", False),
        ("See ![Image](a.png). What is shown?", False),
        ("Solve the exercise of p12. again.", False),
        ("**3.** Find all primes.", False),
    ],
)
def test_the_quality_filter_of_s1k(problem: str, kept: bool) -> None:
    (stage,) = _stages(read("s1k"), "contains")
    assert isinstance(stage, Contains)
    row = {"problem": problem, "domain": "math", "gold": None, "starter_code": None, "source_id": "1"}
    (opinion,) = stage.label(pa.table({name: pa.array([value], pa.string()) for name, value in row.items()}))
    assert opinion.kept is kept
