"""Presets, the recipe's judge, and what a chain keeps of the steps before its decision."""

from pathlib import Path
from typing import Any

import pytest

from curate.errors import RecipeError
from curate.records import Reference
from curate.teachers.fake import Fake
from curate.verifiers.judge import Judge
from curate.verifiers.router import Judgement, Router
from recipes.load import read
from tests.curate.verifiers.rows import attempt, question, resources
from tests.curate.verifiers.test_router import Says, chained

HEAD = "name: a\nsources: [quickstart]\nannotate: {teacher: fake}\n"


def recipe(folder: Path, text: str) -> Any:
    path = folder / "r.yaml"
    path.write_text(HEAD + text, "utf-8")
    return read(path)


def words(router: Router, domain: str, truth: str) -> list[str]:
    return [one.kind() for one in router.chain(domain, truth)]


def test_presets(tmp_path: Path) -> None:
    strict = recipe(tmp_path, "verify: strict\n").router()
    assert words(strict, "math", "answer") == ["math"]
    assert words(strict, "code", "tests") == ["code"]
    assert words(strict, "science", "reference") == []
    published = recipe(tmp_path, "verify: openthoughts\njudge: fake\n").router()
    assert words(published, "math", "answer") == words(published, "puzzle", "choice") == ["judge"]
    assert words(published, "code", "tests") == ["code"]
    assert words(published, "physics", "answer") == words(published, "science", "choice") == []
    (judge,) = published.chain("math", "answer")
    assert judge.model_dump(exclude_defaults=True, exclude={"model", "max_chars"}) == {
        "prompt": "openthoughts", "question": False, "sees": "solution", "control": "never"
    }  # fmt: skip
    assert isinstance(judge, Judge)
    assert judge.votes == 1
    assert judge.model == Fake()


def test_a_strict_recipe_with_a_judge_asks_it_nothing(tmp_path: Path) -> None:
    router = recipe(tmp_path, "verify: strict\njudge: fake\n").router()
    assert words(router, "other", "reference") == []


def test_a_judge_is_filled_in_and_free_text_goes_to_it(tmp_path: Path) -> None:
    own = "[math, {kind: judge, model: {kind: fake, seed: 9}}]"
    read_ = recipe(tmp_path, f"verify: {{math: [math, judge], code: {own}}}\njudge: {{kind: fake, seed: 4}}\n")
    router = read_.router()
    models = [router.chain(name, "answer")[1].model for name in ("math", "code")]  # type: ignore[attr-defined]
    assert models == [Fake(seed=4), Fake(seed=9)]
    assert router.judges() == models
    assert router.chain("other", "reference") == [Judge(model=Fake(seed=4))]
    assert Router().chain("other", "reference") == []
    assert read_.verify.chains["math"][1] == Judge()  # the lock file keeps what was written
    lock = tmp_path / "lock.yaml"
    lock.write_text(read_.lock_text(), "utf-8")
    assert read(lock) == read_


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("verify: {math: [math, judge]}\n", "verify.math asks a judge, but the recipe has no `judge:`"),
        ("verify: openthoughts\n", "verify: openthoughts asks a judge, but the recipe has no `judge:`"),
        ("calibrate: {sample: 5}\n", "calibrate asks a judge, but the recipe has no `judge:`"),
        ("verify: openthought\n", "a preset (openthoughts, strict), found 'openthought'"),
        (
            "verify: {math: [{kind: judge, prompt: nope}]}\njudge: fake\n",
            "there is no prompt 'nope'; known: equivalence",
        ),
        ("judge: {kind: fake}\nverify: {math: [{kind: judge, votes: 0}]}\n", "verify.math[0].votes"),
    ],
)
def test_recipes_that_cannot_judge(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(tmp_path, text)
    assert said in str(caught.value)


async def test_every_step_is_kept_as_evidence() -> None:
    router = chained(Says(outcome="unsure", name="a"), Says(outcome="error", name="b"), Says(outcome="pass", name="c"))
    judgement = await router.verify(question("1"), attempt("1"), resources(), {})
    evidence = judgement.verdict.evidence
    assert evidence["name"] == "c"
    assert [(one["outcome"], one["evidence"]["name"]) for one in evidence["earlier"]] == [
        ("unsure", "a"),
        ("error", "b"),
    ]
    assert judgement.key == judgement.steps[-1].key
    stored = {step.key or "": step.verdict for step in judgement.steps}
    assert "earlier" not in stored[judgement.key or ""].evidence  # a single verifier's verdict is kept as it is
    again = router.judge(question("1"), attempt("1"), stored.get)
    assert isinstance(again, Judgement)
    assert again.verdict == judgement.verdict
    alone = await chained(Says()).verify(question("1"), attempt("1"), resources(), {})
    assert "earlier" not in alone.verdict.evidence


async def test_free_text_without_a_judge_stays_open() -> None:
    judgement = await Router().verify(question(Reference(text="x")), attempt("x"), resources(), {})
    assert judgement.verdict.reason == "no_verifier"
