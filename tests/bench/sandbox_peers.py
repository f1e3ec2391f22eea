"""What a test costs in this sandbox and in its peers: the same programs, in one run, rounds interleaved.

    python -P tests/bench/sandbox_peers.py [--only ours,fork] [--programs 100] [--rounds 3] [--workers 2] [--json FILE]

For each runner and kind of test the medians over the rounds: CPU time per test of all its processes (daemons and
containers too, as root), tests per second, time from giving a program with ten tests to its verdict (one at a time, p50
and p99), and peak memory. A runner that cannot run here is named with the reason. Curator runs in environments of its
own, which pip makes under .venvs/. Docker runners get a Docker engine of their own, in the group that is measured.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.peers.meter import Meter, descendants  # noqa: E402
from tests.bench.peers.programs import TESTS, programs  # noqa: E402
from tests.compat.environments import NoPackages, environment  # noqa: E402
from tests.engine import Engine, missing_part  # noqa: E402

KINDS = ("stdin", "call")
OURS = [f"ours:{backend}:{mode}" for backend in ("namespaces", "docker") for mode in ("fast", "strict")]
FORKS = ["fork:none", "fork:bare", "fork:empty", "fork:program"]
CURATORS = {"curator:0.1.26": "bespokelabs-curator==0.1.26", "curator:newest": "bespokelabs-curator"}
ALL = [*FORKS, "ours:default", *OURS, "python", "bwrap", *CURATORS, "docker"]
# Programs at most, for runners that take long: a test costs some 20 ms, and a container some 500.
FEWER = {"python": 20, "bwrap": 20, "docker": 1, **dict.fromkeys(CURATORS, 10)}


class Missing(Exception):
    """Why a runner cannot run here."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="beginnings of runners' names, with commas between")
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--scaling", action="store_true", help="measure ours with 1 worker too")
    parser.add_argument("--json", type=Path, help="write every round's figures here")
    args = parser.parse_args()
    chosen = [name for name in ALL if any(name.startswith(one) for one in args.only.split(","))]
    runs = [(name, args.workers) for name in chosen]
    if args.scaling:
        runs += [(name, 1) for name in chosen if name.startswith("ours")]
    found, missing = measure(runs, args.kinds.split(","), args.programs, args.rounds)
    print(f"{time.strftime('%Y-%m-%d')}, {machine()}, load {os.getloadavg()[0]:.1f}")
    print(table(found))
    for name, why in missing.items():
        print(f"not measured: {name}: {why}")
    if args.json:
        args.json.write_text(json.dumps([{"run": list(key), "rounds": rounds} for key, rounds in found.items()]))


Found = dict[tuple[str, str, int], list[dict[str, Any]]]


def measure(runs: list[tuple[str, int]], kinds: list[str], count: int, rounds: int) -> tuple[Found, dict[str, str]]:
    """Every runner once a round, so that what else the machine does falls on all of them."""
    found: Found = defaultdict(list)
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="veristill-bench-")))
        meter = stack.enter_context(Meter(f"veristill-bench-{os.getpid()}"))
        docker = stack.enter_context(engine(meter)) if any("docker" in name for name, _ in runs) else {}
        settings = {name: _ready(name, docker, missing) for name, _ in dict(runs).items()}
        for number in range(rounds):
            for kind in kinds:
                for name, workers in runs:
                    if name in missing:
                        continue
                    path = folder / f"{kind}-{name.replace(':', '-')}.json"
                    path.write_text(json.dumps(programs(kind, min(count, FEWER.get(name, count)))))
                    try:
                        figures = once(name, path, workers, meter, settings[name])
                    except Missing as why:
                        missing[name] = str(why)
                        continue
                    found[name, kind, workers].append(figures)
                    print(f"round {number + 1} {kind} {name} x{workers}: {figures['cpu_ms']:.2f} ms", file=sys.stderr)
    return found, missing


