"""Brings the nodes of a run together where nothing starts a command on all of them: SageMaker, SkyPilot, Kubernetes.

`python -I FOLDER/code/meet.py --job FOLDER/job.json` is the one command of every node. Node 0 supervises; the others
ask it for the number of the next attempt and start with it. An attempt that fails anywhere ends everywhere, and all
nodes end with the same code. Standard library only.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import node, process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import node
    import process

_PORT = 100  # beyond the ports on which attempts meet
_LOOK_S = 0.2
_LINE = 1 << 20  # bytes of a message at most
_FAREWELL_S = 60.0  # how long node 0 tells the others how it ended


class Link:
    """A connection that carries one JSON object a line, both ways."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._got = b""

    def fileno(self) -> int:
        """For `select`."""
        return self._connection.fileno()

    def send(self, **message: Any) -> bool:
        """Whether it could be sent."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message; None where none came in time. Raises ConnectionError where the other side is gone."""
        end = time.monotonic() + seconds
        while b"\n" not in self._got:
            left = end - time.monotonic()
            if left < 0 or not select.select([self._connection], [], [], left)[0]:
                return None
            try:
                part = self._connection.recv(1 << 16)
            except OSError:
                part = b""
            if not part or len(self._got) > _LINE:
                raise ConnectionError
            self._got += part
        line, _, self._got = self._got.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            raise ConnectionError from None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """The other side sees the end of it."""
        with contextlib.suppress(OSError):
            self._connection.close()


class Meeting:
    """What one node knows: its job, its place, and the process that trains here."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.folder = self.path.parent
        self.job: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        flags = argparse.Namespace(rank=None, master=None)
        self.here = node.found_place(flags, self.job, os.environ)
        self.port = int(self.job["port"]) + _PORT
        self.child: subprocess.Popen[bytes] | None = None
        self.asked: float | None = None  # when we were asked to end

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Run a command that ends with this process."""
        me = os.getpid()
        self.child = subprocess.Popen(command, start_new_session=True, preexec_fn=lambda: process.die_with_parent(me))
        return self.child

    def start_node(self, attempt: int) -> "subprocess.Popen[bytes]":
        """Begin an attempt here."""
        script = str(self.folder / "code" / "node.py")
        return self.start([str(self.job["python"]), "-I", script, "--job", str(self.path), "--attempt", str(attempt)])

    def end_child(self) -> None:
        """End what runs here: politely, after the grace by force."""
        if self.child is None:
            return
        process.send(self.child.pid, signal.SIGTERM)
        try:
            self.child.wait(float(self.job.get("grace_s", 60.0)))
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def overdue(self) -> bool:
        """Whether we were asked to end, and node 0 has had the time to end the attempt in good order."""
        return self.asked is not None and time.monotonic() - self.asked > float(self.job.get("grace_s", 60.0))


def supervise(meeting: Meeting) -> int:
    """Node 0: run the supervisor, then tell the others how it ended."""
    code = meeting.folder / "code"
    python = str(meeting.job["python"])
    lead = [python, "-I", str(code / "meet.py"), "--job", str(meeting.path), "--lead"]
    child = meeting.start([python, "-I", str(code / "supervise.py"), "--job", str(meeting.path), "--", *lead])

    def pass_on(number: int, frame: Any) -> None:
        process.send(child.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, pass_on)
    rc = child.wait()
    rc = rc if rc >= 0 else 128 - rc
    farewell(meeting, rc)
    return rc


def farewell(meeting: Meeting, rc: int) -> None:
    """Tell every other node that all is over, as far as they ask in time."""
    left, end = meeting.here.nodes - 1, time.monotonic() + _FAREWELL_S
    if not left:
        return
    with _listening(meeting.port) as server:
        while left and (seconds := end - time.monotonic()) > 0:
            server.settimeout(seconds)
            with contextlib.suppress(OSError):
                link = Link(server.accept()[0])
                with contextlib.suppress(ConnectionError):
                    left -= link.receive(5.0) is not None and link.send(over=rc)
                link.close()


def lead(meeting: Meeting, attempt: int) -> int:
    """Node 0 in one attempt: gather the others, start together, end together. The exit code is the attempt's."""
    links: dict[int, Link] = {}
    try:
        if not _gather(meeting, links):
            return 1
        for link in links.values():
            link.send(attempt=attempt)
        return _together(meeting, links, meeting.start_node(attempt))
    finally:
        for link in links.values():
            link.close()


