"""Starts node.py on every host through ssh, and ends all of them when one fails.

`python -I FOLDER/code/spread.py --job FOLDER/job.json --hosts FOLDER/hosts.json`. Each node hangs on its connection:
when this process ends, however it does, the connections end, and the nodes with them. Standard library only.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import process

_PAUSED = 4  # node.py's exit code
_UNREACHED = 255  # ssh's own
_END_S = 20.0  # a node needs up to ten seconds to end its ranks


class Spread:
    """The connections of one attempt."""

    def __init__(self, job: dict[str, Any], plan: dict[str, Any], attempt: int) -> None:
        self.hosts, self.stopped = list(plan["hosts"]), False
        self.children: list[subprocess.Popen[bytes]] = []
        me = os.getpid()
        code = PurePosixPath(job["folder"])
        for rank, host in enumerate(self.hosts):
            node = [job["python"], "-I", str(code / "code" / "node.py"), "--job", str(code / "job.json"), "--tied"]
            node += ["--rank", str(rank), "--master", str(plan["master"]), "--attempt", str(attempt)]
            child = subprocess.Popen(
                [*plan["ssh"], host, shlex.join(node)],
                stdin=subprocess.PIPE,  # held open: its end is the node's
                start_new_session=True,
                preexec_fn=lambda: process.die_with_parent(me),
            )
            self.children.append(child)

    def stop(self, number: int, frame: FrameType | None = None) -> None:
        """Fit for a signal handler."""
        self.stopped = True

    def wait(self) -> int:
        """Until all nodes have ended; 0, 4 where they paused, else the exit code of the first that failed."""
        while not self.stopped:
            codes = [child.poll() for child in self.children]
            failed = [rank for rank, rc in enumerate(codes) if rc not in (None, 0, _PAUSED)]
            if failed:
                rank = failed[0]
                why = "cannot be reached, or its connection broke" if codes[rank] == _UNREACHED else "ended"
                print(f"spread: {self.hosts[rank]} {why} ({codes[rank]})", file=sys.stderr, flush=True)
                self.end()
                return int(codes[rank] or 1)
            if None not in codes:
                return max(rc or 0 for rc in codes)
            time.sleep(0.1)
        self.end()
        return 128 + signal.SIGTERM

    def end(self) -> None:
        """Close the connections, wait for the nodes, then kill what does not let go."""
        for child in self.children:
            assert child.stdin is not None
            child.stdin.close()
        deadline = time.monotonic() + _END_S
        for child in self.children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def main() -> int:
    """The exit code of the job on all hosts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--hosts", required=True, type=Path)
    flags = parser.parse_args()
    attempt = int(os.environ.get("VERISTILL_ATTEMPT", "0"))
    spread = Spread(json.loads(flags.job.read_text("utf-8")), json.loads(flags.hosts.read_text("utf-8")), attempt)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, spread.stop)
    return spread.wait()


if __name__ == "__main__":
    sys.exit(main())
