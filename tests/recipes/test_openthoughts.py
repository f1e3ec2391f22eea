"""The recipe `openthoughts-114k` holds every constant of its reference, or says why it does not.

The constants are those of open-thoughts/open-thoughts (February 2025): open_thoughts/{code,math,science,puzzle}/*.py,
deduplicate.py, decontaminate.py, verify.py, mix.py and its published dataset.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from datasets import load_dataset

from curate.engine.local import execute
from curate.flow import Options
from curate.sources.numina_math import RECORDED
from curate.teachers._api import Api
from recipes.load import load
from recipes.schema import Recipe

NAME = "openthoughts-114k"
PAGE = Path(__file__).parents[2] / "docs" / "recipes" / f"{NAME}.md"


class Constant(NamedTuple):
    """One constant: the reference's value, where ours stands, and why ours is another one."""

    name: str
    theirs: Any
    ours: Callable[[Recipe], Any]
    deviation: str = ""


def _source(recipe: Recipe, kind: str, number: int = 0) -> Any:
    return [one for one in recipe.sources if one.kind() == kind][number]


def _teacher(recipe: Recipe, domain: str) -> Api:
    found = [one for one in recipe.annotate.teacher if domain in one.domains]
    assert len(found) == 1
    assert isinstance(found[0], Api)
    return found[0]


def _clean(recipe: Recipe, kind: str) -> Any:
    return next(one for one in recipe.clean if one.kind() == kind)


def _chain(domain: str, truth: str) -> Callable[[Recipe], list[str]]:
    return lambda recipe: [one.kind() for one in recipe.router().chain(domain, truth)]


def _of(kind: str, field: str) -> Callable[[Recipe], Any]:
    return lambda recipe: getattr(_source(recipe, kind), field)


def _asked(domain: str, field: str) -> Callable[[Recipe], Any]:
    return lambda recipe: getattr(_teacher(recipe, domain), field)


def _rate(domain: str, field: str) -> Callable[[Recipe], Any]:
    return lambda recipe: getattr(_teacher(recipe, domain).rates, field)


CODE = ("codeforces", "taco", "apps", "code_contests")
REPOS = {
    "codeforces": "MatrixStudio/Codeforces-Python-Submissions",
    "taco": "BAAI/TACO",
    "apps": "codeparrot/apps",
    "code_contests": "deepmind/code_contests",
    "numina_math": "AI-MO/NuminaMath-CoT",
    "riddle_sense": "INK-USC/riddle_sense",
}
OPENTHOUGHTS = ("a verifier", "a dedup", "a decontamination")

