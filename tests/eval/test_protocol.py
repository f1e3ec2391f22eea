"""Protocols are data: every benchmark and preset loads, and what they decide is what their files say."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from curate.records import Answer, Choice, Question
from curate.resources import Resources
from curate.sources.benchmarks import benchmarks
from eval.block import Eval
from eval.pose import Posed, Student
from eval.protocol import benchmark, evalchemy_order, preset, presets, prompt_of, seed_of
from eval.sample import posings_of
from tests.eval.scripted import jsonl

MODEL = {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
LETTERS = "ABCD"


def block(**fields: object) -> Eval:
    return Eval.model_validate({"models": {"m": MODEL}, "benchmarks": ["aime24"], **fields})


def choice(number: int, letter: str, columns: list[int] | None) -> Question:
    right = LETTERS.index(letter)
    texts = [f"wrong {number}-{place}" for place in range(4)]
    texts[right] = f"right {number}"
    listed = "\n".join(f"{name}. {text}" for name, text in zip(LETTERS, texts, strict=True))
    meta = {} if columns is None else {"columns": columns}
    return Question.of(
        problem=f"Which {number}?\n\n{listed}", domain="science", truth=Choice(letter=letter, options=tuple(texts)),
        source="s", source_id=str(number), meta=meta,
    )  # fmt: skip


def test_every_benchmark_of_the_sources_has_a_protocol() -> None:
    folder = Path(str(__import__("eval").__file__)).parent / "benchmarks"
    assert {path.stem for path in folder.glob("*.yaml")} == set(benchmarks())
    assert all(benchmark(name).runs >= 1 for name in benchmarks())


def test_the_presets_are_these() -> None:
    assert presets() == ["evalchemy", "greedy", "openthinker", "plain"]
    chosen = preset("openthinker")
    assert (chosen.runs, chosen.system, chosen.seeds, chosen.options) == (5, None, "run", "evalchemy")
    assert (chosen.decoding.temperature, chosen.decoding.top_p, chosen.decoding.max_tokens) == (0.7, None, 32768)
    assert preset("greedy").decoding.temperature == 0.0


def test_runs_are_the_preset_s_the_benchmark_s_or_evalchemy_s() -> None:
    names = ["aime24", "math500", "gpqa_diamond", "livecodebench", "humaneval"]
    runs = {name: {label: one.runs for label, one in posings_of(block(benchmarks=names, preset=name)).items()}
            for name in presets()}  # fmt: skip
    assert runs["openthinker"] == dict.fromkeys(names, 5)
    assert runs["evalchemy"] == {"aime24": 10, "math500": 1, "gpqa_diamond": 3, "livecodebench": 6, "humaneval": 1}
    assert runs["plain"]["aime24"] == benchmark("aime24").runs
    one = posings_of(block(benchmarks=[{"bench": "aime24", "runs": 3}], preset="evalchemy"))
    assert one["aime24"].runs == 3
    assert posings_of(block(runs=2, preset="evalchemy"))["aime24"].runs == 2


def test_evalchemy_s_words_are_for_its_own_benchmarks() -> None:
    made = posings_of(block(benchmarks=["math500", "mbpp"], preset="openthinker"))
    assert (made["math500"].prompt, made["math500"].evalchemy) == ("evalchemy", "boxed")
    assert (made["mbpp"].prompt, made["mbpp"].evalchemy) == ("plain", None)
    assert posings_of(block(gradings=["ours"]))["aime24"].evalchemy is None


def test_seeds_are_a_function_of_the_rule_the_run_and_the_question() -> None:
    questions = [
        Question.of(problem=f"q{n}", domain="math", truth=Answer(text="1"), source="s", source_id=str(n))
        for n in range(50)
    ]
    assert [seed_of("run", 0, run, questions[0]) for run in range(3)] == [0, 1, 2]
    assert {seed_of("run", 7, 2, one) for one in questions} == {9}
    own = {seed_of("question", 0, run, one) for run in range(4) for one in questions}
    assert len(own) == 200
    assert all(isinstance(one, int) and 0 <= one < 1 << 31 for one in own)
    assert seed_of("question", 0, 1, questions[3]) == seed_of("question", 0, 1, questions[3])
    assert seed_of("question", 1, 1, questions[3]) != seed_of("question", 0, 1, questions[3])
    assert seed_of("none", 0, 1, questions[3]) is None


@pytest.mark.parametrize("letter", LETTERS)
def test_evalchemy_s_order_makes_d_right_whatever_the_columns(letter: str) -> None:
    posed = evalchemy_order(choice(1, letter, None))
    assert isinstance(posed.truth, Choice)
    assert posed.truth.letter == "D"
    assert posed.truth.options[3] == "right 1"
    assert posed.problem == "Which 1?"
    assert posed.meta == {}


def test_evalchemy_s_order_is_that_of_the_columns() -> None:
    # Listed are the right one, then the wrong ones 3, 1 and 2; random.Random(42) makes (w2, w1, w3, right) of them.
    question = choice(5, "A", [0, 3, 1, 2])
    assert isinstance(question.truth, Choice)
    options = question.truth.options
    posed = evalchemy_order(question)
    assert isinstance(posed.truth, Choice)
    assert posed.truth.options == (options[3], options[2], options[1], options[0])
    text = prompt_of("evalchemy").render(posed)[-1]["content"]
    assert text == (
        "Return your final response within \\boxed{} and only include the letter choice (A, B, C, or D) as your final "
        f"response.\nProblem: Which 5?\nOptions: A) {options[3]}, B) {options[2]}, C) {options[1]}, D) right 5\nAnswer:"
    )


def test_random_42_shuffles_as_the_order_says() -> None:
    import random

    drawn = [0, 1, 2, 3]
    random.Random(42).shuffle(drawn)
    assert drawn == [2, 1, 3, 0]


def test_our_own_order_spreads_the_letters_and_follows_the_seed(tmp_path: Path) -> None:
    import json

    rows = [
        {"Question": f"Q{n}?", "Correct Answer": f"r{n}", "Record ID": f"rec{n}",
         **{f"Incorrect Answer {k}": f"w{n}-{k}" for k in (1, 2, 3)}}
        for n in range(200)
    ]  # fmt: skip
    path = tmp_path / "gpqa.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    source = block(benchmarks=[f"gpqa_diamond={path}"]).benchmarks[0].questions()
    ours = [one for one in Posed(inner=source, label="g").read() if isinstance(one, Question)]
    theirs = [one for one in Posed(inner=source, label="g", options="evalchemy").read() if isinstance(one, Question)]
    counts = Counter(one.truth.letter for one in ours if isinstance(one.truth, Choice))
    assert all(25 < counts[letter] < 75 for letter in LETTERS), counts
    assert {one.truth.letter for one in theirs if isinstance(one.truth, Choice)} == {"D"}
    first = theirs[0].truth
    assert isinstance(first, Choice)
    assert first.options == ("w0-2", "w0-1", "w0-3", "r0")
    again = block(benchmarks=[{"source": {"kind": "gpqa", "path": str(path), "seed": 1}}]).benchmarks[0].questions()
    other = [one.truth for one in Posed(inner=again, label="g").read() if isinstance(one, Question)]
    assert other != [one.truth for one in ours]


def test_two_servers_of_one_name_are_told_apart_by_a_revision() -> None:
    other = {**MODEL, "base_url": "http://127.0.0.1:8/v1", "revision": "tuned"}
    assert list(block(models={"m": MODEL, "n": other}).models) == ["m", "n"]


@pytest.mark.parametrize(("kind", "seeded"), [("openai", True), ("responses", False)])
def test_an_api_that_refuses_seeds_gets_none(kind: str, seeded: bool) -> None:
    made = block(models={"m": {**MODEL, "kind": kind}}, benchmarks=["math500"])
    asked = Question.of(problem="1 + 1", domain="math", truth=Answer(text="2"), source="s", source_id="1",
                        meta={"bench": "math500"})  # fmt: skip
    call = Student(inner=made.models["m"], posings=posings_of(made)).call(asked, 0, Resources.__new__(Resources))
    assert call is not None
    assert ("seed" in call.body) is seeded


def test_a_draw_is_of_content_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    import json

    def drawn(order: range) -> list[str]:
        rows = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in order]
        path = tmp_path / "own.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        bench = block(benchmarks=[{"source": jsonl(path), "take": 10}]).benchmarks[0]
        found = list(Posed(inner=bench.questions(), label="own", take=bench.take).read())
        return [one.problem for one in found if isinstance(one, Question)]

    one, other = drawn(range(100)), drawn(range(99, -1, -1))
    assert len(one) == 10
    assert sorted(one) == sorted(other)
    assert one == other[::-1]  # each in the order of its rows


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"preset": "opnthinker"}, "did you mean 'openthinker'"),
        ({"benchmarks": ["aime42"]}, "there is no benchmark 'aime42'"),
        ({"benchmarks": ["aime24@nobody"]}, "has no version"),
        ({"benchmarks": ["aime24", "aime24@maxwell-jia"]}, "two benchmarks are called aime24"),
        ({"benchmarks": [{"bench": "aime24", "source": "quickstart"}]}, "say `bench:`"),
        ({"models": {"m": {**MODEL, "temperature": 0.3}}}, "temperature is the same for all models"),
        ({"models": {"a/b": MODEL, "a b": MODEL}}, "share the folder"),
        (
            {"models": {"m": MODEL, "n": {**MODEL, "base_url": "http://127.0.0.1:8/v1"}}},
            "m and n would be given the same",
        ),
        (
            {"models": {"m": MODEL, "n": {**MODEL, "marks": {"open": "<t>", "close": "</t>"}}}},
            "a `revision` of its own",
        ),
        ({"general": {"prompts": "quickstart", "base": "m", "student": "m", "judge": "fake"}}, "the same model"),
        ({"models": {"m": "fake"}, "budget_forcing": {}}, "needs a server"),
        ({"verify": {"math": ["math", "judge"]}}, "has no `judge:`"),
        ({"benchmarks": [{"bench": "aime24", "verify": "judge"}]}, "has no `judge:`"),
        ({"budget_forcing": {"raw": "{{ usr }}"}}, "raw is a template"),
        ({"general": {"prompts": "quickstart", "base": "m", "student": "n", "judge": "fake"}}, "no model 'n'"),
    ],
)
def test_what_cannot_be_is_told(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        block(**fields)
