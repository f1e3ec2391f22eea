"""Starts one node's ranks and ends with them: the one command that every launcher brings onto every node.

`python -I FOLDER/code/node.py --job FOLDER/job.json [--rank R] [--master HOST] [--attempt A]`. Which node this is, how
many there are and where they meet comes from the flags, else from Slurm, SageMaker, SkyPilot, Kubeflow or torchrun.
All output also goes to FOLDER/logs/. Nothing that it started outlives it. Standard library only.
"""

import argparse
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING or __package__:
    from train.inside import process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import process

PAUSED, REFUSED, PORT_TAKEN = 4, 2, errno.EADDRINUSE
_PORTS = 100  # attempts count ports from the job's own upwards, and begin again
_LOCK_S = 30.0  # how long ranks of an earlier attempt may take to end


class Refusal(Exception):
    """The node cannot begin; `code` is its exit code."""

    def __init__(self, words: str, code: int = REFUSED) -> None:
        super().__init__(words)
        self.code = code


class Place(NamedTuple):
    """Which node this is, of how many, and the host on which they meet (None: the job must say it)."""

    rank: int
    nodes: int
    master: str | None
    said_by: str


def place(env: Mapping[str, str]) -> Place | None:
    """What the surroundings say of this node; None where they say nothing: a single machine."""
    if "SLURM_NODEID" in env and "SLURM_STEP_ID" in env:
        nodes = env.get("SLURM_STEP_NUM_NODES") or env.get("SLURM_JOB_NUM_NODES", "1")
        master = env.get("VERISTILL_MASTER") or env.get("MASTER_ADDR") or _slurm_master(env)
        return Place(int(env["SLURM_NODEID"]), int(nodes), master, "Slurm")
    if "SM_CURRENT_HOST" in env:
        hosts = sorted(json.loads(env.get("SM_HOSTS", "null")) or [env["SM_CURRENT_HOST"]])
        rank = int(env.get("SM_CURRENT_HOST_RANK", hosts.index(env["SM_CURRENT_HOST"])))
        count = int(env.get("SM_HOST_COUNT", len(hosts)))
        return Place(rank, count, env.get("SM_MASTER_ADDR", hosts[0]), "SageMaker")
    if "SKYPILOT_NODE_RANK" in env:
        ips = env["SKYPILOT_NODE_IPS"].split()
        return Place(int(env["SKYPILOT_NODE_RANK"]), int(env.get("SKYPILOT_NUM_NODES", len(ips))), ips[0], "SkyPilot")
    if "PET_NODE_RANK" in env:
        nodes = env.get("PET_NNODES", "1").partition(":")[0]
        return Place(int(env["PET_NODE_RANK"]), int(nodes), env.get("PET_MASTER_ADDR"), "Kubeflow")
    if "NODE_RANK" in env:
        return Place(int(env["NODE_RANK"]), int(env.get("NNODES", "1")), env.get("MASTER_ADDR"), "NODE_RANK")
    return None


