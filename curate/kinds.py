"""The five extension points: Source, Label (cleaning), Teacher, Verifier, Selector.

Each is a configured object with one method; adding one is adding one file to the folder of its name. None of them
knows files of the run, engines, ranks or retries: the engine owns those.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from curate.keys import Operational
from curate.plug import Kind
from curate.records import Attempt, Drop, Question, Truth, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.calls.model import Call, Reply
    from curate.resources import Resources


class Source(Kind):
    """Where questions come from."""

    @abstractmethod
    def read(self) -> Iterator[Question | Drop]:
        """Yield questions lazily, in a fixed order; a row that cannot be a question is yielded as a Drop.

        `seq` counts rows from 0 within this source (ingest renumbers). Raises InputError for a source that cannot be
        read at all.
        """

    @abstractmethod
    def fingerprint(self) -> str | None:
        """A hash of the content that `read` would yield; None where only reading it can tell."""

    def rehearsal(self) -> "Source":
        """The same source over the small sample shipped with it, for `--dry-run`; no network, no large file."""
        return self


class Opinion(NamedTuple):
    """What a label stage says of one row. `reason` is set exactly when the row is not kept."""

    kept: bool
    reason: str | None = None
    evidence: dict[str, Any] = {}  # noqa: RUF012 - never mutated


class Label(Kind):
    """A cleaning stage: looks at rows, labels them, never rewrites them.

    `columns` names the columns of the questions table it reads (id, problem, domain, source, source_id...).
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "problem", "domain", "source")
    whole: ClassVar[bool] = False  # True: one call with every row; False: calls with batches of any size

    @abstractmethod
    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row, in order. Pure: the same rows give the same opinions."""


class Selector(Kind):
    """Chooses which attempts become rows; sees label columns only, never texts.

    Columns: seq, sample, question_id, attempt_id, domain, source, outcome, reason, finish_reason.
    """

    @abstractmethod
    def select(self, attempts: "pa.Table") -> list[Opinion]:
        """One opinion per attempt, in order."""


class Teacher(Kind):
    """Builds calls to a model and parses its replies. Durability, retries and budget are not its business."""

    billed: ClassVar[bool] = True  # False: answers cost nothing and are simply read again
    concurrency: Annotated[int, Operational()] = 64

    @abstractmethod
    def name(self) -> str:
        """Kind and model, such as `openai/deepseek-reasoner`: it stands in each Attempt."""

    async def open(self, resources: "Resources") -> None:
        """Prepare what `call` needs (an index of a recording, a check of a key); called once before any `call`."""
        return

    @abstractmethod
    def call(self, question: Question, sample: int, resources: "Resources") -> "Call | None":
        """The request for sample `sample` of `question`; None where there is nothing to ask (no recorded answer).

        The question comes without its test cases (`truth.cases` is empty): they are nothing a teacher may see.
        """

    def unused(self, resources: "Resources") -> int:
        """Recorded answers that no question asked for: told to the user, who may have matched the wrong column."""
        return 0

    @abstractmethod
    def parse(self, question: Question, sample: int, call: "Call", reply: "Reply") -> Attempt:
        """The attempt that a stored reply holds. Pure; never raises on what a model wrote."""


class Verifier(Kind):
    """Judges one attempt against the truth of its question."""

    takes: ClassVar[tuple[type[Truth], ...]] = ()
    needs: ClassVar[frozenset[str]] = frozenset()  # of `sandbox`, `workers`, `calls`: opened only when needed

    def verifier_version(self) -> str:
        """Our version and the deciding library's, such as `1+math-verify-0.9.0`: part of every verdict key."""
        return str(self.version)

    def reads(self, question: Question) -> Any:
        """What else than its truth this verifier reads of a question: part of the verdict key."""
        return None

    @abstractmethod
    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """The verdict. Trouble of ours is the outcome `error`; it never raises on what a model wrote."""
