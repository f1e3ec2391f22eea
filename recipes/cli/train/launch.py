"""`veristill train launch`: a fine-tune is checked and started, or goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group, say

if TYPE_CHECKING:
    from train.launcher import Launched
    from train.preflight import Run


@group.command()
def launch(
    context: typer.Context,
    recipe: Name,
    preflight: Annotated[bool, typer.Option("--preflight/--no-preflight", help="Check everything first.")] = True,
    nodes: Annotated[bool, typer.Option("--nodes/--no-nodes", help="Run these checks on every node, too.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the files and check; say what would be started; start nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a fine-tune and start it, or go on with it from the newest complete checkpoint.

    Rows are tokenised before anything is started. On this machine and over ssh the command waits for the end, and
    Ctrl-C saves a checkpoint first; a scheduler's job is submitted, and `veristill train status` follows it.

    Example: veristill train launch my-student.yaml
    """
    from recipes.cli import show
    from recipes.training import note, run_of
    from train.preflight import preflight as check
    from train.preflight import ready

    root = chosen(context).root
    read, run = run_of(recipe, root)
    _refuse_running(run)
    if preflight:
        report = check(run, say, resuming=True, ask_nodes=nodes)
        for one in report.findings:
            if one.level != "ok":
                say(one.line())
        report.raise_bad()
        say(f"preflight: {len(report.findings)} checks, no mistakes")
    else:
        ready(run, say)
    note(read, run.here, root)
    if dry_run:
        _say_what(run, json)
        return
    done = _start(run)
    if json:
        show.as_json(done._asdict())
    else:
        typer.echo(done.words)
        follow = f"veristill train finish {recipe}" if done.done else f"veristill train status {recipe} --watch"
        typer.echo(f"next: {follow}")


def _refuse_running(run: "Run") -> None:
    """Checks of a run that is under way would find its port taken and its memory full. Raises Stopped."""
    from curate.errors import Stopped
    from train.status import job_of

    if not (run.here / "job.json").exists():
        return
    now = run.block.launcher.status(job_of(run.here), run.here)
    if now.state in ("running", "queued"):
        said = f" ({now.words})" if now.words else ""
        raise Stopped(f"this training is {now.state} already{said}", where=str(run.here),
                      next="`veristill train status` follows it; after its end the same command goes on")  # fmt: skip


def _start(run: "Run") -> "Launched":
    from train.status import job_of

    return run.block.launcher.launch(job_of(run.here), run.block, run.here, say)


def _say_what(run: "Run", json: bool) -> None:
    from recipes.cli import show
    from train.status import job_of

    job = job_of(run.here)
    files = sorted(run.block.launcher.files(job, run.block))
    facts = {
        "launcher": run.block.launcher.kind(),
        "machines": f"{job.nodes} x {job.processes} processes",
        "interpreter": job.python,
        "started by": ", ".join(str(Path(run.here) / name) for name in files),
    }
    if json:
        show.as_json(facts)
    else:
        show.pairs({**facts, "": "nothing was started"})
