"""What the nodes say before the run begins: `train/inside/probe.py` on all of them at once, judged.

The launcher knows how a command gets onto every node; where it cannot before the job itself runs, that is said.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import Prerequisite, VeristillError
from train.checks import as_finding, compilers
from train.finding import Finding
from train.inside.probe import MARK

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job
    from train.launcher import NodeReply

SKEW_S = 5.0  # heartbeats of the nodes are compared with each other
_PATIENCE_S = 300.0
_FOLDER = "run folder"


def findings(
    block: "Train", job: "Job", here: Path, need: Sequence[str], say: Callable[[str], None]
) -> Iterator[Finding]:
    """Ask every node, and judge. `need`: what each must see, absolute or relative to the run's folder."""
    token = f"token-{secrets.token_hex(4)}"
    path = here / "state" / token
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(token, "utf-8")
    command = [job.python, "-I", job.path("code", "probe.py"), "--job", job.path("job.json"), "--token", token]
    command += ["--need", *need, "--patience", str(min(_PATIENCE_S, job.first_step_s))]
    command += ["--reduce"] if job.world > 1 else []
    say(f"asking {job.nodes} node{'s' if job.nodes > 1 else ''}")
    try:
        replies = block.launcher.each(job, command, 3 * _PATIENCE_S)
        if replies is None:
            words = f"{block.launcher.kind()}: nodes cannot be asked before the job runs on them"
            yield Finding.skipped("nodes", words)
            return
        yield from judged(block, job, replies, seen_from_here(path))
    except VeristillError as error:
        yield as_finding("nodes", error)
    finally:
        for one in path.parent.glob(f"{token}*"):
            one.unlink(missing_ok=True)


def seen_from_here(path: Path) -> set[int]:
    """The ranks of the nodes whose answers beside the token are seen on this machine."""
    found = set()
    for one in path.parent.glob(f"{path.name}-*"):
        words = one.read_text("utf-8").split()
        if words and words[0] == path.name:
            found.add(int(words[1]))
    return found


def judged(block: "Train", job: "Job", replies: "Sequence[NodeReply]", seen: set[int]) -> Iterator[Finding]:
    """The findings in the nodes' replies; `seen`: whose answers arrived in the run's folder on this machine."""
    told = {reply.node: said for reply in replies if (said := _report(reply)) is not None}
    for reply in replies:
        if reply.node not in told:
            yield Finding.bad("nodes", _silent(reply))
    if len(replies) != job.nodes:
        yield Finding.bad(
            "nodes",
            Prerequisite(
                f"the launcher has {len(replies)} nodes, the recipe {job.nodes}",
                where="train.cluster.nodes",
                next="make them equal",
            ),
        )
    for node, said in told.items():
        yield from _folder(job, node, said, seen)
        yield from _gpus(job, node, said)
        yield from compilers(block, said["programs"], node)
        if said["port"] not in ("free", None):
            yield Finding.bad("port", _taken(job, node, said["port"]))
    if told and len(told) == len(replies):
        yield from _equal(told)
        yield from _reduced(job, told)


def _report(reply: "NodeReply") -> dict[str, Any] | None:
    lines = [line for line in reply.output.splitlines() if line.startswith(MARK)]
    try:
        found: dict[str, Any] = json.loads(lines[-1].removeprefix(MARK)) if lines and reply.rc == 0 else {}
    except ValueError:
        return None
    return found or None


def _silent(reply: "NodeReply") -> Prerequisite:
    last = (reply.output.strip().splitlines() or ["no answer"])[-1]
    what = "it cannot be reached, or did not answer in time" if reply.rc is None else f"exit code {reply.rc}"
    return Prerequisite(
        f"{what}: {last}",
        where=reply.node,
        next="the run's folder and the training interpreter must be at the same paths on every node",
    )


