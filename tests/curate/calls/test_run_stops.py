"""Whole commands against a server: a refused key stops with 4 and goes on later, and no secret reaches any file."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from curate.ledger import KINDS, Ledger
from tests.curate.calls.till import Till, open_till

VERISTILL = Path(sys.executable).with_name("veristill")
KEY = "not-like-other-keys-7f3a9b1c2d4e"
ROWS = 60


class Guarded(Till):
    """Takes one key only, and quotes the key that it refuses, as servers do."""

    key = KEY
    after = 10**9

    async def handle(self, request):  # type: ignore[no-untyped-def]
        from aiohttp import web

        said = request.headers.get("Authorization", "")
        if said != f"Bearer {self.key}" or len(self.sold) >= self.after:
            self.statuses["401"] += 1
            return web.json_response({"error": {"message": f"Incorrect key {said} for {said[7:]}"}}, status=401)
        return await super().handle(request)


def recipe(folder: Path, url: str) -> Path:
    with (folder / "q.jsonl").open("w") as file:
        for n in range(ROWS):
            file.write(json.dumps({"id": f"q{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n")
    path = folder / "recipe.yaml"
    path.write_text(
        "name: r\nsources: [{kind: jsonl, path: q.jsonl, domain: math, columns: {id: id, answer: answer}}]\n"
        f"annotate: {{teacher: {{kind: openai, model: m, base_url: '{url}', api_key_env: MY_ENTRY, max_tokens: 500,"
        " concurrency: 8, price: {input: 1, output: 2}}}\nbudget: {max_cost_usd: 50}\n"
    )
    return path


async def run(path: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        str(VERISTILL), "--root", str(path.parent), "run", str(path), "--until", "solve",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "MY_ENTRY": KEY},
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.slow
async def test_a_refused_key_stops_the_command_and_no_file_holds_a_key(tmp_path: Path) -> None:
    till = Guarded({"429": 0.1, "500": 0.1}, latency_s=0.05, once=True)
    async with open_till(till):
        till.after = ROWS // 2
        path = recipe(tmp_path, till.url)
        code, said = await run(path)
        assert code == 4, said
        assert "the server refuses: 401" in said
        assert "$MY_ENTRY" in said  # the variable, not what is in it
        sold, refused = len(till.sold), till.statuses["401"]
        assert refused <= 8
        till.after = 10**9
        code, more = await run(path)
        assert code == 0, more
        assert len(till.sold) == ROWS
        assert max(till.sold.values()) == 1
        found = json.loads((tmp_path / "runs" / "r" / "report.json").read_text())
        assert found["this_run"]["answers_reused"] >= sold - 8
        assert found["this_run"]["answers_new"] + found["this_run"]["answers_reused"] == ROWS
    with_key = [KEY, "Bearer", "Authorization"]
    assert not [word for word in with_key if word in said + more]
    ledger = Ledger(tmp_path / "ledger", read_only=True)
    texts = [body for kind in KINDS for _, _, body in ledger.scan(kind)]
    assert len(texts) > 3 * ROWS
    texts += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text[:200] for text in texts if any(word.encode() in text for word in with_key[:2])]
    ledger.close()
