"""Journals of a ledger on a network file system lie on a local disk, and are found again there."""

from pathlib import Path

import pytest

from curate import scratch
from curate.errors import InputError
from curate.keys import digest
from curate.ledger import Entry, Ledger

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local ext4 rw 0 0
bucket /mnt/my\\040bucket fuse.gcsfuse rw 0 0
/dev/vdc /mnt/windows fuseblk rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/data", False), ("/home/me/run", True), ("/home", True), ("/homework", False), ("/home/local/run", False),
        ("/mnt/my bucket/x", True), ("/mnt/windows/x", False),
    ],
)  # fmt: skip
def test_which_file_systems_are_local(tmp_path: Path, path: str, network: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert scratch.on_network(Path(path), mounts) is network
    assert not scratch.on_network(Path(path), tmp_path / "none")


async def test_the_journal_is_found_again_by_the_same_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "on_network", lambda path: True)
    monkeypatch.setenv("VERISTILL_SCRATCH", str(tmp_path / "here"))
    folder = tmp_path / "shared" / "ledger"
    ledger = Ledger(folder)
    ledger._partitions[0].start()
    await ledger.put([Entry("reply", digest(1), "", b"one")])
    ledger.close()  # as after a kill: not sealed
    assert list((tmp_path / "here").rglob("*.sqlite"))
    assert not list(folder.rglob("*.sqlite"))
    assert ledger.journal_folder().is_relative_to(tmp_path / "here")

    monkeypatch.setenv("VERISTILL_SCRATCH", str(tmp_path / "there"))
    async with Ledger(folder) as elsewhere:
        assert elsewhere.count("reply") == 0
        [note] = elsewhere.damage()
        assert str(tmp_path / "here") in note
        await elsewhere.put([Entry("reply", digest(2), "", b"two")])

    monkeypatch.setenv("VERISTILL_SCRATCH", str(tmp_path / "here"))
    async with Ledger(folder) as again:
        assert again.get("reply", [digest(1), digest(2)]) == {digest(1): [b"one"], digest(2): [b"two"]}
        assert again.damage() == []
    assert not list(folder.rglob("*.at"))
    assert Ledger(folder, read_only=True).count("reply") == 2


def test_a_scratch_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "on_network", lambda path: True)
    monkeypatch.setenv("VERISTILL_SCRATCH", str(tmp_path))
    monkeypatch.setattr(scratch.os, "getuid", lambda: 12345)
    with pytest.raises(InputError, match="somebody else"):
        Ledger(tmp_path / "ledger")
