"""What a verb tells about a run: the line to load it, what is left out of the summary, and which runs there are."""

import json
import re
from pathlib import Path

import pytest

from curate.errors import InputError, RecipeError
from curate.explain import explain
from curate.run import Run
from recipes.cli.main import app
from recipes.load import of_run, read

RECIPE = """\
name: NAME
sources:
  - {kind: jsonl, path: q.jsonl, domain: math, columns: {id: id, problem: problem, answer: answer}}
annotate: {teacher: {kind: fake, error_rate: RATE}}
"""


def _run(folder: Path, rate: str, *arguments: str) -> None:
    rows = [{"id": number + 1, "problem": f"{number} + 1?", "answer": str(number + 1)} for number in range(4)]
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "r.yaml").write_text(RECIPE.replace("RATE", rate).replace("NAME", "mine"), "utf-8")
    app(args=["--root", str(folder), "run", str(folder / "r.yaml"), *arguments], standalone_mode=False)


def test_a_run_that_selects_nothing_does_not_print_a_line_that_cannot_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(tmp_path, "1.0")
    out = capsys.readouterr().out
    assert "0 rows were selected: not_verified 4" in out
    assert "load_dataset" not in out


def test_the_summary_leaves_out_what_is_0_and_json_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(tmp_path, "0.0")
    out = capsys.readouterr().out
    assert "load_dataset" in out
    assert re.search(r"^answers reused +0$", out, re.MULTILINE)
    for name in ("calls failed", "damage", "possibly paid twice", "cost unknown"):
        assert name not in out
    _run(tmp_path, "0.0", "--json")
    this = json.loads(capsys.readouterr().out)["this_run"]
    assert {"calls_failed", "damage", "possibly_paid_twice"} <= this.keys()


async def test_explain_prefers_what_the_user_wrote(tmp_path: Path) -> None:
    """Source ids count from 1 and seq from 0: `1` names two questions."""
    import asyncio

    await asyncio.to_thread(_run, tmp_path, "0.0", "--until", "ingest")
    flow = read(tmp_path / "r.yaml")
    run = Run(tmp_path, "mine")

    async def named(what: str) -> tuple[str, int, str | None]:
        found = await explain(run, flow, what)
        return found["question"]["source_id"], found["question"]["seq"], found["note"]

    assert await named("1") == ("1", 0, "seq 1 is another question; `seq:1` names it")
    assert await named("seq:1") == ("2", 1, None)
    assert await named("4") == ("4", 3, None)
    assert await named("0") == ("1", 0, None)
    id_ = (await explain(run, flow, "3"))["question"]["id"]
    assert await named(f"id:{id_[:8]}") == ("3", 2, None)
    for nothing in ("seq:9", "seq:x", "id:123", "9", "seq:"):
        with pytest.raises(InputError, match="no question is called"):
            await explain(run, flow, nothing)


def test_a_name_that_is_no_run_tells_which_there_are(tmp_path: Path) -> None:
    _run(tmp_path, "0.0", "--until", "ingest")
    with pytest.raises(RecipeError, match=r"runs here: mine\n.*--root") as caught:
        of_run(tmp_path, "mime")
    assert caught.value.exit_code == 2
    assert of_run(tmp_path, "mine").name == "mine"


def test_status_of_a_run_elsewhere_names_root(tmp_path: Path) -> None:
    _run(tmp_path, "0.0", "--until", "ingest")
    with pytest.raises(InputError, match=r"no run 'quickstart' here; runs here: mine\n.*--root"):
        app(args=["--root", str(tmp_path), "status", "quickstart"], standalone_mode=False)
