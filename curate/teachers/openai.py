"""`kind: openai`: any server that speaks OpenAI's chat completions, from OpenAI itself to a local vLLM."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.keys import Operational
from curate.teachers._api import Api, Messages, chat_body
from curate.teachers.split import Marks


class Openai(Api):
    """Chat completions, each a request of its own."""

    version: ClassVar[int] = 2

    continues: Annotated[Literal["final_message", "prefix"] | None, Operational] = Field(
        None,
        description="How the server goes on with an answer that was cut: as vLLM and SGLang do, or as DeepSeek's beta.",
    )

    def _body(self, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        return chat_body(self, messages, response_format)

    def can_continue(self) -> bool:
        """Whether the recipe says that the server takes the beginning of an answer."""
        return self.continues is not None

    def further(self, call: Call, reply: Reply) -> Call | None:
        """The request for the rest of an answer that was cut."""
        message = completion.message(reply.raw)
        text, thought = completion.said(message), completion.thought(message)
        if self.continues is None or not (text or thought):
            return None
        begun: dict[str, Any] = {"role": "assistant", "content": text}
        more: dict[str, Any] = {}
        if self.continues == "prefix":
            begun = {**begun, "prefix": True, **({"reasoning_content": thought} if thought else {})}
        else:
            if thought:
                marks = self.marks or Marks(open="<think>", close="</think>")
                opened = f"{marks.open}\n{thought}"
                begun["content"] = f"{opened}\n{marks.close}\n\n{text}" if text else opened
            more = {"add_generation_prompt": False, "continue_final_message": True}
        body = {**call.body, "messages": [*call.body["messages"], begun], **more}
        return call.model_copy(update={"body": body})
