"""Pushing, against a scripted hub on this machine."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from curate.errors import Failed, Prerequisite, RecipeError, Stopped
from curate.publish.hub import push
from curate.publish.publish import Publish
from tests.curate.publish import build

PUBLISH = Publish(repo="org/demo", push=True)


class Hub(BaseHTTPRequestHandler):
    """Answers what `upload_folder` asks, keeps what is committed."""

    private: ClassVar[bool] = True
    status: ClassVar[int] = 200
    old: ClassVar[list[str]] = []
    log: ClassVar[list[str]] = []
    commits: ClassVar[list[list[dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).log.append(f"POST {self.path} {self.headers.get('Authorization')}")
        if self.status != 200 and "/commit/" in self.path:
            return self._answer({"error": "no"}, self.status)
        if self.path == "/api/repos/create":
            return self._answer({"url": "https://huggingface.co/datasets/org/demo", **json.loads(body)})
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self._answer({"files": files})
        if "/commit/" in self.path:
            type(self).commits.append([json.loads(line) for line in body.splitlines()])
            return self._answer(
                {"commitUrl": "https://huggingface.co/datasets/org/demo/commit/1", "commitOid": "1", "success": True}
            )
        return self._answer({}, 404)

    def do_GET(self) -> None:
        type(self).log.append(f"GET {self.path}")
        siblings = [{"rfilename": name} for name in self.old]
        if "/tree/" in self.path:
            return self._answer([{"type": "file", "path": n, "size": 1, "oid": "0" * 40} for n in self.old])
        self._answer({"id": "org/demo", "private": self.private, "siblings": siblings, "sha": "1", "tags": []})
        return None

    def _answer(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    Hub.private, Hub.status, Hub.old, Hub.log, Hub.commits = True, 200, [], [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.write(tmp_path_factory.mktemp("run") / "dataset").path


def test_the_folder_is_pushed_in_one_commit(hub: str, dataset: Path) -> None:
    Hub.old = ["default/train-00000.parquet", "default/train-00007.parquet"]
    assert push(dataset, PUBLISH, endpoint=hub) == f"{hub}/datasets/org/demo"
    [commit] = Hub.commits
    files = {
        line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in commit if line["key"] == "file"
    }
    assert files == build.content(dataset)
    deleted = [line["value"]["path"] for line in commit if line["key"] == "deletedFile"]
    assert deleted == ["default/train-00007.parquet"]
    assert "hf_test" in Hub.log[0]


def test_a_public_repository_does_not_take_a_private_dataset(hub: str, dataset: Path) -> None:
    Hub.private = False
    with pytest.raises(RecipeError, match="public on the hub"):
        push(dataset, PUBLISH, endpoint=hub)
    assert Hub.commits == []
    push(dataset, PUBLISH.model_copy(update={"private": False}), endpoint=hub)
    assert len(Hub.commits) == 1


@pytest.mark.parametrize(("status", "error"), [(401, Stopped), (403, Stopped), (400, Failed)])
def test_a_refusal(hub: str, dataset: Path, status: int, error: type[Exception]) -> None:
    Hub.status = status
    with pytest.raises(error, match=f"answered {status}"):
        push(dataset, PUBLISH, endpoint=hub)


def test_no_token(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(Prerequisite, match="token"):
        push(dataset, PUBLISH)


def test_no_hub(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with pytest.raises(Stopped, match="did not go through"):
        push(dataset, PUBLISH, endpoint="http://127.0.0.1:9")
