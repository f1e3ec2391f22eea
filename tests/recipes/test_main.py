"""How a verb's end becomes a message and an exit code."""

import errno
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from curate.errors import Failed, InputError, Prerequisite, RecipeError, Stopped
from recipes.cli import main
from sandbox import SandboxError

VERISTILL = str(Path(sys.executable).with_name("veristill"))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`command` sets a variable and a signal's action for its process; the tests share one."""
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    action = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, action)


def _ends(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    """The exit code of a verb, found and called as any other, that ends with an error."""
    app = typer.Typer()

    @app.callback()
    def options(root: str = "", debug: bool = False) -> None:
        pass

    @app.command()
    def run(recipe: str) -> None:
        raise error

    monkeypatch.setattr(main, "app", app)
    return main.command(arguments or ("run", "mine.yaml"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError("wrong", where="r.yaml:3", next="look there"), 2),
        (InputError("wrong", where="q.jsonl:3", next="look there"), 2),
        (Prerequisite("wrong", where="here", next="install it"), 3),
        (Stopped("wrong", where="here", next="go on"), 4),
        (Failed("wrong", where="here", next="again"), 1),
        (SandboxError("wrong", next="enable it"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 4),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), 2),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1),
    ],
)
def test_each_error_has_its_code_and_one_message(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends(monkeypatch, error) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("error: ") == 1
    assert "Traceback" not in shown.err
    where = getattr(error, "where", None) or getattr(error, "filename", None)
    if where:
        assert where in shown.err


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for error in (KeyboardInterrupt(), typer.Abort()):
        assert _ends(monkeypatch, error, "--root", "my data", "run", "mine.yaml") == 4
        assert "veristill --root 'my data' run mine.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 3])
def test_a_verb_may_choose_its_exit_code(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ends(monkeypatch, typer.Exit(code)) == code


def test_an_interrupted_verb_ends_with_4() -> None:
    process = subprocess.Popen([VERISTILL, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not _loaded(process.pid):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = ""
    while "go on with: veristill doctor" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    time.sleep(0.1)
    while process.poll() is None:  # pressed again and again while Python ends
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.returncode == 4, said
    assert "every answer" not in said  # it asks nobody


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("run r.yaml", True),
        ("--root d plan r.yaml --probe 9", True),
        ("plan r.yaml --probe=9", True),
        ("plan r.yaml", False),
        ("dedup q.jsonl", False),
    ],
)
def test_answers_are_kept_only_where_models_were_asked(line: str, asks: bool) -> None:
    assert main._asks(line.split()) is asks


def _loaded(pid: int) -> bool:
    """Whether the command line is at its verb: only verbs start children or load the sandbox's libraries."""
    return "arrow" in Path(f"/proc/{pid}/maps").read_text()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = subprocess.Popen([VERISTILL, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ends(monkeypatch, RuntimeError("boom")) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: RuntimeError: boom\n")
    assert "Traceback" not in text
    kept = re.search(r"traceback in (\S+)", text)
    assert kept
    assert "in run" in Path(kept[1]).read_text()
    Path(kept[1]).unlink()


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ends(monkeypatch, InputError("wrong"), "--debug", "run", "x") == 2
    assert "Traceback" in capsys.readouterr().err


def test_children_start_without_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH")
    assert main.command(["version"]) == 0
    assert main.os.environ["PYTHONSAFEPATH"] == "1"
