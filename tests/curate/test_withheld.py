"""Texts that nobody is to be shown (GPQA) stand nowhere in what a run tells: drops, reports, cards, explain, view."""

import asyncio
import json
from pathlib import Path
from typing import Any

from curate.drops import read_drops
from curate.engine.local import execute
from curate.explain import explain
from curate.flow import Flow, Options
from curate.run import Run
from curate.sources.gpqa import RIGHT, Gpqa
from curate.view.decided import open_decided
from curate.view.opening import Opened, open_traces
from curate.view.trace import sections
from curate.withheld import HIDDEN, HOLDS, without_texts
from recipes.load import load

TINY = Gpqa.tiny()
ROWS = [json.loads(line) for line in TINY.read_text("utf-8").splitlines()]
ASKED = [row["Question"] for row in ROWS]
OTHER = "How many stamps does Ines have left after she gives a third of her 96 stamps away and buys another dozen?"


def secrets() -> list[str]:
    """Pieces of the questions and of their right answers that could stand nowhere by chance."""
    texts = [*ASKED, *(row[RIGHT] for row in ROWS if len(row[RIGHT]) > 12)]
    return [text[at : at + 24] for text in texts for at in range(0, max(1, len(text) - 24), 24)]


def told(text: str) -> list[str]:
    return [secret for secret in secrets() if secret in text or json.dumps(secret)[1:-1] in text]


RECIPE = """name: r
sources: [{source}]
clean: {clean}
annotate: {{teacher: {{kind: fake, error_rate: 0.5}}, samples: 2}}
select: [all]
"""


def made(folder: Path, source: str, clean: list[dict[str, Any]]) -> tuple[Run, Flow]:
    (folder / "r.yaml").write_text(RECIPE.format(source=source, clean=json.dumps(clean)))
    flow = load(str(folder / "r.yaml"))
    execute(flow, Options(root=folder / "root", quiet=True))
    return Run(folder / "root", "r"), flow


def everything(run: Run, flow: Flow, rows: int) -> dict[str, str]:
    """All that is told of a run, by what tells it."""
    found = {name: (run.folder / name).read_text("utf-8") for name in ("report.md", "report.json", "events.jsonl")}
    found["card"] = (run.dataset / "README.md").read_text("utf-8")
    found["drops"] = json.dumps([drop.model_dump() for drop in read_drops(run.folder / "drops.parquet")])
    found |= {f"explain {seq}": json.dumps(asyncio.run(explain(run, flow, f"seq:{seq}"))) for seq in range(rows)}
    for config in ("unverified", "metadata", "default"):
        found[f"view {config}"] = viewed(open_traces(run.root, "r", config))
        found[f"view {config} of the folder"] = viewed(open_traces(run.root, str(run.dataset), config))
    found["view ledger"] = viewed(asyncio.run(open_decided(run, flow)))
    return found


def viewed(opened: Opened) -> str:
    count = sum(batch.rows for batch in opened.shelf.facets([]))
    rows = [opened.row(number) for number in range(count)]
    assert count and all(sections(row, opened.columns) for row in rows)
    return json.dumps(rows, default=str)


def test_a_private_source_is_told_of_without_its_texts(tmp_path: Path) -> None:
    (tmp_path / "public.jsonl").write_text(json.dumps({"problem": ASKED[1]}) + "\n")
    clean = [
        {"kind": "decontaminate", "against": [str(tmp_path / "public.jsonl")]},
        {"kind": "contains", "texts": [ASKED[2]]},
    ]
    run, flow = made(tmp_path, f"{{kind: gpqa, path: {TINY}}}", clean)
    drops = list(read_drops(run.folder / "drops.parquet"))
    assert [drop.reason for drop in drops] == ["equal_options", "contaminated", "contains"]
    assert drops[1].evidence["tier"] == "exact" and drops[1].evidence["spans"][0]["text"] == HIDDEN
    assert drops[2].evidence == {"field": "problem", "rule": HIDDEN, "found": HIDDEN}
    for name, text in everything(run, flow, 3).items():
        assert not told(text), name
        assert not name.startswith(("explain", "view")) or HIDDEN in text or HOLDS in text


def test_a_row_that_holds_a_private_question_is_told_of_without_its_texts(tmp_path: Path) -> None:
    texts = [OTHER, f"Think first. {ASKED[0]}", f"{ASKED[1]}\n\nExplain.", f"{ASKED[2]} Or not?"]
    lines = [{"id": f"m{number}", "problem": text, "answer": "A"} for number, text in enumerate(texts)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = f"{{kind: jsonl, path: {tmp_path / 'mine.jsonl'}, domain: math, columns: {{id: id, answer: answer}}}}"
    # What only tells of a private question, and what drops a row that holds one.
    clean = [
        {"kind": "decontaminate", "against": [f"gpqa_diamond={TINY}"], "drop": []},
        {"kind": "contains", "texts": [f"{ASKED[2]} Or not?"]},
    ]
    run, flow = made(tmp_path, source, clean)
    assert [drop.evidence["found"] for drop in read_drops(run.folder / "drops.parquet")] == [HIDDEN]
    found = everything(run, flow, 4)
    for name, text in found.items():
        if "folder" not in name:  # a dataset alone does not say what cleaning found in it
            assert not told(text), name
    seen = [name for name in found if name.startswith("view") and "folder" not in name]
    assert all(HOLDS in found[name] and OTHER in found[name] for name in seen)
    assert OTHER in found["explain 0"] and HOLDS in found["explain 1"] and "exact" in found["explain 1"]


def test_evidence_keeps_what_is_ours() -> None:
    told = without_texts({"tier": "exact", "score": 0.5, "spans": [{"start": 1, "text": "secret"}], "found": "secret"})
    assert told == {"tier": "exact", "score": 0.5, "spans": [{"start": 1, "text": HIDDEN}], "found": HIDDEN}
