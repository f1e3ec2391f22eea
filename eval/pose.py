"""How a benchmark's questions are put to a model: as questions of a source, and as the requests of a teacher.

`Posed` marks each question with its benchmark and place; `Student` asks it in the words, with the decoding and with the
seed that the protocol says, whatever the model; `Graders` verifies it as its benchmark wants.
"""

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from curate.calls.model import Call, Reply
from curate.calls.prices import Price
from curate.isolation import SandboxBlock
from curate.keys import digest
from curate.kinds import Ask, Source, Teacher, Verifier
from curate.plug import Plug
from curate.records import Attempt, Drop, Question, Record
from curate.run import Run
from curate.teachers._api import Api
from curate.verifiers.router import Router
from eval.protocol import Decoding, Grading, evalchemy_order, prompt_of, seed_of

if TYPE_CHECKING:
    from curate.resources import Resources

BENCH, PLACE = "bench", "place"  # in the meta of a question: its benchmark, and its number in it from 0
_SEEDLESS = ("responses",)  # forms of an API that refuses a request with a seed
USE = "evaluate"  # what answers are for, as the ledger and the counters name it


class Setting(NamedTuple):
    """Where an evaluation runs, and what the recipe says besides its `eval:` block."""

    root: Path
    recipe: str
    sandbox: SandboxBlock = SandboxBlock()
    answers_from: tuple[Path, ...] = ()
    quiet: bool = False


def payer(setting: Setting) -> Run:
    """What all payments of an evaluation are put down to, whatever the model: its budget is one."""
    return Run(setting.root, f"{setting.recipe}/eval")


class Posing(Record):
    """How the questions of one benchmark are put and graded, all of it decided."""

    label: str
    edition: str
    runs: int
    prompt: str
    system: str | None = None
    options: Literal["source", "evalchemy"] = "source"
    seeds: Literal["question", "run", "none"] = "question"
    seed: int = 0
    decoding: Decoding = Decoding()
    topic: tuple[str, ...] = ()
    verify: tuple[Annotated[Verifier, Plug("curate.verifiers")], ...] | None = None
    evalchemy: Grading | None = None  # None: not graded so

    def messages(self, question: Question) -> list[dict[str, str]]:
        """The messages of a request. Raises RecipeError where the prompt fails on the question."""
        return prompt_of(self.prompt).render(question, system=self.system or "")

    def seed_of(self, run: int, question: Question) -> int | None:
        """The seed that is sent."""
        return seed_of(self.seeds, self.seed, run, question)


class Posed(Source):
    """The questions of one benchmark as they are asked; of all of them, or of `take` drawn by their content."""

    version: ClassVar[int] = 1
    inner: Annotated[Source, Plug("curate.sources")]
    label: str
    options: Literal["source", "evalchemy"] = "source"
    take: int | None = Field(None, ge=1)
    limit: int | None = Field(None, ge=1)  # rows read

    def read(self) -> Iterator[Question | Drop]:
        """Yield the questions, each with its benchmark and place in `meta`; what is none is yielded as a Drop."""
        place = 0
        for item in self._items():
            if isinstance(item, Drop):
                yield item
                continue
            posed = evalchemy_order(item) if self.options == "evalchemy" else item
            yield posed.model_copy(update={"meta": {**posed.meta, BENCH: self.label, PLACE: place}})
            place += 1

    def fingerprint(self) -> str | None:
        """Of the questions' own source."""
        return self.inner.fingerprint()

    def _items(self) -> Iterator[Question | Drop]:
        read = self.inner.read()
        items = read if self.limit is None else (item for _, item in zip(range(self.limit), read, strict=False))
        if self.take is None:
            yield from items
            return
        held: list[tuple[int, int, Question]] = []  # a heap whose first is the worst of those held
        for number, item in enumerate(items):
            if isinstance(item, Drop):
                yield item
                continue
            rank = -int(digest("take", self.label, item.id), 16)
            if len(held) < self.take:
                heapq.heappush(held, (rank, -number, item))
            elif (rank, -number) > held[0][:2]:
                heapq.heapreplace(held, (rank, -number, item))
        yield from (item for _, _, item in sorted(held, key=lambda one: -one[1]))


class Student(Teacher):
    """A model under evaluation: the protocol says what it is asked; the model says where it is and what it costs."""

    inner: Annotated[Teacher, Plug("curate.teachers")]
    posings: dict[str, Posing]

    def name(self) -> str:
        """Of the model."""
        return self.inner.name()

    @property
    def price(self) -> Price | None:
        """What the model costs."""
        return getattr(self.inner, "price", None)

    async def open(self, resources: "Resources") -> None:
        """Prepare the model."""
        await self.inner.open(resources)

    def call(self, question: Question, sample: int, resources: "Resources") -> Call | None:
        """The request of one run of one question; None beyond the runs of its benchmark."""
        posing = self.posings[question.meta[BENCH]]
        if sample >= posing.runs:
            return None
        if not isinstance(self.inner, Api):  # a recording, or a teacher that has no request to be put into words
            return self.inner.call(question, sample, resources)
        messages = posing.messages(question)
        system = messages[0]["content"] if messages[0]["role"] == "system" else ""
        model = self.inner.model_copy(update={**posing.decoding.model_dump(), "seed": None})
        call = model.ask(Ask(messages[-1]["content"], system), sample, resources)
        seed = posing.seed_of(sample, question)
        if seed is None or call.form in _SEEDLESS:
            return call
        return call.model_copy(update={"body": {**call.body, "seed": seed}})

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt that a reply holds."""
        return self.inner.parse(question, sample, call, reply)

    def unused(self, resources: "Resources") -> int:
        """Recorded answers that no question asked for."""
        return self.inner.unused(resources)


class Graders(Router):
    """The verifiers of an evaluation: by domain, as everywhere, but for benchmarks that name their own."""

    benches: dict[str, list[Annotated[Verifier, Plug("curate.verifiers")]]] = Field(default_factory=dict)

    def chain_of(self, question: Question) -> list[Verifier]:
        """Those of the question's benchmark, else of its domain."""
        own = self.benches.get(question.meta.get(BENCH, ""))
        return super().chain_of(question) if own is None else [self._filled(one) for one in own]

    def needs(self, rows: Any) -> frozenset[str]:
        """Also what the benchmarks' own verifiers need."""
        own = (one.needs for chain in self.benches.values() for one in chain)
        return frozenset().union(super().needs(rows), *own)

    def judges(self) -> list[Teacher]:
        """Also the models of the benchmarks' own judges."""
        plain = Router(chains={**self.chains, **{f"bench {name}": chain for name, chain in self.benches.items()}})
        return plain.model_copy(update={"judge_model": self.judge_model}).judges()
