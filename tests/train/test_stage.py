"""Staging from a hub (a server of our own, spoken to by the real client), and copies for nodes that share no folder."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError, Prerequisite
from tests.train.test_preflight import write_folder
from tests.train.tiny import rows, write_rows
from train.block import Train
from train.stage import Staged, stage, staged

COMMITS = {"v1": "1" * 40, "v2": "2" * 40, "main": "2" * 40}
CPU = {"gpu": "cpu", "nodes": 1, "gpus": 2}


def digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """A model and a dataset, each with two commits."""

    protocol_version = "HTTP/1.1"
    repos: dict[str, dict[str, dict[str, bytes]]]  # id -> commit -> path -> content
    asked: list[str]

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            repo = "/".join(parts[2:4])
            commit = COMMITS.get(parts[5] if len(parts) > 5 else "main") or (parts[5] if len(parts) > 5 else "")
            if repo not in self.repos:
                return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            if commit not in self.repos[repo]:
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            held = self.repos[repo][commit]
            if len(parts) > 4 and parts[4] == "tree":  # what newer clients ask; older ones read the siblings
                tree = [{"type": "file", "path": name, "size": len(text), "oid": digest(text)}
                        for name, text in held.items()]  # fmt: skip
                return self.answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})
            files = [{"rfilename": name} for name in held]
            body = {"id": repo, "sha": commit, "siblings": files, "tags": [], "downloads": 0, "likes": 0,
                    "private": False, "gated": False, "disabled": False}  # fmt: skip
            return self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        if parts[0] == "datasets":
            parts = parts[1:]
        content = self.repos.get("/".join(parts[:2]), {}).get(parts[3], {}).get("/".join(parts[4:]))
        if content is None:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        return self.answer(
            200, content, {"ETag": f'"{digest(content)}"', "X-Repo-Commit": parts[3], "Accept-Ranges": "bytes"}
        )

    def answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    model = content_of(write_folder(tmp_path / "on the hub"))
    source = tmp_path / "rows on the hub"
    for config, count in (("data", 8), ("metadata", 3)):
        (source / config).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows(count)), source / config / "train-00000-of-00001.parquet")
    front = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n"
    (source / "README.md").write_text(front)
    table = content_of(source)
    Hub.repos = {
        "me/student": {COMMITS["v1"]: {**model, "old.txt": b"1"}, COMMITS["v2"]: {**model, "model.gguf": b"big"}},
        "me/rows": {COMMITS["v1"]: table, COMMITS["v2"]: table},
    }
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", Hub.asked
    server.shutdown()
    server.server_close()


def block_of(**said: Any) -> Train:
    base = {"student": "me/student", "dataset": "me/rows", "cluster": CPU, "batch": {"rows": 4}, "shard": "ddp"}
    return Train.model_validate({**base, "offload": "none", **said})


def test_both_come_at_their_commits_and_only_what_training_reads(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = hub
    here, block = tmp_path / "a run" / "train", block_of(student_revision="v1", dataset_revision="v2")
    with pytest.raises(Prerequisite, match="not staged"):
        staged(block, here, tmp_path / "none")
    done = stage(block, here, tmp_path / "none", lambda line: None, endpoint=url)
    assert done.student is not None and done.dataset is not None
    assert (done.student.commit, done.dataset.commit) == (COMMITS["v1"], COMMITS["v2"])
    found = staged(block, here, tmp_path / "none")
    assert found.student == here / "inputs" / "student"
    assert (found.student / "model.safetensors").stat().st_size > 8
    assert found.data is not None and found.data.rows() == 8
    assert not (here / "inputs" / "dataset" / "metadata").exists()
    before = len([one for one in asked if one.startswith("GET") and "/resolve/" in one])
    stage(block, here, tmp_path / "none", lambda line: None, endpoint=url)
    assert len([one for one in asked if one.startswith("GET") and "/resolve/" in one]) == before  # nothing twice


def test_another_revision_must_be_staged_and_leaves_nothing_of_the_old(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, _ = hub
    here = tmp_path / "train"
    stage(block_of(student_revision="v1"), here, tmp_path, lambda line: None, endpoint=url)
    assert (here / "inputs" / "student" / "old.txt").exists()
    newer = block_of(student_revision="v2")
    with pytest.raises(Prerequisite, match="me/student is not staged"):
        staged(newer, here, tmp_path)
    stage(newer, here, tmp_path, lambda line: None, endpoint=url)
    assert not (here / "inputs" / "student" / "old.txt").exists()
    assert not (here / "inputs" / "student" / "model.gguf").exists()
    entry = Staged.read(here).student
    assert entry is not None and entry.commit == COMMITS["v2"]


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ({"student_revision": "v9"}, InputError, "no such revision"),
        ({"student": "me/nobody"}, Prerequisite, "asks for a login"),
    ],
)
def test_what_the_hub_has_not_is_told(
    hub: tuple[str, list[str]], tmp_path: Path, said: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        stage(block_of(**said), tmp_path / "train", tmp_path, lambda line: None, endpoint=hub[0])


def test_no_network_is_a_prerequisite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(Prerequisite, match="cannot be reached"):
        stage(block_of(), tmp_path / "train", tmp_path, lambda line: None, endpoint="http://127.0.0.1:9")


def test_folders_are_used_where_they_lie(tmp_path: Path) -> None:
    student, source = write_folder(tmp_path / "student"), write_rows(tmp_path / "rows")
    block = block_of(student=str(student), dataset=str(source))
    done = stage(block, tmp_path / "train", tmp_path / "none", lambda line: None)
    assert (done.student, done.dataset) == (None, None)
    found = staged(block, tmp_path / "train", tmp_path / "none")
    assert found.student == student
    assert found.data is not None and found.data.folder == source


def test_nodes_that_share_no_folder_get_a_copy_and_a_stale_one_is_not_used(tmp_path: Path) -> None:
    student, published = write_folder(tmp_path / "student"), write_rows(tmp_path / "run" / "dataset")
    (published / "unverified").mkdir()
    (published / "unverified" / "train.parquet").write_bytes(b"large")
    away = {
        "kind": "sagemaker", "role": "arn:aws:iam::111122223333:role/r", "image": "i", "store": "s3://b/v",
        "instance_type": "ml.p5.48xlarge", "max_hours": 2,
    }  # fmt: skip
    cluster = {"nodes": 2, "gpus": 8}
    block = block_of(student=str(student), dataset=None, launcher=away, cluster=cluster, batch={"rows": 16})
    here = tmp_path / "run" / "train"
    assert not block.launcher.shared()
    stage(block, here, published, lambda line: None)
    found = staged(block, here, published)
    assert found.student == here / "inputs" / "student"
    assert found.data is not None and found.data.folder == here / "inputs" / "dataset"
    assert not (here / "inputs" / "dataset" / "unverified").exists()
    write_rows(published, 5)  # published again: the copy is no longer it
    again = staged(block, here, published)
    assert again.data is not None and again.data.rows() == 5
