"""What a wrong recipe is told: file, line, key, what was expected, and the nearest thing that is valid."""

from pathlib import Path

import pytest

from curate.errors import RecipeError
from recipes.load import load, read, shipped

GOOD = """\
name: mine
sources:
  - quickstart
clean:
  - {kind: length, min_chars: 20}
annotate:
  teacher: {kind: fake, error_rate: 0.1}
  samples: 2
verify:
  math: [math]
  science: []
select: [verified]
publish:
  trace_format: think
"""

# name: (old text, new text, line, words that the message holds)
WRONG = {
    "unknown key at the top": ("clean:", "cleen:", 4, ["cleen: unknown key", "did you mean 'clean'?"]),
    "a block that is not built": ("select:", "deploy: {}\nselect:", 12, ["deploy: unknown key", "valid here: name"]),
    "unknown key in a block": ("samples: 2", "sampels: 2", 8, ["annotate.sampels", "did you mean 'samples'?"]),
    "unknown key in a kind": ("error_rate", "eror_rate", 7, ["teacher.eror_rate", "did you mean 'error_rate'?"]),
    "unknown key in a list": ("min_chars", "min_char", 5, ["clean[0].min_char", "did you mean 'min_chars'?"]),
    "unknown kind": ("kind: fake", "kind: fakee", 7, ["annotate.teacher", "no kind 'fakee'", "did you mean 'fake'?"]),
    "unknown bare kind": ("- quickstart", "- quikstart", 3, ["sources[0]", "did you mean 'quickstart'?"]),
    "no kind": ("{kind: fake, ", "{", 7, ["annotate.teacher", "'kind:' is missing", "openai"]),
    "wrong type": ("samples: 2", "samples: two", 8, ["annotate.samples: expected a whole number, found 'two'"]),
    "a number for text": ("name: mine", "name: 12", 1, ["name: expected text, found 12", "put it in quotes"]),
    "a date for text": ("name: mine", "name: 2026-01-02", 1, ["found the date 2026-01-02", "put it in quotes"]),
    "yes for text": ("name: mine", "name: yes", 1, ["expected text, found true", "put it in quotes"]),
    "nothing for text": ("name: mine", "name:", 1, ["name: expected text, found nothing"]),
    "out of range": ("samples: 2", "samples: 0", 8, ["expected a value greater than or equal to 1"]),
    "a list for a block": ("publish:\n  trace_format: think", "publish: [think]", 13, ["publish: expected a mapping"]),
    "text for a list": ("select: [verified]", "select: {kind: verified}", 12, ["select", "expected a list"]),
    "a missing key": ("name: mine\n", "", 1, ["name: this key is missing"]),
    "a missing key in a block": ("  teacher: {kind: fake, error_rate: 0.1}\n", "", 6, ["annotate.teacher: this key"]),
    "no source": ("  - quickstart\n", "  []\n", 2, ["sources: expected at least 1 item"]),
    "a name that is no folder": ("name: mine", "name: ../mine", 1, ["expected letters, digits", "found '../mine'"]),
    "unknown verifier": ("math: [math]", "math: [maths]", 10, ["verify.math[0]", "did you mean 'math'?"]),
    "verify is no mapping": ("verify:\n  math: [math]\n  science: []", "verify: math", 9, ["verify: expected a"]),
    "a key twice": ("select:", "name: other\nselect:", 12, ["the key 'name' stands twice", "line 1"]),
    "a tab": ("  samples: 2", "\tsamples: 2", 8, ["a tab"]),
    "an open bracket": ("select: [verified]", "select: [verified", 13, ["not valid YAML"]),
    "a tag": ("name: mine", "name: !!python/object/apply:os.system [ls]", 1, ["not valid YAML"]),
    "two documents": ("select:", "---\nselect:", 12, ["single document"]),
    "an unset variable": ("- quickstart", "- {kind: jsonl, path: '${NO_SUCH_NAME}/x'}", 3, ["[0].path", "is not set"]),
    "an unfinished variable": ("- quickstart", "- {kind: jsonl, path: '${x'}", 3, ["[0].path", "${NAME:-default}"]),
    "a NUL": ("name: mine", 'name: "a\\0b"', 1, ["name"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_error_names_its_place_and_the_way_out(name: str, tmp_path: Path) -> None:
    old, new, line, words = WRONG[name]
    assert old in GOOD
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace(old, new, 1), "utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}:"), text
    for word in words:
        assert word in text, text
    assert caught.value.exit_code == 2
    assert "pydantic" not in text
    assert "function-" not in text


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(GOOD, "utf-8")
    recipe = read(path)
    assert recipe.annotate.samples == 2
    assert [teacher.kind() for teacher in recipe.annotate.teacher] == ["fake"]
    assert {domain: [one.kind() for one in chain] for domain, chain in recipe.verify.chains.items()} == {
        "math": ["math"],
        "science": [],
    }


def test_all_errors_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("samples: 2", "samples: two").replace("min_chars", "min_char").replace("think", "thinkk")
    path = tmp_path / "r.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 3 errors"
    assert lines[1].startswith(f"  1. {path}:5: clean[0].min_char")
    assert lines[2].startswith(f"  2. {path}:8: annotate.samples")
    assert lines[3].startswith(f"  3. {path}:14: publish.trace_format")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty"]),
        (b"# nothing but a comment\n", ["empty"]),
        (b"- a\n- b\n", [":1:1", "found a list at the top level"]),
        (b"just words\n", ["found a single value"]),
        (b"name: a\nx: \xff\n", [":2", "not UTF-8", "0xff"]),
        (b"name: a\nx: \0\n", [":2", "not allowed in YAML"]),
        (b"a: " * 3 + b"\n", [":1:"]),
        (b"[" * 100_000, ["nested too deeply"]),
        (b"x: 1\n" * 1_000_000, ["more than 4 MB"]),
        (b"a: &a\n  b: *a\nname: x\n", ["a: unknown key", "sources: this key is missing"]),
    ],
)  # fmt: skip
def test_files_that_are_no_recipe(data: bytes, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(data)
    with pytest.raises(RecipeError) as caught:
        read(path)
    for word in words:
        assert word in str(caught.value)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read(path).name == "mine"


def test_unknown_recipes_name_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"did you mean 'quickstart'\?"):
        load("quikstart")
    (tmp_path / "mine.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(RecipeError, match=r"did you mean the file mine.yaml\?"):
        load("mine")
    with pytest.raises(RecipeError, match=r"did you mean mine.yaml\?"):
        load("mina.yaml")
    with pytest.raises(RecipeError, match="there is no folder nowhere"):
        load("nowhere/mine.yaml")
    assert load("mine.yaml").name == "mine"


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()
    assert load("quickstart").name == "quickstart"
    assert "quickstart" in shipped()


def test_a_value_that_may_be_a_secret_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("{kind: fake, error_rate: 0.1}", "{kind: openai, model: m, api_key: sk-123}"), "utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    assert "sk-123" not in str(caught.value)
    assert "did you mean 'api_key_env'?" in str(caught.value)


def test_a_selector_s_error_stands_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("select: [verified]", "select:\n  - all\n  - kind: best_of\n    by: short"), "utf-8")
    line = path.read_text("utf-8").splitlines().index("  - kind: best_of") + 1
    with pytest.raises(RecipeError) as caught:
        read(path)
    assert caught.value.where == f"{path}:{line}"
    said = str(caught.value)
    assert "select[1]: there is no column 'short'" in said and said.count("select[1]") == 1
    assert said.endswith("or one of shortest, longest, first, first_verified, random")


def test_a_variable_that_is_not_set_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERISTILL_DATA", raising=False)
    with pytest.raises(RecipeError) as caught:
        load("gsm8k")
    assert str(caught.value).count("VERISTILL_DATA is not set") == 1
    assert "(5 paths name it)" in str(caught.value)
    assert "errors" not in str(caught.value)
    path = tmp_path / "r.yaml"
    path.write_text(
        GOOD.replace("- quickstart", "- {kind: jsonl, path: '${NO_A}/x'}\n  - {kind: jsonl, path: '${NO_B}/x'}")
    )
    with pytest.raises(RecipeError, match="2 errors"):
        read(path)
