from collections.abc import AsyncIterator

import pytest_asyncio

from curate.verifiers.worker import MEMORY_BYTES, worker_command
from sandbox.workers import Workers


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def workers() -> AsyncIterator[Workers]:
    async with Workers(worker_command(), count=2, memory_bytes=MEMORY_BYTES) as pool:
        yield pool
