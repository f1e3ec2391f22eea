"""Published scores: every benchmark is a known one, every score has its source, versions are not mixed."""

import pytest

from curate.sources.benchmarks import benchmarks, split_name
from eval.published import published, tables


def test_every_score_is_of_a_known_benchmark_and_plausible() -> None:
    for table in tables():
        for scores in table.scores.values():
            for name, score in scores.items():
                bare, version = split_name(name)
                assert 0 < score < 100
                if bare != "aime25_i":  # half of a benchmark, which has no name of its own
                    assert version is None or version in benchmarks()[bare].versions
                    assert bare in benchmarks()


def test_a_score_stands_beside_its_benchmark_and_version_alone() -> None:
    of_aime = {(one.model, one.source): one.score for one in published("aime24@h4")}
    assert of_aime["OpenThinker-32B", "https://open-thoughts.ai/blog/scale"] == pytest.approx(0.66)
    assert {one.model for one in published("aime24@h4")} >= {"s1-32B", "s1.1-32B", "LIMO-32B", "R1-Distill-32B"}
    assert published("livecodebench@release_v2")
    assert not published("livecodebench@release_v6")
    assert {round(100 * one.score, 1) for one in published("aime25@math-ai")} == {49.3, 50.0, 42.7, 58.7, 48.3}
