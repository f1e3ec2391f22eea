"""Everything that can go wrong before a GPU-hour is spent, looked for in two layers, and the run made ready on the way.

Here, in the control process: arithmetic, memory, disk, time-outs, checkpoints, inputs. In the training interpreter, on
this machine and on every node: keys, template, rows, versions, ports, the shared folder, an all-reduce. Afterwards the
run's folder is rendered with its rows tokenised, ready to launch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curate.errors import Failed, InputError, Prerequisite, RecipeError, VeristillError
from curate.run import replace_file
from train import checks, kept, nodes, tokens
from train.environment import examine
from train.facts import facts as shape
from train.finding import Finding, Report
from train.render import Inputs, Rendered, rendered, write
from train.stage import staged

if TYPE_CHECKING:
    from train.block import Train

Say = Callable[[str], None]


class Run(NamedTuple):
    """One training run on this machine: its block, name and folder, its interpreter, the dataset of its own recipe."""

    block: "Train"
    name: str
    here: Path  # <root>/runs/<name>/train
    python: Path
    published: Path  # <root>/runs/<name>/dataset


def ready(run: Run, say: Say) -> Rendered:
    """Render, tokenise and render again with the tokens: all that a launch needs, and no other check.

    Raises what rendering, staging and tokenising raise; a mistake in template or rows is refused all the same.
    """
    inputs = staged(run.block, run.here, run.published)
    _render(run, inputs, None)
    found, name = _tokens(run, inputs, say)
    Report(findings=tuple(found)).raise_bad()
    return _render(run, _looked_at(run, inputs), name)


def preflight(run: Run, say: Say, *, resuming: bool = False, ask_nodes: bool = True) -> Report:
    """Make every check that can be made and write the report to `state/preflight.json`.

    Nothing is raised for a mistake: it is a finding. `resuming`: half a checkpoint is set aside by the launch that
    follows, so it is a warning. Where nothing is wrong the folder is ready to launch.
    """
    found = Findings(run, say)
    found.alone(resuming)
    found.asked(ask_nodes)
    report = Report(findings=tuple(found.made), tokenized=found.tokenized, example=found.example)
    path = run.here / "state" / "preflight.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, report.model_dump_json(indent=2).encode() + b"\n")
    return report


class Findings:
    """The findings of one preflight, as they are made."""

    def __init__(self, run: Run, say: Say) -> None:
        self.run, self.say = run, say
        self.made: list[Finding] = []
        self.inputs: Inputs | None = None
        self.rendered: Rendered | None = None
        self.tokenized: str | None = None
        self.example: str | None = None

    def alone(self, resuming: bool) -> None:
        """What this process can tell."""
        block, here = self.run.block, self.run.here
        self.made += [*checks.arithmetic(block), *checks.timeouts(block)]
        try:
            self.inputs = staged(block, here, self.run.published)
            rows = self.inputs.data.rows() if self.inputs.data else 0
            self.made.append(Finding.good("inputs", f"student and {rows:,} rows are here"))
            self.made += checks.revisions(block, here)
        except (InputError, Prerequisite) as error:
            self.made.append(Finding.bad("inputs", error))
            rows = 0
        try:
            # A student that is staged is asked itself; of any other the table may know the shape.
            student = str(self.inputs.student) if self.inputs and self.inputs.student else block.student
            known = shape(student, None if self.inputs else block.student_revision)
            self.made += [*checks.fits(block, known), *checks.disk(block, known, here, rows)]
        except (InputError, Prerequisite) as error:
            self.made.append(Finding.skipped("memory", f"the shape of the student is not known: {error.what}"))
        self._write(resuming)

    def _write(self, resuming: bool) -> None:
        try:
            self.rendered = _render(self.run, self.inputs or Inputs(), None)
        except (RecipeError, InputError) as error:
            if not any(one.where == error.where and one.level == "bad" for one in self.made):
                self.made.append(Finding.bad("recipe", error))
            return
        self.made += checks.earlier(self.rendered.job, self.run.here, resuming=resuming)

    def asked(self, ask_nodes: bool) -> None:
        """What the training interpreter and the nodes tell."""
        if self.rendered is None:
            self.made.append(Finding.skipped("interpreter", "the recipe must be mended first"))
            return
        try:
            seen = examine(self.run.python, imports=False)
        except (InputError, Prerequisite) as error:
            self.made.append(Finding.bad("environment", error))
            return
        self.made += checks.environment(self.run.block, seen)
        if self.inputs is not None and "llamafactory" in seen.packages:
            self._rows(self.inputs)
        if ask_nodes and not any(one.level == "bad" for one in self.made):
            need = _needed(self.inputs, self.rendered, self.run.here) if self.inputs else []
            self.made += nodes.findings(self.run.block, self.rendered.job, self.run.here, need, self.say)
        elif ask_nodes:
            self.made.append(Finding.skipped("nodes", "not asked before the mistakes above are mended"))

    def _rows(self, inputs: Inputs) -> None:
        try:
            found, name = _tokens(self.run, inputs, self.say, self)
        except VeristillError as error:
            self.made.append(checks.as_finding("rows", error))
            return
        self.made += found
        if name is not None:
            self.tokenized = name
            self.rendered = _render(self.run, _looked_at(self.run, inputs), name)
            again = checks.earlier(self.rendered.job, self.run.here, resuming=True)
            self.made += [one for one in again if one.level == "bad" and one not in self.made]


def _render(run: Run, inputs: Inputs, tokenized: str | None) -> Rendered:
    made = rendered(run.block, name=run.name, here=run.here, python=str(run.python), inputs=inputs, tokenized=tokenized)
    write(made, run.here)
    return made


def _tokens(run: Run, inputs: Inputs, say: Say, into: Findings | None = None) -> tuple[list[Finding], str | None]:
    """The findings of tokenising, and the folder of the tokens where they are good."""
    if inputs.data is None or inputs.student is None:
        raise Failed("nothing is staged", where=str(run.here), next="veristill train stage RECIPE")
    name = tokens.key(run.block, inputs.data, inputs.student, examine(run.python, imports=False))
    facts = tokens.tokenised(run.block, run.here, run.python, name, say)
    found = list(kept.findings(run.block, facts, inputs.data.rows()))
    if into is not None:
        into.example = ((facts.get("sample") or {}).get("shown") or {}).get("text")
    there = (run.here / tokens.FOLDER / name / "facts.json").is_file()
    return found, f"{tokens.FOLDER}/{name}" if there else None


def _looked_at(run: Run, inputs: Inputs) -> Inputs:
    if inputs.data is None or inputs.student is None:
        return inputs
    return inputs._replace(learns=tokens.learns(run.block, inputs.data, inputs.student))


def _needed(inputs: Inputs, made: Rendered, here: Path) -> list[str]:
    """What every node must see: the student, and the tokens or the first file of rows."""
    from train.dataset import near

    found = [near(inputs.student / "config.json", here)] if inputs.student else []
    return [*found, *([near(inputs.data.files[0], here)] if inputs.data else [])]
