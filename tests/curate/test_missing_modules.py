"""Programs that import what is not there: the report names the modules and counts the answers, after a resume too."""

import importlib.util
import json
from pathlib import Path

import pytest

from curate.engine.local import execute
from curate.errors import Failed
from curate.flow import Flow, Options
from curate.sources.columns import Columns
from curate.sources.jsonl import Jsonl
from curate.teachers.fake import Fake
from sandbox.packages import USUAL

# Packages that programs often import, and that are not here.
ONE, TWO = [name for name in sorted(USUAL) if name.isidentifier() and importlib.util.find_spec(name) is None][:2]


def flow(folder: Path) -> Flow:
    imports = [TWO] * 3 + [f"{ONE}.part"] + ["json"] * 2
    rows = [
        {
            "problem": f"Add {number}.",
            "tests": json.dumps({"inputs": ["1\n"], "outputs": [f"{1 + number}\n"]}),
            "gold": f"import {name}\nprint(int(input()) + {number})",
        }
        for number, name in enumerate(imports)
    ]
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = Columns(problem="problem", tests="tests", gold="gold")
    source = Jsonl(path=path, domain="code", columns=columns)
    return Flow.model_validate(
        {"name": "modules", "sources": (source,), "annotate": {"teacher": (Fake(error_rate=0.0),)}}
    )


def test_they_are_named_and_counted(tmp_path: Path) -> None:
    first, again = (
        execute(flow(tmp_path), Options(root=tmp_path / "root", quiet=True, until="solve")) for _ in range(2)
    )
    for report in (first, again):
        assert report.solve is not None
        assert report.solve["outcomes"] == {"error": 4, "pass": 2}
        assert list(report.solve["missing_modules"].items()) == [(TWO, 3), (ONE, 1)]
        assert f"- `{TWO}`: 3" in report.to_markdown()
        with pytest.raises(Failed) as caught:
            report.raise_for_errors()
        assert f"{TWO} 3, {ONE} 1" in str(caught.value.next)
    assert again.this_run["answers_new"] == 0
