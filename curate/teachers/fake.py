"""`kind: fake`: answers made from what is known of the truth, a stated share of them wrong or cut, for rehearsals.

Which answers are wrong is decided by question, sample and seed alone, so every run of a recipe gets the same ones. Its
requests are treated as billed: a rehearsal exercises all that keeps paid answers safe.
"""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from curate.calls.completion import completion
from curate.calls.model import Call, Reply
from curate.calls.prices import FREE
from curate.keys import Operational, digest
from curate.kinds import Ask, Teacher
from curate.records import Answer, Attempt, Choice, Grid, Question, Reference, Scored, Tests
from curate.teachers.parse import attempt_of

if TYPE_CHECKING:
    from curate.resources import Resources

_DEF = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_CLASS = re.compile(r"^class[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_NO_ANSWER = "I do not know the answer."


class Fake(Teacher):
    """A teacher of known quality that costs nothing."""

    error_rate: float = Field(0.25, ge=0, le=1, description="Share of wrong answers.")
    truncate_rate: float = Field(0.0, ge=0, le=1, description="Share of answers that are cut at the token limit.")
    seed: int = 0
    latency_s: Annotated[float, Operational] = Field(0.0, ge=0, description="Seconds until an answer comes.")
    concurrency: Annotated[int, Operational] = Field(64, ge=1, le=4096)

    def name(self) -> str:
        """Kind and model."""
        return "fake/gold"

    def call(self, question: Question, sample: int, resources: "Resources") -> Call:
        """A call that carries its answer."""
        wrong = self._chance("wrong", question, sample) < self.error_rate
        solution = _wrong(question, self._number(question, sample)) if wrong else _right(question)
        reasoning = f"This is a made-up answer to question {question.id}, sample {sample}."
        if self._chance("cut", question, sample) < self.truncate_rate:
            raw = completion(solution[: len(solution) // 2], reasoning=reasoning, finish_reason="length")
        else:
            raw = completion(solution, reasoning=reasoning)
        tokens = {"prompt_tokens": len(question.problem) // 4, "completion_tokens": len(solution) // 4}
        return Call(
            form="given",
            model="gold",
            sample=sample,
            body={"question": question.id, "answer": digest(raw)},
            given={**raw, "usage": tokens, "model": "gold"},
            latency_s=self.latency_s,
            concurrency=self.concurrency,
            price=FREE,
        )

    def ask(self, ask: Ask, sample: int, resources: "Resources") -> Call:
        """A call that carries the good reply, or the bad one at the error rate."""
        question = ask.question()
        wrong = self._chance("wrong", question, sample) < self.error_rate
        raw = completion(ask.wrong if wrong else ask.right)
        tokens = {"prompt_tokens": len(question.problem) // 4, "completion_tokens": len(ask.right) // 4}
        return Call(
            form="given",
            model="gold",
            sample=sample,
            body={"question": question.id, "answer": digest(raw)},
            given={**raw, "usage": tokens, "model": "gold"},
            latency_s=self.latency_s,
            concurrency=self.concurrency,
            price=FREE,
        )

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt that a reply holds."""
        return attempt_of(question, sample, call, reply, self.name())

    def _number(self, question: Question, sample: int) -> int:
        return int(digest("fake", self.seed, question.id, sample)[:8], 16)

    def _chance(self, what: str, question: Question, sample: int) -> float:
        return int(digest("fake", what, self.seed, question.id, sample)[:8], 16) / 2**32


def _right(question: Question) -> str:
    truth = question.truth
    if isinstance(truth, Answer):
        return f"The answer is \\boxed{{{truth.text}}}."
    if isinstance(truth, Choice):
        return f"The right option is \\boxed{{{truth.letter}}}."
    if isinstance(truth, Grid):
        return json.dumps([list(row) for row in truth.cells])
    if isinstance(truth, Scored):
        return f"The answer is \\boxed{{{_entry_answer(truth)}}}."
    if isinstance(truth, Tests):
        return _program(question)
    if isinstance(truth, Reference):
        return truth.text
    return question.gold or _NO_ANSWER


def _wrong(question: Question, number: int) -> str:
    truth = question.truth
    if isinstance(truth, Answer):
        return f"The answer is \\boxed{{{_other(truth.text, number)}}}."
    if isinstance(truth, Choice):
        letters = [chr(ord("A") + place) for place in range(max(len(truth.options), 4))]
        others = [letter for letter in letters if letter != truth.letter.upper()]
        return f"The right option is \\boxed{{{others[number % len(others)]}}}."
    if isinstance(truth, Grid):
        cells = [list(row) for row in truth.cells]
        row = cells[number % len(cells)] if cells else []
        if row:
            row[number % len(row)] = (row[number % len(row)] + 1) % 10
        return json.dumps(cells)
    if isinstance(truth, Scored):
        return f"The answer is \\boxed{{{_other(_entry_answer(truth), number)}}}."
    if isinstance(truth, Tests):
        return _fenced(_wrong_program(question, number))
    return _NO_ANSWER


def _other(text: str, number: int) -> str:
    """A number that is not the answer: far from what anybody would ask for, and not `text`."""
    other = str(1_000_003 + number)
    return other if other != text.strip() else other + "1"


def _entry_answer(truth: Scored) -> str:
    try:
        answer: Any = json.loads(truth.entry).get("answer")
    except (ValueError, AttributeError):
        return _NO_ANSWER
    return answer if isinstance(answer, str) else json.dumps(answer)


def _program(question: Question) -> str:
    solutions = question.meta.get("solutions")
    gold = question.gold or (solutions[0] if isinstance(solutions, list) and solutions else None)
    start = question.starter_code
    if not gold:
        return _NO_ANSWER
    if "```" in gold:
        return gold
    # Some sources (HumanEval) give only the body that follows the starter code.
    if start and "def " in start and "def " not in gold:
        gold = start.rstrip("\n") + "\n" + gold
    return _fenced(gold)


def _wrong_program(question: Question, number: int) -> str:
    """A program that runs and gives the wrong thing, by whatever name it is called, printed or returned."""
    text = question.starter_code or question.gold or ""
    wrong = repr(f"wrong {number}")
    line: Callable[[str, str], str] = "def {}(*_args, **_kwargs):\n{}    return ".format
    tops = [name for indent, name in _DEF.findall(text) if not indent]
    methods = [name for indent, name in _DEF.findall(text) if indent]
    parts = [line(name, "") + wrong for name in dict.fromkeys(tops)]
    for owner in _CLASS.findall(text)[:1]:
        body = "\n".join(
            f"    def {name}(*_args, **_kwargs):\n        return {wrong}" for name in dict.fromkeys(methods)
        )
        parts.append(f"class {owner}:\n{body or '    pass'}")
    return "\n\n".join([*parts, f"print({wrong})"])


def _fenced(program: str) -> str:
    return f"```python\n{program.strip(chr(10))}\n```"
