"""A rehearsal of an evaluation: bundled rows, made-up answers and a made-up judge; nobody is asked anything."""

from curate.teachers.fake import Fake
from eval.block import Eval


def rehearsal(block: Eval) -> Eval:
    """The same block without a network. Forcing, rewards and the training set cannot be made up and are left out."""
    fake = Fake()
    changes: dict[str, object] = {
        "models": dict.fromkeys(block.models, fake),
        "benchmarks": tuple(one.rehearsal() for one in block.benchmarks),
        "judge": None if block.judge is None else fake,
        "reward": None,
        "contamination": None,
        "budget_forcing": None,
    }
    if block.general is not None:
        told = {"prompts": block.general.prompts.rehearsal(), "judge": fake}
        changes["general"] = block.general.model_copy(update=told)
    return block.model_copy(update=changes)
