"""What a request costs the client, beside the peers; memory over a million questions; a restart with 173,000 answers.

    python -P tests/bench/calls_peers.py [--only ours,raw] [--requests 4000] [--rounds 3] [--in-flight 64,256,1024]
    python -P tests/bench/calls_peers.py --million [--questions 1000000]
    python -P tests/bench/calls_peers.py --restart [--questions 173000]

The server answers 2 KB after 50 ms and runs in a process of its own; so does each client, rounds interleaved. `raw` is
aiohttp with nothing kept (the floor), `openai` the official client alone, `ours` a run's whole solve stage with its
durable ledger and a budget, `curator` Bespoke Curator in an environment of its own. On a busy machine trust the ratios.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.compat.environments import NoPackages, environment  # noqa: E402

HERE = Path(__file__).parent
CURATORS = {"curator:0.1.26": "bespokelabs-curator==0.1.26", "curator:newest": "bespokelabs-curator"}
ALL = ["raw", "openai", "ours", *CURATORS]
TIMEOUT_S = 900


@contextmanager
def server(latency: float = 0.05) -> Iterator[str]:
    """The scripted server; yields its address."""
    command = [sys.executable, "-P", str(HERE / "calls_server.py"), "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def client(name: str, url: str, requests: int, in_flight: int) -> dict[str, Any]:
    """Run one client and return what it told. Raises RuntimeError where it lost an answer."""
    if name in CURATORS:
        command = [str(environment(CURATORS[name])), "-P", str(HERE / "peers" / "curator_calls.py")]
    else:
        command = [sys.executable, "-P", str(HERE / "calls_client.py"), name]
    done = subprocess.run(
        [*command, url, str(requests), str(in_flight)], capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-1500:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told["answers"] != requests:
        raise RuntimeError(f"{name} brought {told['answers']} answers to {requests} requests")
    return told


def compare(args: argparse.Namespace) -> None:
    """Measure every client at every number in flight; print a table of medians."""
    chosen = [name for name in ALL if any(name.startswith(one) for one in args.only.split(","))]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with server() as url:
        for _ in range(args.rounds):
            for in_flight in map(int, args.in_flight.split(",")):
                for name in list(chosen):
                    try:
                        told = client(name, url, args.requests, in_flight)
                    except NoPackages as why:
                        print(f"{name}: not measured: {why}", file=sys.stderr)
                        chosen.remove(name)
                        continue
                    except RuntimeError as why:  # it lost an answer, or gave up: that is a result
                        print(why, file=sys.stderr)
                        continue
                    found.setdefault((name, in_flight), []).append(told)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; "
          f"{args.requests} requests, median of {args.rounds} (least)\n")  # fmt: skip
    print("| client | in flight | CPU ms a request | requests/s | peak MB |\n|---|---:|---:|---:|---:|")
    for (name, in_flight), rounds in sorted(found.items(), key=lambda one: (one[0][1], ALL.index(one[0][0]))):
        cpu = [1000 * one["cpu_s"] / args.requests for one in rounds]
        rate = statistics.median(args.requests / one["wall_s"] for one in rounds)
        peak = max(one["rss_mb"] for one in rounds)
        print(f"| {name} | {in_flight} | {statistics.median(cpu):.2f} ({min(cpu):.2f}) | {rate:,.0f} | {peak} |")
    if args.json:
        args.json.write_text(json.dumps([{"client": n, "in_flight": c, "rounds": r} for (n, c), r in found.items()]))


def scale(args: argparse.Namespace, what: str, questions: int) -> None:
    """Run one of the measurements of `calls_scale` in a process of its own."""
    command = [sys.executable, "-P", str(HERE / "calls_scale.py"), what, str(args.questions or questions)]
    subprocess.run(command, check=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="beginnings of clients' names, with commas between")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", default="64,256,1024")
    parser.add_argument("--json", type=Path, help="write every round's figures here")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--questions", type=int)
    args = parser.parse_args()
    if args.million:
        scale(args, "million", 1_000_000)
    elif args.restart:
        scale(args, "restart", 173_000)
    else:
        compare(args)


if __name__ == "__main__":
    main()
