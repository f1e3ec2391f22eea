"""What is asked of a model: each benchmark's own facts (`eval/benchmarks/*.yaml`), and presets (`eval/presets/*.yaml`).

A preset says how questions are put (prompt, decoding, seeds, number of runs) whatever the benchmark; a benchmark says
what is its own (its usual runs, what its items are called, how Evalchemy grades it). Both are data.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field

from curate.errors import InputError
from curate.keys import digest
from curate.kinds import Verifier
from curate.plug import Plug
from curate.prompts.prompt import Prompt, load
from curate.records import Choice, Question, Record
from curate.sources.files import nearest

M = TypeVar("M", bound=BaseModel)
Grading = Literal["boxed", "letter", "program"]
_EVALCHEMY_ORDER = (2, 1, 3, 0)  # random.Random(42).shuffle of [right, wrong 1, wrong 2, wrong 3], drawn anew each time


class Decoding(Record):
    """How a model samples; None: left to the server."""

    temperature: float | None = Field(None, ge=0, description="None: the server's own.")
    top_p: float | None = Field(None, gt=0, le=1, description="None: the server's own.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of one answer, its thinking included.")


class Evalchemy(Record):
    """How Evalchemy treats a benchmark."""

    grading: Grading
    runs: int = Field(ge=1)


class Benchmark(Record):
    """What a benchmark has of its own; a set of the user's own has the defaults."""

    runs: int = Field(1, ge=1)
    fields: dict[str, Any] = Field(default_factory=dict)  # of its source, beside those of benchmarks.yaml
    topic: tuple[str, ...] = ()  # the names in a question's meta that say what it is about
    verify: tuple[Annotated[Verifier, Plug("curate.verifiers")], ...] | None = None  # None: the truth's own verifier
    evalchemy: Evalchemy | None = None


class Preset(Record):
    """How questions are put, whatever the benchmark."""

    about: str
    prompt: str
    system: str | None = None  # None: no system message
    options: Literal["source", "evalchemy"] = "source"  # the order of the options of a choice
    seeds: Literal["question", "run", "none"] = "question"
    runs: int | Literal["benchmark", "evalchemy"] = "benchmark"
    decoding: Decoding = Decoding()


def benchmark(name: str) -> Benchmark:
    """What is known of a benchmark by its bare name; the defaults where there is no file of it."""
    known = _names("benchmarks")
    return _read("benchmarks", name, Benchmark) if name in known else Benchmark()


def presets() -> list[str]:
    """The names of all presets."""
    return _names("presets")


def preset(name: str) -> Preset:
    """The preset of this name. Raises InputError where there is none."""
    if name not in presets():
        raise InputError(
            f"there is no preset '{name}'", next=f"{nearest(name, presets())}known: {', '.join(presets())}"
        )
    found: Preset = _read("presets", name, Preset)
    return found


def prompt_of(name: str) -> Prompt:
    """A prompt: one of evaluation's own, else one that teachers have too, or the path of a .yaml file.

    Raises RecipeError.
    """
    own = files("curate.prompts").joinpath("evaluate", f"{name}.yaml").is_file()
    return load("evaluate" if own else "annotate", name)


def seed_of(rule: str, seed: int, run: int, question: Question) -> int | None:
    """The seed of one request, 31 bits: of the run and the question, of the run alone as Evalchemy's, or none."""
    if rule == "none":
        return None
    if rule == "run":
        return (seed + run) & 0x7FFFFFFF
    return int(digest("evaluate", seed, run, question.id)[:8], 16) & 0x7FFFFFFF


def evalchemy_order(question: Question) -> Question:
    """A choice as Evalchemy puts it: its options apart from the question, in its order; others stay as they are.

    It shuffles (right, wrong 1, wrong 2, wrong 3) with a fresh `Random(42)` for each question, so D is always right.
    Where a source does not tell its columns (`meta.columns`), they count as the options in their order, the right one
    first.
    """
    truth = question.truth
    if not isinstance(truth, Choice) or len(truth.options) != len(_EVALCHEMY_ORDER):
        return question
    letters = [chr(ord("A") + number) for number in range(len(truth.options))]
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(letters, truth.options, strict=True))
    columns = question.meta.get("columns")
    if not isinstance(columns, list) or sorted(columns) != list(range(len(letters))):
        right = letters.index(truth.letter.strip().upper())
        rest = [number for number in range(len(letters)) if number != right]
        columns = [0 if number == right else 1 + rest.index(number) for number in range(len(letters))]
    texts = dict(zip(columns, truth.options, strict=True))
    ordered = tuple(texts[column] for column in _EVALCHEMY_ORDER)
    told = question.model_dump(exclude={"id", "truth", "truth_key", "problem"})
    stem = question.problem.removesuffix(listed).rstrip()
    return Question.of(problem=stem, truth=Choice(letter="D", options=ordered), **told)


def topic_of(question: Question, names: tuple[str, ...]) -> str | None:
    """What a question is about, in the words of its source: `Algebra / 5`."""
    found = [str(question.meta[name]) for name in names if question.meta.get(name) not in (None, "")]
    return " / ".join(found) or None


def _names(folder: str) -> list[str]:
    return sorted(one.name[:-5] for one in files("eval").joinpath(folder).iterdir() if one.name.endswith(".yaml"))


@lru_cache(maxsize=128)
def _read(folder: str, name: str, kind: type[M]) -> M:
    told: Any = yaml.safe_load(files("eval").joinpath(folder, f"{name}.yaml").read_text("utf-8"))
    return kind.model_validate(told)
