"""`veristill doctor`: what it finds, what it refuses, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recipes import doctor
from recipes.doctor import Diagnosis, Finding
from sandbox import Outcome, Program, Sandbox
from sandbox.battery import BATTERY, examine

VERISTILL = str(Path(sys.executable).with_name("veristill"))


def run(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{cwd}/none.sock", **env}
    return subprocess.run(
        [VERISTILL, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_all_is_well_here(tmp_path: Path) -> None:
    done = run("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    names = {(one["about"], one["name"]) for one in told["findings"]}
    assert {("sandbox", one.name) for one in BATTERY} <= names
    assert {
        ("installation", "packages"),
        ("installation", "ledger"),
        ("verifier", "math"),
        ("verifier", "code"),
    } <= names
    (backend,) = [one for one in told["findings"] if one["name"] == "backend"]
    assert backend["said"].startswith("namespaces, without Docker: no Docker engine answers")
    assert not list(tmp_path.iterdir())


def test_no_engine_is_a_missing_prerequisite(tmp_path: Path) -> None:
    done = run("doctor", "--sandbox", "docker", cwd=tmp_path)
    assert done.returncode == 3
    assert "no Docker engine answers" in done.stderr
    assert "start Docker" in done.stderr


async def test_a_sandbox_that_is_wrong_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that credits everything, as a broken judge does, fails the check of every program that must not pass."""

    async def credulous(self: Sandbox, program: Program) -> Outcome:
        return Outcome(status="pass", reason="ok", passed=1, run=1, total=1)

    async with Sandbox("namespaces", workers=1) as box:
        with monkeypatch.context() as patch:
            patch.setattr(Sandbox, "run", credulous)
            found = dict(await examine(box))
    wrong = {name for name, problem in found.items() if problem}
    assert wrong == {one.name for one in BATTERY if "ok" not in one.reasons}
    assert found["endless loop"] == "ends as pass/ok, not as time_limit"
    diagnosis = Diagnosis([Finding("sandbox", "endless loop", "problem", found["endless loop"] or "")])
    with pytest.raises(doctor.Failed, match="1 of 1 checks failed") as failed:
        diagnosis.raise_for_problems()
    assert failed.value.exit_code == 1


async def test_a_foreign_package_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "ROOMS", ("curate", "other"))
    found = doctor._packages()
    assert found.state == "problem"
    assert f"other from {tmp_path}" in found.said


async def test_a_ledger_on_a_network_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.scratch.on_network", lambda path: path == tmp_path / "ledger")
    found = doctor._disk(tmp_path)
    assert (found.name, found.state) == ("ledger", "warning")
    assert Diagnosis([found]).to_dict()["ok"] is True
