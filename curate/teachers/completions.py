"""`kind: completions`: a raw prompt, text or token ids, that the model goes on with; also with no question at all."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from jinja2 import TemplateError
from pydantic import Field, model_validator

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.prompts.prompt import compiled, filled, variables_of
from curate.teachers._api import Api, Messages
from curate.teachers.parse import Reading

_KNOWN = frozenset({"system", "user", "effort"})


class Completions(Api):
    """The model's own text format, without the server's chat template.

    `raw` is a Jinja template around the rendered prompt; with `tokens` every request starts from these ids alone, and
    samples differ by their seed and number.
    """

    form: ClassVar[str] = "completions"

    raw: str = Field("{{ user }}", description="The text that is sent: a template of `system`, `user` and `effort`.")
    tokens: tuple[int, ...] | None = Field(None, min_length=1, description="Token ids that are sent in its place.")
    as_is: bool = Field(False, description="Take the text as it comes: nothing is split off as thinking or left out.")

    @model_validator(mode="after")
    def _uses_what_is_set(self) -> Self:
        if self.response_format is not None:
            raise ValueError("raw completions take no response_format; give the server's own field in extra_body")
        used: frozenset[str] = frozenset()
        if self.tokens is None:
            try:
                used = frozenset(variables_of(self.raw))
            except TemplateError as error:
                raise ValueError(f"raw: {error}") from error
        if used - _KNOWN:
            raise ValueError(f"raw: unknown variable {min(used - _KNOWN)}; known: {', '.join(sorted(_KNOWN))}")
        system = self._template().system if self.system is None else self.system
        for name, value in (("system", system), ("effort", self.reasoning_effort)):
            if value and name not in used:
                raise ValueError(f"{name} is set, but what is sent has no place for it: write {{{{ {name} }}}} in raw")
        return self

    def _body(self, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        texts = {message["role"]: message["content"] for message in messages}
        known = {"system": texts.get("system", ""), "user": texts["user"], "effort": self.reasoning_effort or ""}
        exact = compiled(self.raw, exact=True)
        prompt = filled(exact, known, where="raw") if self.tokens is None else list(self.tokens)
        chosen = {"temperature": self.temperature, "top_p": self.top_p}
        said = {name: value for name, value in chosen.items() if value is not None}
        return {"model": self.model, "prompt": prompt, **said, **self.extra_body}

    def _reading(self) -> Reading:
        return super()._reading()._replace(as_is=self.as_is)

    def can_continue(self) -> bool:
        """A text can always be gone on with; token ids cannot, since what came back is text."""
        return self.tokens is None

    def further(self, call: Call, reply: Reply) -> Call | None:
        """The request for the rest of an answer that was cut: the prompt, with what there is of the answer."""
        text = completion.said(completion.message(reply.raw))
        if self.tokens is not None or not text:
            return None
        return call.model_copy(update={"body": {**call.body, "prompt": call.body["prompt"] + text}})
