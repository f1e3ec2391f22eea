"""`check` reads the first row of a recording and the first tests of a source."""

import gzip
import json
from pathlib import Path

import pytest

from curate.errors import RecipeError
from recipes.check import check

RECIPE = """\
name: mine
sources:
  - {kind: jsonl, path: q.jsonl, domain: code, columns: {id: key, problem: question, tests: tests}}
annotate:
  teacher:
    - {kind: replay, path: FILE, column: key, solution: text}
"""


def _recipe(folder: Path, recording: str, tests: object) -> Path:
    row = {"key": "a", "question": "Print 1.", "tests": tests}
    (folder / "q.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    recipe = folder / "r.yaml"
    recipe.write_text(RECIPE.replace("FILE", recording), "utf-8")
    return recipe


GOOD = {"inputs": [""], "outputs": ["1"]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_wrong_column_of_a_recording_is_found_with_the_line_of_the_recipe(name: str, tmp_path: Path) -> None:
    data = (json.dumps({"key": "a", "texts": "print(1)"}) + "\nnot read\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    recipe = _recipe(tmp_path, name, GOOD)
    with pytest.raises(RecipeError) as caught:
        check(str(recipe))
    text = str(caught.value)
    assert text.startswith(f"{recipe}:6: annotate.teacher[0]: {tmp_path / name}:1: there is no column 'text'"), text
    assert "did you mean 'texts'?" in text


def test_a_right_recording_is_not_read_further(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"key": "a", "text": "print(1)"}) + "\nnot read\n", "utf-8")
    assert check(str(_recipe(tmp_path, "a.jsonl", GOOD))).notes == []


def test_an_empty_recording_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(RecipeError, match=r"r.yaml:6: annotate.teacher\[0\]: .*empty"):
        check(str(_recipe(tmp_path, "a.jsonl", GOOD)))


def test_a_recording_whose_name_says_less_than_its_content_is_left_to_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(b'{"key": "a", "other": ""}\n'))
    assert check(str(_recipe(tmp_path, "a.jsonl", GOOD))).notes == []


def test_tests_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"key": "a", "text": "print(1)"}) + "\n", "utf-8")
    (note,) = check(str(_recipe(tmp_path, "a.jsonl", {"input": "1"}))).notes
    assert "the tests of row 0 (a) of source jsonl cannot be read: no known form of tests" in note