def _slurm_master(env: Mapping[str, str]) -> str | None:
    """The address of the first node. Its NodeAddr: node names need not resolve."""
    nodes = env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST")
    if not nodes:
        return None
    try:
        names = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True)
        first = names.stdout.split()[0]
        shown = subprocess.run(["scontrol", "show", "node", first, "-o"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError, IndexError):
        return env.get("SLURM_LAUNCH_NODE_IPADDR")
    return next((word[9:] for word in shown.stdout.split() if word.startswith("NodeAddr=")), first)


def found_place(flags: argparse.Namespace, job: dict[str, Any], env: Mapping[str, str]) -> Place:
    """Flags first, then the surroundings, then the job. Raises Refusal where they contradict the job."""
    nodes = int(job["nodes"])
    around = place(env) if flags.rank is None else None
    if flags.rank is not None:
        here = Place(flags.rank, nodes, None, "--rank")
    elif around is not None:
        here = around
    elif nodes == 1:
        here = Place(0, 1, "127.0.0.1", "one node")
    else:
        raise Refusal(f"the job has {nodes} nodes, but nothing here says which one this is: give --rank and --master")
    if here.nodes != nodes:
        raise Refusal(f"{here.said_by} started {here.nodes} nodes, the job has {nodes}")
    if not 0 <= here.rank < nodes:
        raise Refusal(f"{here.said_by} calls this node {here.rank}, the job has nodes 0 to {nodes - 1}")
    master = flags.master or job.get("master") or here.master or ("127.0.0.1" if nodes == 1 else None)
    if master is None:
        raise Refusal("nothing says on which host the nodes meet: give --master, or `master` in job.json")
    return here._replace(master=master)


def port_for(job: dict[str, Any], attempt: int, here: Place) -> int:
    """Attempt A meets on the job's port + A. A single node takes the next free one.

    Raises Refusal (exit 98) on the first of several nodes where the port is taken: all must agree on it, and the next
    attempt counts one further.
    """
    port = int(job["port"]) + attempt % _PORTS
    if here.rank != 0 or _free(port):
        return port
    if here.nodes > 1:
        raise Refusal(f"port {port} is taken on {socket.gethostname()}; the next attempt takes another", PORT_TAKEN)
    return next((one for one in range(port + 1, port + _PORTS) if _free(one)), port)


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def command(job: dict[str, Any], folder: Path, here: Place, port: int) -> list[str]:
    """What starts this node's ranks: a list, so that spaces in paths are nothing special."""
    code = folder / "code"
    entry = [str(code / "entry.py"), "--job", str(folder / "job.json")]
    python, nodes, processes = str(job["python"]), int(job["nodes"]), int(job["processes"])
    if job.get("accelerate"):
        flags = ["--config_file", str(folder / job["accelerate"]), "--num_machines", str(nodes)]
        flags += ["--num_processes", str(nodes * processes), "--machine_rank", str(here.rank)]
        flags += ["--main_process_ip", str(here.master), "--main_process_port", str(port), "--rdzv_backend", "static"]
        return [python, "-m", "accelerate.commands.launch", *flags, *entry]
    if nodes * processes == 1 and job.get("expect", {}).get("sharded", "none") == "none":
        return [python, "-u", *entry]
    flags = ["--nnodes", str(nodes), "--nproc-per-node", str(processes), "--node-rank", str(here.rank)]
    # Static: every node is here or the attempt ends. Restarts are the supervisor's, which restarts all of them.
    flags += ["--master-addr", str(here.master), "--master-port", str(port), "--max-restarts", "0"]
    return [python, "-m", "torch.distributed.run", *flags, *entry]


class Node:
    """One attempt on one node."""

    def __init__(self, job: dict[str, Any], folder: Path, here: Place, attempt: int) -> None:
        self.job, self.folder, self.here, self.attempt = job, folder, here, attempt
        self.state = folder / "state" / f"node-{here.rank}.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.ended_by: str | None = None

    def run(self) -> int:
        """Until the ranks have ended; the exit code is theirs, or 4 where they paused on request."""
        process.adopt_orphans()
        before = process.read_state(self.state).get("host", socket.gethostname())
        self.tell(state="starting", step=None, rc=None)
        if before == socket.gethostname():  # else they ended with their machine, whose locks may outlive it
            self._wait_for_earlier()
        port = port_for(self.job, self.attempt, self.here)
        log = self.folder / "logs" / f"attempt-{self.attempt}-node-{self.here.rank}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        me = os.getpid()
        with self._opened(log) as sink:
            self.process = subprocess.Popen(
                command(self.job, self.folder, self.here, port),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: process.die_with_parent(me),
            )
            copying = threading.Thread(target=_copy, args=(self.process.stdout, sink), daemon=True)
            copying.start()
            if self.ended_by:  # between the first line and this one
                process.end_descendants(me, 0.0)
            rc = self.process.wait()
            process.end_descendants(me, 2.0)
            copying.join(5)
        return self._result(rc)

    def end(self, why: str) -> None:
        """End the ranks: politely for a moment, then by force. `run` returns afterwards."""
        if self.ended_by is None:
            self.ended_by = why
            threading.Thread(target=process.end_descendants, args=(os.getpid(), 5.0), daemon=True).start()

    def tell(self, **facts: Any) -> None:
        """Write into this node's state file. What the ranks last said in this attempt stays."""
        told = process.read_state(self.state)
        if told.get("attempt") != self.attempt:
            told = {}
        host = {"node": self.here.rank, "host": socket.gethostname(), "supervised_by": os.getpid()}
        with contextlib.suppress(OSError):  # a full disk: the exit code still says it
            process.write_state(self.state, {**told, **host, "attempt": self.attempt, "time": time.time(), **facts})

    def _result(self, rc: int) -> int:
        told = process.read_state(self.state)
        state = told.get("state") if told.get("attempt") == self.attempt else None
        if rc == 0 and state == "paused":
            return PAUSED
        if state == "refused":  # by the ranks, which say why
            return REFUSED
        code = rc if rc >= 0 else 128 - rc
        if code and state == "done" and not self.ended_by:
            # The model is written; a rank was lost in leaving (gloo may abort there). To start again would only make
            # one step too many: transformers makes a step before it sees that none is left.
            print(f"node: a rank ended with {rc} after training was done", file=sys.stderr, flush=True)
            code = 0
        if self.ended_by and code == 0:
            code = 128 + signal.SIGTERM
        self.tell(state="ended" if code == 0 else "failed", rc=code, why=self.ended_by)
        return code

    def _wait_for_earlier(self) -> None:
        """Ranks of an earlier attempt hold a lock while they live. Raises Refusal if they do not end."""
        path = self.folder / "state" / f"node-{self.here.rank}.ranks"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            deadline = time.monotonic() + _LOCK_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        words = f"ranks of an earlier attempt still run as node {self.here.rank} of {self.folder}"
                        raise Refusal(f"{words}; end them first") from None
                    time.sleep(0.2)
                except OSError:  # a file system without flock
                    return

    def _environment(self) -> dict[str, str]:
        # What another launcher left behind must not speak for us: torchrun sets these itself.
        stale = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
        kept = {key: value for key, value in os.environ.items() if key not in stale and not key.startswith("PET_")}
        own = {"VERISTILL_ATTEMPT": str(self.attempt), "VERISTILL_NODE": str(self.here.rank)}
        safe = {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
        return {**kept, **safe, **{key: str(value) for key, value in self.job.get("env", {}).items()}, **own}

    @contextlib.contextmanager
    def _opened(self, log: Path) -> Any:
        try:
            sink: IO[bytes] | None = log.open("ab", buffering=0)
        except OSError:  # a full disk: what the ranks say still goes to our own output
            sink = None
        try:
            yield sink
        finally:
            if sink is not None:
                sink.close()


def _copy(source: IO[bytes], sink: IO[bytes] | None) -> None:
    """Everything to the log and to our output; the ranks must never wait because either is full or closed."""
    while chunk := os.read(source.fileno(), 1 << 16):
        if sink is not None:
            with contextlib.suppress(OSError, ValueError):
                sink.write(chunk)
        with contextlib.suppress(OSError):
            os.write(1, chunk)


def main() -> int:
    """The exit code of the ranks; 2 where this node cannot begin, 98 where its port is taken, 4 after a pause."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--master")
    parser.add_argument("--attempt", type=int, default=int(os.environ.get("VERISTILL_ATTEMPT", "0")))
    parser.add_argument("--tied", action="store_true", help="end when standard input does")
    flags = parser.parse_args()
    folder = flags.job.absolute().parent
    job = json.loads(flags.job.read_text("utf-8"))
    node = None
    try:
        node = Node(job, folder, found_place(flags, job, os.environ), flags.attempt)

        def stop(number: int, frame: FrameType | None) -> None:
            node.end(signal.Signals(number).name)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the supervisor's: it asks the ranks through the folder
        if flags.tied:
            process.when_input_ends(lambda: node.end("the connection ended"))
        return node.run()
    except Refusal as refusal:
        print(f"node: {refusal}", file=sys.stderr, flush=True)
        if node is not None:
            node.tell(state="refused", rc=refusal.code, why=str(refusal))
        else:  # which node this is, is not known
            told = {"attempt": flags.attempt, "state": "refused", "rc": refusal.code, "why": str(refusal)}
            process.write_state(folder / "state" / f"refused-{socket.gethostname()}.json", told)
        return refusal.code


if __name__ == "__main__":
    sys.exit(main())
