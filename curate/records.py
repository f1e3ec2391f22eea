"""The nouns of curation, in the order they come to life: Question, Attempt, Verdict, Row, Drop.

Everything here is frozen and refuses unknown fields. Ids are content hashes (`curate.keys`), never positions, so an
edited, reordered or enlarged source changes only what it really changes.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from curate.keys import digest


class Record(BaseModel):
    """A frozen value; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(Record):
    r"""A final answer, such as `18` or `\frac{1}{2}`: not a worked solution."""

    type: Literal["answer"] = "answer"
    text: str


class Tests(Record):
    """Unit tests, kept as the JSON text their source wrote (docs/reference/test-cases.md).

    They stay text because one question's tests can be hundreds of megabytes: only the verifier parses them.
    """

    __test__: ClassVar[bool] = False  # not a pytest class, whatever its name
    type: Literal["tests"] = "tests"
    cases: str
    time_s: float | None = None  # CPU seconds a test, as the source says; None: the verifier's default
    memory_mb: int | None = None


class Choice(Record):
    """One right letter out of `options` (which may be empty where only the letter is known)."""

    type: Literal["choice"] = "choice"
    letter: str
    options: tuple[str, ...] = ()


class Grid(Record):
    """A grid of small integers, rows first (ARC)."""

    type: Literal["grid"] = "grid"
    cells: tuple[tuple[int, ...], ...]


class Scored(Record):
    """A reasoning-gym entry (JSON text) that the named task's own scorer judges."""

    type: Literal["scored"] = "scored"
    task: str
    entry: str


class Reference(Record):
    """Free text that only a judge can compare."""

    type: Literal["reference"] = "reference"
    text: str


class Unknown(Record):
    """No truth is known: nothing can be verified."""

    type: Literal["unknown"] = "unknown"


Truth = Annotated[Answer | Tests | Choice | Grid | Scored | Reference | Unknown, Field(discriminator="type")]


class Question(Record):
    """One question. Equal content has one `id`, however often and wherever it stands; `seq` is the place in the run."""

    id: str
    seq: int
    problem: str
    domain: str
    source: str
    source_id: str
    licence: str | None = None
    truth: Truth
    truth_key: str  # hash of `truth`, so that verdict keys never need the tests themselves
    gold: str | None = None  # the source's worked solution; published, never part of the id
    starter_code: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, *, problem: str, domain: str, truth: Truth, **fields: Any) -> "Question":
        """Build a question and derive its `id` and `truth_key`; `seq` is 0 until ingest numbers it."""
        truth_key = digest(truth.model_dump())
        id_ = digest(problem, fields.get("starter_code"), truth_key, domain)
        fields = {"seq": 0, **fields}
        return cls(id=id_, problem=problem, domain=domain, truth=truth, truth_key=truth_key, **fields)

    def untested(self) -> "Question":
        """The same question without its test cases: all that a teacher may see, and all that publishing needs."""
        if not isinstance(self.truth, Tests):
            return self
        return self.model_copy(update={"truth": self.truth.model_copy(update={"cases": ""})})


FinishReason = Literal["stop", "length", "refused", "empty", "malformed", "failed"]


class Attempt(Record):
    """One answer of a teacher to one question, parsed from the stored reply.

    Only `finish_reason == "stop"` is a finished answer; `failed` means that the call never succeeded (our trouble).
    """

    id: str
    question_id: str
    sample: int
    teacher: str  # kind and model, such as `openai/deepseek-reasoner`
    model: str | None = None  # the model name that the server returned
    reasoning: str | None = None
    solution: str = ""
    finish_reason: FinishReason
    request_key: str
    usage: dict[str, int] = Field(default_factory=dict)  # tokens: input, output, reasoning
    cost: float | None = None  # USD; None: unknown


VerdictOutcome = Literal["pass", "fail", "unsure", "error"]
Reason = Literal[
    "ok", "wrong_answer", "time_limit", "memory_limit", "output_limit", "process_limit", "runtime_error",
    "compile_error", "no_answer", "no_code", "unparsable", "truncated", "refused", "judge_rejected", "judge_unclear",
    "disagreement",
    "no_verifier", "not_applicable", "unreadable_tests", "missing_module", "infrastructure",
]  # fmt: skip


class Verdict(Record):
    """What one verifier says of one attempt. `error` is our trouble and is tried again; only `pass` is verified.

    `evidence` holds nothing measured (it is published); times stand in `seconds` and `measured`.
    """

    verifier: str
    verifier_version: str
    outcome: VerdictOutcome
    reason: Reason
    evidence: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0  # CPU seconds spent on it
    measured: dict[str, Any] = Field(default_factory=dict)
    cost: float | None = None  # USD


class Row(Record):
    """One published row: a question, the attempt selected for it and the verdict on that attempt."""

    question: Question
    attempt: Attempt
    verdict: Verdict


class Drop(Record):
    """Why something left the flow. Nothing leaves without one."""

    unit: Literal["question", "attempt", "row"]
    id: str
    seq: int
    stage: str
    reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)
