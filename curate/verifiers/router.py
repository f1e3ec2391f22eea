"""The per-row router: which verifiers judge a question, in which order, and what their verdicts amount to.

The first verdict that decides (`pass` or `fail`) is the chain's. Where none decides it is `error` if anything of ours
failed (so that it is tried again), else the last `unsure`. A question that no verifier takes is `unsure/no_verifier`.
What came before the deciding verdict stands in its evidence, under `earlier`.
"""

from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, Self

from pydantic import Field

from curate.errors import RecipeError, VeristillError
from curate.keys import digest
from curate.kinds import Teacher, Verifier
from curate.plug import Plug, find
from curate.records import Attempt, FinishReason, Question, Reason, Record, Verdict, VerdictOutcome
from curate.verifiers.code import Code
from curate.verifiers.judge import Judge
from curate.verifiers.verdict import verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources

# The chain of a truth type where the recipe names none for the domain.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "answer": ("math",),
    "tests": ("code",),
    "choice": ("choice",),
    "scored": ("score",),
    "grid": ("grid",),
}
Preset = Literal["openthoughts", "strict"]
PRESETS: tuple[Preset, ...] = ("openthoughts", "strict")
# OpenThoughts' judge: the whole solution, without the question, one vote; it decides where ours would ask the rules.
_OPENTHOUGHTS: dict[str, Any] = {
    "prompt": "openthoughts", "question": False, "sees": "solution", "control": "never", "max_chars": 200_000
}  # fmt: skip
_JUDGED = frozenset({"answer", "choice", "reference"})  # truth types
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
    """The verdict on an attempt and the steps that led to it, in order; `key` is the deciding step's."""

    verdict: Verdict
    steps: tuple[Step, ...]
    key: str | None = None


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
    """Chains of verifiers by domain, as `verify:` in a recipe names them; other domains get their truth's default.

    `preset` takes the place of the chains: `openthoughts` (a judge for every answer, code by its tests, science as it
    is) or `strict` (rules alone). `judge_model` is the model of every judge that names none, `packages` what programs
    may import: both decide verdicts, so both belong to the verifiers that are given them.
    """

    chains: dict[str, list[Annotated[Verifier, Plug("curate.verifiers")]]] = Field(default_factory=dict)
    preset: Preset | None = None
    judge_model: Annotated[Teacher, Plug("curate.teachers")] | None = None
    packages: tuple[str, ...] = ()

    def chain(self, domain: str, truth_type: str) -> list[Verifier]:
        """The verifiers of a domain and truth type (`answer`, `tests`...); may be empty."""
        names = (domain, "science" if domain in _SCIENCE else domain)
        for name in names:
            if name in self.chains:
                return [self._filled(one) for one in self.chains[name]]
        if self.preset == "openthoughts" and "science" in names:
            return []
        if self.preset == "openthoughts" and truth_type in _JUDGED:
            return [self._filled(Judge(**_OPENTHOUGHTS))]
        if truth_type == "reference":
            return [Judge(model=self.judge_model)] if self.judge_model is not None and self.preset is None else []
        return [self._filled(_default(kind)) for kind in DEFAULTS.get(truth_type, ())]

    def chain_of(self, question: Question) -> list[Verifier]:
        """The verifiers of one question."""
        return self.chain(question.domain, question.truth.type)

    def with_judge(self, judge: Teacher | None) -> Self:
        """The same chains with a model for the judges that name none. Raises RecipeError where there is none at all."""
        if judge is None:
            needy = [name for name, chain in self.chains.items() if any(map(_lacks_model, chain))]
            if needy or self.preset == "openthoughts":
                where = f"verify.{needy[0]}" if needy else "verify: openthoughts"
                raise RecipeError(f"{where} asks a judge, but the recipe has no `judge:`")
        return self.model_copy(update={"judge_model": judge})

    def judges(self) -> list[Teacher]:
        """The models that the chains may ask, each once."""
        named = [one.model for chain in self.chains.values() for one in chain if isinstance(one, Judge)]
        models = [model for model in (self.judge_model, *named) if model is not None]
        return [model for number, model in enumerate(models) if model not in models[:number]]

    def rehearsed(self, judge: Teacher) -> Self:
        """The same chains with one made-up model for every judge."""
        chains = {
            domain: [one.model_copy(update={"model": None}) if isinstance(one, Judge) else one for one in chain]
            for domain, chain in self.chains.items()
        }
        return self.model_copy(update={"chains": chains, "judge_model": judge})

    def with_packages(self, packages: tuple[str, ...]) -> Self:
        """The same chains, whose programs may import these pip requirements."""
        return self.model_copy(update={"packages": tuple(sorted(packages))})

    def _filled(self, verifier: Verifier) -> Verifier:
        if _lacks_model(verifier):
            return verifier.model_copy(update={"model": self.judge_model})
        if isinstance(verifier, Code) and self.packages:
            return verifier.model_copy(update={"packages": self.packages})
        return verifier

    def idle(self, domains: Iterable[str]) -> list[str]:
        """The domains of `verify:` that none of these domains belongs to: most likely misspelt."""
        used = {name for domain in domains for name in (domain, "science" if domain in _SCIENCE else domain)}
        return [name for name in self.chains if name not in used]

    def can_verify(self, domain: str, truth_type: str) -> bool:
        """Whether any verifier of the chain takes such a truth; answers end as `unsure` where none does."""
        return any(
            truth_type in {_truth_type(cls) for cls in verifier.takes} for verifier in self.chain(domain, truth_type)
        )

    def needs(self, rows: Iterable[tuple[str, str]]) -> frozenset[str]:
        """The handles that the verifiers of these (domain, truth type) pairs need open."""
        needed: set[str] = set()
        for domain, truth_type in rows:
            for verifier in self.chain(domain, truth_type):
                if truth_type in {_truth_type(cls) for cls in verifier.takes}:
                    needed |= verifier.needs
        return frozenset(needed)

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
        chain = self.chain_of(question)
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
                return _judged(steps[-1], steps)
        errors = [step for step in steps if step.verdict.outcome == "error"]
        return _judged((errors or steps)[-1], steps)


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


def _judged(decided: Step, steps: list[Step]) -> Judgement:
    """The judgement by one of the steps; the others stand in its evidence."""
    verdict = decided.verdict
    if len(steps) > 1:
        told = {"verifier", "verifier_version", "outcome", "reason", "evidence"}
        earlier = [step.verdict.model_dump(include=told) for step in steps if step is not decided]
        verdict = verdict.model_copy(update={"evidence": {**verdict.evidence, "earlier": earlier}})
    return Judgement(verdict, tuple(steps), decided.key)


def _lacks_model(verifier: Verifier) -> bool:
    return isinstance(verifier, Judge) and verifier.model is None


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
