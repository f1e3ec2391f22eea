"""Texts that are embedded together: what fails alone, what a server may answer, and what is abandoned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from curate.calls.embeddings import Embeddings, Encoder
from curate.calls.trouble import Unclear
from curate.contamination.embed import Embed, vector_of
from tests.curate.clean.test_reworded import FAR, ITEM, saved_model
from tests.loopback import loopback

LATE_S = 20  # far more than anything here takes


@asynccontextmanager
async def server(handle: Any) -> AsyncIterator[Embed]:
    async with loopback(web.post("/v1/embeddings", handle)) as url:
        yield Embed(model="e", base_url=url)


@pytest.mark.parametrize(
    "data",
    [
        5,
        "abc",
        {"0": {}},
        [1, 2],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": [0], "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}],
        [{"index": 1, "embedding": [1.0]}, {"index": 2, "embedding": [2.0]}],
    ],
)
async def test_an_answer_that_is_not_one_vector_a_text_is_none(data: Any) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"data": data})

    async with server(handle) as embed:
        transport = Embeddings()
        calls = (transport.send(embed.request(text)) for text in "ab")
        found = await asyncio.gather(*calls, return_exceptions=True)
        await transport.close()
    assert [type(one) for one in found] == [Unclear, Unclear]


async def test_what_nobody_waits_for_ends_with_the_transport() -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        asked.set()
        await released.wait()
        return web.json_response({})

    async with server(handle) as embed:
        transport = Embeddings()
        waiting = [asyncio.create_task(transport.send(embed.request(text))) for text in "abc"]
        await asked.wait()
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        try:
            await asyncio.wait_for(transport.close(), LATE_S)
        finally:
            released.set()


async def test_half_a_surrogate_pair_does_not_fail_its_neighbours(tmp_path: Path) -> None:
    embed, transport = Embed(local=saved_model(tmp_path / "model", [ITEM, FAR])), Encoder()
    texts = (FAR, "half \ud835 of it", ITEM)
    found = [vector_of(one) for one in await asyncio.gather(*(transport.send(embed.request(text)) for text in texts))]
    alone = vector_of(await transport.send(embed.request(FAR)))
    await transport.close()
    assert np.allclose(found[0], alone) and not np.allclose(found[0], found[2])
