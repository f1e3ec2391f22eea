"""The published dataset in clean environments: four versions of `datasets`, and pandas and polars."""

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curate.publish.columns import schemas
from curate.publish.publish import Publish
from tests.compat.environments import NoPackages, environment
from tests.curate.publish import build

pytestmark = pytest.mark.slow
VERSIONS = ["datasets==2.16.0", "datasets==3.0.0", "datasets==4.0.0", "datasets"]
FRAMES = "pandas polars pyarrow"
READER = Path(__file__).parent / "reader.py"

_FRAMES = """
import json, sys
import pandas, polars
path = sys.argv[1] + "/metadata/train-00000.parquet"
one, other = pandas.read_parquet(path), polars.read_parquet(path)
assert list(one.columns) == other.columns
assert set(other.dtypes) == {polars.String}
rows = [{name: None if pandas.isna(value) else value for name, value in row.items()} for row in one.to_dict("records")]
assert rows == other.to_dicts()
turns = polars.read_parquet(sys.argv[1] + "/default/*.parquet")["conversations"][0]
assert turns.to_list() == list(pandas.read_parquet(sys.argv[1] + "/default")["conversations"][0])
print(json.dumps({"rows": rows, "sample": str(polars.read_parquet(sys.argv[1] + "/unverified")["sample"].dtype)}))
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.write(tmp_path_factory.mktemp("run") / "dataset", Publish(preset="openthoughts")).path


@pytest.fixture(scope="module")
def python(missing: Callable[[str], None]) -> Callable[[str], Path]:
    with ThreadPoolExecutor(2) as pool:  # cold, each takes half a minute of one core
        made = {requirements: pool.submit(environment, *requirements.split()) for requirements in (*VERSIONS, FRAMES)}

    def find(requirements: str) -> Path:
        try:
            return made[requirements].result()
        except NoPackages as error:
            missing(f"packages from an index for {requirements}: {error}")
            raise

    return find


def run(command: list[str], home: Path) -> dict:  # type: ignore[type-arg]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON"))}
    clean |= {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean, cwd=home)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("requirement", VERSIONS)
def test_datasets(requirement: str, dataset: Path, tmp_path: Path, python: Callable[[str], Path]) -> None:
    command = [str(python(requirement)), "-P", str(READER), str(dataset), str(tmp_path / "cache")]
    found = run(command, tmp_path)
    assert requirement in ("datasets", f"datasets=={found['version']}")
    for config, schema in schemas("deepseek").items():
        assert found["configs"][config]["columns"] == schema.names
        if config != "default":
            assert found["configs"][config]["types"] == {field.name: str(field.type) for field in schema}
    assert "struct<from: string, value: string>" in found["configs"]["default"]["types"]["conversations"]
    rows = {config: facts["rows"] for config, facts in found["configs"].items()}
    assert rows == {"default": 5, "metadata": 5, "unverified": 10, "provenance": 5}
    assert found["default_columns"] == ["system", "conversations"]
    assert found["first"]["deepseek_reasoning"] == build.MARKERS
    assert found["last"] == "other problem"


def test_pandas_and_polars(dataset: Path, tmp_path: Path, python: Callable[[str], Path]) -> None:
    found = run([str(python(FRAMES)), "-P", "-c", _FRAMES, str(dataset)], tmp_path)
    assert found["sample"] == "Int64"
    assert [row["domain"] for row in found["rows"]] == ["math", "math", "code", "puzzle", "science"]
    assert found["rows"][2]["test_cases"].startswith('{"fn_name": "add"')
