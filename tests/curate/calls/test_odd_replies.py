"""Replies of providers that go their own ways: never a good answer out of an error, never a lost part of an answer."""

from pathlib import Path
from typing import Any

import pytest

from curate.calls.trouble import Busy, Refused, Unclear
from curate.calls.wire import reply_of, trouble_of
from curate.teachers.openai import Openai
from tests.curate.calls.test_forms import LAST, Server, asked, delta, events, quick, said, server

__all__ = ["quick", "server"]  # fixtures


def ended(finish: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "It is"}, "finish_reason": finish}]}


@pytest.mark.parametrize("finish", ["error", "abort", "insufficient_system_resource"])
async def test_an_answer_that_the_server_broke_off_is_asked_again(server: Server, tmp_path: Path, finish: str) -> None:
    server.answers = [ended(finish), ended("stop")]
    attempt, _ = await asked(Openai(model="m", base_url=server.url), tmp_path)
    assert (said(attempt), len(server.seen)) == ((None, "It is", "stop"), 2)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(429, Busy), ("429", Busy), (502, Unclear), (400, Refused), (0, Unclear), (1301, Unclear), (True, Unclear),
     ("server_error", Unclear), ("\u0664\u0660\u0660", Unclear), (None, Unclear), (200, Unclear)],
)  # fmt: skip
def test_only_an_http_status_in_an_error_means_one(code: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        reply_of({"error": {"code": code, "message": "no"}})


async def test_a_stream_may_give_its_content_in_parts(server: Server, tmp_path: Path) -> None:
    def thinking(text: str) -> dict[str, Any]:
        return delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": text}]}])

    odd = delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "text": None}])
    parts = [delta(content=[{"type": "text", "text": "It "}]), delta("stop", content="is 4.")]
    server.answers = [events(odd, thinking("two "), thinking("and two"), *parts, LAST)]
    attempt, _ = await asked(Openai(model="m", base_url=server.url, stream=True), tmp_path)
    assert said(attempt) == ("two and two", "It is 4.", "stop")


@pytest.mark.parametrize("words", ["404: Not Found", "Error code: 404 - Not Found", "Not Found"])
def test_a_status_is_said_once(words: str) -> None:
    assert str(trouble_of(404, words, {})) == "404 Not Found"
    assert str(trouble_of(500, "4096 tokens are too many", {})) == "500 4096 tokens are too many"
