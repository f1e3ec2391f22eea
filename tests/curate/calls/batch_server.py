"""A Batch API on loopback that keeps its batches whoever asks, and counts what it bills.

The user message of each request says what becomes of it: `ok`, `500`, `expired`, `missing`...
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.curate.calls.server import answer
from tests.loopback import loopback


class BatchServer:
    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.sizes: list[int] = []  # requests of each batch
        self.endpoints: list[str] = []
        self.asked: Counter[str] = Counter()  # by custom_id
        self.billed: Counter[str] = Counter()
        self.polls = 0
        self.ready_after = 1  # polls of a batch until it has ended
        self.held = False  # batches stay in progress
        self.expire = 0  # batches that expire: their second half is not worked on
        self.refuse: list[str] = []  # codes for which the next batches fail
        # What comes first, by `files`, `create`, `list`, `poll`, `content`: an HTTP status, or a page with status 200.
        self.faults: dict[str, list[int | str]] = {}
        self.lose_creation = False  # the batch is made, its answer is lost
        self.break_content = 0  # downloads that break off half-way
        self.short_content = 0  # downloads that end half-way as if they were whole
        self.miscounts = 0  # answers that a batch says it has beyond those it has
        self.unseen = 0  # listings that do not show what was made yet
        self.deleted: list[str] = []
        self.model = "teacher-0001"

    def fault(self, what: str) -> web.Response | None:
        left = self.faults.get(what)
        if not left:
            return None
        found = left.pop(0)
        if isinstance(found, str):
            return web.Response(text=found, content_type="application/json" if found[0] == "{" else "text/html")
        return web.json_response({"error": {"message": "no"}}, status=found)

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (bad := self.fault("files")) is not None:
            return bad
        assert form["purpose"] == "batch"
        name = f"file-{len(self.files)}"
        field: Any = form["file"]
        self.files[name] = field.file.read()
        return web.json_response({"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "x",
                                  "purpose": "batch", "status": "processed"})  # fmt: skip

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (bad := self.fault("create")) is not None:
            return bad
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert len({line["body"]["model"] for line in lines}) == 1
        assert {line["url"] for line in lines} == {body["endpoint"]}
        assert body["completion_window"] == "24h"
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "completion_window": "24h", "created_at": len(self.batches),
            "endpoint": body["endpoint"], "input_file_id": body["input_file_id"], "status": "in_progress",
            "metadata": body["metadata"], "polls": 0, "lines": lines,
        }  # fmt: skip
        self.sizes.append(len(lines))
        self.endpoints.append(body["endpoint"])
        self.asked.update(line["custom_id"] for line in lines)
        if self.lose_creation:
            self.lose_creation = False
            return web.json_response({"error": {"message": "lost"}}, status=502)
        return self.shown(name)

    def shown(self, name: str) -> web.Response:
        batch = self.batches[name]
        return web.json_response({key: value for key, value in batch.items() if key not in ("lines", "polls")})

    async def poll(self, request: web.Request) -> web.Response:
        self.polls += 1
        if (bad := self.fault("poll")) is not None:
            return bad
        name = request.match_info["id"]
        batch = self.batches[name]
        batch["polls"] += 1
        if batch["status"] == "in_progress" and not self.held and batch["polls"] > self.ready_after:
            self.finish(batch)
        return self.shown(name)

    async def delete(self, request: web.Request) -> web.Response:
        if (bad := self.fault("delete")) is not None:
            return bad
        name = request.match_info["id"]
        self.deleted.append(name)
        return web.json_response({"id": name, "object": "file", "deleted": True})

    def finish(self, batch: dict[str, Any]) -> None:
        if self.refuse:
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": self.refuse.pop(0), "message": "no"}]}
            return
        lines = list(reversed(batch["lines"]))  # the order is not kept
        late = lines[: len(lines) // 2] if self.expire > 0 else []
        self.expire -= 1
        batch["status"] = "expired" if late else "completed"
        good, bad = [], []
        for line in lines:
            result = self.result(line, late=line in late)
            if result is not None:
                (good if result["error"] is None and result["response"]["status_code"] == 200 else bad).append(result)
        for kind, found in (("output_file_id", good), ("error_file_id", bad)):
            if found:
                name = f"file-{len(self.files)}"
                self.files[name] = b"\n".join(json.dumps(one, ensure_ascii=False).encode() for one in found) + b"\n"
                batch[kind] = name
        counts = {"total": len(lines), "completed": len(good) + self.miscounts, "failed": len(bad)}
        batch["request_counts"] = counts

    def result(self, line: dict[str, Any], *, late: bool) -> dict[str, Any] | None:
        body, key = line["body"], line["custom_id"]
        text = (body.get("messages") or body["input"])[-1]["content"].split()[0]
        found: dict[str, Any] = {"id": "r", "custom_id": key, "response": None, "error": None}
        if late:
            return {**found, "error": {"code": "batch_expired", "message": "not executed in time"}}
        if text == "missing":
            return None
        if text.isdecimal():
            error = {"message": "bad request", "code": "x"}
            return {**found, "response": {"status_code": int(text), "request_id": "q", "body": {"error": error}}}
        self.billed[key] += 1
        content = "line\u2028separators\x85in it" if text == "odd" else "The answer is 4."
        made = {**answer(content, "length" if text == "length" else "stop"), "model": self.model}
        return {**found, "response": {"status_code": 200, "request_id": "q", "body": made}}

    async def listed(self, request: web.Request) -> web.Response:
        if (bad := self.fault("list")) is not None:
            return bad
        names = list(reversed(self.batches))
        if self.unseen > 0:
            self.unseen -= 1
            names = []
        after = request.query.get("after")
        start = names.index(after) + 1 if after else 0
        page = names[start : start + 2]
        data = [json.loads(self.shown(name).text or "") for name in page]
        more = start + 2 < len(names)
        ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
        return web.json_response({"object": "list", "data": data, "has_more": more, **ends})

    async def content(self, request: web.Request) -> web.StreamResponse:
        if (bad := self.fault("content")) is not None:
            return bad
        body = self.files[request.match_info["id"]]
        if self.short_content > 0:
            self.short_content -= 1
            return web.Response(body=body[: len(body) // 2])
        if self.break_content > 0:
            self.break_content -= 1
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(body=body)


@asynccontextmanager
async def batching() -> AsyncIterator[BatchServer]:
    server = BatchServer()
    async with loopback(
        web.post("/v1/files", server.upload),
        web.get("/v1/files/{id}/content", server.content),
        web.delete("/v1/files/{id}", server.delete),
        web.post("/v1/batches", server.create),
        web.get("/v1/batches", server.listed),
        web.get("/v1/batches/{id}", server.poll),
    ) as server.url:
        yield server
