"""Runs inside a Slurm job: starts a server (over several nodes, where the job has them), registers its endpoint in a
folder while it answers, and takes it away at the end, however that comes. Standard library only, Python 3.8 or newer:
its text stands in the scripts that `curate.calls.serving.script` writes.

    job.py --server vllm --model NAME --endpoints DIR [--lease FILE --lease-s S] [--ready-s S] [--drain-s S]
           -- COMMAND...

It ends with 0 when it was told to (SIGTERM, the lease of a run ran out), 1 when the server did not start or broke down.
SIGUSR1, which Slurm sends some minutes before the time limit, takes the endpoint away, lets what is in flight end, and
queues the job again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_BEAT_S = 15.0  # how often the endpoint's file is touched
_SICK = 6  # health checks in a row without an answer: the server hangs
# The first node of Ray. Nothing of it leaves the cluster, and nobody looks at its pages.
_HEAD = ["start", "--head", "--block", "--disable-usage-stats", "--include-dashboard=false"]
_GRACE_S = 12.0  # between SIGTERM and SIGKILL
_JOIN_S = 600.0  # until every node has joined
# A node that joins: its own address is the one from which it reaches the first node.
_JOIN = """
import os, socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    probe.connect((sys.argv[1], 9))
    own = os.environ["VLLM_HOST_IP"] = probe.getsockname()[0]
