"""A run that stops while solving leaves a report of what it has spent, marked as incomplete."""

import json
from pathlib import Path
from typing import Any

import pytest

from curate.engine.local import Local
from curate.errors import Stopped
from curate.flow import Options
from curate.order import Course
from curate.progress import Progress
from curate.report import Report
from curate.run import Run
from recipes.schema import Recipe
from tests.curate.calls.till import Till, open_till, tokens

ROWS = 24


def recipe(folder: Path, url: str, **budget: Any) -> Recipe:
    path = folder / "q.jsonl"
    path.write_text("".join(json.dumps({"problem": f"What is {n}?", "answer": str(n)}) + "\n" for n in range(ROWS)))
    teacher = {"kind": "openai", "model": "m", "base_url": url, "max_tokens": 500, "concurrency": 2}
    return Recipe.model_validate(
        {
            "name": "r",
            "sources": [{"kind": "jsonl", "path": str(path), "domain": "math", "columns": {"answer": "answer"}}],
            "annotate": {"teacher": {**teacher, "price": {"input": 0, "output": 10}}},
            "budget": budget,
            "verify": {"math": []},
            "select": ["all"],
        }
    )


async def follow(flow: Recipe, root: Path) -> Report:
    run, progress = Run(root, flow.name), Progress(quiet=True)
    with run.writing():
        return await Course(
            run, flow, Options(root=root, quiet=True, until="solve"), Local(progress), progress
        ).follow()


async def test_a_run_that_its_budget_stopped_says_what_it_has_spent(tmp_path: Path) -> None:
    till = Till({})
    async with open_till(till):
        with pytest.raises(Stopped, match="budget"):
            await follow(recipe(tmp_path, till.url, max_cost_usd=0.03), tmp_path)
        billed = sum(tokens(text)[1] for text in till.sold) * 10 / 1e6
        folder = tmp_path / "runs" / "r"
        found = json.loads((folder / "report.json").read_text())
        assert "the budget of $0.03" in found["incomplete"]
        assert found["money"]["spent_usd"] == pytest.approx(billed, abs=1e-6)
        assert found["money"]["answers"] == found["this_run"]["answers_new"] == len(till.sold) < ROWS
        assert found["totals"]["publish"] is None
        text = (folder / "report.md").read_text()
        assert text.startswith("# r (incomplete)")
        assert f"${billed:,.4f}" in text
        whole = await follow(recipe(tmp_path, till.url), tmp_path)
    assert whole.incomplete is None
    assert "incomplete" not in (folder / "report.md").read_text()
    assert max(till.sold.values()) == 1
