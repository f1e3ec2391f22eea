"""`kind: served`: a reward model behind vLLM, SGLang or another server that gives numbers for a conversation.

Requests and replies are those of vLLM's `/pooling`, `/classify` and `/score` (vllm/entrypoints/pooling/*/protocol.py)
and of `/v1/embeddings`, by which SGLang serves reward models too.
"""

import math
from typing import TYPE_CHECKING, Any, Literal, Self

from jinja2 import TemplateError
from pydantic import Field, model_validator

from curate.calls.served import Served as Address
from curate.errors import InputError, RecipeError
from curate.keys import digest
from curate.kinds import Reward
from curate.paths import PromptName
from curate.prompts.prompt import compiled, filled, load, variables_of
from curate.records import Attempt, Question

if TYPE_CHECKING:
    from curate.calls.model import Call, Reply
    from curate.resources import Resources

_VARIABLES = frozenset({"problem", "answer"})


class Served(Reward):
    """Asks a reward model for the score of each answer, before any softmax or sigmoid.

    With `classify` and `pooling` the question and the answer are sent as the two turns of a conversation, or as the
    text of `template`; with `embeddings` as that text; with `score` as a pair of texts. Where the reply is a list with
    a value for each step or token, `steps` says what becomes the reward.
    """

    server: Address = Field(description="The model, where it is served, and how fast it is asked.")
    api: Literal["classify", "pooling", "score", "embeddings"] = Field(
        "classify", description="The path behind base_url, and what is sent there."
    )
    prompt: PromptName = Field("bare", description="How the question is put, as a teacher's `prompt`.")
    template: str | None = Field(
        None, description="A Jinja text of `problem` and `answer`, for a server that takes no conversation."
    )
    number: int | None = Field(
        None, description="Which of several numbers (classes) is the reward, from 0; -1 is the last one."
    )
    steps: Literal["last", "min", "mean", "product"] = Field("last", description="Of a value for each step.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.api == "embeddings" and self.template is None:
            raise ValueError("embeddings takes a text: write a `template` of the model's chat format")
        if self.api == "score" and self.template is not None:
            raise ValueError("score takes a pair of texts: leave `template` out")
        try:
            load("annotate", self.prompt)
            unknown = variables_of(self.template or "") - _VARIABLES
        except (RecipeError, TemplateError) as error:
            raise ValueError(str(error)) from error
        if unknown:
            raise ValueError(f"template: unknown variable {sorted(unknown)[0]}; known: answer, problem")
        if self.server.base_url is None and not self.server.endpoints:  # else answers would go to OpenAI
            raise ValueError("server: say where it is served, `base_url:` or `endpoints:`")
        return self

    def spec(self) -> dict[str, Any]:
        """Also the text of the prompt."""
        return {**super().spec(), "prompt": digest(load("annotate", self.prompt).model_dump())}

    def name(self) -> str:
        """Kind and model."""
        return f"served/{self.server.model}"

    @property
    def concurrency(self) -> int:
        """Requests in flight at most."""
        return self.server.concurrency

    @property
    def price(self) -> Any:
        """What the model costs."""
        return self.server.price

    async def open(self, resources: "Resources") -> None:
        """Raise Prerequisite if a key is not there, InputError if a budget is set and the price is not known."""
        await self.server.open(resources)

    def call(self, question: Question, attempt: Attempt, resources: "Resources") -> "Call":
        """The request for the score."""
        messages = load("annotate", self.prompt).render(question)
        problem, answer = messages[-1]["content"], self.shown(attempt)
        if self.api == "score":
            body: dict[str, Any] = {"text_1": problem, "text_2": answer}
        elif self.template is not None:
            text = filled(compiled(self.template, exact=True), {"problem": problem, "answer": answer}, where="template")
            body = {"input": text}
        else:
            body = {"messages": [*messages, {"role": "assistant", "content": answer}]}
        raw = {} if self.api == "embeddings" else {"use_activation": False}
        return self.server.call(self.api, {**body, **raw}, "reward")

    def read(self, question: Question, attempt: Attempt, call: "Call", reply: "Reply") -> float | None:
        """The score. Raises InputError where the reply holds several numbers and `number` names none of them."""
        data = reply.raw.get("data")
        first = data[0] if isinstance(data, list) and data else None
        found = first.get(_WHERE[self.api]) if isinstance(first, dict) else None
        rows = found if isinstance(found, list) and found and isinstance(found[0], list) else [found]
        values = [self._picked(row) for row in rows]
        known = [value for value in values if value is not None]
        if len(known) < len(values) or not known:
            return None
        if self.steps == "min":
            return min(known)
        if self.steps == "mean":
            return math.fsum(known) / len(known)
        return math.prod(known) if self.steps == "product" else known[-1]

    def _picked(self, row: Any) -> float | None:
        numbers = row if isinstance(row, list) else [row]
        if not numbers or not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
            return None
        if self.number is None and len(numbers) > 1:
            raise InputError(
                f"a reply of {self.server.model} holds {len(numbers)} numbers",
                where="measure.reward",
                next="say which of them is the reward with `number:`, such as -1",
            )
        number = 0 if self.number is None else self.number
        if not -len(numbers) <= number < len(numbers):
            raise InputError(
                f"a reply of {self.server.model} holds {len(numbers)} numbers, not number {number}",
                where="measure.reward",
            )
        return float(numbers[number])


_WHERE = {"classify": "probs", "pooling": "data", "score": "score", "embeddings": "embedding"}
