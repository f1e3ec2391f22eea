"""What `veristill doctor` looks at: our packages, the ledger's disk, the sandbox, every verifier, what trains."""

import asyncio
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.errors import Failed, Prerequisite

ROOMS = ("curate", "sandbox", "train", "eval", "recipes")
State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `said` is what was found, or what is wrong."""

    about: str
    name: str
    state: State
    said: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which they were made."""

    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: `ok`, and a list of `about`, `name`, `state`, `said`."""
        return {"ok": not self.problems, "findings": [vars(one) for one in self.findings]}

    @property
    def problems(self) -> list[Finding]:
        """Those that a run must not go on with."""
        return [one for one in self.findings if one.state == "problem"]

    def raise_for_problems(self) -> None:
        """Raise Failed if there is a problem."""
        if self.problems:
            names = ", ".join(f"{one.about}: {one.name}" for one in self.problems)
            raise Failed(f"{len(self.problems)} of {len(self.findings)} checks failed ({names})")


async def diagnose(root: Path, backend: str) -> Diagnosis:
    """Try everything. Raises Prerequisite where no isolation, or not the one asked for, works here."""
    from curate.isolation import SandboxBlock
    from curate.resources import Machines
    from curate.verifiers import selfcheck
    from sandbox import battery

    findings = [_packages(), _disk(root), _servers()]
    async with Machines(SandboxBlock.model_validate({"backend": backend})) as machines:
        resources = await machines.ready(("sandbox", "workers"))
        box = resources.sandbox
        assert box is not None
        findings.append(Finding("sandbox", "backend", "ok", f"{box.backend}, {box.why}"))
        findings += [_found("sandbox", name, problem) for name, problem in await battery.examine(box)]
        findings += [_found("verifier", name, problem) for name, problem in await selfcheck.examine(resources)]
    findings += await asyncio.to_thread(_training, root)
    return Diagnosis(findings + await asyncio.to_thread(_sources))


def _sources() -> list[Finding]:
    """Named sets whose columns are not what they were, or were never seen."""
    from curate.sources._schemas import examine

    return [Finding("source", one.kind, one.state, one.said) for one in examine()]


def _found(about: str, name: str, problem: str | None) -> Finding:
    return Finding(about, name, "ok" if problem is None else "problem", problem or "")


def _packages() -> Finding:
    """A user's own `train.py` or `eval` package must not stand in for ours."""
    places = {}
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        places[room] = str(Path(spec.origin).parent.parent) if spec and spec.origin else "nowhere"
    ours = str(Path(__file__).resolve().parent.parent)
    strange = [f"{room} from {place}" for room, place in places.items() if str(Path(place).resolve()) != ours]
    if strange:
        return Finding("installation", "packages", "problem", f"not of veristill, which lies in {ours}: {strange}")
    return Finding("installation", "packages", "ok", f"{', '.join(ROOMS)} from {ours}")


def _servers() -> Finding:
    """What `serve:` of a recipe can start here. Most recipes start nothing, so that nothing is there is no problem."""
    programs = ("vllm", "sglang", "transformers", "sbatch")
    there = [name for name in programs if shutil.which(name) or (name == "sglang" and importlib.util.find_spec(name))]
    return Finding("installation", "model servers", "ok", f"{', '.join(there) or 'none'} on this PATH (for `serve:`)")


def _training(root: Path) -> list[Finding]:
    """The training environment, by importing what is in it. Most recipes train nothing: none is no problem."""
    from curate.errors import VeristillError
    from train.environment import examine, interpreter, said

    try:
        python = interpreter(None, root)
    except Prerequisite as error:
        return [Finding("training", "environment", "ok", f"none (for `train:`): {error.next}")]
    except VeristillError as error:
        return [Finding("training", "environment", "problem", str(error))]
    try:
        found = examine(python)
    except VeristillError as error:
        return [Finding("training", "environment", "problem", str(error))]
    wrong = [Finding("training", "environment", "problem", line) for line in found.problems()]
    there = Finding("training", "environment", "ok", f"{said(found)['packages']} in {found.prefix}")
    return [*(wrong or [there]), *(Finding("training", "environment", "warning", line) for line in found.warnings())]


def _disk(root: Path) -> Finding:
    from curate.scratch import on_network

    ledger = (root / "ledger").resolve()
    if on_network(ledger):
        return Finding("installation", "ledger", "warning",
                       f"{ledger} is on a network file system: its journal goes to local scratch (VERISTILL_SCRATCH), "
                       "and what it holds is lost with this machine until it is sealed")  # fmt: skip
    return Finding("installation", "ledger", "ok", f"{ledger} is on a local disk")
