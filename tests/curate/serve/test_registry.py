"""The folder of endpoints: whole files only, stale ones skipped, whatever else lies in it ignored."""

import json
import os
import threading
import time
from pathlib import Path

from curate.calls.serving.registry import STALE_S, Registered, register, registered

ONE = Registered("http://node7:41873/v1", "m", "812_3", "node7", 1.5)


def test_a_server_comes_and_goes(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    assert registered(folder) == ()
    path = register(folder, "job-812_3", ONE)
    assert json.loads(path.read_text()) == ONE._asdict()
    assert registered(folder) == (ONE,)
    path.unlink()
    assert registered(folder) == ()


def test_what_nobody_touches_is_left_over(tmp_path: Path) -> None:
    path = register(tmp_path, "a", ONE)
    old = time.time() - STALE_S - 5
    os.utime(path, (old, old))
    assert registered(tmp_path) == ()
    path.touch()
    assert registered(tmp_path) == (ONE,)


def test_other_files_and_broken_ones_are_skipped(tmp_path: Path) -> None:
    register(tmp_path, "good", ONE)
    texts = [
        "",
        "{",
        "[]",
        "3",
        '"x"',
        '{"model": "m"}',
        '{"base_url": "ftp://x"}',
        '{"base_url": null}',
        "\0",
        "{" * 9999,
    ]
    for number, text in enumerate(texts):
        (tmp_path / f"bad{number}.json").write_text(text)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "dead.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "short.json").write_text('{"base_url": "https://other/v1", "more": 1}')
    assert registered(tmp_path) == (ONE, Registered("https://other/v1", ""))


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(300):
            register(tmp_path, "a", ONE._replace(job="x" * (number * 37 % 5000)))
        done.set()

    register(tmp_path, "a", ONE)
    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert len(registered(tmp_path)) == 1
    writer.join()
