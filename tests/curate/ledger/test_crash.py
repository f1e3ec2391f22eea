"""The ledger across `kill -9`, damaged files, a full disk: what was acknowledged stays, once; what is lost is named."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate.ledger import Ledger
from tests.curate.ledger.writer import record

WRITER = Path(__file__).with_name("writer.py")


def start(folder: Path, first: int, last: int, *seal_bytes: int, fault: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", str(WRITER), str(folder), str(first), str(last), *map(str, seal_bytes)]
    env = {**os.environ, **({"VERISTILL_FAULT": fault} if fault else {})}
    # A group of its own, so that a fault that kills the group does not kill the tests.
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)


def acknowledged(process: "subprocess.Popen[str]") -> set[int]:
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait(timeout=60)
    process.stdout.close()
    return {int(line) for line in lines if line.isdecimal()}


def contents(folder: Path) -> Iterator[tuple[str, str, str, bytes]]:
    ledger = Ledger(folder, read_only=True)
    assert ledger.damage() == []
    for kind in ("reply", "verdict"):
        yield from ((kind, *one) for one in ledger.scan(kind))
        assert ledger.count(kind) == sum(1 for _ in ledger.scan(kind))
    ledger.close()


def check(folder: Path, durable: set[int]) -> None:
    """Every acknowledged record is there, unchanged, and none is there twice."""
    found = list(contents(folder))
    assert len(found) == len({one[:3] for one in found})
    by_key = {one[1]: one for one in found}
    for number in durable:
        assert by_key[record(number).key] == tuple(record(number))


@pytest.mark.parametrize(
    "fault",
    [
        "ledger.commit:1",
        "ledger.commit:7",
        "ledger.committed:4",
        "ledger.seal:1",
        "ledger.seal:3",
        "ledger.sealed:2",
        "ledger.commit:5:group",
    ],
)
def test_killed_at_a_point(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "ledger"
    command = start(folder, 0, 600, 100_000, fault=fault)
    durable = acknowledged(command)
    assert command.returncode == -signal.SIGKILL
    check(folder, durable)
    again = start(folder, 0, 600, 100_000)
    assert acknowledged(again) == set(range(600))
    assert again.returncode == 0
    check(folder, set(range(600)))
    assert len(list(contents(folder))) == 600


def test_killed_at_random_moments(tmp_path: Path) -> None:
    folder, durable, rng = tmp_path / "ledger", set[int](), random.Random(5)
    for first in range(0, 6000, 1000):
        process = start(folder, first, first + 20_000, 60_000)
        assert process.stdout is not None
        process.stdout.readline()  # it is writing
        time.sleep(rng.random() / 2)
        process.kill()
        durable |= acknowledged(process)
        check(folder, durable)
    assert len(durable) > 100


def killed(folder: Path, fault: str = "ledger.commit:40") -> set[int]:
    """A ledger whose writer died with a full write-ahead log beside its journal."""
    process = start(folder, 0, 2000, fault=fault)
    durable = acknowledged(process)
    assert process.returncode == -signal.SIGKILL
    assert durable
    return durable


def only(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(f"partition=0000/{pattern}")
    return path


async def test_garbage_behind_the_log_costs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    durable = killed(folder)
    with only(folder, "journal-*-wal").open("ab") as log:
        log.write(random.Random(1).randbytes(10_000))
    async with Ledger(folder) as ledger:
        assert ledger.damage() == []
    check(folder, durable)


async def test_a_damaged_log_loses_its_end_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    durable = killed(folder)
    log = only(folder, "journal-*-wal")
    with log.open("r+b") as file:
        file.seek(log.stat().st_size // 2)
        file.write(b"\xff" * 100)
    async with Ledger(folder) as ledger:
        [line] = ledger.damage()
        assert "commits are lost" in line
        there = ledger.have("reply", [record(n).key for n in durable]) | ledger.have(
            "verdict", [record(n).key for n in durable]
        )
        assert 0 < len(there) < len(durable)
        await ledger.put([record(number) for number in sorted(durable)])
    check(folder, durable)


async def test_a_damaged_journal_gives_what_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    killed(folder)
    journal = only(folder, "journal-*.sqlite")
    # Move everything from the log into the file, then hit pages in the middle of it.
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
    connection.close()
    with journal.open("r+b") as file:
        file.seek(journal.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\x00" * 4096 * 3)
    async with Ledger(folder) as ledger:
        [line] = ledger.damage()
        assert "damaged" in line
        kept = ledger.count("reply") + ledger.count("verdict")
        assert 0 < kept < held
        assert str(kept) in line
        found = [(kind, *one) for kind in ("reply", "verdict") for one in ledger.scan(kind)]
        by_key = {record(number).key: tuple(record(number)) for number in range(2000)}
        assert all(by_key[one[1]] == one for one in found)
    assert list(folder.glob("partition=0000/*.damaged"))


async def test_a_journal_that_is_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    killed(folder)
    for path in folder.glob("partition=0000/journal-*"):
        path.write_bytes(b"nothing of the kind" * 1000)
    reader = Ledger(folder, read_only=True)
    assert "0 records saved" in reader.damage()[0]
    async with Ledger(folder) as ledger:
        assert "0 records saved" in ledger.damage()[0]
        await ledger.put([record(1)])
        assert ledger.count("reply") == 1


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
async def test_a_damaged_segment_is_named_and_its_answers_can_be_stored_again(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "ledger"
    async with Ledger(folder) as ledger:
        await ledger.put([record(number) for number in range(500)])
    segment = only(folder, "segment-*/reply.parquet")
    data = bytearray(segment.read_bytes())
    if how == "flip":
        data[len(data) // 2] ^= 0xFF
    segment.write_bytes({"flip": data, "cut": data[: len(data) // 2], "empty": b""}[how])
    replies = {record(n).key: [record(n).body] for n in range(500) if record(n).kind == "reply"}
    async with Ledger(folder) as ledger:
        found = ledger.get("reply", list(replies))
        assert len(found) < len(replies)
        assert all(replies[key] == bodies for key, bodies in found.items())
        assert any("damaged" in line for line in ledger.damage())
        await ledger.put([record(number) for number in range(500)])
        assert ledger.get("reply", list(replies)) == replies
    assert Ledger(folder, read_only=True).get("reply", list(replies)) == replies


def test_a_full_disk_stops_and_loses_nothing(tmp_path: Path, missing: Callable[[str], None]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
    mount -t tmpfs -o size=8m tmpfs {disk} || exit 77
    {sys.executable} -P {WRITER} {disk}/ledger 0 100000 1000000; echo "code $?"
    mount -o remount,size=64m {disk}
    {sys.executable} -P {WRITER} {disk}/ledger 100000 100100; echo "code $?"
    cp -r {disk}/ledger {tmp_path}/copy
    mount -t tmpfs -o size=32k tmpfs {disk}
    {sys.executable} -P {WRITER} {disk}/ledger 0 100; echo "code $?"
    """
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    if os.geteuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    except FileNotFoundError:
        missing("unshare (util-linux)")
        return
    if done.returncode == 77:
        missing("leave to mount a tmpfs")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("code")] == ["code 4", "code 0", "code 4"], done.stderr
    assert any(line.startswith("stopped") and "the disk is full" in line for line in lines)
    durable = {int(line) for line in lines if line.isdecimal()}
    assert len(durable) > 500
    check(tmp_path / "copy", durable)
