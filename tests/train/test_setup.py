"""Making the training environment, and saying what is wrong with one: real interpreters, a small index of our own."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from curate.errors import Failed, InputError, Prerequisite, Stopped
from curate.progress import Progress
from train import environment, setup
from train.environment import Examined, examine, interpreter, pins

SOUND = Examined(
    python="3.11.7", executable="/e/bin/python", prefix="/e", packages=pins("cpu"), unmet=[], flavour="cpu",
    programs={"g++": "/g++", "ninja": "/n", "nvcc": None}, broken={}, ops=["deepspeed_shm_comm"],
)  # fmt: skip
NMS = "RuntimeError: operator torchvision::nms does not exist"
AUDIO = "OSError: Could not load this library: _torchaudio.abi3.so"
FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "llamafactory is missing": ({"packages": {"torch": "2.13.0+cpu"}}, "llamafactory is not installed"),
    "an old Python": ({"python": "3.9.1"}, "older than 3.11"),
    "another transformers": (
        {"unmet": [{"by": "llamafactory", "wanted": "transformers<=5.6.0", "found": "5.9.0"}]},
        "llamafactory asks for transformers<=5.6.0, and 5.9.0 is there",
    ),
    "no peft": ({"unmet": [{"by": "llamafactory", "wanted": "peft<=0.18.1", "found": None}]}, "it is not there"),
    "torchvision for CUDA": ({"broken": {"transformers": NMS}}, "pip uninstall torchvision"),
    "torchaudio for CUDA": ({"broken": {"llamafactory.train.tuner": AUDIO}}, "torchaudio from PyPI is built for CUDA"),
    "anything else": ({"broken": {"deepspeed": "ImportError: x"}}, "import deepspeed fails: ImportError: x"),
}


@pytest.mark.parametrize(("more", "said"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_told_with_its_remedy(more: dict[str, object], said: str) -> None:
    problems = SOUND.model_copy(update=more).problems()
    assert any(said in one for one in problems), problems


def test_a_sound_environment() -> None:
    assert SOUND.problems("cpu") == []
    assert SOUND.warnings() == []
    left_out = [{"by": "llamafactory", "wanted": f"{name}>=0", "found": None} for name in ("torchvision", "torchaudio")]
    assert SOUND.model_copy(update={"unmet": left_out}).problems() == []


def test_a_build_for_the_cpu_is_no_good_for_gpus() -> None:
    assert any("--cuda" in one for one in SOUND.problems("cuda"))
    blind = SOUND.model_copy(update={"flavour": "cuda", "packages": pins("cuda")})
    assert any("torch sees no GPU" in one for one in blind.problems("cuda"))


def test_what_will_be_slow_or_untested() -> None:
    other = SOUND.model_copy(update={"packages": {**pins("cpu"), "trl": "0.25.0"}, "ops": []})
    assert other.problems() == []
    first, second = other.warnings()
    assert "trl 0.25.0 (tested: 0.24.0)" in first
    assert "compiles its CPU collectives" in second


def test_the_pins_are_exact_and_agree() -> None:
    shared, cpu, cuda = pins(""), pins("cpu"), pins("cuda")
    assert set(shared) < set(cpu) and set(shared) < set(cuda)
    assert cpu["torch"] == f"{cuda['torch']}+cpu"
    assert "torchvision" not in cpu
    assert all(version and version[0].isdigit() for version in (*cpu.values(), *cuda.values()))
    assert setup.key("cpu") != setup.key("cuda")


def test_an_interpreter_that_is_no_training_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    found = examine(tmp_path / "bare" / "bin" / "python")
    assert found.prefix == str(tmp_path / "bare")
    assert sum("is not installed" in one for one in found.problems()) == len(environment.NEEDED)


def test_which_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    with pytest.raises(Prerequisite, match="no training environment"):
        interpreter(None, tmp_path)
    for name in (".train", "other"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / name], check=True)
    assert interpreter(None, tmp_path) == tmp_path / ".train/bin/python"
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "other"))
    assert interpreter(None, tmp_path) == tmp_path / "other/bin/python"
    assert interpreter(tmp_path / ".train", tmp_path) == tmp_path / ".train/bin/python"
    assert interpreter(Path(sys.executable), tmp_path) == Path(sys.executable)
    with pytest.raises(InputError, match="no Python"):
        interpreter(tmp_path / "nowhere", tmp_path)


def test_what_does_not_start(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(Prerequisite, match="no such library"):
        examine(broken)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="holds something else"):
        setup.setup(tmp_path / "e", "cpu", Progress(quiet=True))
    assert [one.name for one in (tmp_path / "e").iterdir()] == ["thesis.tex"]


def test_an_old_python(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3 9\n")
    old.chmod(0o755)
    with pytest.raises(Prerequisite, match=r"for Python 3\.11 to 3\.12, and this is 3\.9"):
        setup.setup(tmp_path / "e", "cpu", Progress(quiet=True), base=str(old))


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "_GIGABYTES", {"cpu": 1e9})
    with pytest.raises(Prerequisite, match="GB are free, and it takes"):
        setup.setup(tmp_path / "e", "cpu", Progress(quiet=True))


def _wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    made = {
        **{f"{module}/{path}": text for path, text in files.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*made, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**made, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


@pytest.mark.slow
def test_a_set_up_that_is_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index in a folder that lacks what is asked for next, twice; then all is there."""
    few = {"accelerate": "1.0", "deepspeed": "0.1", "torch": "2.0+cpu", "torchaudio": "2.0"}
    monkeypatch.setattr(setup, "pins", lambda flavour: few if flavour else {"accelerate": "1.0", "deepspeed": "0.1"})
    monkeypatch.setattr(setup, "_CPU_TORCH", "file:///nowhere")
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def attempt() -> None:
        setup.setup(tmp_path / "an env", "cpu", Progress(quiet=True))

    with pytest.raises(Prerequisite, match=r"no build of torch==2\.0\+cpu") as first:
        attempt()
    assert "PIP_FIND_LINKS" in str(first.value)
    _wheel(index, "torch", "2.0+cpu", {"__init__.py": "", "version.py": "cuda: str | None = None\n"})
    with pytest.raises(Stopped, match="pip failed: ERROR: No matching distribution found for accelerate"):
        attempt()
    _wheel(index, "accelerate", "1.0", {"__init__.py": ""})
    _wheel(index, "deepspeed", "0.1", {"__init__.py": ""})
    with pytest.raises(Failed, match="llamafactory is not installed"):  # all steps done; what is made is no good
        attempt()
    made = json.loads((tmp_path / "an env" / setup.READY).read_text())
    assert made["flavour"] == "cpu"
    said = "import torchaudio; print(torchaudio.__version__); torchaudio.load"
    done = subprocess.run([made["python"], "-c", said], capture_output=True, text=True, check=False)
    assert done.stdout == "2.0\n" and "without torchaudio" in done.stderr
    with pytest.raises(InputError, match="begun for cpu, not for cuda"):
        setup.setup(tmp_path / "an env", "cuda", Progress(quiet=True))


@pytest.mark.slow
def test_the_environment_of_these_tests(training_python: Path) -> None:
    """Made by this very code, by these pins: everything imports, nothing is missing, nothing compiles later."""
    found = examine(training_python)
    assert found.problems("cpu") == []
    assert found.warnings() == []
    assert {name: found.packages[name] for name in environment.NEEDED} == {
        name: pins("cpu")[name] for name in environment.NEEDED
    }
    assert "torchvision" not in found.packages


def test_the_control_process_imports_none_of_it() -> None:
    code = (
        "import sys, train.setup, train.environment, train.status, train.curve, train.finish, recipes.training\n"
        "import recipes.cli.main\n"
        "print(sorted({'torch', 'llamafactory', 'deepspeed', 'transformers', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
