"""The ready recipes for teachers: each is valid, rehearses without a network, and can be planned without a key."""

import socket
from pathlib import Path
from typing import Any

import pytest

from curate.engine.local import execute
from curate.flow import Options
from curate.plan import plan
from recipes.check import check
from recipes.load import load

NAMES = ("deepseek-r1", "vllm-qwq-32b", "gpt-oss-20b", "gpt-oss-20b-unprompted")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a rehearsal reached for {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_and_rehearses(name: str) -> None:
    assert check(name).name == name
    report = execute(load(name), Options(dry_run=True, quiet=True))
    assert report.solve is not None
    assert report.publish is not None
    assert report.solve["failed"] == report.solve["outcomes"].get("error", 0) == 0
    assert 0 < report.publish["metadata"] <= 8 < 1_000_000  # of a million samples, too, it takes a few


@pytest.mark.parametrize("name", NAMES)
async def test_it_can_be_planned(name: str, tmp_path: Path) -> None:
    found = await plan(load(name), Options(root=tmp_path / "root", quiet=True))
    assert found.requests.expected > 0
    assert found.cost_usd is not None
    assert (found.gpu_hours is not None) == (name == "vllm-qwq-32b")
    assert not (tmp_path / "root").exists()
