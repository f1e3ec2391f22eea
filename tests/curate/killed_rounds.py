"""The process that is killed in mid-round: it runs a flow until a given commit of the ledger."""

from pathlib import Path

import pyarrow as pa

from curate import fault
from curate.engine.local import execute
from curate.flow import Flow, Options

pa.array([0])  # loads pandas, where that is there: once, before the fork


def run(flow: Flow, root: str, commit: int) -> None:
    fault._WISH = f"ledger.commit:{commit}"
    execute(flow, Options(root=Path(root), quiet=True))
