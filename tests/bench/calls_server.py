"""A chat-completions server as cheap as Python makes one: every request is answered after a fixed time, and counted.

python tests/bench/calls_server.py [--latency 0.05] [--bytes 2000]     prints its port, then serves until killed
"""

import argparse
import asyncio
import json


def reply(size: int) -> bytes:
    """One HTTP response with a completion of `size` bytes of text."""
    text = ("We add the numbers and check the sum. " * (size // 38 + 1))[: size - 20] + " It is \\boxed{4}."
    message = {"role": "assistant", "content": text}
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 20, "completion_tokens": size // 4, "total_tokens": 20 + size // 4},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection; requests come one after another on it."""

    def __init__(self, answer: bytes, latency: float) -> None:
        self.answer, self.latency = answer, latency
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            asyncio.get_running_loop().call_later(self.latency, self.send)

    def send(self) -> None:
        """Answer the oldest request."""
        if isinstance(self.transport, asyncio.WriteTransport) and not self.transport.is_closing():
            self.transport.write(self.answer)


async def serve(latency: float, size: int) -> None:
    """Serve until killed."""
    answer = reply(size)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(answer, latency), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--bytes", type=int, default=2000)
    args = parser.parse_args()
    asyncio.run(serve(args.latency, args.bytes))
