"""Named sets read from a scripted hub on this machine: branches, globs, loading scripts that stay unread, columns."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.plug import find
from curate.sources._places import schema
from curate.sources._published import Published
from curate.sources.jsonl import rows_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# What each set's repository holds, by branch; every one also holds a loading script.
FILES = {
    "codeparrot/apps": ("refs/convert/parquet", {"train": "all/train/0000.parquet", "test": "all/test/0000.parquet"}),
    "BAAI/TACO": ("main", {"train": "ALL/train-00000-of-00001.parquet", "test": "ALL/test-00000-of-00001.parquet"}),
    "livecodebench/code_generation_lite": ("main", {"test": "test.jsonl"}),
}


class Hub(BaseHTTPRequestHandler):
    """Answers what reading asks: a repository's commit, its tree, and its files, also in pieces."""

    folder: ClassVar[Path]
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        type(self).asked.append(path)
        repo = next((repo for repo in FILES if f"/{repo}" in path), None)
        if repo is None:
            return self._json({"error": "Repository not found"}, 404)
        branch, files = FILES[repo]
        names = [*files.values(), f"{repo.split('/')[1]}.py"]
        if "/resolve/" in path:
            name = next((name for name in names if path.endswith(f"/{name}")), None)
            return self._file(repo, name) if name else self._json({"error": "Entry not found"}, 404)
        asked = path.partition("/revision/")[2] or path.partition("/tree/")[2]
        if asked and not asked.startswith((branch, COMMIT)):
            self.send_response(404)
            self.send_header("X-Error-Code", "RevisionNotFound")
            self.end_headers()
            return None
        if "/tree/" in path:
            below = asked.removeprefix(branch).removeprefix(COMMIT).strip("/")
            return self._json(self._children(repo, names, below))
        return self._json({"id": repo, "sha": COMMIT, "private": False, "tags": [],
                           "siblings": [{"rfilename": name} for name in names]})  # fmt: skip

    def do_POST(self) -> None:
        """`paths-info`: which of some paths there are."""
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = json.loads(body)["paths"] if body.startswith("{") else [unquote(one[6:]) for one in body.split("&")]
        repo = next(repo for repo in FILES if f"/{repo}" in path)
        names = FILES[repo][1].values()
        found = [self._entry(repo, name) for name in names if name in asked]
        folders = {str(parent) for name in names for parent in Path(name).parents} & set(asked)
        self._json([*found, *({"type": "directory", "path": one, "oid": "0" * 40} for one in folders)])

    def _children(self, repo: str, names: list[str], below: str) -> list[dict[str, Any]]:
        inside = [name for name in names if name.startswith(f"{below}/" if below else "")]
        files = [self._entry(repo, name) for name in inside if str(Path(name).parent) in (below, ".")]
        cut = len(below) + 1 if below else 0
        folders = sorted({name[:cut] + name[cut:].split("/")[0] for name in inside if "/" in name[cut:]})
        return [*files, *({"type": "directory", "path": one, "oid": "0" * 40} for one in folders)]

    def _entry(self, repo: str, name: str) -> dict[str, Any]:
        file = self.folder / repo / name
        return {"type": "file", "path": name, "size": file.stat().st_size if file.exists() else 3, "oid": "0" * 40}

    def _file(self, repo: str, name: str) -> None:
        content = (self.folder / repo / name).read_bytes()
        start, end = 0, len(content) - 1
        if held := self.headers.get("Range"):
            first, _, last = held.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or end), end)
        self.send_response(206 if held else 200)
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"0"')
        self.send_header("X-Repo-Commit", COMMIT)
        if held:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start : end + 1])

    def _json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    for kind in ("apps", "taco", "livecodebench"):
        cls = find("curate.sources", kind)
        assert issubclass(cls, Published)
        for split, name in FILES[cls.origin.repo][1].items():
            path = tmp_path / "hub" / cls.origin.repo / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".jsonl"):
                path.write_bytes(cls.tiny().read_bytes())
                continue
            rows = [dict(row.values) for row in rows_of(cls.tiny())][: 3 if split == "train" else 1]
            table = pa.Table.from_pylist(rows, schema=schema(cls.origin.features))
            if kind == "taco" and split == "test":  # a set that changed
                table = table.set_column(table.schema.get_field_index("time_limit"), "time_limit", pa.array([2]))
            pq.write_table(table.append_column("secret", pa.array(["x"] * len(rows))), path)
    Hub.folder, Hub.asked = tmp_path / "hub", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


SCRIPT = """
import json, sys
from curate.plug import find
from curate.records import Drop
from curate.sources._schemas import compare
for kind in ("apps", "taco", "livecodebench"):
    fields = {"config": "release_v1"} if kind == "livecodebench" else {}
    source = find("curate.sources", kind)(**fields)
    items = list(source.read())
    told = [item.reason if isinstance(item, Drop) else item.source_id[:8] for item in items]
    print(json.dumps([kind, source.fingerprint(), told, compare(source)]))
"""


def test_sets_with_loading_scripts_are_read_without_them(hub: str, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    environment.pop("HF_TOKEN", None)
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{Hub.asked}"
    apps, taco, lcb = map(json.loads, done.stdout.splitlines())
    assert apps == ["apps", COMMIT, ["fedf84bd", "ac779962", "c5713aed", "fedf84bd"], []]
    assert taco == [
        "taco",
        COMMIT,
        ["29374963", "b1636ebf", "c5713aed", "unreadable_row"],
        ["'time_limit' is int64, expected string"],
    ]
    assert lcb == ["livecodebench", COMMIT, ["abc000_a", "1000_B", "9000", "no_tests"], []]
    assert not any(path.endswith(".py") and "/resolve/" in path for path in Hub.asked)
