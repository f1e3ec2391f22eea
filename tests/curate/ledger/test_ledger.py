"""The ledger in one process: what is put is found again, once, sealed or not, here or in another root's ledger."""

import asyncio
import json
from pathlib import Path

import pytest

from curate import partition
from curate.errors import InputError
from curate.keys import digest
from curate.ledger import Entry, Ledger


def entry(number: int, kind: str = "reply", tag: str = "8192", body: bytes | None = None) -> Entry:
    return Entry(kind, digest(number), tag, body if body is not None else f"body {number}".encode())


async def test_what_is_put_is_found_in_journal_and_segment(tmp_path: Path) -> None:
    keys = [digest(number) for number in range(300)]
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(number) for number in range(100)])
        await ledger.seal()
        await ledger.put([entry(number) for number in range(100, 200)])
        assert ledger.have("reply", keys) == set(keys[:200])
        assert ledger.have("verdict", keys) == set()
        assert ledger.get("reply", keys) == {digest(n): [f"body {n}".encode()] for n in range(200)}
        assert ledger.count("reply") == 200
        in_order = [(digest(n), "8192", f"body {n}".encode()) for n in range(200)]
        assert list(ledger.scan("reply")) == in_order
    reader = Ledger(tmp_path / "ledger", read_only=True)
    assert list(reader.scan("reply")) == in_order
    assert reader.get("reply", keys[150:151]) == {keys[150]: [b"body 150"]}
    assert reader.damage() == []
    reader.close()


async def test_a_record_is_never_changed_or_doubled(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(1, body=b"first")])
        await ledger.put([entry(1, body=b"second")])
        await ledger.seal()
        await ledger.put([entry(1, body=b"third"), entry(1, tag="100", body=b"another tag")])
        await asyncio.gather(*(ledger.put([entry(2)]) for _ in range(20)))
        assert ledger.get("reply", [digest(1)]) == {digest(1): [b"another tag", b"first"]}
        assert ledger.count("reply") == 3
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(2, body=b"later")])
        assert ledger.get("reply", [digest(2), digest(2)]) == {digest(2): [b"body 2"]}
        assert ledger.count("reply") == 3


async def test_trouble_is_replaced_by_the_last_one(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger:
        for text in (b"one", b"two"):
            await ledger.put([entry(1, "trouble", "", text)])
        assert ledger.get("trouble", [digest(1)]) == {digest(1): [b"two"]}
        await ledger.seal()
        await ledger.put([entry(1, "trouble", "", b"three")])
        assert ledger.get("trouble", [digest(1)]) == {digest(1): [b"three"]}
        await ledger.seal()
        assert ledger.get("trouble", [digest(1)]) == {digest(1): [b"three"]}
        assert [body for _, _, body in ledger.scan("trouble")][-1] == b"three"


async def test_partitions_split_keys_and_are_remembered(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger", partitions=4) as ledger:
        await ledger.put([entry(number) for number in range(200)])
    assert len(list((tmp_path / "ledger").glob("partition=*/segment-*"))) == 4
    reader = Ledger(tmp_path / "ledger", read_only=True)
    keys = [digest(number) for number in range(250)]
    assert reader.have("reply", keys) == set(keys[:200])
    assert reader.get("reply", keys)[keys[7]] == [b"body 7"]
    assert reader.count("reply") == 200


async def test_also_reads_another_ledger_and_writes_nothing_there(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "one") as ledger:
        await ledger.put([entry(1), entry(1, tag="10", body=b"short")])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}
    async with Ledger(tmp_path / "two", also=[tmp_path / "one"]) as ledger:
        await ledger.put([entry(2), entry(1, body=b"own")])
        assert ledger.have("reply", [digest(1), digest(2), digest(3)]) == {digest(1), digest(2)}
        assert ledger.get("reply", [digest(1)]) == {digest(1): [b"short", b"own"]}
        assert ledger.count("reply") == 2
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}
    with pytest.raises(InputError, match="no ledger here"):
        Ledger(tmp_path / "three", also=[tmp_path / "nowhere"])


async def test_a_journal_that_is_large_enough_is_sealed_while_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "SEAL_BYTES", 50_000)
    bodies = {number: b"".join(digest(number, i).encode() for i in range(100)) for number in range(200)}
    async with Ledger(tmp_path / "ledger") as ledger:
        for number, body in bodies.items():
            await ledger.put([entry(number, body=body)])
        folder = tmp_path / "ledger" / "partition=0000"
        assert len(list(folder.glob("segment-*"))) >= 5
        assert len(list(folder.glob("journal-*.sqlite"))) == 1
        found = ledger.get("reply", [digest(number) for number in bodies])
        assert found == {digest(number): [body] for number, body in bodies.items()}
        assert [body for _, _, body in ledger.scan("reply")] == list(bodies.values())


async def test_a_scan_sees_each_record_once_though_the_journal_is_sealed_meanwhile(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(number) for number in range(1000)])
        scan = ledger.scan("reply")
        seen = [next(scan)[0] for _ in range(10)]
        await ledger.seal()
        await ledger.put([entry(2000)])
        seen += [key for key, _, _ in scan]
        assert seen == [digest(number) for number in range(1000)]


async def test_an_age_seals_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "SEAL_SECONDS", 0.2)
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(1)])
        for _ in range(100):
            await asyncio.sleep(0.05)
            if list(tmp_path.glob("ledger/partition=0000/segment-*")):
                break
        else:
            pytest.fail("the journal was never sealed")
        assert ledger.get("reply", [digest(1)]) == {digest(1): [b"body 1"]}


async def test_put_waits_when_the_disk_cannot_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "_QUEUE_BYTES", 100_000)
    async with Ledger(tmp_path / "ledger") as ledger:
        part = ledger._partitions[0]
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, part._queued)
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(ledger.put([entry(number, body=bytes(30_000))]) for number in range(100)))
        watching.cancel()
        assert 30_000 < most <= 100_000
        assert ledger.count("reply") == 100


async def test_reading_while_another_object_writes(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(1)])
        reader = Ledger(tmp_path / "ledger", read_only=True)
        assert reader.have("reply", [digest(1)]) == {digest(1)}
        await ledger.put([entry(2)])
        await ledger.seal()
        assert reader.count("reply") == 2
        reader.close()
        again = Ledger(tmp_path / "ledger", read_only=True)
        assert again.get("reply", [digest(2)]) == {digest(2): [b"body 2"]}


async def test_empty_bodies_and_bytes_of_all_kinds(tmp_path: Path) -> None:
    bodies = [b"", b"\x00", bytes(range(256)), b"x" * 5_000_000]
    async with Ledger(tmp_path / "ledger") as ledger:
        await ledger.put([entry(number, body=body) for number, body in enumerate(bodies)])
        for _ in range(2):
            assert [ledger.get("reply", [digest(n)])[digest(n)] for n in range(4)] == [[body] for body in bodies]
            await ledger.seal()


def test_reading_where_there_is_no_ledger(tmp_path: Path) -> None:
    reader = Ledger(tmp_path / "nothing", read_only=True)
    assert reader.have("reply", [digest(1)]) == set()
    assert reader.count("reply") == 0
    assert list(reader.scan("reply")) == []
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("text", ["not json", "{}", "[]", json.dumps({"format": 2, "partitions": 1})])
def test_what_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(InputError):
        Ledger(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger")
