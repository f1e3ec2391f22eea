"""Scoring a text by a verifier given as JSON: one function for verdicts, RL rewards, evaluation and audits.

A specification is `{kind, version, options, truth}` and stands for itself: it needs no run folder and no ledger, except
for a judge, which asks a model and so wants the handles of a run.
"""

import asyncio
import atexit
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from curate.errors import InputError
from curate.keys import digest
from curate.kinds import Verifier
from curate.plug import find, kinds
from curate.records import Attempt, FinishReason, Question, Record, Truth, Verdict
from curate.teachers.split import split
from curate.verifiers.router import Router

if TYPE_CHECKING:
    from curate.resources import Machines, Resources

FOLDER = "curate.verifiers"


class Spec(Record):
    """A verifier with its options and the truth it compares with, as JSON.

    `problem`, `starter_code` and `meta` are what some verifiers read of a question besides its truth.
    """

    kind: str
    version: int = Field(ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    truth: Truth
    problem: str = ""
    starter_code: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        try:
            return (
                find(FOLDER, kind).kind() if kind in kinds(FOLDER) else find(FOLDER, kind).__module__.rpartition(".")[2]
            )
        except KeyError:
            raise ValueError(f"there is no verifier '{kind}'; known: {', '.join(kinds(FOLDER))}") from None

    @classmethod
    def of(cls, verifier: Verifier, question: Question) -> "Spec":
        """The specification by which `score` judges as `verifier` judges an answer to `question`."""
        return cls(
            kind=verifier.kind(),
            version=verifier.version,
            options=verifier.model_dump(mode="json", exclude_defaults=True),
            truth=question.truth,
            problem=question.problem,
            starter_code=question.starter_code,
            meta=question.meta,
        )

    def verifier(self) -> Verifier:
        """The verifier. Raises InputError for another version than ours, and for options that it does not take."""
        cls = find(FOLDER, self.kind)
        if self.version != cls.version:
            raise InputError(
                f"this specification is of {self.kind} version {self.version}, here is version {cls.version}: its"
                " verdicts may differ",
                next=f"write it anew with version {cls.version}, or install the release that it was written by",
            )
        try:
            verifier = cls.model_validate(self.options)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"options of {self.kind}: {where or 'all'}: {first['msg']}") from error
        assert isinstance(verifier, Verifier)
        return verifier


def read_spec(spec: "Spec | dict[str, Any] | str") -> Spec:
    """A specification from JSON text or values. Raises InputError."""
    if isinstance(spec, Spec):
        return spec
    try:
        return Spec.model_validate_json(spec) if isinstance(spec, str) else Spec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"this is no verifier specification: {where or 'all'}: {message}") from error


def json_schema() -> dict[str, Any]:
    """The JSON schema of a specification: one form for each kind, with its version and options."""
    forms: list[dict[str, Any]] = []
    shared: dict[str, Any] = {}
    for kind in kinds(FOLDER):
        cls = find(FOLDER, kind)
        assert issubclass(cls, Verifier)
        options = cls.model_json_schema(ref_template="#/$defs/{model}")
        shared |= options.pop("$defs", {})
        truths = [_truth_schema(truth, shared) for truth in cls.takes]
        forms.append(
            {
                "type": "object",
                "properties": {
                    "kind": {"const": kind},
                    "version": {"const": cls.version},
                    "options": options,
                    "truth": truths[0] if len(truths) == 1 else {"anyOf": truths},
                    "problem": {"type": "string"},
                    "starter_code": {"type": ["string", "null"]},
                    "meta": {"type": "object"},
                },
                "required": ["kind", "version", "truth"],
                "additionalProperties": False,
            }
        )
    title = "Veristill verifier specification"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "anyOf": forms, "$defs": shared}


def _truth_schema(truth: Any, shared: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(truth).json_schema(ref_template="#/$defs/{model}")
    shared |= schema.pop("$defs", {})
    schema["required"] = sorted({"type", *schema.get("required", [])})
    return schema


async def score(spec: "Spec | dict[str, Any] | str", text: str, resources: "Resources | None" = None) -> Verdict:
    """The verdict on a model's text (its thinking, if it is marked, is taken off) by a verifier specification.

    `resources` are the handles of a run (needed by a judge); without them sandbox and workers are opened where they are
    first needed, shared by the whole process and closed at its end. Safe from any event loop. Trouble of ours is the
    outcome `error`. Raises InputError for a specification that cannot be used, Prerequisite without isolation.
    """
    read = read_spec(spec)
    if resources is not None:
        return await _score(read, text, resources)
    return await asyncio.wrap_future(_submit(_with_machines(read, text)))


def score_sync(spec: "Spec | dict[str, Any] | str", text: str) -> Verdict:
    """As `score`, from a thread without an event loop (or beside one, which it then blocks)."""
    return _submit(_with_machines(read_spec(spec), text)).result()


def score_many(pairs: "Sequence[tuple[Spec | dict[str, Any] | str, str]]") -> list[Verdict]:
    """As `score_sync` for many (specification, text) pairs at once, in order; as many as the machine has cores run."""
    futures = [_submit(_with_machines(read_spec(spec), text)) for spec, text in pairs]
    return [future.result() for future in futures]


async def _score(spec: Spec, text: str, resources: "Resources") -> Verdict:
    verifier = spec.verifier()
    router = Router(chains={"score": [verifier]})
    judgement = await router.verify(_question(spec), _attempt(text), resources, {})
    return judgement.verdict


def _question(spec: Spec) -> Question:
    return Question.of(
        problem=spec.problem,
        domain="score",
        truth=spec.truth,
        source="score",
        source_id="",
        starter_code=spec.starter_code,
        meta=spec.meta,
    )


def _attempt(text: str) -> Attempt:
    """The text as a finished attempt: cut off is what leaves its thinking open, empty what says nothing after it."""
    parts = split(text)
    finish: FinishReason = "stop" if parts.solution.strip() else "empty"
    return Attempt(
        id=digest("score", text),
        question_id="score",
        sample=0,
        teacher="score",
        reasoning=parts.reasoning,
        solution=parts.solution,
        finish_reason=finish if parts.whole else "length",
        request_key="score",
    )


class _Shared:
    """The process's own loop and handles, made when they are first needed."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.machines: Machines | None = None
        self.lock = threading.Lock()


_shared = _Shared()


def _submit(work: Coroutine[Any, Any, Verdict]) -> "Future[Verdict]":
    with _shared.lock:
        if _shared.loop is None:
            _shared.loop = asyncio.new_event_loop()
            threading.Thread(target=_shared.loop.run_forever, name="veristill-score", daemon=True).start()
            atexit.register(close)
    return asyncio.run_coroutine_threadsafe(work, _shared.loop)


async def _with_machines(spec: Spec, text: str) -> Verdict:
    from curate.resources import Machines

    verifier = spec.verifier()
    if "calls" in verifier.needs:
        raise InputError(f"the verifier '{spec.kind}' asks a model", next="give `score` the handles of a run")
    if _shared.machines is None:
        _shared.machines = Machines()
    return await _score(spec, text, await _shared.machines.ready(verifier.needs))


def close() -> None:
    """End the processes that `score` opened; the next `score` opens them again."""
    with _shared.lock:
        loop, machines = _shared.loop, _shared.machines
        _shared.loop = _shared.machines = None
    if loop is None:
        return
    if machines is not None:
        asyncio.run_coroutine_threadsafe(machines.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
