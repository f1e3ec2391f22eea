"""Evaluations that were not made alike: what decides scores and differs is said, what does not decide is not."""

from typing import Any

from eval.unlike import unlike


def lock(**changes: Any) -> dict[str, Any]:
    bench = {"label": "aime24", "edition": "h4", "prompt": "plain", "runs": 5, "decoding": {"temperature": 0.7}}
    more = changes.pop("bench", {})
    return {"model": "m", "verifiers": {"math, Answer": ["math 7"]}, "benchmarks": [{**bench, **more}], **changes}


def test_equal_protocols_and_other_numbers_of_runs_are_alike() -> None:
    assert unlike(lock(), lock(model="other", bench={"runs": 1})) == ()
    assert unlike({}, lock()) == ()


def test_decoding_prompt_and_verifier_are_told() -> None:
    (said,) = unlike(lock(), lock(bench={"decoding": {"temperature": 0.0}}))
    assert said == "aime24@h4: decoding differs: {'temperature': 0.7} and {'temperature': 0.0}"
    (said,) = unlike(lock(), lock(bench={"prompt": "evalchemy", "prompt_text": "other words"}))
    assert "prompt differs: plain and evalchemy" in said
    assert "verified by" in unlike(lock(), lock(verifiers={"math, Answer": ["math 6"]}))[0]
    assert unlike(lock(), lock(bench={"label": "math500"})) == ()
