"""A web server of a test's own on a free port of this machine, gone when the test is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def loopback(*routes: web.RouteDef) -> AsyncIterator[str]:
    """Serve the routes (`web.post("/v1/files", handler)`); yields the address that ends in /v1."""
    app = web.Application(client_max_size=1 << 28)
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
