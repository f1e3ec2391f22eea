"""Form `given`: the call carries its reply, recorded earlier or made up for a rehearsal. Nothing is sent."""

import asyncio

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.calls.trouble import Refused


def given_reply(call: Call) -> Reply:
    """The reply that the call carries. Raises Refused if it carries none."""
    if call.given is None:
        raise Refused("the call carries no reply")
    return Reply(
        raw=call.given,
        model=call.given.get("model"),
        truncated=completion.finish_reason(call.given) == "length",
        usage=completion.usage(call.given),
    )


class Given:
    """The transport of form `given`."""

    async def send(self, call: Call) -> Reply:
        """Return what the call carries, after its latency."""
        if call.latency_s > 0:
            await asyncio.sleep(call.latency_s)
        return given_reply(call)

    async def close(self) -> None:
        """There is nothing to close."""
