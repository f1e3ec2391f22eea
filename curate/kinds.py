"""The extension points: Source, Label and Gate (cleaning), Teacher, Verifier, Reward, Selector.

Each is a configured object with one method; adding one is adding one file to the folder of its name. None of them
knows files of the run, engines, ranks or retries: the engine owns those.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from curate.keys import Operational, digest
from curate.plug import Kind
from curate.records import Attempt, Drop, Question, Truth, Unknown, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.calls.model import Call, Reply
    from curate.resources import Resources
    from curate.verifiers.router import Router


SCIENCE = frozenset({"physics", "chemistry", "biology"})  # domains that `science` in a recipe also covers


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

    def recorded(self) -> dict[str, tuple[int, int]]:
        """What a reference recorded of this source under the same filters: rows read and kept, by `subset`.

        Questions say theirs in `meta`, Drops in `evidence`.
        """
        return {}

    def rehearsal(self) -> "Source":
        """The same source over the small sample shipped with it, for `--dry-run`; no network, no large file."""
        return self


class Opinion(NamedTuple):
    """What a label stage says of one row. `reason` is set exactly when the row is not kept (or `UNEXAMINED`).

    `scores` are measured amounts under the names that the stage's `gives` promises: stages behind it, and selectors,
    read them as columns. A name that is left out says nothing of the row.
    """

    kept: bool
    reason: str | None = None
    evidence: dict[str, Any] = {}  # noqa: RUF012 - never mutated
    scores: dict[str, float] = {}  # noqa: RUF012 - never mutated


class Label(Kind):
    """A cleaning stage: looks at rows, labels them, never rewrites them.

    `columns` names the columns of the questions table it reads (id, problem, domain, source, source_id...).
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "problem", "domain", "source")
    whole: ClassVar[bool] = False  # True: one call with every row; False: calls with batches of any size

    def reads(self) -> tuple[str, ...]:
        """The columns that it reads of a questions table, as it is configured."""
        return self.columns

    def gives(self) -> tuple[str, ...]:
        """The names of the scores in its opinions."""
        return ()

    def wants(self) -> tuple[str, ...]:
        """The names of scores of earlier stages that it reads: columns of float64, null where there is none."""
        return ()

    def rehearsal(self) -> Self:
        """The same stage for `--dry-run`, which must not ask the network for anything."""
        return self

    def relabelling(self, spec: dict[str, Any], labels: "pa.Table") -> "Callable[[pa.Table], list[Opinion]] | None":
        """What gives opinions on the same rows from `labels` (seq, evidence), which this kind gave under `spec`.

        None where they say too little: everything is labelled anew. Only asked of a kind that is `whole`.
        """
        return None

    @abstractmethod
    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row, in order. Pure: the same rows give the same opinions."""

    def prepared(
        self, groups: "Callable[[], Iterator[pa.Table]]", say: "Callable[[str], None]"
    ) -> "Callable[[pa.Table], list[Opinion]]":
        """What labels each batch; a stage that must go through all rows first does so here, batch by batch.

        Unlike with `whole`, the rows are never in memory together. `say` tells the user a line.
        """
        return self.label


UNEXAMINED = "unexamined"  # the reason of a row that is kept because of trouble of ours


class Unexamined(Exception):
    """Trouble of ours kept a gate from an opinion: the question stays, counted, and the next run examines it."""


class Gate(Kind):
    """A cleaning stage that must run or ask something to have an opinion: one question at a time, with handles.

    Its opinions are stored in the ledger under `reads`, so nothing is examined twice, whatever kills a run.
    """

    # Of `sandbox`, `workers`, `calls`: opened only when needed.
    needs: ClassVar[frozenset[str]] = frozenset()

    def gives(self) -> tuple[str, ...]:
        """The names of the scores in its opinions."""
        return ()

    def within(self, router: "Router") -> Self:
        """The same gate, told how the recipe verifies answers; by default that is nothing to it."""
        return self

    def rehearsed(self, model: "Teacher") -> Self:
        """The same gate for `--dry-run`, with a made-up model where it asks one."""
        return self

    def handles(self, rows: Iterable[tuple[str, str]]) -> frozenset[str]:
        """What examining questions of these (domain, truth type) pairs needs open."""
        return self.needs

    def models(self) -> tuple["Teacher", ...]:
        """The models that it asks itself; those of judges are the router's."""
        return ()

    def prepared(self, groups: "Callable[[], Iterator[pa.Table]]", say: "Callable[[str], None]") -> Self:
        """The same gate after going through all questions that come to it (`seq`, `problem`), batch by batch.

        By default it needs none of them. Unlike what `reads` names, what it learns so is no part of an opinion's key.
        """
        return self

    def shares(self) -> "tuple[Gate, ...]":
        """For `plan`: the gate once for each model that `requests` asks, of which `models` then names the first."""
        return (self,)

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """What examining a question asks its models, as far as that is known before any reply: for `plan`."""
        return []

    @abstractmethod
    def reads(self, question: Question) -> Any | None:
        """What of a question decides the opinion, as a JSON-like value; None: nothing to examine, it is kept."""

    @abstractmethod
    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The opinion; its evidence must repeat exactly. Raises Unexamined for trouble of ours."""


class Selector(Kind):
    """Chooses which attempts become rows; sees label columns only, never texts.

    The table always has seq, sample, question_id, attempt_id, domain, source, teacher, outcome, reason, finish_reason,
    chars and output_tokens; every other column is measured because `reads` names it (`curate.measures.names`).
    """

    published: ClassVar[bool] = False  # True: its evidence on a row it keeps is published with that row
    words: ClassVar[tuple[str, ...]] = ()  # what may stand in the place of a column

    def reads(self) -> frozenset[str]:
        """The names of the columns that `select` reads."""
        return frozenset()

    def rehearsal(self) -> Self:
        """The same selector for `--dry-run`, which must not ask the network for anything."""
        return self

    def fits(self, types: Mapping[str, str]) -> None:
        """Raise ValueError where a column has another type (number, text, truth; any: not known) than it takes."""
        return

    @abstractmethod
    def select(self, attempts: "pa.Table") -> Sequence[Opinion]:
        """One opinion per attempt, in order: a list, or for millions of rows `curate.select.choices.Choices`."""


class Ask(NamedTuple):
    """A request that is no question of the run, such as a judge's. Only a made-up teacher reads `right` and `wrong`."""

    user: str
    system: str = ""
    response_format: dict[str, Any] | None = None  # OpenAI's field of that name; left out where a server knows none
    right: str = ""  # a good reply
    wrong: str = ""  # a bad one

    def question(self) -> Question:
        """The request as a question without a truth: what a teacher's `call` and `parse` take."""
        text = f"{self.system}\n\n{self.user}".strip()
        return Question.of(problem=text, domain="ask", truth=Unknown(), source="ask", source_id=digest(text))


