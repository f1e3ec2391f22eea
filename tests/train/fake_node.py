"""Stands in for the nodes where supervision is tested: real processes with heartbeats and checkpoints, no training.

`python -P fake_node.py PLAN`: PLAN names for each attempt the steps it makes, where it saves and how it ends.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.train.saved import PLAIN, checkpoint
from train.inside import checkpoints, process

ATTEMPT = int(os.environ["VERISTILL_ATTEMPT"])
STATE = Path("state")


def tell(state: str, step: int | None, **more: Any) -> None:
    tell.beat += 1  # type: ignore[attr-defined]
    beat = tell.beat  # type: ignore[attr-defined]
    facts = {"node": 0, "attempt": ATTEMPT, "state": state, "beat": beat, "step": step, **more}
    process.write_state(STATE / "node-0.json", {**facts, "time": time.time() - 86400 * ATTEMPT})  # a clock that jumps


tell.beat = 0  # type: ignore[attr-defined]


def main(plan: list[dict[str, Any]]) -> int:
    this = plan[min(ATTEMPT, len(plan) - 1)]
    # A child that would outlive its parent, as a rank in a collective does.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with Path("pids").open("a") as pids:
        pids.write(f"{os.getpid()} {child.pid}\n")
    process.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(end(child, 143)))
    if why := this.get("refused"):
        tell("refused", None, rc=this["rc"], why=why)
        return end(child, this["rc"])
    found = checkpoints.survey(Path("output"), PLAIN)
    assert not found.partial, found
    saved = found.step
    print(f"attempt {ATTEMPT} from {saved}", flush=True)
    tell("training", saved, saved=saved)
    for step in range(saved + 1, this.get("to", 12) + 1):
        time.sleep(this.get("pace", 0.02))
        if step % 4 == 0:
            checkpoint(Path("output"), step, PLAIN)
            saved = step
        tell("training", step, saved=saved)
        asked = process.read_state(STATE / "stop.json").get("attempt") == ATTEMPT
        if asked and not this.get("deaf"):
            if step % 4:
                checkpoint(Path("output"), step, PLAIN)
            tell("paused", step, saved=step)
            return end(child, 4)
    if half := this.get("half"):  # killed while it saves
        (checkpoint(Path("output"), half, PLAIN, recorded=False) / "optimizer.pt").unlink()
    if this.get("hang"):
        os.kill(os.getpid(), signal.SIGSTOP)
    if log := this.get("log"):
        Path("logs").mkdir(exist_ok=True)
        Path("logs", f"attempt-{ATTEMPT}-node-0.log").write_text(log)
    if this.get("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return end(child, this.get("rc", 0))


def end(child: "subprocess.Popen[bytes]", rc: int) -> int:
    child.kill()
    return rc


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
