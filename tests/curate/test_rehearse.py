"""A rehearsal rehearses: its made-up judge accepts the made-up right answers, whatever it is shown of them."""

import pytest

from curate.engine.local import execute
from curate.flow import Options
from recipes.schema import Recipe


@pytest.mark.parametrize("verify", ["openthoughts", {"math": ["judge"], "science": ["judge"]}])
def test_a_judge_of_a_rehearsal_accepts_what_is_right(verify: object) -> None:
    made = {"name": "r", "sources": ["quickstart"], "annotate": {"teacher": "fake"}, "judge": "fake", "verify": verify}
    flow = Recipe.model_validate(made)
    solve = execute(flow, Options(dry_run=True, until="solve", quiet=True, limit=24)).solve
    assert solve is not None
    judged = solve["domains"]["math"]
    assert judged["pass"] > judged["fail"] > 0
    assert solve["outcomes"].get("error", 0) == 0
