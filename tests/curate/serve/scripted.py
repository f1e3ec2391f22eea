"""A server of no model, for faults that a real one does not have on demand; started as `scripted.py serve MODEL ...`.

`die_early`: it ends before it answers. `deaf`: it starts processes, one of its own session and one orphan, that shrug
off SIGTERM. `slow S`: an answer takes S seconds. What it does not know of its arguments it ignores.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({})

    def parse_request(self) -> bool:
        # As vLLM does it: who has not the key that stands in the environment is refused, but may ask for its health.
        if not super().parse_request():
            return False
        key = os.environ.get("VLLM_API_KEY")
        if self.command == "POST" and key is not None and self.headers.get("Authorization") != f"Bearer {key}":
            self.send_error(401)
            return False
        return True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(OPTIONS.slow)
        words = f"by {os.environ.get('WHO', 'nobody')}"
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": words}}
        usage = {"prompt_tokens": 3, "completion_tokens": 5}
        self._send({"id": "1", "model": body["model"], "choices": [choice], "usage": usage})

    def _send(self, what: dict[str, Any]) -> None:
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    parser.add_argument("--served-model-name")
    parser.add_argument("--node-rank", type=int, default=0)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--die-early", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    return parser.parse_known_args()[0]


def main() -> None:
    if OPTIONS.die_early:
        sys.exit("no weights of that name; key sk-abcdefghijklmnop")
    if OPTIONS.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        command = [sys.executable, "-c", deaf, OPTIONS.words[1]]
        subprocess.Popen(command, start_new_session=True)
        # An orphan from its birth: its parent ends at once.
        subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.Popen({command!r})"], check=True)
    print("arguments", *sys.argv[1:], flush=True)
    if OPTIONS.node_rank:  # one server answers for all nodes
        time.sleep(600)
    server = ThreadingHTTPServer((OPTIONS.host, OPTIONS.port), _Answers)
    server.serve_forever()


if __name__ == "__main__":
    OPTIONS = _options()
    main()
