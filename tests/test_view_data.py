"""What `veristill view` reads: rows by number, the index it filters by, references, rendering that can be killed."""

import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.view.index import NONE, Filters, Index
from curate.view.markdown import code_html, formula, to_html
from curate.view.opening import Opened, open_traces
from curate.view.renderer import Renderer
from curate.view.trace import columns_of, facts, sections
from recipes.cli.view import _opened

VERISTILL = str(Path(sys.executable).with_name("veristill"))


def _rows(count: int) -> list[dict[str, Any]]:
    draw = random.Random(7)
    return [
        {
            "problem": f"problem {n}",
            "ground_truth_solution": str(n),
            "test_cases": "[]" if n % 5 == 0 else None,
            "r1_reasoning": "é" * draw.randrange(400),
            "r1_solution": f"answer {n}",
            "domain": draw.choice(["math", "code", None]),
            "source": draw.choice(["a", "b", "c"]),
        }
        for n in range(count)
    ]


def _parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=37)
    return path


def _huge_groups(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)  # a mark, and blank lines
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def _folder(path: Path, rows: list[dict[str, Any]]) -> Path:
    (path / "metadata").mkdir(parents=True)
    for shard in range(3):
        part = rows[shard * 100 : (shard + 1) * 100]
        _parquet(path / "metadata" / f"train-{shard:05d}-of-00003.parquet", part)
    return path


