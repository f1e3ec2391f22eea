"""`kind: reworded`: benchmark questions in other words, which runs of words do not show: embeddings and a judge.

It goes behind `decontaminate`: what is only alike by its words, or near by a model's vectors, is judged and told.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from curate.clean._asked import DOMAINS, ScoreName, applies, meant_for
from curate.contamination.against import Against, read_items
from curate.contamination.embed import Embed
from curate.errors import RecipeError
from curate.keys import Operational, digest
from curate.kinds import Gate, Opinion, Teacher
from curate.paths import PromptName
from curate.plug import Plug
from curate.records import Question

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.calls.model import Call
    from curate.contamination.items import Item
    from curate.contamination.match import Found
    from curate.contamination.second import Judging, SecondLook
    from curate.resources import Resources

_ALSO = 5  # further findings of a row that are named
_HELD = 8  # of a row that are kept in memory until it is examined

Weak = Literal["judge", "embedding", "candidate"]


class Reworded(Gate):
    """Has a judge decide which questions that are like a benchmark question are that question in other words.

    Alike are those that `decontaminate` calls `candidate` and, with `embed`, those whose vector is near an item's.
    Without `judge` they are only told.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    against: tuple[Against, ...] = Field(min_length=1, description="Benchmarks, as `decontaminate` takes them.")
    embed: Embed | None = Field(None, description="A model whose vectors name further pairs.")
    judge: Annotated[Teacher, Plug("curate.teachers")] | None = Field(
        None, description="A model that says whether two texts are the same problem."
    )
    prompt: Annotated[PromptName, Operational()] = Field(
        "same_problem", description="A name in curate/prompts/contamination, or the path of a .yaml file."
    )
    votes: int = Field(1, ge=1, le=15, description="Of the judge, each in both orders; more than half must be `equal`.")
    max_tokens: int = Field(2048, ge=1, description="Cap on the tokens of its reply, where the model sets none.")
    drop: tuple[Weak, ...] = Field(
        ("judge",), description="What is dropped: what the judge calls equal, and what was not called different."
    )
    private: bool = Field(
        False,
        description="Also send questions of benchmarks whose authors ask not to show them (GPQA), and rows with one.",
    )
    score: ScoreName = Field("reworded", description="The name of the score: the cosine, or the likeness by words.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)
    _items: "tuple[Item, ...] | None" = PrivateAttr(None)
    _found: "dict[int, list[Found]]" = PrivateAttr(default_factory=dict)
    _withheld: frozenset[int] = PrivateAttr(frozenset())  # places of rows that hold a question that is not sent
    _second: "SecondLook | None" = PrivateAttr(None)
    _share: Literal["judge", "embed"] | None = PrivateAttr(None)  # of what it asks, for `plan`

    @model_validator(mode="after")
    def _usable(self) -> Self:
        from curate.contamination.second import load

        if self.embed is None and self.judge is None:
            raise ValueError("say `judge:`, `embed:` or both")
        try:
            load(self.prompt)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def spec(self) -> dict[str, Any]:
        """Also the content of the benchmarks, the prompt's text and the models."""
        from curate.contamination.second import load

        told = super().spec()
        rest = {name: one for name, one in told["options"].items() if name not in ("against", "embed")}
        return {
            **told,
            "options": rest,
            "against": [one.content() for one in self.against],
            "embed": None if self.embed is None else self.embed.spec(),
            "prompt": load(self.prompt).model_dump(),
            **({} if self.judge is None else meant_for(self.judge)),
        }

    def gives(self) -> tuple[str, ...]:
        """The likeness."""
        return (self.score,)

    def models(self) -> tuple[Any, ...]:
        """The judge and the embedding model."""
        asked = {"judge": self.judge, "embed": self.embed}
        return tuple(one for name, one in asked.items() if one is not None and self._share in (None, name))

    def shares(self) -> tuple[Gate, ...]:
        """What is asked of each model."""
        found = []
        for name in ("judge", "embed"):
            share = self.model_copy()
            share._share = name
            found += [share] if share.models() else []
        return tuple(found)

    def rehearsed(self, model: Teacher) -> Self:
        """The same against the bundled rows with a made-up judge, which calls nothing equal; nothing is embedded."""
        fields = {"against": tuple(one.rehearsal() for one in self.against), "judge": model, "embed": None}
        return self.model_copy(update=fields)

    def prepared(self, groups: "Callable[[], Iterator[pa.Table]]", say: Callable[[str], None]) -> Self:
        """The same with what is alike by words, of all rows: a sample of them weighs each phrase first.

        Memory: a few findings for each row that has any. Raises as reading the benchmarks does.
        """
        from curate.contamination.index import Index
        from curate.contamination.match import LIKE, Matcher

        items = read_items(self.against)
        index = Index(items)
        survey = index.survey()
        for group in groups():
            index.surveyed(survey, group.column("problem").to_pylist())
        index.weigh(survey)
        matcher, found, withheld = Matcher(index), {}, set[int]()
        for group in groups():
            seqs, texts = (group.column(name).to_pylist() for name in ("seq", "problem"))
            for seq, each in zip(seqs, matcher.find(texts), strict=True):
                mine = [one for one in each if self.private or not one.item.private]
                if any(one.item.private and one.tier not in LIKE for one in each if not self.private):
                    withheld.add(seq)
                elif mine:
                    found[seq] = mine[:_HELD]
        ready = self.model_copy()
        ready._items, ready._found, ready._withheld = tuple(items), found, frozenset(withheld)
        ready._second = self.second(items)
        return ready

    def second(self, items: "Sequence[Item]") -> "SecondLook":
        """What looks again at texts that are like these items; at private ones only if `private` says so."""
        from curate.contamination.second import SecondLook

        return SecondLook([one for one in items if self.private or not one.private], self.embed, self._judging())

    def reads(self, question: Question) -> Any | None:
        """The question, and what it is like and how much; the benchmarks and the models are the gate's own."""
        found = self._of(question)
        if not applies(question.domain, self.domains) or not question.problem.strip():
            return None
        if question.seq in self._withheld:
            return None
        if self.embed is None and not found:
            return None
        # Also the score and the places: they follow from how common each phrase is among all rows of this run.
        like = [[*one.item[:2], digest(one.item.text), *one[1:5]] for one in found]
        return [question.id, like]

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """The vector of the question, and the judge's votes on what is alike by words."""
        if self.reads(question) is None:
            return []
        assert self._second is not None
        judged = self._second.requests(question.problem, self._of(question), resources)
        embedded = [] if self.embed is None else [self.embed.request(question.problem)]
        return [*(embedded if self._share != "judge" else ()), *(judged if self._share != "embed" else ())]

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """What it is like, and the judge's word. Raises Unexamined where a model did not answer."""
        assert self._second is not None
        held = await self._second.look(question.problem, self._of(question), resources)
        if not held:
            return Opinion(True)
        # What is dropped goes before what is not, whatever the order of the tiers.
        held = sorted(held, key=lambda one: not one.counts(self.drop))
        best = held[0]
        evidence = best.evidence(question.problem, private=any(one.item.private for one in held))
        if also := [one.short() for one in sorted(held[1:], key=lambda one: not one.item.private)[:_ALSO]]:
            evidence["also"] = also
        dropped = best.counts(self.drop)
        return Opinion(not dropped, "contaminated" if dropped else None, evidence, {self.score: best.score})

    def _of(self, question: Question) -> "list[Found]":
        if self._items is None:
            raise RuntimeError("a gate that looks at all rows first must be prepared")
        return self._found.get(question.seq, [])

    def _judging(self) -> "Judging | None":
        from curate.contamination.second import Judging

        if self.judge is None:
            return None
        return Judging(self.judge, str(self.prompt), self.votes, self.max_tokens)
