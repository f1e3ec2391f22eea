"""Status: where a run stands, read from its folder and the ledger, also while another process is writing both."""

from typing import Any

from curate.assemble import decided_now
from curate.flow import Flow
from curate.ingest import ingested
from curate.labels import clean
from curate.questions import QuestionTable
from curate.report import SolveCounts
from curate.resources import open_resources
from curate.run import Run
from curate.runs import need_run


async def status(run: Run, flow: Flow) -> dict[str, Any]:
    """The state of a run: the `stage` it is in, its questions, and what the ledger says of them.

    Raises InputError where there is no such run.
    """
    need_run(run)
    state: dict[str, Any] = {"run": run.name, "folder": str(run.folder), "stage": "ingest"}
    known = ingested(run)
    if known is None:
        return state
    kept, labelled = clean(run, flow.stages(), known.rows, known.key, None)
    state |= {"rows": known.rows, "questions": known.questions, "kept": len(kept), "stage": "clean"}
    if len(labelled) < len(flow.clean):
        return state
    counts = SolveCounts()
    async with open_resources(run, flow, read_only=True) as resources:
        groups = map(kept.only, QuestionTable(run.questions).groups())
        for _, part in decided_now(groups, flow.work(), resources):
            for question, solved in part:
                counts.add(question, solved)
    published = (run.dataset / "README.md").exists()
    stage = "solve" if counts.pending else "published" if published else "publish"
    return {**state, "stage": stage, "solve": counts.totals(), "dataset": str(run.dataset) if published else None}
