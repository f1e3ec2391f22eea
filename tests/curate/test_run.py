"""Locks, atomic files and folders, and the progress lines."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.errors import InputError, Stopped
from curate.progress import Progress
from curate.run import Run, replace_file

HOLD = """
import sys, time
from pathlib import Path
from curate.run import Run
with Run(Path(sys.argv[1]), "other").writing():
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_writer_per_root(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-P", "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(Stopped, match=f"process {holder.pid}"), Run(tmp_path, "mine").writing():
            pass
    finally:
        holder.kill()
        holder.wait()
    with Run(tmp_path, "mine").writing():  # the lock died with its holder
        pass


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"), Run(tmp_path / "file" / "root", "r").writing():
        pass


def test_replace_file_is_all_or_nothing(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"1")
    replace_file(tmp_path / "a", b"22")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"22")]


def test_progress_is_silent_when_quick_and_tells_all_when_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    with Progress(stream=out).stage("solve", 10) as bar:
        bar.advance(10)
    assert out.getvalue() == ""
    clock = time.monotonic
    with Progress(stream=out).stage("solve", 10) as bar:
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 4)
        bar.note = "3 in flight"
        bar.advance(5, passed=3, judged=4)
    line = out.getvalue()
    assert line.startswith("solve 5/10  1.2")
    assert line.rstrip().endswith("75.0% pass  3 in flight")
    assert " left" in line
    quiet = io.StringIO()
    with Progress(stream=quiet, quiet=True).stage("solve", 10) as bar:
        monkeypatch.setattr(time, "monotonic", lambda: clock() + 400)
        bar.advance(5)
    assert quiet.getvalue() == ""


def test_the_lock_file_names_its_holder(tmp_path: Path) -> None:
    with Run(tmp_path, "r").writing():
        assert (tmp_path / ".veristill.lock").read_text() == str(os.getpid())
