"""`kind: majority`: where no truth is known, the answer that most samples agree on stands in for it."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import Codes, Floats, drop_unfinished, is_word, numbers, questions


class Majority(Selector):
    """Of questions whose truth is unknown, keep the finished answers that agree with the majority of the samples.

    Answers are compared as the `math` verifier compares them; on programs nobody votes. It counts the answers that
    are still there, so it stands before selectors that drop some. What the majority says is a pseudo-reference: it
    stands in the evidence of the published row under `pseudo_reference`, and the verdict stays what it was, never
    `pass`. Of questions with a known truth, keep what passed (`known: verified`), every finished answer, or nothing.
    """

    published: ClassVar[bool] = True

    min_samples: int = Field(3, ge=2, description="Answers of the teacher, finished or not, that a vote takes.")
    min_share: float = Field(0.5, gt=0, le=1, description="The least share of these answers that must agree.")
    known: Literal["verified", "all", "none"] = Field(
        "verified", description="What is kept of questions whose truth is known."
    )

    def reads(self) -> frozenset[str]:
        """Which answers are equal, what they are, and which truths are unknown."""
        return frozenset({"vote", "answer", "truth"})

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `not_verified`, `known_truth`, and those of the vote.

        The latter are `too_few_samples`, `no_answer`, `no_majority` (none, or two of one size) and `minority`. A call
        that failed is no vote; a truncated or empty answer counts among the samples and agrees with nobody.
        """
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        unknown = is_word(attempts, "truth", "unknown")
        if self.known == "verified":
            sieve.drop("not_verified", ~unknown & ~is_word(attempts, "outcome", "pass"))
        elif self.known == "none":
            sieve.drop("known_truth", ~unknown)
        groups, vote = questions(attempts), numbers(attempts, "vote")
        samples = _count(groups, ~is_word(attempts, "finish_reason", "failed"))
        won, agree, tied = _winners(groups, vote)
        share = np.divide(agree, samples, out=np.zeros(len(agree)), where=samples > 0)
        sieve.drop("too_few_samples", unknown & (samples[groups] < self.min_samples))
        sieve.drop("no_answer", unknown & np.isnan(vote))
        sieve.drop("no_majority", unknown & ((share < self.min_share) | tied)[groups])
        sieve.drop("minority", unknown & (vote != won[groups]))
        asked = unknown & ~np.isnan(vote)
        sieve.tell("samples", samples[groups], asked)
        sieve.tell("agree", pa.array(agree[groups], pa.int64()), asked)
        said = _said(attempts, groups, vote, won)
        sieve.tell("pseudo_reference", said, asked & sieve.open)
        sieve.tell("majority", said, asked & ~sieve.open)
        return sieve.choices()


def _count(groups: Codes, which: npt.NDArray[np.bool_]) -> Codes:
    return np.bincount(groups[which], minlength=int(groups.max(initial=-1)) + 1).astype(np.int64)


def _winners(groups: Codes, vote: Floats) -> tuple[Floats, Codes, npt.NDArray[np.bool_]]:
    """Of each question: the vote that most answers have (NaN: none), how many have it, and whether two have as many."""
    count = int(groups.max(initial=-1)) + 1
    won, agree, tied = np.full(count, np.nan), np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    given = ~np.isnan(vote)
    if not given.any():
        return won, agree, tied
    pairs = np.stack([groups[given], vote[given].astype(np.int64)])
    cells, sizes = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((cells[1], -sizes, cells[0]))
    question, number, size = cells[0][order], cells[1][order], sizes[order]
    first = np.concatenate([[True], question[1:] != question[:-1]])
    won[question[first]], agree[question[first]] = number[first], size[first]
    again = np.flatnonzero(~first)
    tied[question[again[size[again] == agree[question[again]]]]] = True
    return won, agree, tied


def _said(attempts: pa.Table, groups: Codes, vote: Floats, won: Floats) -> pa.Array:
    """The majority's answer in words, for each row: of its spellings, the first of all."""
    agrees = vote == won[groups]
    words = attempts.column("answer").cast(pa.string()).filter(pa.array(agrees)).to_pylist()
    said: dict[int, str] = {}
    for group, word in zip(groups[agrees].tolist(), words, strict=True):
        said[group] = min(said.get(group, word), word)
    return pa.array(map(said.get, groups.tolist()), pa.string())