ray = sys.argv[3:]
os.execvp(ray[0], [*ray, "start", "--block", "--address=%s:%s" % tuple(sys.argv[1:3]), "--node-ip-address=" + own])
"""


class _Ended(Exception):
    """Somebody told us to end."""


class _Broken(Exception):
    """The server is no use."""


class _Job:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.id = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID", str(os.getpid())))
        if "SLURM_ARRAY_TASK_ID" in os.environ:
            self.id += "_" + os.environ["SLURM_ARRAY_TASK_ID"]
        listed = os.environ.get("SLURM_JOB_NODELIST", "")
        self.nodes = _lines(["scontrol", "show", "hostnames", listed]) or [socket.gethostname()]
        self.host = _address(self.nodes[0])
        self.port = _free_port()
        self.base_url = f"http://{self.host}:{self.port}/v1"
        self.file = Path(options.endpoints) / f"job-{self.id}.json"
        self.children: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.started = time.monotonic()
        self.retiring: float | None = None
        self.scratch: Path | None = None

    def run(self) -> None:
        """Serve until something ends it; raises `_Broken` where that is the server's fault."""
        self._check_lease()
        self._start(self._joined() if len(self.nodes) > 1 else self.options.command)
        self._until_healthy()
        self._register()
        beat, sick = time.monotonic(), 0
        while self.retiring is None or time.monotonic() - self.retiring < self.options.drain_s:
            time.sleep(2.0)
            self._check_children()
            sick = 0 if _healthy(self.port) else sick + 1
            if sick >= _SICK:
                raise _Broken("the server does not answer any more")
            if time.monotonic() - beat > min(_BEAT_S, self.options.lease_s / 4):
                self._check_lease()
                if self.retiring is None:
                    self._touch()
                beat = time.monotonic()
        _say("near the time limit: queued again")
        subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=False)

    def retire(self) -> None:
        """Take no new requests: the time limit is near."""
        # A limit shorter than the warning: it came at the start and means nothing. Without a run there is no hurry.
        if time.monotonic() - self.started > self.options.drain_s and self.options.lease and self.retiring is None:
            self.retiring = time.monotonic()
            self._remove()

    def end(self) -> None:
        """Take the endpoint away and end what was started."""
        self._remove()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _, child in self.children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
            end = time.monotonic() + _GRACE_S
            while any(child.poll() is None for _, child in self.children) and time.monotonic() < end:
                time.sleep(0.1)
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _start(self, command: list[str]) -> None:
        where = ["--host", "0.0.0.0", "--port", str(self.port)]
        self._spawn([*command, *where])

    def _spawn(self, command: list[str]) -> None:
        _say(" ".join(command))
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            raise _Broken(f"{command[0]}: {error.strerror}") from None
        self.children.append((command[0], child))

    def _joined(self) -> list[str]:
        """The command of a server over all nodes of the job, and what must run beside it."""
        own = _ip_towards(_address(self.nodes[1]))
        port = str(_free_port())
        count = str(len(self.nodes))
        if self.options.server == "sglang":
            script = 'exec "$@" --node-rank "$SLURM_PROCID"'
            step = ["srun", "--nodes=" + count, "--ntasks=" + count, "--ntasks-per-node=1"]
            step += ["--kill-on-bad-exit=1", "--cpu-bind=none"]
            joined = ["--nnodes", count, "--dist-init-addr", own + ":" + port]
            # `--host` and `--port` that follow go to bash as further words, and so to every node's server.
            return [*step, "bash", "-c", script, "serve", *self.options.command, *joined]
        os.environ["VLLM_HOST_IP"] = own
        os.environ["RAY_ADDRESS"] = own + ":" + port
        ray = _ray(self.options.command)
        # The usual folder may belong to another user of the node; TMPDIR may be too long for the paths of sockets.
        self.scratch = Path("/tmp") / f"ray-{self.id}"
        where = ["--node-ip-address=" + own, "--port=" + port, "--temp-dir=" + str(self.scratch)]
        self._spawn([*ray, *_HEAD, *where])
        self._until_joined(ray, own + ":" + port, 1)
        rest = str(len(self.nodes) - 1)
        step = ["srun", "--nodes=" + rest, "--ntasks=" + rest, "--ntasks-per-node=1", "--exclude=" + self.nodes[0]]
        step += ["--kill-on-bad-exit=1", "--cpu-bind=none"]
        self._spawn([*step, "python3", "-I", "-c", _JOIN, own, port, *ray])
        self._until_joined(ray, own + ":" + port, len(self.nodes))
        return list(self.options.command)

    def _until_joined(self, ray: list[str], address: str, nodes: int) -> None:
        end = time.monotonic() + _JOIN_S
        while time.monotonic() < end:
            self._check_children()
            done = subprocess.run(
                [*ray, "status", "--address", address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
            )
            active = done.stdout.decode("utf-8", "replace").partition("Pending:")[0]
            if sum(map(int, re.findall(r"^\s*(\d+) node_", active, re.MULTILINE))) >= nodes:
                return
            time.sleep(1.0)
        raise _Broken("not every node has joined Ray")

    def _until_healthy(self) -> None:
        end = time.monotonic() + self.options.ready_s
        while not _healthy(self.port):
            self._check_children()
            self._check_lease()
            if time.monotonic() > end:
                raise _Broken(f"the server did not answer within {self.options.ready_s:.0f} seconds")
            time.sleep(1.0)

    def _check_children(self) -> None:
        for program, child in self.children:
            if child.poll() is not None:
                raise _Broken(f"{program} ended with {child.returncode}")

    def _check_lease(self) -> None:
        """End when the run that asked for this server has not touched its lease for too long."""
        if self.options.lease is None:
            return
        probe = Path(self.options.endpoints) / (".now-" + self.id)  # the file system's clock, not this node's
        try:
            probe.touch()
            late = probe.stat().st_mtime - Path(self.options.lease).stat().st_mtime
        except OSError:
            late = self.options.lease_s + 1.0 if not Path(self.options.lease).exists() else 0.0
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        if late > self.options.lease_s:
            raise _Ended("the run has ended")

    def _register(self) -> None:
        self._touch()
        _say("serving at " + self.base_url)

    def _touch(self) -> None:
        record = {
            "base_url": self.base_url,
            "model": self.options.model,
            "job": self.id,
            "host": self.nodes[0],
            "started": round(time.time(), 3),
        }
        partial = self.file.with_name("." + self.file.name)
        with contextlib.suppress(OSError):  # a file system that is away for a moment
            if self.file.exists():
                self.file.touch()
            else:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                partial.write_text(json.dumps(record), "utf-8")
                partial.replace(self.file)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self.file.unlink()


def _ray(command: list[str]) -> list[str]:
    """The `ray` that stands beside the `vllm` of a command, in the same container if there is one."""
    program = command[: command.index("serve")]
    path = Path(program[-1])
    return [*program[:-1], str(path.with_name("ray")) if path.parent != Path() else "ray"]


def _address(node: str) -> str:
    """Where a node is reached, which need not be its name."""
    for line in _lines(["scontrol", "show", "node", node, "-o"]):
        found = re.search(r"NodeAddr=(\S+)", line)
        if found:
            return found.group(1)
    return node


def _ip_towards(host: str) -> str:
    """Our own address on the network on which `host` is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=10):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _lines(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return []
    return done.stdout.decode("utf-8", "replace").split("\n")[:-1]


def _say(what: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {what}\n")
    sys.stdout.flush()


def main() -> int:
    """The exit code of the job."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, choices=("vllm", "sglang", "transformers"))
    for name in ("--model", "--endpoints"):
        parser.add_argument(name, required=True)
    parser.add_argument("--lease")
    parser.add_argument("--lease-s", type=float, default=900.0)
    parser.add_argument("--ready-s", type=float, default=3600.0)
    # The warning of the time limit comes 600 seconds before it: what is in flight then has most of that to end.
    parser.add_argument("--drain-s", type=float, default=540.0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    Path(options.endpoints).mkdir(parents=True, exist_ok=True)
    job = _Job(options)

    def ended(number: int, frame: Any) -> None:
        raise _Ended(f"told to end (signal {number})")

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGUSR1, lambda number, frame: job.retire())
    try:
        job.run()
    except _Ended as why:
        _say(str(why))
    except _Broken as why:
        _say(f"failed: {why}")
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        job.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