def once(name: str, path: Path, workers: int, meter: Meter, settings: dict[str, str]) -> dict[str, Any]:
    """One run of one runner. Raises Missing with what it said if it did not end well."""
    runner = ROOT / "tests/bench/peers/runner.py"
    command = [settings.get("python", sys.executable), "-P", str(runner), name, str(path), str(workers)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **settings},
        )
        try:
            meter.enter(process.pid)
            _tell(process)
            _hear(process, "ready")
            meter.look()
            before = meter.cpu_s()
            _tell(process)
            done = _hear(process, "done")
            cpu = meter.cpu_s() - before
            peak = meter.stop_looking()
            alone = _hear(process, "alone_s")["alone_s"]
            process.wait(60)
        except (EOFError, OSError):
            process.kill()
            process.wait()
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            raise Missing(said[-1] if said else f"it ended with {process.returncode}") from None
        finally:
            meter.stop_looking()
    count = len(json.loads(path.read_text()))
    return {
        "cpu_ms": 1000 * cpu / (count * TESTS),
        "per_s": count * TESTS / done["wall_s"],
        "right": f"{done['right']}/{count}",
        "alone_ms": [1000 * one for one in alone],
        "peak_mb": peak,
    }


@contextmanager
def engine(meter: Meter) -> Iterator[dict[str, str] | str]:
    """A Docker engine in the meter's group, with the sandbox's image in it: its environment, or why there is none."""
    if part := missing_part():
        yield part
        return
    with Engine(f"--cgroup-parent=/{meter.name}") as own:
        for pid in own.pids:
            for one in descendants(pid):
                meter.enter(one)
        settings = {"DOCKER_HOST": own.url}
        making = subprocess.run(
            [sys.executable, "-c", _IMAGE], capture_output=True, text=True, env={**os.environ, **settings}
        )
        if making.returncode == 0:
            yield {**settings, "BENCH_IMAGE": making.stdout.split()[-1]}
        else:
            yield making.stderr.strip().splitlines()[-1]


# Opening the sandbox makes its image; `docker run` gets the same one.
_IMAGE = """
import docker
from sandbox import Sandbox
with Sandbox(backend="docker", workers=1):
    print(docker.from_env().images.list()[0].id)
"""


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str], what: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise EOFError
    facts: dict[str, Any] = json.loads(line)
    assert what in facts, facts
    return facts


def _ready(name: str, docker: dict[str, str] | str, missing: dict[str, str]) -> dict[str, str]:
    """What a runner needs, as its environment; where that is not here, it stands in `missing`."""
    settings: dict[str, str] = {}
    try:
        if name == "bwrap" and not shutil.which("bwrap"):
            raise Missing("there is no bwrap")
        if name in CURATORS:
            python = environment(CURATORS[name])
            settings = {"python": str(python), "PATH": f"{python.parent}:{os.environ['PATH']}"}
        if "docker" in name:
            if isinstance(docker, str):
                raise Missing(docker)
            settings = docker
    except (Missing, NoPackages) as why:
        missing[name] = str(why).strip().splitlines()[-1]
    return settings


def table(found: Found) -> str:
    """The medians, a line a runner and kind."""
    lines = [
        "| runner | workers | tests | CPU ms per test | tests per s | p50 / p99 ms per program | peak MB | right |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, kind, workers), rounds in found.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in ("cpu_ms", "per_s", "peak_mb")}
        alone = sorted(one for figures in rounds for one in figures["alone_ms"])
        times = f"{statistics.median(alone):.1f} / {alone[int(0.99 * (len(alone) - 1))]:.1f}" if alone else "-"
        lines.append(
            f"| {name} | {workers} | {kind} | {middle['cpu_ms']:.2f} | {middle['per_s']:.0f} | {times} "
            f"| {middle['peak_mb']:.0f} | {', '.join(sorted({one['right'] for one in rounds}))} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """The machine, in words."""
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]  # fmt: skip  # noqa: E501
    return f"{len(os.sched_getaffinity(0))} cores {model[0] if model else platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"  # fmt: skip  # noqa: E501


if __name__ == "__main__":
    main()
