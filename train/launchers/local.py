"""One machine, this one: ranks started by torch.distributed.run, held by the command that launched them."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import RecipeError
from train.launcher import Launched, Launcher, NodeReply, Where
from train.launchers import _held

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_SCRIPT = """\
#!/bin/sh
# Trains on this machine, and goes on from the newest complete checkpoint when it is run again. Ctrl-C saves and stops.
cd "$(dirname "$0")" || exit 1
python={python}
exec "$python" -I code/supervise.py --job job.json -- "$python" -I code/node.py --job job.json --rank 0
"""


class Local(Launcher):
    """On this machine; the command waits until training ends, and Ctrl-C stops it so that it can go on."""

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """`launch.sh`. Raises RecipeError for several nodes."""
        if job.nodes != 1:
            raise RecipeError(
                f"local is one machine, the cluster has {job.nodes} nodes",
                where="train.launcher",
                next="say cluster: {nodes: 1}, or another launcher such as hosts or slurm",
            )
        return {"launch.sh": _SCRIPT.format(python=shlex.quote(job.python))}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Train until the end. Raises Stopped, InputError or Failed."""
        node = [job.python, "-I", str(here / "code" / "node.py"), "--job", str(here / "job.json"), "--rank", "0"]
        return _held.hold(self.kind(), node, here, say)

    def status(self, job: "Job", here: Path) -> Where:
        """What the run folder says."""
        return _held.held_where(here)

    def each(self, job: "Job", argv: Sequence[str], timeout: float) -> list[NodeReply]:
        """Run a command here."""
        place = {"VERISTILL_RANK": "0", "VERISTILL_MASTER": "127.0.0.1"}
        return [_held.reply("this machine", argv, place, timeout)]
