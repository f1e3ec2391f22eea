"""Rewards for reinforcement learning, by the verifier that each row of an RL export names.

One function for each trainer, with the signature that it calls. A reward is 1.0 where the verdict is `pass`, else 0.0;
trouble of ours (`error`) is never a reward: it is tried again, and then said.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curate.errors import Failed
from curate.records import Verdict
from curate.verifiers.scoring import score_many

if TYPE_CHECKING:
    from rllm.rewards.reward_types import RewardOutput

_TRIES = 3


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    on_error: float | None = None,
) -> dict[str, float]:
    """The reward of one answer for verl (`custom_reward_function.path` is this file, `.name` is `compute_score`).

    Returns `score`, and `undecided`: 1.0 where no rule could tell. With trouble of ours it raises Failed, or, where
    `on_error` is given (`custom_reward_function.reward_kwargs`), rewards that, marked by `trouble`.
    """
    verdict = verdicts([ground_truth], [solution_str])[0]
    undecided, trouble = float(verdict.outcome == "unsure"), float(verdict.outcome == "error")
    if trouble and on_error is None:
        raise _failed(verdict)
    reward = on_error if trouble and on_error is not None else float(verdict.outcome == "pass")
    return {"score": reward, "undecided": undecided, "trouble": trouble}


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str],
    extra_infos: Sequence[dict[str, Any]] | None = None,
    on_error: float | None = None,
) -> list[float]:
    """The same for a batch, all answers at once (`reward_model.reward_manager: batch`)."""
    found = verdicts(ground_truths, solution_strs)
    if on_error is None:
        for verdict in found:
            if verdict.outcome == "error":
                raise _failed(verdict)
    return [_reward(verdict, on_error or 0.0) for verdict in found]


def trl_reward(completions: Sequence[Any], verifier: Sequence[str], **_: Any) -> list[float | None]:
    """The rewards of a batch for TRL (`GRPOTrainer(reward_funcs=trl_reward)`); None with trouble of ours.

    A completion is a text or a list of messages, of which the last one counts.
    """
    found = verdicts(verifier, [_text(one) for one in completions])
    return [None if verdict.outcome == "error" else _reward(verdict, 0.0) for verdict in found]


def rllm_reward(task_info: dict[str, Any], action: Any) -> "RewardOutput":
    """The reward of one answer for rllm, its verdict as metadata. Raises Failed with trouble of ours."""
    from rllm.rewards.reward_types import RewardOutput

    verdict = verdicts([task_info["ground_truth"]], [str(getattr(action, "action", action))])[0]
    if verdict.outcome == "error":
        raise _failed(verdict)
    passed = verdict.outcome == "pass"
    told = {"outcome": verdict.outcome, "reason": verdict.reason, "verifier": verdict.verifier}
    return RewardOutput(reward=float(passed), is_correct=passed, metadata=told)


def verdicts(specs: Sequence[str], texts: Sequence[str]) -> list[Verdict]:
    """The verdicts on texts by specifications, in order; what ends in trouble of ours is tried three times."""
    found = score_many(list(zip(specs, texts, strict=True)))
    for _ in range(_TRIES - 1):
        sick = [number for number, verdict in enumerate(found) if verdict.outcome == "error"]
        again = score_many([(specs[number], texts[number]) for number in sick])
        for number, verdict in zip(sick, again, strict=True):
            found[number] = verdict
    return found


def _reward(verdict: Verdict, on_error: float) -> float:
    return on_error if verdict.outcome == "error" else float(verdict.outcome == "pass")


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def _failed(verdict: Verdict) -> Failed:
    told = verdict.evidence.get("message") or verdict.evidence.get("module") or ""
    return Failed(
        f"no reward: the verifier '{verdict.verifier}' failed ({verdict.reason}) {told}".rstrip(),
        where="the answer is neither right nor wrong",
        next="run `veristill doctor` on this machine; `on_error=0.0` rewards such answers with 0",
    )
