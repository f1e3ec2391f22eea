"""A second look at what is only alike: embeddings name further pairs, a judge says which are the same problem.

Everything asked goes through the run's calls: durable, under the budget, never paid twice.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.clean._asked import all_of
from curate.contamination.embed import Embed, Nearness
from curate.contamination.items import Item
from curate.contamination.match import LIKE, Found
from curate.kinds import Ask, Teacher, Unexamined
from curate.prompts.prompt import read
from curate.verifiers.judging.asking import Poll, ReplyForm, Vote, majority, vote
from curate.verifiers.judging.prompt import Case, JudgePrompt, render
from curate.verifiers.judging.reply import made_up
from curate.verifiers.verdict import shown

if TYPE_CHECKING:
    from curate.calls.model import Call
    from curate.resources import Resources

USE = "difficulty"  # what cleaning asks models for, as the ledger names it
PAIRS = 8  # of a text that are judged at most, the most alike first


class Judging(NamedTuple):
    """How a pair is judged: by whom, with which prompt, how often. Each vote is asked in both orders."""

    model: Teacher
    prompt: str = "same_problem"
    votes: int = 1
    max_tokens: int = 2048
    form: ReplyForm = "auto"
    max_chars: int = 8000  # of each text that are shown


def load(name: str) -> JudgePrompt:
    """A prompt of `curate/prompts/contamination`, or the user's where `name` ends in `.yaml`. Raises RecipeError."""
    return read("contamination", name, lambda found, _: JudgePrompt.model_validate(found))


class SecondLook:
    """Looks again at texts for the items of benchmarks."""

    def __init__(self, items: Sequence[Item], embed: Embed | None, judging: Judging | None) -> None:
        self._nearness = Nearness(embed, items) if embed is not None and items else None
        self._judging, self._items = judging, frozenset(items)

    async def look(self, text: str, found: Sequence[Found], resources: "Resources") -> list[Found]:
        """What a text holds, the strongest first: `found`, and what embeddings name, each with the judge's word.

        Raises Unexamined where a model did not answer, Stopped where no more may be asked.
        """
        held = list(found)
        if self._nearness is not None:
            near = await self._nearness.near(text, resources)
            known = {one.item for one in held}
            held += [Found(one.item, "embedding", one.cosine, (), False) for one in near if one.item not in known]
        mine = sorted((one for one in held if one.tier in LIKE and one.item in self._items), key=Found.strength)[:PAIRS]
        if self._judging is None:
            return sorted(held, key=Found.strength)
        judged = await all_of(self._pair(text, one, resources) for one in mine)
        return sorted([*(one for one in held if one not in mine), *judged], key=Found.strength)

    def requests(self, text: str, found: Sequence[Found], resources: "Resources") -> "list[Call]":
        """What the judge is asked of `found`: what embeddings may name is not known before."""
        judging = self._judging
        like = [one for one in found if one.tier in LIKE][:PAIRS]
        if judging is None:
            return []
        asked = [_ask(judging, text, one.item.text, swapped) for one in like for swapped in (False, True)]
        calls = [judging.model.ask(ask, number, resources) for ask in asked for number in range(judging.votes)]
        cap = judging.max_tokens
        return [one.model_copy(update={"max_tokens": one.max_tokens or cap, "use": USE}) for one in calls if one]

    async def _pair(self, text: str, one: Found, resources: "Resources") -> Found:
        judging = self._judging
        assert judging is not None
        votes = [await self._vote(text, one.item.text, number, resources) for number in range(judging.votes)]
        if lost := next((each for each in votes if each.word == "failed"), None):
            raise Unexamined(f"no reply of the judge: {lost.why or 'the call failed'}"[:200])
        word = majority(votes, judging.votes) or "unclear"
        speaker = next((each for each in votes if each.word == word), votes[0])
        told: dict[str, Any] = {"verdict": word, "votes": [each.word for each in votes]}
        if speaker.model:
            told["model"] = speaker.model
        if speaker.why and not one.item.private:
            told["why"] = shown(speaker.why)
        return one._replace(tier="judge", judged=told) if word == "equal" else one._replace(judged=told)

    async def _vote(self, text: str, item: str, number: int, resources: "Resources") -> Vote:
        """One vote: what both orders say, `unclear` where they differ."""
        judging = self._judging
        assert judging is not None
        poll = Poll(judging.model, load(judging.prompt).reply, judging.form, judging.max_tokens)
        first = await vote(poll, _ask(judging, text, item, False), number, resources)
        if first.word == "different":  # the other order cannot make them equal
            return first
        second = await vote(poll, _ask(judging, text, item, True), number, resources)
        if first.word == second.word:
            return first
        lost = next((one for one in (first, second) if one.word == "failed"), None)
        return lost or Vote("unclear", "the order decides", first.model)


def _ask(judging: Judging, text: str, item: str, swapped: bool) -> Ask:
    prompt = load(judging.prompt)
    case = Case(None, item[: judging.max_chars], text[: judging.max_chars])
    system, user = render(prompt, case, swapped=swapped)
    return Ask(user, system, right=made_up("different", prompt.reply), wrong="I cannot say.")
