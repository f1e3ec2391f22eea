"""`kind: exact`: is the answer the reference, character for character, but for what the options set aside?

Set aside always: the form of Unicode (NFC) and white space (outer gone, each inner gap one space). Numbers and formulas
are compared as they are written: `0.5` is not `1/2`.
"""

import unicodedata
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from curate.kinds import Example, Verifier
from curate.records import Answer, Attempt, Choice, Question, Reference, Truth, Verdict
from curate.verifiers.extract import final_answer, solution_part
from curate.verifiers.verdict import shown, verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources


class SameText(Verifier):
    """Compares texts."""

    takes: ClassVar[tuple[type[Truth], ...]] = (Answer, Choice, Reference)

    of: Literal["answer", "solution"] = Field("answer", description="The final answer, or the whole solution.")
    ignore_case: bool = Field(False, description="`Paris` is `PARIS`.")
    ignore_punctuation: bool = Field(False, description="Leave out every character of a Unicode class P.")

    def example(self) -> Example:
        """A pair without formulas, which this verifier does not read."""
        truth = Answer(text="Paris")
        asked = Question.of(problem="?", domain="check", truth=truth, source="check", source_id="0")
        return Example(asked, "\\boxed{Paris}", "\\boxed{Rome}")

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """`fail/no_answer` where the solution gives no final answer."""
        truth = question.truth
        assert isinstance(truth, Answer | Choice | Reference)
        reference = truth.letter if isinstance(truth, Choice) else truth.text
        evidence = {"reference": shown(reference)}
        text: str | None = solution_part(attempt.solution)
        if self.of == "answer" and text is not None:
            found = final_answer(text, plain_number=True)
            text = None if found is None else found.text
        if text is None or not text.strip():
            return verdict_of(self, "fail", "no_answer", evidence)
        evidence["answer"] = shown(text.strip())
        if self._plain(text) == self._plain(reference):
            return verdict_of(self, "pass", "ok", evidence)
        return verdict_of(self, "fail", "wrong_answer", evidence)

    def _plain(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        if self.ignore_punctuation:
            text = "".join(one for one in text if not unicodedata.category(one).startswith("P"))
        if self.ignore_case:
            text = unicodedata.normalize("NFC", text.casefold())
        return " ".join(text.split())
