"""A Docker engine for tests: a daemon of our own that lives as long as the session."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

ENGINES = "/tmp/veristill-engine-"  # where the folders of engines lie
_START_S = 60.0
_CONTAINERD = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'


class Engine:
    """A `dockerd` of this process, with a `containerd` beside it as on a usual machine, and without networks.

    All that is its own lies in one folder of /tmp. `url` is what `DOCKER_HOST` takes. `kill` and `start` are for tests
    of what happens when the daemon goes away. `flags` go to the daemon.
    """

    def __init__(self, *flags: str) -> None:
        self.flags = flags
        self.folder = Path(tempfile.mkdtemp(prefix=Path(ENGINES).name, dir="/tmp"))
        self.url = f"unix://{self.folder}/docker.sock"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        folder = self.folder
        where = ["--address", f"{folder}/containerd.sock", "--root", f"{folder}/root", "--state", f"{folder}/state"]
        (folder / "containerd.toml").write_text(_CONTAINERD)
        self._containerd = self._process(["containerd", "--config", f"{folder}/containerd.toml", *where])
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _process(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        folder = self.folder
        command = ["dockerd", "--iptables=false", "--bridge=none", "-H", self.url, "--data-root", f"{folder}/data"]
        command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid", *self.flags]
        command += ["--containerd", f"{folder}/containerd.sock"]
        (folder / "pid").unlink(missing_ok=True)
        self._daemon = self._process(command)
        deadline = time.monotonic() + _START_S
        while not self.answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether the daemon answers now."""
        import docker
        from docker.errors import DockerException

        try:
            client = docker.DockerClient(base_url=self.url, timeout=5)
        except DockerException:
            return False
        try:
            return bool(client.ping())
        except (DockerException, OSError):
            return False
        finally:
            client.close()

    @property
    def pids(self) -> list[int]:
        """Of the daemon and its containerd."""
        return [one.pid for one in (self._daemon, self._containerd) if one is not None]

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def stop(self) -> None:
        """End the daemon, containerd, what they started, and the mounts that they made."""
        for process in (self._daemon, self._containerd):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for path in Path("/proc").glob("[0-9]*/cmdline"):  # shims, after a crash
            try:
                words = path.read_bytes().split(b"\0")
                if b"shim" in words[0] and f"{self.folder}/containerd.sock".encode() in words:
                    os.kill(int(path.parent.name), signal.SIGKILL)
            except OSError:  # it ended meanwhile
                continue
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            if (place := line.split()[4]).startswith(str(self.folder)):
                subprocess.run(["umount", "-l", place], check=False)


def missing_part() -> str | None:
    """What this machine lacks to start an engine; None where it can."""
    if shutil.which("dockerd") is None:
        return "dockerd (apt-get install docker.io)"
    return None if os.geteuid() == 0 else "root, to start a Docker engine"
