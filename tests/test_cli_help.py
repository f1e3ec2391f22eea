"""The command line's surface: which verbs there are, that each is explained, and that help is quick."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

VERISTILL = str(Path(sys.executable).with_name("veristill"))
VERBS = [
    "audit",
    "check",
    "decontaminate",
    "dedup",
    "doctor",
    "explain",
    "init",
    "plan",
    "render",
    "run",
    "schema",
    "status",
    "version",
    "view",
    "eval",
    "train",
]


def _output(*arguments: str) -> str:
    return subprocess.run([VERISTILL, *arguments], capture_output=True, text=True, check=True).stdout


def test_the_verbs_are_these() -> None:
    """A new verb is added here on purpose; a room that is not built has none."""
    listed = _output("--help").split("Commands:")[1].split("Exit codes")[0]
    assert re.findall(r"^  (\w+)  ", listed, re.MULTILINE) == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    text = _output(verb, "--help")
    assert f"Example: veristill {verb}" in text


def test_help_takes_less_than_half_a_second_of_cpu() -> None:
    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    seconds = []
    for _ in range(3):  # the best of three: a cold cache is not what is measured
        before = cpu()
        _output("--help")
        seconds.append(cpu() - before)
    assert min(seconds) < 0.5, seconds


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from recipes.cli.main import command\n"
        "with contextlib.redirect_stdout(io.StringIO()): command(['--help'])\n"
        "heavy = {'llamafactory', 'deepspeed', 'pyarrow', 'datasets', 'openai', 'numpy', 'torch', 'pandas'}\n"
        "heavy |= {'math_verify', 'ray'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"], ["run"], ["run", "quickstart", "--until", "never"], ["run", "quickstart", "--max-cost", "nan"],
        ["run", "quickstart", "--max-cost", "-1"], ["run", "quickstart", "--limit", "0"], ["run", "--engine", "x", "q"],
        ["--rooot", ".", "run", "quickstart"], ["render", "x"],
        ["plan"], ["plan", "quickstart", "--probe", "0"], ["plan", "quickstart", "--max-cost", "nan"],
    ],
)  # fmt: skip
def test_bad_usage_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run([VERISTILL, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(f"{VERISTILL} schema | head -c 10", shell=True, capture_output=True, text=True)
    assert done.stderr == ""
