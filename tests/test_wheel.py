"""The wheel holds exactly the tracked files of the five rooms, and runs the quickstart outside the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("curate", "sandbox", "train", "eval", "recipes")


def _tracked(*more: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *more, "--", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tracked files (and of new ones that git does not ignore)."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    names = _tracked() | _tracked("--others", "--exclude-standard")
    for name in [*names, "pyproject.toml", "README.md", "LICENSE", ".gitignore"]:
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    # The build back end runs in this environment: no network is needed.
    command = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", command, str(out)], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_rooms(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {name for name in _tracked() | _tracked("--others", "--exclude-standard") if (ROOT / name).exists()}
    assert names == expected
    for name in ("recipes/quickstart.yaml", "recipes/cli/starter.yaml", "curate/sources/data/quickstart/answers.jsonl"):
        assert name in names
    assert {f"{room}/py.typed" for room in ROOMS} <= names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    folder = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
    entry_points = archive.read(f"{folder}/entry_points.txt").decode()
    assert entry_points.split() == ["[console_scripts]", "veristill", "=", "recipes.cli.main:main"]
    metadata = archive.read(f"{folder}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{folder}/licenses/LICENSE" in archive.namelist()


@pytest.mark.slow
def test_the_installed_wheel_runs_the_quickstart(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, outside the checkout; the dependencies are those of this environment."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    site = next((venv / "lib").glob("python*/site-packages"))
    _install(wheel, site, venv / "bin" / "veristill", python)
    # A plain line in a .pth file adds the folder, but none of its own .pth files: the editable install stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    work = tmp_path / "work"
    work.mkdir()
    where = subprocess.run(
        [python, "-P", "-c", "import curate, recipes; print(curate.__file__, recipes.__file__)"],
        cwd=work, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(ROOT) not in where.stdout
    done = subprocess.run(
        [venv / "bin" / "veristill", "run", "quickstart"], cwd=work, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "load_dataset(" in done.stdout
    assert (work / "runs/quickstart/dataset/README.md").exists()


def _install(wheel: Path, site: Path, script: Path, python: Path) -> None:
    """What pip does with a pure wheel: unpack it and write its console script."""
    zipfile.ZipFile(wheel).extractall(site)
    script.write_text(f"#!{python}\nimport sys\nfrom recipes.cli.main import main\nsys.exit(main())\n", "utf-8")
    script.chmod(0o755)
