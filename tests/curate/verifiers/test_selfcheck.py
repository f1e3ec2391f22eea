"""The self-check finds every kind well, and a verifier that accepts everything, nothing, or raises, not well."""

from typing import Any, ClassVar

import pytest

from curate.kinds import Example, Verifier
from curate.plug import kinds
from curate.records import Answer, Attempt, Question, Truth, Verdict
from curate.verifiers import selfcheck
from curate.verifiers.selfcheck import examine
from curate.verifiers.verdict import verdict_of


class Broken(Verifier):
    """Says the same of every answer."""

    takes: ClassVar[tuple[type[Truth], ...]] = (Answer,)
    says: str = "pass"
    own: bool = False

    def example(self) -> Example | None:
        row = Question.of(problem="?", domain="x", truth=Answer(text="7"), source="s", source_id="1")
        return Example(row, "right", "wrong") if self.own else None

    async def verify(self, question: Question, attempt: Attempt, resources: Any) -> Verdict:
        if self.says == "raise":
            raise RuntimeError("out of order")
        if self.says == "own":
            return verdict_of(self, "pass" if attempt.solution == "right" else "fail", "ok", {})
        return verdict_of(self, self.says, "ok", {})  # type: ignore[arg-type]


async def test_every_kind_is_well() -> None:
    found = await examine()
    assert [name.partition(" ")[0] for name, _ in found] == kinds("curate.verifiers")
    assert [problem for _, problem in found if problem] == []
    assert sum("not tried" in name for name, _ in found) <= 1  # reasoning-gym is an extra


@pytest.mark.parametrize(
    ("says", "own", "words"),
    [
        ("pass", False, "a wrong answer ends as pass"),
        ("fail", False, "a right answer ends as fail"),
        ("unsure", False, "a right answer ends as unsure"),
        ("raise", False, "RuntimeError: out of order"),
        ("own", True, None),
        ("own", False, "a right answer ends as fail"),
    ],
)
async def test_a_broken_one_is_found(says: str, own: bool, words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "kinds", lambda folder: ["third"])
    monkeypatch.setattr(selfcheck, "_configured", lambda kind: Broken(says=says, own=own))
    ((name, problem),) = await examine()
    assert name == "third"
    assert problem is None if words is None else words in (problem or "")


async def test_one_that_cannot_even_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: str) -> Verifier:
        raise ImportError("no such module")

    monkeypatch.setattr(selfcheck, "kinds", lambda folder: ["third"])
    monkeypatch.setattr(selfcheck, "_configured", refuse)
    assert await examine() == [("third", "ImportError: no such module")]
