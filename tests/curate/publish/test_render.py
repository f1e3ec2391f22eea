"""`render_dataset`: every format and back, every kind of input, and what cannot be."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.publish.publish import Publish
from curate.publish.render import render_dataset
from tests.curate.publish import build


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.write(tmp_path_factory.mktemp("run") / "dataset", Publish(preset="openthoughts")).path


def default(dataset: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.ParquetFile(dataset / "default" / "train-00000.parquet").read().to_pylist()
    return rows


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_each_format_and_back(dataset: Path, tmp_path: Path, suffix: str) -> None:
    think, back, solution = (tmp_path / f"{name}{suffix}" for name in ("think", "back", "solution"))
    assert render_dataset(dataset, "think", think) == {"rows": 5, "without_reasoning": 1}
    assert render_dataset(think, "openthoughts", back) == {"rows": 5, "without_reasoning": 1}
    assert rows_of(back) == default(dataset)
    render_dataset(dataset, "openthoughts", back)
    assert rows_of(back) == default(dataset)
    render_dataset(back, "solution_only", solution)
    assert [row["conversations"][1]["value"] for row in rows_of(solution)] == ["It is 0."] * 5
    assert {row["system"] for row in rows_of(solution)} == {None}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (think, back, solution))


def rows_of(path: Path) -> list[dict]:  # type: ignore[type-arg]
    if path.suffix == ".parquet":
        return pq.ParquetFile(path).read().to_pylist()  # type: ignore[no-any-return]
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_template_file(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ domain }}|{{ solution }}")
    render_dataset(dataset, str(tmp_path / "own.jinja"), tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl")[2]["conversations"][1]["value"] == "code|It is 0."


def test_a_folder_that_load_dataset_opens(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    rows = [{"problem": "p", "x_reasoning": "r", "x_solution": f"s{number}", "domain": "math"} for number in range(3)]
    (tmp_path / "folder" / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    render_dataset(tmp_path / "folder", "think", tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl")[2]["conversations"][1]["value"] == "<think>\nr\n</think>\n\ns2"


def test_gzip_and_other_role_names(tmp_path: Path) -> None:
    row = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "<think>\nr\n</think>\n\ns"}]}
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode() + b"\n\n"))
    render_dataset(tmp_path / "a.jsonl.gz", "solution_only", tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl")[0]["conversations"][1] == {"from": "assistant", "value": "s"}


def test_lost_reasoning_does_not_come_back(dataset: Path, tmp_path: Path) -> None:
    render_dataset(dataset, "solution_only", tmp_path / "s.jsonl")
    for wanted in ("think", "openthoughts"):
        with pytest.raises(InputError, match="no reasoning any more"):
            render_dataset(tmp_path / "s.jsonl", wanted, tmp_path / "out.jsonl")
    (tmp_path / "own.jinja").write_text("- {{ solution }}")
    render_dataset(tmp_path / "s.jsonl", str(tmp_path / "own.jinja"), tmp_path / "out.jsonl")
    assert rows_of(tmp_path / "out.jsonl")[0]["conversations"][1]["value"] == "- It is 0."


ROW = {"problem": "p", "x_reasoning": "r", "x_solution": "s"}
TALK = {"conversations": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "<think>\nr\n</think>\n\ns"}]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "empty"),
        (["{"], "broken JSON"),
        (["[1]"], "expected a JSON object"),
        ([json.dumps(ROW), '{"problem": "p"}'], "2: column 'x_solution' is null"),
        ([json.dumps({**ROW, "x_solution": 3})], "expected text, found int"),
        ([json.dumps({**ROW, "x_solution": "\ud800"})], "not a Unicode text"),
        ([json.dumps({**ROW, "y_solution": "s"})], "several teachers: x_solution, y_solution"),
        (['{"a": 1}'], "no traces in its columns: a"),
        ([json.dumps(TALK), json.dumps(TALK).replace("</think>", "")], "2: not in the trace format think"),
        (['{"conversations": null}'], "not one user and one assistant turn"),
        (['{"conversations": [{"from": "user", "value": "q"}]}'], "not one user and one assistant turn"),
        (['{"conversations": "text"}'], "not one user and one assistant turn"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_left(tmp_path: Path, lines: list[str], message: str) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        render_dataset(tmp_path / "in.jsonl", "think", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_bad_files_and_outputs(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no")
    (tmp_path / "x.txt").write_text("no")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROW).encode() * 99)[:-9])
    (tmp_path / "d.jsonl").mkdir()
    (tmp_path / "in.jsonl").write_text(json.dumps(ROW))
    out = tmp_path / "out.jsonl"
    for source, target, message in [
        (tmp_path / "none.jsonl", out, "no such file"),
        (tmp_path / "x.parquet", out, "not a Parquet file"),
        (tmp_path / "x.txt", out, "not a dataset file"),
        (tmp_path / "cut.jsonl.gz", out, "damaged"),
        (dataset, tmp_path / "out.csv", "must end in"),
        (dataset, tmp_path / "d.jsonl", "is a folder"),
        (tmp_path / "in.jsonl", tmp_path / "in.jsonl", "is the input"),
    ]:
        with pytest.raises(InputError, match=message):
            render_dataset(source, "think", target)
    assert not out.exists()


def test_what_a_killed_call_left_is_begun_again(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "out.parquet.state" / "rows").mkdir(parents=True)
    (tmp_path / "out.parquet.state" / "rows" / "train-00000.parquet").write_bytes(b"half")
    render_dataset(dataset, "think", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 5
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_the_published_types_are_kept(dataset: Path, tmp_path: Path) -> None:
    render_dataset(dataset, "think", tmp_path / "out.parquet")
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.field("system").type == pa.string()
    assert schema.equals(pq.read_schema(dataset / "default" / "train-00000.parquet"))


def test_the_folder_of_a_run_is_no_dataset(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "x"
    run.mkdir(parents=True)
    (run / "recipe.lock.yaml").touch()
    with pytest.raises(InputError, match=r"folder of a run, not a dataset\n.*nothing was published"):
        render_dataset(run, "think", tmp_path / "out.jsonl")
    (run / "dataset").symlink_to(dataset)
    with pytest.raises(InputError, match=f"did you mean {run / 'dataset'}"):
        render_dataset(run, "think", tmp_path / "out.jsonl")
