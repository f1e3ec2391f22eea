"""The recipe's `sandbox:` block: what it opens, what it refuses, and that it stands in no verdict."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from curate.isolation import SandboxBlock
from sandbox import Program, Stdin

VERISTILL = str(Path(sys.executable).with_name("veristill"))
RECIPE = """\
name: small
sources: [quickstart]
annotate: {{teacher: {{kind: fake, error_rate: 0.0}}}}
sandbox: {block}
"""


def run(folder: Path, block: str, root: str = "out") -> subprocess.CompletedProcess[str]:
    (folder / "r.yaml").write_text(RECIPE.format(block=block), "utf-8")
    environment = {**os.environ, "DOCKER_HOST": f"unix://{folder}/none.sock"}
    command = [VERISTILL, "--root", root, "run", "r.yaml", "--limit", "30"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_backend_that_is_not_there_is_a_missing_prerequisite(tmp_path: Path) -> None:
    done = run(tmp_path, "{backend: docker}")
    assert done.returncode == 3, done.stderr
    assert "no Docker engine answers" in done.stderr
    assert "start Docker" in done.stderr


@pytest.mark.slow
def test_the_backend_in_use_is_said_and_changes_no_dataset(tmp_path: Path) -> None:
    done = [
        run(tmp_path, block, root) for block, root in (("{}", "one"), ("{backend: namespaces, mode: strict}", "two"))
    ]
    assert [one.returncode for one in done] == [0, 0], done
    assert "namespaces (without Docker: no Docker engine answers" in done[0].stdout.replace("\n", " ")
    assert "namespaces (as asked for)" in done[1].stdout
    one, two = (sorted((tmp_path / root / "runs/small/dataset").rglob("*.parquet")) for root in ("one", "two"))
    assert one
    assert [path.read_bytes() for path in one if "unverified" not in str(path)] == [
        path.read_bytes() for path in two if "unverified" not in str(path)
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"backend": "none"},
        {"backend": "namespaces", "runtime": "runsc"},
        {"backend": "namespaces", "image": "mine:1"},
        {"packages": ["--index-url=http://somewhere"]},
        {"mode": "loose"},
        {"network": True},
    ],
)
def test_what_cannot_be_meant(block: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SandboxBlock.model_validate(block)


def test_what_it_opens() -> None:
    with SandboxBlock(backend="namespaces", mode="strict", packages=("numpy",)).sandbox(1) as box:
        outcome = box.run_sync(Program(source="print(7)", cases=[Stdin(input="", expected="7")]))
    assert (outcome.status, outcome.evidence, outcome.measured["backend"]) == ("pass", {"mode": "strict"}, "namespaces")
