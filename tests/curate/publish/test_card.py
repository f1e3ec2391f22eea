"""The card: golden text, hostile names, and what `datasets` and LLaMA-Factory read from it."""

import json
import re
from collections import Counter
from pathlib import Path

import yaml

from curate.publish import card
from curate.publish.columns import schemas
from curate.publish.publish import Publish
from curate.publish.tally import Share, Tally
from tests.curate.publish import build

GOLDEN = Path(__file__).parent / "card.golden.md"


def test_the_card_is_the_golden_one(tmp_path: Path) -> None:
    dataset = build.write(tmp_path / "dataset", Publish(preset="openthoughts", repo="org/demo", push=True)).path
    text = (dataset / "README.md").read_text("utf-8")
    # The versions follow the Parquet bytes, which follow pyarrow's version.
    assert re.sub(r"version: 1\.\d+\.\d+\n", "version: 1.0.0\n", text) == GOLDEN.read_text("utf-8")


def test_front_matter_names_every_config(tmp_path: Path) -> None:
    dataset = build.write(tmp_path / "dataset").path
    front = yaml.safe_load((dataset / "README.md").read_text("utf-8").split("---\n")[1])
    assert [config["config_name"] for config in front["configs"]] == [
        "default", "metadata", "unverified", "provenance",
    ]  # fmt: skip
    assert [config.get("default") for config in front["configs"]] == [True, None, None, None]
    for config in front["configs"]:
        assert list(dataset.glob(config["data_files"][0]["path"]))


def test_llamafactory_finds_parquet_only(tmp_path: Path) -> None:
    dataset = build.write(tmp_path / "dataset").path
    entry = json.loads((dataset / "dataset_info.json").read_text())["demo"]
    assert {path.suffix for path in (dataset / entry["file_name"]).iterdir()} == {".parquet"}
    assert entry["formatting"] == "sharegpt"
    assert entry["columns"] == {"messages": "conversations", "system": "system"}
    assert entry["tags"] == {
        "role_tag": "from", "content_tag": "value", "user_tag": "user", "assistant_tag": "assistant",
    }  # fmt: skip


def test_hostile_names_stay_in_their_cells(tmp_path: Path) -> None:
    tally = Tally(attempts=1, questions=1)
    tally.sources = {"a|b\n# Title <script>": Share(Counter({"pass": 1}), 1), "x" * 500: Share(Counter(), 0)}
    tally.licences = Counter({(f"source {number}", None): 1 for number in range(500)})
    rows = dict.fromkeys(schemas("teacher"), 0)
    card.write(
        tmp_path, card.Facts("demo", Publish(), schemas("teacher"), rows, tally, False, dict.fromkeys(rows, "1.2.3"))
    )
    text = (tmp_path / "README.md").read_text("utf-8")
    assert "a\\|b # Title \\<script\\>" in text
    assert "# Title" not in text.splitlines()
    assert "x" * 100 not in text
    assert "400 more are not listed." in text
