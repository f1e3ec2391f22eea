"""The columns that selectors can read: their names and types, where each comes from, and what it means."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from curate.kinds import Gate, Label, Selector
from curate.measures.tokens import Measure
from curate.select.expression import Type, nearest

# In the table anyway; computed from the table; from the questions; from the texts of answers, once and then stored;
# asked of a model.
From = Literal["attempt", "run", "question", "text", "model"]


class Column(NamedTuple):
    """What there is to know of a column."""

    type: Type
    source: From
    means: str


COLUMNS: dict[str, Column] = {
    "domain": Column("text", "attempt", "the domain of the question"),
    "source": Column("text", "attempt", "the source of the question"),
    "teacher": Column("text", "attempt", "kind and model of the teacher, such as `openai/deepseek-reasoner`"),
    "outcome": Column("text", "attempt", "the verdict: `pass`, `fail`, `unsure`, `error`"),
    "reason": Column("text", "attempt", "the reason of the verdict, such as `wrong_answer`"),
    "finish_reason": Column("text", "attempt", "`stop` for a finished answer; selectors drop every other one"),
    "sample": Column("number", "attempt", "the number of the answer among those to its question, from 0"),
    "chars": Column("number", "attempt", "characters of reasoning and solution"),
    "output_tokens": Column("number", "attempt", "tokens of the answer as the server counted them; missing where not"),
    "seq": Column("number", "attempt", "the place of the question in the run"),
    "question_id": Column("text", "attempt", "the question"),
    "attempt_id": Column("text", "attempt", "the answer"),
    "samples": Column("number", "run", "answers to the question that were decided: passed or failed"),
    "passed": Column("number", "run", "those of them that passed"),
    "pass_rate": Column("number", "run", "`passed / samples`; missing where none was decided"),
    "licence": Column("text", "question", "the licence of the question"),
    "truth": Column("text", "question", "the type of its truth: `answer`, `tests`, `choice`, `unknown`..."),
    "problem_chars": Column("number", "question", "characters of the problem"),
    "tokens": Column("number", "text", "tokens of reasoning and solution (the student's, see below)"),
    "loop": Column("truth", "text", "the reasoning or the solution ends in one piece repeated at least 4 times"),
    "repeated": Column("number", "text", "share of the runs of 20 words that stood in the text before, 0 to 1"),
    "truncated": Column("truth", "text", "it stops in the middle: within a code block, a formula or a box"),
    "refusal": Column("truth", "text", "the solution begins by declining to help"),
    "unclosed_thinking": Column("truth", "text", "a mark of thinking stands in the solution, or is left open"),
    "language": Column(
        "text", "text", "the language of its words, such as `en`, `zh`; missing where there are too few"
    ),
    "other_script": Column("number", "text", "share of its letters in another script than most of them, 0 to 1"),
    "vote": Column("number", "text", "equal answers to one question have one number; of unknown truth alone"),
    "reward": Column("number", "model", "what the model of `measure.reward` says of it; missing where it says nothing"),
    "answer": Column("text", "text", "the final answer that was found in the solution; of unknown truth alone"),
    "benchmark": Column("text", "text", "the benchmark questions in it as JSON; by a selector `decontaminate` alone"),
}
CHECKS = ("loop", "repeated", "truncated", "refusal", "unclosed_thinking", "language", "other_script")
VOTES = ("vote", "answer")


def wanted(selectors: Sequence[Selector]) -> frozenset[str]:
    """The columns that these selectors read."""
    names: frozenset[str] = frozenset().union(*(one.reads() for one in selectors))
    return names | {"truth"} if names & set(VOTES) else names


def looks(selectors: Sequence[Selector]) -> Any | None:
    """The selector that says which benchmarks answers are held against; None: there is none."""
    from curate.select.decontaminate import Decontaminate

    return next((one for one in selectors if isinstance(one, Decontaminate)), None)


def reads_texts(names: frozenset[str], measure: Measure) -> bool:
    """Whether the texts of answers must be read for these columns: tokens only where a tokenizer counts them."""
    texts = {name for name, column in COLUMNS.items() if column.source in ("text", "model")}
    return measure.tokenizer is not None or bool(names & texts - {"tokens"})


def problem(selectors: Sequence[Selector], stages: Sequence[Label | Gate], measure: Measure) -> tuple[int, str] | None:
    """The first selector that reads what it cannot, by its number, and what is wrong, in words; None: nothing."""
    scores = {name: stage for stage in stages for name in stage.gives()}
    types: dict[str, Any] = {name: column.type for name, column in COLUMNS.items()} | dict.fromkeys(scores, "number")
    for number, selector in enumerate(selectors):
        for name in sorted(selector.reads()):
            if name in scores and name in COLUMNS:
                return number, (
                    f"'{name}' may be a score of the cleaning stage {scores[name].kind()} or a"
                    " column of the run: give the score another name (`score:`)"
                )
            if name == "reward" and measure.reward is None:
                return number, "who is to be asked for 'reward'? Say it in `measure: {reward: ...}`"
            if name == "benchmark" and (wrong := _unlooked(selector, selectors)):
                return number, wrong
            if name not in types and not name.startswith("meta."):
                return number, nearest(name, sorted(types)) + _words(selector)
        try:
            selector.fits(types)
        except ValueError as error:
            return number, f"{error}{_words(selector)}"
    return None


def _words(selector: Selector) -> str:
    return f"; or one of {', '.join(selector.words)}" if selector.words else ""


def _unlooked(selector: Selector, selectors: Sequence[Selector]) -> str | None:
    """What keeps a selector that reads `benchmark` from it."""
    looking = looks(selectors)
    if looking is None:
        return "'benchmark' needs a selector `decontaminate` that says against which"
    if getattr(selector, "against", looking.against) != looking.against:
        return "answers are held against one list: name all benchmarks in one selector"
    return None