class Teacher(Kind):
    """Builds calls to a model and parses its replies. Durability, retries and budget are not its business."""

    billed: ClassVar[bool] = True  # False: answers cost nothing and are simply read again
    concurrency: Annotated[int, Operational()] = 64
    domains: Annotated[tuple[str, ...], Operational()] = Field(
        (),
        description="Asked for questions of these domains alone (`science` covers physics, chemistry, biology).",
    )

    def asks(self, question: Question) -> bool:
        """Whether this teacher is asked this question at all."""
        named, domain = self.domains, question.domain
        return not named or domain in named or ("science" in named and domain in SCIENCE)

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

    def ask(self, ask: Ask, sample: int, resources: "Resources") -> "Call | None":
        """The request for reply `sample` to a free text; `parse` takes `ask.question()` with it."""
        return self.call(ask.question(), sample, resources)

    def can_continue(self) -> bool:
        """Whether `further` can ask for the rest of an answer that was cut."""
        return False

    def further(self, call: "Call", reply: "Reply") -> "Call | None":
        """The request for the rest of the answer in a reply that was cut; None where there is no way to ask for it."""
        return None

    def unused(self, resources: "Resources") -> int:
        """Recorded answers that no question asked for: told to the user, who may have matched the wrong column."""
        return 0

    @abstractmethod
    def parse(self, question: Question, sample: int, call: "Call", reply: "Reply") -> Attempt:
        """The attempt that a stored reply holds. Pure; never raises on what a model wrote."""


class Reward(Kind):
    """Scores finished answers by asking a model, after they are verified: the column `reward`, more is better."""

    of: Annotated[Literal["finished", "verified"], Operational()] = Field(
        "finished", description="Which answers are scored: every finished one, or those alone that passed."
    )
    sees: Literal["solution", "whole"] = Field(
        "solution", description="What of an answer is scored: without its thinking, or with it."
    )

    def shown(self, attempt: Attempt) -> str:
        """The text of an answer that is scored."""
        thought = attempt.reasoning if self.sees == "whole" else None
        return f"{thought}\n\n{attempt.solution}" if thought else attempt.solution

    @abstractmethod
    def name(self) -> str:
        """Kind and model, such as `served/Skywork-Reward-V2`."""

    @property
    @abstractmethod
    def concurrency(self) -> int:
        """Requests in flight at most."""

    @abstractmethod
    async def open(self, resources: "Resources") -> None:
        """Prepare what `call` needs; called once before any `call`."""

    @abstractmethod
    def call(self, question: Question, attempt: Attempt, resources: "Resources") -> "Call | None":
        """The request about one answer; None where there is nothing to ask (no recorded reply).

        The question comes without its test cases.
        """

    @abstractmethod
    def read(self, question: Question, attempt: Attempt, call: "Call", reply: "Reply") -> float | None:
        """The reward in a stored reply; None where it holds none. Raises InputError for a wrong configuration."""


class Example(NamedTuple):
    """A question with a solution that must pass and one that must not."""

    question: Question
    right: str
    wrong: str


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

    def example(self) -> Example | None:
        """What the self-check tries this verifier on; None: one made up for a truth type that it takes."""
        return None

    @abstractmethod
    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """The verdict. Trouble of ours is the outcome `error`; it never raises on what a model wrote."""
