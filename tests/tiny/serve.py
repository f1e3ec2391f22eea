"""A real OpenAI-compatible server on loopback: `transformers serve` with a tiny random model.

Its packages live in an environment of their own under .venvs/, made on first use (some minutes) and kept.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compat.environments import environment

REQUIREMENTS = ("torch==2.13.0", "transformers[serving]==5.23.0")
_START_S = 150.0


def tiny_model() -> tuple[Path, Path]:
    """The Python of the environment, and the folder of the model, made once. Raises NoPackages."""
    python = environment(*REQUIREMENTS)
    folder = python.parent.parent / "tiny-model"
    if not (folder / "model.safetensors").exists():
        script = Path(__file__).with_name("make_model.py")
        made = folder.with_name(f"tiny-model.{os.getpid()}")
        subprocess.run([python, "-I", script, made], check=True, capture_output=True, env=_quiet())
        if not folder.exists():
            made.rename(folder)
    return python, folder


@contextmanager
def serving(log: Path) -> Iterator[tuple[str, str]]:
    """The address (ending in /v1) and the model name of a running server; it ends with the block."""
    python, folder = tiny_model()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [python.with_name("transformers"), "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--device", "cpu"], stdout=out, stderr=out, env=_quiet(), start_new_session=True
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"transformers serve did not start: {log.read_text('utf-8', 'replace')[-3000:]}")


def _quiet() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