CONSTANTS = [
    Constant("order of the domains", ["puzzle", "science", "math", "code"],
             lambda recipe: list(dict.fromkeys(one.domain for one in recipe.sources))),  # type: ignore[attr-defined]
    *(Constant(f"{kind}: set", repo, lambda recipe, kind=kind: _source(recipe, kind).origin.repo)
      for kind, repo in REPOS.items()),
    *(Constant(f"{kind}: splits left out", set(),
               lambda recipe, kind=kind: {*_source(recipe, kind).origin.splits} - {*_source(recipe, kind).splits()})
      for kind in CODE),
    *(Constant(f"{kind}: least characters", 200, _of(kind, "min_chars")) for kind in CODE),
    Constant("code_contests: drops problems that read files", False, _of("code_contests", "drop_file_io"),
             "a verifier: tests over stdin cannot judge a program that reads or writes a named file"),
    Constant("codeforces: tests that the site cut stay", None, _of("codeforces", "cut_from"),
             "a verifier: no right answer passes a test of which only the beginning is there"),
    *(Constant(f"{kind}: texts that drop a problem", ("http://", "[image]"), _of(kind, "exclude")) for kind in CODE),
    # `num_solutions > 0` counts characters and keys there, so that it drops nothing.
    *(Constant(f"{kind}: needs a solution", False, _of(kind, "need_solution")) for kind in CODE),
    Constant("numina_math: split", "train", _of("numina_math", "split")),
    Constant("numina_math: subsets", ("amc_aime", "olympiads", "aops_forum", "math"), _of("numina_math", "subsets")),
    Constant("numina_math: words that drop a problem",
             ("figure", "diagram", "jpeg", "png", "jpg", "svg", "answer:"), _of("numina_math", "drop_keywords")),
    Constant("numina_math: drops problems of several parts", True, _of("numina_math", "drop_multipart")),
    Constant("numina_math: drops proofs", True, _of("numina_math", "drop_proofs")),
    Constant("numina_math: drops solutions without a box", True, _of("numina_math", "drop_unboxed")),
    Constant("numina_math: recorded yields",
             {"amc_aime": (4070, 3736), "olympiads": (150563, 122742), "aops_forum": (30192, 17755),
              "math": (7477, 7289)}, lambda _: RECORDED),
    Constant("camel: subjects", {"biology", "chemistry", "physics"},
             lambda recipe: {one.subject for one in recipe.sources if one.kind() == "camel"}),  # type: ignore[attr-defined]
    *(Constant(f"camel {number}: per sub-topic", 2,
               lambda recipe, number=number: _source(recipe, "camel", number).per_sub_topic) for number in range(3)),
    *(Constant(f"camel {number}: seed", 42, lambda recipe, number=number: _source(recipe, "camel", number).seed)
      for number in range(3)),
    Constant("riddle_sense: split", "train", _of("riddle_sense", "split")),
    Constant("riddle_sense: seed", 42, _of("riddle_sense", "seed")),
    Constant("riddle_sense: rows", 1250, _of("riddle_sense", "take")),
    *(constant for domain in ("code", "math", "science", "puzzle") for constant in (
        Constant(f"{domain}: model", "deepseek-reasoner", _asked(domain, "model")),
        Constant(f"{domain}: temperature", 0.0, _asked(domain, "temperature")),
        Constant(f"{domain}: time-out, seconds", 1800.0, _asked(domain, "timeout_s")),
        Constant(f"{domain}: cap on tokens", 8192 if domain == "code" else 8000, _asked(domain, "max_tokens")),
        Constant(f"{domain}: requests a minute", 600 if domain == "code" else 500,
                 _rate(domain, "requests_per_minute")),
        Constant(f"{domain}: tokens a minute", 10_000_000 if domain == "code" else 100_000_000,
                 _rate(domain, "tokens_per_minute")),
    )),
    Constant("answers a question", 1, lambda recipe: recipe.annotate.samples),
    Constant("dedup: rule", "ratio", lambda recipe: _clean(recipe, "dedup").rule),
    Constant("dedup: threshold", 95.0, lambda recipe: _clean(recipe, "dedup").threshold),
    Constant("dedup: by domain", "domain", lambda recipe: _clean(recipe, "dedup").within),
    Constant("dedup: the lowest row stays", "first", lambda recipe: _clean(recipe, "dedup").keep),
    Constant("decontamination: benchmarks",
             ["math500", "aime24@maxwell-jia", "amc23@ai-mo", "livecodebench", "gpqa_diamond"],
             lambda recipe: [str(one.name) for one in _clean(recipe, "decontaminate").against],
             "a decontamination: AIME 2025 too, which students are measured on since"),
    Constant("decontamination: rule", "ratio >= 95", lambda recipe: _clean(recipe, "decontaminate").kind(),
             "a decontamination: phrases weighed by how rare they are; the ratio misses what is wrapped or embedded"),
    Constant("verifier of math", ["judge"], _chain("math", "answer"),
             "a verifier: symbols first, the judge where they cannot decide"),
    Constant("verifier of puzzles", ["judge"],
             _chain("puzzle", "choice"),
             "a verifier: the answer is a letter, which needs no judge"),
    Constant("verifier of code", ["code"], _chain("code", "tests")),
    Constant("verifier of code: CPU seconds a test", 4.0,
             lambda recipe: recipe.router().chain("code", "tests")[0].cpu_s,
             "a verifier: the limit of the source, twice; else 6 s of CPU, not of a busy machine's clock"),
    Constant("verifier of science", [], lambda recipe: recipe.router().chain("science", "unknown")),
    Constant("judge", "gpt-4o", lambda recipe: recipe.judge.model),
    Constant("kept besides what verified", ("science",), lambda recipe: recipe.select[0].also),
    Constant("teacher's columns", "deepseek", lambda recipe: recipe.publish.teacher_prefix),
    Constant("trace format", "openthoughts", lambda recipe: recipe.publish.trace_format),
]  # fmt: skip


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load(NAME)


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda one: one.name)
def test_a_constant(recipe: Recipe, constant: Constant) -> None:
    found = constant.ours(recipe)
    if not constant.deviation:
        assert found == constant.theirs
        return
    assert found != constant.theirs, "no deviation any more"
    assert constant.deviation.startswith(OPENTHOUGHTS), "only these three may deviate"
    assert constant.deviation.split(": ", 1)[1] in " ".join(PAGE.read_text("utf-8").split()), "the page says why"


def test_it_is_rehearsed_offline_and_gives_the_published_schema(tmp_path: Path) -> None:
    from curate.rehearse import rehearsal, rehearsal_options

    options = rehearsal_options(Options(root=tmp_path, quiet=True))
    report = execute(rehearsal(load(NAME)), options)
    run = tmp_path / "runs" / NAME
    rows = load_dataset(str(run / "dataset"), "metadata", split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.column_names == [
        "problem", "ground_truth_solution", "test_cases", "starter_code", "deepseek_reasoning", "deepseek_solution",
        "domain", "source",
    ]  # fmt: skip
    assert {"code", "math", "science", "puzzle"} == set(rows["domain"])
    turns = load_dataset(str(run / "dataset"), "default", split="train", cache_dir=str(tmp_path / "cache"))
    assert turns.column_names == ["system", "conversations"]
    assert turns[0]["conversations"][1]["value"].startswith("<|begin_of_thought|>\n\n")
    assert report.solve is not None
    assert set(report.solve["domains"]) == {"code", "math", "science", "puzzle"}
    told = (run / "report.md").read_text("utf-8")
    for subset, (read, kept) in RECORDED.items():
        line = next(one for one in told.splitlines() if one.startswith(f"| numina_math: {subset} |"))
        assert f"| {read:,} | {kept:,} | {100 * kept / read:.1f} % |" in line
