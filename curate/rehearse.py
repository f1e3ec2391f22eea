"""A rehearsal (`--dry-run`): the same recipe over the sample rows of its sources, with the `fake` teacher.

Nothing is asked, paid or kept: the whole flow runs for real in a throw-away root.
"""

from curate.flow import Annotate, BudgetBlock, Flow, Options
from curate.kinds import Gate, Label
from curate.measures.tokens import Measure
from curate.rewards.judge import Judge
from curate.teachers.fake import Fake

ROWS = 8  # a source, unless --limit says otherwise


def rehearsal(flow: Flow) -> Flow:
    """The flow with sample sources, fake teachers and a fake judge, never pushed, nothing to pay."""
    fakes = tuple(Fake(seed=number, domains=one.domains) for number, one in enumerate(flow.annotate.teacher))
    judge = Fake(error_rate=0.0)
    return flow.model_copy(
        update={
            "sources": tuple(source.rehearsal() for source in flow.sources),
            "clean": tuple(_rehearsed(stage, number) for number, stage in enumerate(flow.clean)),
            "annotate": _few(flow.annotate).model_copy(update={"teacher": fakes}),
            "judge": judge,
            "select": tuple(one.rehearsal() for one in flow.select),
            "verify": flow.verify.rehearsed(judge),
            "publish": flow.publish.model_copy(update={"push": False}),
            "measure": _measured(flow.measure),
            "answers_from": (),
            "budget": BudgetBlock(),
        }
    )


def _rehearsed(stage: Label | Gate, number: int) -> Label | Gate:
    # Another seed than the teachers': a small model fails where it likes.
    return stage.rehearsed(Fake(seed=1000 + number)) if isinstance(stage, Gate) else stage.rehearsal()


def _measured(measure: Measure) -> Measure:
    """The same without a tokenizer of the hub, and with a made-up judge for rewards."""
    reward = measure.reward
    if reward is not None:
        reward = Judge(of=reward.of, sees=reward.sees, teacher=Fake(seed=2000, error_rate=0.0))
    return (measure if measure.local else Measure()).model_copy(update={"reward": reward})


def _few(annotate: Annotate) -> Annotate:
    """The same with a few samples of each question, where the recipe has very many."""
    return annotate.model_copy(update={"samples": min(annotate.samples, ROWS)})


def rehearsal_options(options: Options) -> Options:
    """The options with a small limit."""
    return options.model_copy(update={"limit": options.limit or ROWS})
