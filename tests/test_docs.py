"""The documentation is true: its code blocks run, its generated pages are fresh, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOW_TO = [
    "verify-your-own-answers",
    "vllm-cluster",
    "crashes",
    "ask-a-model",
    "prompts",
    "batch",
    "pay",
    "serve",
    "add-a-source",
    "judge",
    "filter",
    "difficulty",
    "audit-openthoughts",
    "dedup",
    "decontaminate",
    "select",
    "evaluation",
    "read-an-evaluation",
    "training-preflight",
]
RUN = ["README.md", "docs/tutorial.md", *(f"docs/how-to/{name}.md" for name in HOW_TO)]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n)?^```(?P<tag>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    tag: str
    title: str | None
    text: str


def blocks(text: str) -> list[Block]:
    """The code blocks that run; a block below `<!-- not run: why -->` does not."""
    return [Block(one["tag"], one["title"], one["text"]) for one in _FENCE.finditer(text) if not one["skip"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_every_block_runs(name: str, tmp_path: Path) -> None:
    """In order and in one folder: a titled block is written to that file, bash and python blocks are run."""
    ran = 0
    for block in blocks((ROOT / name).read_text("utf-8")):
        if block.title:
            (tmp_path / block.title).write_text(block.text, "utf-8")
            continue
        if block.tag == "bash":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
        elif block.tag == "python":
            command = [sys.executable, "-c", block.text]
        else:
            continue
        done = subprocess.run(command, cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True)
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran > 0


def _environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HOME": str(home / ".hf"), "LANG": "C.UTF-8"}


def test_the_blocks_are_found() -> None:
    text = 'a\n```bash\nls\n```\n<!-- not run: x -->\n```bash\nrm\n```\n```json title="a.json"\n{}\n```\n'
    assert blocks(text) == [Block("bash", None, "ls\n"), Block("json", "a.json", "{}\n")]


def test_the_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "docs/generate.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in nav