def _folder(job: "Job", node: str, said: dict[str, Any], seen: set[int]) -> Iterator[Finding]:
    if not job.shared:
        return
    if said["token"] != "ok":
        yield Finding.bad(
            _FOLDER,
            Prerequisite(
                f"the run's folder is not shared: what this machine writes is not seen there ({said['token']})",
                where=node,
                next="put the run on a file system that all nodes mount, with --root",
            ),
        )
    elif said["rank"] not in seen:
        yield Finding.bad(
            _FOLDER,
            Prerequisite(
                "the run's folder is not shared: what the node writes is not seen here",
                where=node,
                next="put the run on a file system that all nodes mount, with --root",
            ),
        )
    elif said["missing"]:
        yield Finding.bad(
            _FOLDER,
            Prerequisite(
                f"it does not see {', '.join(said['missing'])}",
                where=node,
                next="veristill train stage RECIPE puts student and dataset into the run's folder",
            ),
        )
    else:
        yield Finding.good(_FOLDER, f"{node} reads and writes it")


def _gpus(job: "Job", node: str, said: dict[str, Any]) -> Iterator[Finding]:
    if job.accelerator != "cuda":
        return
    gpus = said["gpus"]
    if len(gpus) != job.processes:
        yield Finding.bad(
            "GPUs",
            Prerequisite(
                f"it has {len(gpus)} GPUs, the recipe says {job.processes}: the world would be another one",
                where=node,
                next="correct train.cluster.gpus, or look at nvidia-smi and CUDA_VISIBLE_DEVICES there",
            ),
        )
        return
    busy = [one for one in gpus if one["used"] and one["total"] and one["used"] > 0.05 * one["total"]]
    if busy:
        most = max(one["used"] for one in busy)
        yield Finding.warning("GPUs", f"{len(busy)} are in use, up to {most:,} MiB", where=node, next="nvidia-smi")
    else:
        yield Finding.good("GPUs", f"{node}: {len(gpus)} x {gpus[0]['name']}")


def _taken(job: "Job", node: str, words: str) -> Prerequisite:
    return Prerequisite(
        f"port {job.port}, on which the ranks meet, is taken ({words})",
        where=node,
        next="end what listens there (ss -ltnp), or give the recipe another `name:`, which gives it another port",
    )


def _equal(told: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """The same interpreter and packages on every node."""
    first, *others = told
    mistakes = []
    for node in others:
        one, other = told[first]["versions"], told[node]["versions"]
        names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
        mistakes += [f"{name} {one.get(name)} on {first}, {other.get(name)} on {node}" for name in names]
        if told[first]["python"] != told[node]["python"]:
            mistakes.append(f"Python {told[first]['python']} on {first}, {told[node]['python']} on {node}")
    if mistakes:
        yield Finding.bad(
            "versions",
            Prerequisite(
                "the nodes have other versions: " + "; ".join(mistakes),
                where="train.python",
                next="use one environment on a shared file system, or `veristill train setup` on each",
            ),
        )
    else:
        yield Finding.good("versions", f"equal on {len(told)} node{'s' if len(told) > 1 else ''}")


def _reduced(job: "Job", told: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    if job.world == 1:
        return
    said = {node: one["reduce"] for node, one in told.items() if "reduce" in one}
    failed = {node: one["failed"] for node, one in said.items() if "failed" in one}
    if failed or len(said) < len(told):
        if not failed:
            yield Finding.skipped("all-reduce", "not tried: see the port")
            return
        node, words = next(iter(failed.items()))
        yield Finding.bad(
            "all-reduce",
            Prerequisite(
                f"the ranks do not reach each other: {words}",
                where=node,
                next="look at the firewall; name the network in train.env: NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME",
            ),
        )
        return
    result = next(one for one in said.values() if one)
    if not result["right"]:
        yield Finding.bad(
            "all-reduce",
            Prerequisite("the sum over all ranks is wrong", where="all-reduce", next="test the GPUs and the network"),
        )
    else:
        speed = f"{result['bytes_s'] / 1e9:.2f} GB/s a rank, {result['seconds'] * 1000:.1f} ms"
        yield Finding.good("all-reduce", f"{result['world']} ranks over {result['backend']}: {speed}")
    yield from skewed(result["skew"], len(told))


def skewed(seconds: float, count: int) -> Iterator[Finding]:
    """The clocks of the nodes, read at one moment."""
    if count == 1:
        return
    if seconds > SKEW_S:
        yield Finding.bad(
            "clocks",
            Prerequisite(
                f"the clocks of the nodes differ by {seconds:.1f} s: hangs are found by comparing times",
                where="nodes",
                next="start chrony or ntpd on them",
            ),
        )
    else:
        yield Finding.good("clocks", f"within {max(seconds, 0.001):.3f} s")
