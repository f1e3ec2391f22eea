"""The per-row router: which verifiers judge a question, in which order, and what their verdicts amount to.

The first verdict that decides (`pass` or `fail`) is the chain's. Where none decides it is `error` if anything of ours
failed (so that it is tried again), else the last `unsure`. A question that no verifier takes is `unsure/no_verifier`.
"""

from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol

from pydantic import Field

from curate.errors import VeristillError
from curate.keys import digest
from curate.kinds import Verifier
from curate.plug import Plug, find
from curate.records import Attempt, FinishReason, Question, Reason, Record, Verdict, VerdictOutcome
from curate.verifiers.verdict import verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources

# The chain of a truth type where the recipe names none for the domain.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "answer": ("math",),
    "tests": ("code",),
    "choice": ("choice",),
    "scored": ("score",),
}
_SCIENCE = frozenset({"physics", "chemistry", "biology"})  # domains that `science` in a recipe also covers
_UNFINISHED: dict[FinishReason, tuple[VerdictOutcome, Reason]] = {
    "failed": ("error", "infrastructure"),
    "length": ("fail", "truncated"),
    "refused": ("fail", "refused"),
    "empty": ("fail", "no_answer"),
    "malformed": ("unsure", "unparsable"),
}


class Step(NamedTuple):
    """One verifier's verdict. `key` is None where it follows from the rows alone and is never stored."""

    key: str | None
    verdict: Verdict
    fresh: bool  # False: reused from the ledger


class Judgement(NamedTuple):
    """The verdict on an attempt and the steps that led to it, in order."""

    verdict: Verdict
    steps: tuple[Step, ...]


class Missing(NamedTuple):
    """What a chain waits for: the verdict that would be stored under `key`, by `verifier`."""

    key: str
    verifier: str


class Known(Protocol):
    """Stored verdicts by key: a dict, or a view of the ledger."""

    def get(self, key: str, /) -> Verdict | None:
        """The stored verdict, or None."""


_Ask = tuple[str, Verifier]
_Walk = Generator[_Ask, tuple[Verdict, bool], Judgement]


class Router(Record):
    """Chains of verifiers by domain, as `verify:` in a recipe names them; other domains get their truth's default."""

    chains: dict[str, list[Annotated[Verifier, Plug("curate.verifiers")]]] = Field(default_factory=dict)

    def chain(self, domain: str, truth_type: str) -> list[Verifier]:
        """The verifiers of a domain and truth type (`answer`, `tests`...); may be empty."""
        for name in (domain, "science" if domain in _SCIENCE else domain):
            if name in self.chains:
                return list(self.chains[name])
        return [_default(kind) for kind in DEFAULTS.get(truth_type, ())]

    def idle(self, domains: Iterable[str]) -> list[str]:
        """The domains of `verify:` that none of these domains belongs to: most likely misspelt."""
        used = {name for domain in domains for name in (domain, "science" if domain in _SCIENCE else domain)}
        return [name for name in self.chains if name not in used]

    def needs(self, rows: Iterable[tuple[str, str]]) -> frozenset[str]:
        """The handles that the verifiers of these (domain, truth type) pairs need open."""
        needed: set[str] = set()
        for domain, truth_type in rows:
            for verifier in self.chain(domain, truth_type):
                if truth_type in {_truth_type(cls) for cls in verifier.takes}:
                    needed |= verifier.needs
        return frozenset(needed)

    def spec(self) -> dict[str, Any]:
        """What the chains' verdicts depend on: every verifier's spec and version, by domain."""
        return {
            domain: [{**verifier.spec(), "verifier_version": verifier.verifier_version()} for verifier in chain]
            for domain, chain in sorted(self.chains.items())
        }

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources", known: Known) -> Judgement:
        """Judge an attempt, running only verifiers whose verdict is not in `known` (by `verdict_key`).

        A known `error` is our trouble of an earlier run and is tried again. What escapes a verifier becomes
        `error/infrastructure`, except our own VeristillError (a spent budget, a missing prerequisite), which stops the
        run.
        """
        walk = self._walk(question, attempt)
        try:
            key, verifier = next(walk)
            while True:
                stored = known.get(key)
                if stored is not None and stored.outcome != "error":
                    answer = (stored, False)
                else:
                    answer = (await _run(verifier, question, attempt, resources), True)
                key, verifier = walk.send(answer)
        except StopIteration as end:
            judgement: Judgement = end.value
            return judgement

    def judge(self, question: Question, attempt: Attempt, get: Callable[[str], Verdict | None]) -> Judgement | Missing:
        """The same judgement from stored verdicts alone, running nothing; what is missing first, if anything."""
        walk = self._walk(question, attempt)
        try:
            key, verifier = next(walk)
            while True:
                stored = get(key)
                if stored is None:
                    return Missing(key, verifier.kind())
                key, verifier = walk.send((stored, False))
        except StopIteration as end:
            judgement: Judgement = end.value
            return judgement

    def _walk(self, question: Question, attempt: Attempt) -> _Walk:
        """Yield each verdict that is needed next, receive it, return the judgement."""
        if attempt.finish_reason != "stop":
            return _alone(*_UNFINISHED[attempt.finish_reason], {"finish_reason": attempt.finish_reason})
        chain = self.chain(question.domain, question.truth.type)
        if not chain:
            return _alone("unsure", "no_verifier", {"domain": question.domain, "truth": question.truth.type})
        steps: list[Step] = []
        for verifier in chain:
            if not isinstance(question.truth, verifier.takes):
                evidence = {"truth": question.truth.type}
                steps.append(Step(None, verdict_of(verifier, "unsure", "not_applicable", evidence), False))
                continue
            key = verdict_key(verifier, question, attempt)
            verdict, fresh = yield key, verifier
            steps.append(Step(key, verdict, fresh))
            if verdict.outcome in ("pass", "fail"):
                return Judgement(verdict, tuple(steps))
        errors = [step for step in steps if step.verdict.outcome == "error"]
        return Judgement((errors or steps)[-1].verdict, tuple(steps))


def verdict_key(verifier: Verifier, question: Question, attempt: Attempt) -> str:
    """What a stored verdict is found by: verifier, truth and solution text, and nothing of where they came from."""
    return digest(
        "verdict",
        1,
        verifier.spec(),
        verifier.verifier_version(),
        question.truth_key,
        attempt.solution,
        verifier.reads(question),
    )


async def _run(verifier: Verifier, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
    try:
        return await verifier.verify(question, attempt, resources)
    except VeristillError:
        raise
    # The boundary between verifiers, third parties' among them, and the run: one row must not end it.
    except Exception as error:  # noqa: BLE001 - the boundary to verifiers
        return verdict_of(verifier, "error", "infrastructure", {"message": f"{type(error).__name__}: {error}"[:300]})


def _alone(outcome: VerdictOutcome, reason: Reason, evidence: dict[str, Any]) -> Judgement:
    """A verdict that no verifier gave: it follows from the row itself."""
    verdict = Verdict(verifier="router", verifier_version="1", outcome=outcome, reason=reason, evidence=evidence)
    return Judgement(verdict, (Step(None, verdict, False),))


@lru_cache
def _default(kind: str) -> Verifier:
    verifier = find("curate.verifiers", kind)()
    assert isinstance(verifier, Verifier)
    return verifier


def _truth_type(cls: Any) -> str:
    return str(cls.model_fields["type"].default)