def _loadable(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.mkdir()
    _lines(path / "train.jsonl", rows).write_text("\n".join(json.dumps(row) for row in rows))
    return path


FORMS: dict[str, Callable[[Path, list[dict[str, Any]]], Path]] = {
    "rows.parquet": _parquet,
    "huge.parquet": _huge_groups,
    "rows.jsonl": _lines,
    "rows.jsonl.gz": _lines,
    "folder": _folder,
    "loadable": _loadable,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows_and_filters(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    if name == "huge.parquet":
        monkeypatch.setattr("curate.view.shelf._GROUP_BYTES", 1)
    rows = _rows(300)
    opened = open_traces(tmp_path, str(FORMS[name](tmp_path / name, rows)))
    index = _filled(opened)
    assert len(index) == 300 and index.lengths_known == 300
    for number in random.Random(1).sample(range(300), 60):
        assert opened.row(number) == rows[number]
    lengths = [len(row["r1_reasoning"]) + len(row["r1_solution"]) for row in rows]
    everything = range(300)
    assert list(index.matching(Filters())) == list(everything)
    both = Filters({"domain": frozenset({"math", NONE}), "source": frozenset({"b"})}, shortest=100, longest=200)
    wanted = [n for n in everything if rows[n]["domain"] != "code" and rows[n]["source"] == "b"]
    assert list(index.matching(both)) == [n for n in wanted if 100 <= lengths[n] <= 200]
    assert list(index.matching(Filters({"source": frozenset({"nowhere"})}))) == []
    counts = index.values("source")
    assert counts == {name: sum(row["source"] == name for row in rows) for name in counts}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    opened.shelf.close()


def _filled(opened: Opened) -> Index:
    index = Index(opened.shelf, opened.columns.texts)
    index.fill()
    assert index.trouble is None and index.measured
    return index


def test_a_broken_line_stops_the_index_and_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "a", "solution": "b"}\n' * 600 + "{broken\n")
    opened = open_traces(tmp_path, str(path))
    index = Index(opened.shelf, opened.columns.texts)
    index.fill()
    assert index.trouble is not None and "rows.jsonl:601" in index.trouble
    assert len(index) == 512  # whole batches
    assert opened.row(511) == {"problem": "a", "solution": "b"}


def test_rows_may_lack_columns_and_spell_half_characters(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"problem": "a", "solution": "x"}\n'
        r'{"problem": "b\ud800 \ud83d\ude00", "reasoning": ["\udc00"], "solution": "y", "domain": "m\ud801"}'
    )
    opened = open_traces(tmp_path, str(path))
    assert opened.columns.texts == ["solution", "reasoning"]
    assert _filled(opened).values("domain") == {NONE: 1, "m?": 1}
    assert opened.row(0) == {"problem": "a", "solution": "x"}
    assert opened.row(1) == {"problem": "b? 😀", "reasoning": ["?"], "solution": "y", "domain": "m?"}


def test_conversations_are_taken_apart(tmp_path: Path) -> None:
    text = "<think>\nhm\n</think>\n\n42"
    turns = [{"from": "user", "value": "what?"}, {"from": "assistant", "value": text}]
    path = _parquet(tmp_path / "rows.parquet", [{"system": "s", "conversations": turns}] * 3)
    opened = open_traces(tmp_path, str(path))
    found = sections(opened.row(1), opened.columns)
    assert [(one.name, one.text) for one in found] == [("problem", "what?"), ("reasoning", "hm"), ("solution", "42")]
    assert facts(opened.row(1), opened.columns)["characters"] == f"{len('what?') + len(text)}"
    index = _filled(opened)
    assert list(index.matching(Filters(longest=len("what?") + len(text)))) == [0, 1, 2]


def test_several_teachers_stand_side_by_side() -> None:
    columns = columns_of(["problem", "a_reasoning", "a_solution", "b_solution", "ground_truth_solution"], "here")
    assert columns.texts == ["a_reasoning", "a_solution", "b_solution"]
    assert columns.reference == "ground_truth_solution"
    row = {"problem": "p", "a_reasoning": None, "a_solution": "1", "b_solution": "2"}
    assert [one.title for one in sections(row, columns)] == ["Problem", "a_solution", "b_solution"]


def test_a_run_is_found_by_name_and_by_folder_with_its_references(tmp_path: Path) -> None:
    done = subprocess.run(
        [VERISTILL, "--root", str(tmp_path), "run", "quickstart"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    for name in ("quickstart", str(tmp_path / "runs" / "quickstart")):
        opened = open_traces(tmp_path, name)
        index = _filled(opened)
        assert index.facets == ("domain", "source", "outcome", "reason")
        assert {"pass", "fail"} <= set(index.values("outcome")) and len(index) == sum(index.values("outcome").values())
        math = index.matching(Filters({"domain": frozenset({"math"}), "outcome": frozenset({"fail"})}))
        found = sections(opened.row(int(math[0])), opened.columns)
        assert {"problem", "reference", "solution", "evidence"} <= {one.name for one in found}
        answers = index.matching(Filters({"domain": frozenset({"math", "puzzle"})}))  # some without a worked solution
        assert all("reference" in [one.name for one in sections(opened.row(int(n)), opened.columns)] for n in answers)
    published = open_traces(tmp_path, str(tmp_path / "runs" / "quickstart" / "dataset"))
    passed = _filled(published).matching(Filters({"domain": frozenset({"math"}), "outcome": frozenset({"pass"})}))
    assert published.row(int(passed[0]))["ground_truth_solution"]
    only = open_traces(tmp_path, "quickstart", "metadata")
    assert "outcome" not in only.shelf.columns and only.row(0)["problem"]


def test_a_run_under_way_is_read_from_its_ledger(tmp_path: Path) -> None:
    """The same rows as its publication will hold, without one; a stage before it has none to show."""

    def run(*arguments: str) -> None:
        command = [VERISTILL, "--root", str(tmp_path), "run", "quickstart", *arguments]
        assert subprocess.run(command, capture_output=True, timeout=600).returncode == 0

    run("--until", "ingest")
    code, said = _view(tmp_path, "quickstart")
    assert code == 2 and "still cleaning" in said
    run("--until", "clean")
    early = _opened(tmp_path, "quickstart", None)
    before = len(_filled(early))  # a recording is there from the start, and some of it needs no verifier
    early.shelf.close()
    run("--until", "solve")
    found = {name: _opened(tmp_path, *name) for name in (("quickstart", None), (str(_run(tmp_path)), "ledger"))}
    indexes: list[Index] = []
    for opened in found.values():
        indexes.append(_filled(opened))
    assert not (_run(tmp_path) / "dataset").exists()
    run()
    published, live = _opened(tmp_path, "quickstart", None), found["quickstart", None]
    told = _filled(published)
    for index in indexes:
        assert before < len(index) == len(told)
        assert {facet: index.values(facet) for facet in told.facets} == {
            facet: told.values(facet) for facet in told.facets
        }
        assert list(index.matching(Filters(longest=300))) == list(told.matching(Filters(longest=300)))
    for number in range(len(told)):  # its files were sealed and replaced meanwhile
        rows = [one.row(number) for one in (published, live)]
        shown = [[section[2:] for section in sections(row, one.columns) if section.name != "tests"]
                 for one, row in zip((published, live), rows, strict=True)]  # fmt: skip
        assert shown[0] == shown[1]
        assert facts(rows[0], published.columns) == facts(rows[1], live.columns)
    for opened in (published, *found.values()):
        opened.shelf.close()


def _run(root: Path) -> Path:
    return root / "runs" / "quickstart"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a $x^2$ b", "<msup>"),
        (r"so \[ x \] and", 'display="block"'),
        ("    \\[\n    x + 1\n    - y\n    \\]", "<mo>−</mo><mi>y</mi>"),
        ("1. first\n   \\[ a \\]\n2. second", "<ol>"),
        (r"\boxed{\frac{1}{2}}", "<mfrac>"),
        (r"cost \$5 and $5 then $6", "cost $5 and $5 then $6"),
        (r"\(unclosed", "(unclosed"),
        (r"$\undefinedmacro{x}$", "undefinedmacro"),
        (r"$\frac{$", "\\frac{"),
        ("```cpp\nint x = 1;\n```", '<span class="kt">int</span>'),
        ("```nolanguage\na < b\n```", "a &lt; b"),
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
    ],
)
def test_markdown(text: str, wanted: str) -> None:
    assert wanted in to_html(text)


def test_formulas_of_real_answers_are_read(data_dir: Path) -> None:
    """Model outputs on MATH: nearly every formula becomes MathML without a word of LaTeX left in it."""
    lines = (data_dir / "math_truth.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["prediction_text"] or "" for line in lines]
    html = "".join(to_html(text) for text in texts)
    read, unread = html.count("<math"), html.count('<code class="formula">')
    assert read > 3000
    assert unread <= read * 0.01, (read, unread)


def test_text_in_formulas_and_code_stays_text() -> None:
    evil = "</mtext></math><script>alert(1)</script>"
    for found in (
        formula(rf"\text{{{evil}}}", block=False),
        formula(r"\text{&lt;script&gt;}", block=True),
        formula(rf"\unknown{evil}", block=False),
        code_html(evil, "html"),
        code_html(evil, evil),
        code_html("\x00\ud800" + evil, ""),
    ):
        assert "<script" not in found and "\x00" not in found and found.encode()
    assert "javascript" not in formula(r"\href{javascript:alert(1)}{x}", block=False)


async def test_what_hangs_or_fills_the_memory_is_shown_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.view.renderer._CPU_S", 1.0)
    slow = "\\begin{align}\n" * 20_000 + "<i>"
    async with Renderer() as renderer:
        found = await renderer.markdown(slow)
        assert found.startswith('<p class="note">shown as plain text')
        assert "&lt;i&gt;" in found and "<i>" not in found
        assert "<msup>" in await renderer.markdown("$x^2$")  # the pool goes on
        long = await renderer.markdown("a " * 200_000 + "<b>")
        assert "100,003 characters more" in long and long.endswith("&lt;b&gt;</pre>")
        assert '<span class="mi">1</span>' in await renderer.code('{"a": 1}', "json")


def _view(tmp_path: Path, *arguments: str, **env: str) -> tuple[int, str]:
    command = [VERISTILL, "--root", str(tmp_path), "view", *arguments, "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    return done.returncode, done.stderr


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "recipe.lock.yaml").write_text("name: mine\n")
    code, said = _view(tmp_path, "nothing-here")
    assert code == 2 and "no run, file or folder 'nothing-here'" in said and "runs here: mine" in said
    code, said = _view(tmp_path, "mine", "--config", "metadata")
    assert code == 2 and "nothing was published" in said and "--partial" in said
    code, said = _view(tmp_path, "mine")  # and its recipe cannot be read either
    assert code == 2 and "recipe.lock.yaml" in said
    (tmp_path / "numbers.jsonl").write_text('{"a": 1}\n')
    code, said = _view(tmp_path, str(tmp_path / "numbers.jsonl"))
    assert code == 2 and "nothing to read in its columns: a" in said
    (tmp_path / "broken.parquet").write_text("no")
    code, said = _view(tmp_path, str(tmp_path / "broken.parquet"))
    assert code == 2 and "not a Parquet file" in said
    (tmp_path / "good.jsonl").write_text('{"problem": "a", "solution": "b"}\n')
    code, said = _view(tmp_path, str(tmp_path / "good.jsonl"), "--host", "192.0.2.1")
    assert code == 2 and "cannot serve at 192.0.2.1" in said


def test_a_missing_extra_is_a_prerequisite(tmp_path: Path) -> None:
    """As on a machine that holds the core alone: the packages of the extra cannot be found."""
    script = (
        "import sys, importlib.util as u\n"
        "from recipes.cli import view\n"
        "real = u.find_spec\n"
        "view.find_spec = lambda name: None if name in ('nicegui', 'latex2mathml') else real(name)\n"
        "from recipes.cli.main import command\n"
        "sys.exit(command(['view', 'quickstart']))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3
    assert "nicegui, latex2mathml" in done.stderr and "pip install 'veristill[view]'" in done.stderr


def test_unknown_facets_raise_no_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "a", "answer": "b"}\n{"problem": "c"}\n')
    opened = open_traces(tmp_path, str(path))
    index = _filled(opened)
    assert index.facets == () and len(index) == 2
    with pytest.raises(InputError, match="empty"):
        (tmp_path / "empty.jsonl").write_text("\n")
        open_traces(tmp_path, str(tmp_path / "empty.jsonl"))