def _gather(meeting: Meeting, links: dict[int, Link]) -> bool:
    """Wait for every other node; whether all of them came."""
    end = time.monotonic() + float(meeting.job.get("first_step_s", 3600.0))
    with _listening(meeting.port) as server:
        while missing := meeting.here.nodes - 1 - len(links):
            left = end - time.monotonic()
            if left <= 0:
                absent = sorted(set(range(1, meeting.here.nodes)) - set(links))
                _say(f"{missing} node(s) never came: {absent}")
                return False
            server.settimeout(left)
            with contextlib.suppress(OSError):
                link = Link(server.accept()[0])
                rank = _hello(meeting, link)
                if rank is None:
                    link.close()
                    continue
                if old := links.pop(rank, None):
                    old.close()
                links[rank] = link
    return True


def _hello(meeting: Meeting, link: Link) -> int | None:
    """The number of the node that came; None for what is no node of this job."""
    try:
        said = link.receive(10.0) or {}
    except ConnectionError:
        return None
    rank = said.get("rank")
    known = said.get("name") == meeting.job["name"] and isinstance(rank, int) and 0 < rank < meeting.here.nodes
    return rank if known else None


def _together(meeting: Meeting, links: dict[int, Link], child: "subprocess.Popen[bytes]") -> int:
    """Until all have ended: 0 where all ended with 0, else the first other code; a failure anywhere ends all."""
    waiting, paused = set(links), False
    while child.poll() is None or waiting:
        ready, _, _ = select.select([links[rank] for rank in waiting], [], [], _LOOK_S) if waiting else ([], [], [])
        if not waiting:
            time.sleep(_LOOK_S)
        for rank in [one for one in waiting if links[one] in ready]:
            try:
                said = links[rank].receive(_LOOK_S)
            except ConnectionError:
                said = {"ended": 1}
            if said is None or "ended" not in said:
                continue
            waiting.discard(rank)
            rc = int(said["ended"])
            paused |= rc == node.PAUSED
            if rc not in (0, node.PAUSED):
                _say(f"node {rank} ended with {rc}")
                meeting.end_child()
                return rc
        if child.poll() not in (None, 0, node.PAUSED):
            return child.returncode if child.returncode >= 0 else 128 - child.returncode
    return node.PAUSED if paused or child.returncode == node.PAUSED else 0


def follow(meeting: Meeting) -> int:
    """Any other node: take part in attempts until node 0 says that all is over; its code is ours."""

    def ask(number: int, frame: Any) -> None:
        meeting.asked = meeting.asked or time.monotonic()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, ask)
    patience = float(meeting.job.get("first_step_s", 3600.0))
    seen = time.monotonic()
    while time.monotonic() - seen < patience and not meeting.overdue():
        try:
            connection = socket.create_connection((str(meeting.here.master), meeting.port), timeout=10.0)
        except OSError:
            time.sleep(_LOOK_S)
            continue
        connection.settimeout(None)
        link = Link(connection)
        over = _attend(meeting, link, patience)
        link.close()
        if over is not None:
            return over
        seen = time.monotonic()
    _say(f"node 0 ({meeting.here.master}) is not there")
    return 1 if meeting.asked is None else 128 + signal.SIGTERM


def _attend(meeting: Meeting, link: Link, patience: float) -> int | None:
    """One attempt. The code to end with, None: ask node 0 again."""
    link.send(name=meeting.job["name"], rank=meeting.here.rank)
    said, end = None, time.monotonic() + patience
    try:
        while said is None and time.monotonic() < end and not meeting.overdue():
            said = link.receive(1.0)
        if said is None or "over" in said:
            return int(said["over"]) if said else None
        child = meeting.start_node(int(said["attempt"]))
        while child.poll() is None:
            if meeting.overdue():
                raise ConnectionError
            link.receive(_LOOK_S)
        link.send(ended=child.returncode if child.returncode >= 0 else 128 - child.returncode)
        while not meeting.overdue():  # node 0 closes when it has heard all
            link.receive(1.0)
    except ConnectionError:
        meeting.end_child()
    return None


def _listening(port: int) -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("", port))
    server.listen(512)
    return server


def _say(words: str) -> None:
    print(f"meet: {words}", file=sys.stderr, flush=True)


def main() -> int:
    """The exit code of this node's part; 2 where it cannot begin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--lead", action="store_true", help="one attempt of node 0: what its supervisor runs")
    flags = parser.parse_args()
    process.adopt_orphans()
    try:
        meeting = Meeting(flags.job)
        if not flags.lead:
            return supervise(meeting) if meeting.here.rank == 0 else follow(meeting)

        def end(number: int, frame: Any) -> None:
            meeting.end_child()
            sys.exit(128 + number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the supervisor's: it asks the ranks through the folder
        return lead(meeting, int(os.environ.get("VERISTILL_ATTEMPT", "0")))
    except node.Refusal as refusal:
        _say(str(refusal))
        return node.REFUSED


if __name__ == "__main__":
    sys.exit(main())
