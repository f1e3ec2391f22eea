"""A plugin that cannot be loaded is the plugin's defect: the error names it, the recipe's line and the way out."""

import sys
from pathlib import Path

import pytest

from curate.errors import InputError, RecipeError
from curate.plug import find, kinds
from recipes.load import read

RECIPE = """\
name: mine
sources:
  - {kind: puzzles, path: p.txt}
annotate: {teacher: fake}
"""


def _install(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata and the module that installing such a package would leave."""
    info = folder / "acme_puzzles-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-puzzles\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[veristill.sources]\npuzzles = acme_puzzles:Puzzles\n")
    (folder / "acme_puzzles.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "acme_puzzles", raising=False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("x = 1\n", "AttributeError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("Puzzles = 3\n", "is no kind but 3"),
    ],
)
def test_a_broken_plugin_is_named(code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, code, monkeypatch)
    assert "puzzles" in kinds("curate.sources")
    with pytest.raises(InputError) as caught:
        find("curate.sources", "puzzles")
    for word in ("kind 'puzzles'", "acme-puzzles", "veristill.sources: acme_puzzles:Puzzles", words):
        assert word in str(caught.value)
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE, "utf-8")
    with pytest.raises(RecipeError) as told:
        read(path)
    assert str(told.value).startswith(f"{path}:3: sources[0]: kind 'puzzles' of the package acme-puzzles")
    sys.modules.pop("acme_puzzles", None)


def test_it_does_not_disturb_other_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "1 / 0\n", monkeypatch)
    assert find("curate.sources", "jsonl").kind() == "jsonl"
