"""Trace formats: exact layouts, round trips over hostile texts, templates."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.publish.traces import OPENTHOUGHTS, THINK, Marked, Trace, detect, trace_format

_PIECES = st.sampled_from(
    [
        "<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>", "<think>",
        "</think>", "<\\think>", "<\\\\/think>", "<\\|end_of_thought|>", "\n", "\n\n", "\\", "<", "|", "x", "é",
        OPENTHOUGHTS.between, THINK.between, OPENTHOUGHTS.after,
    ]
)  # fmt: skip
_TEXTS = st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join))


def test_the_layouts_are_the_contract() -> None:
    assert trace_format("openthoughts").render(Trace("R", "S"), "P") == (
        "<|begin_of_thought|>\n\nR\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nS\n\n<|end_of_solution|>"
    )
    assert trace_format("think").render(Trace("R", "S"), "P") == "<think>\nR\n</think>\n\nS"
    assert trace_format("solution_only").render(Trace("R", "S"), "P") == "S"


@pytest.mark.parametrize("known", [OPENTHOUGHTS, THINK], ids=lambda known: known.name)
@given(reasoning=st.one_of(st.none(), _TEXTS.filter(bool)), solution=_TEXTS)
def test_every_trace_survives_the_round_trip(known: Marked, reasoning: str | None, solution: str) -> None:
    trace = Trace(reasoning, solution)
    text = known.render(trace, "P")
    assert known.parse(text) == trace
    assert detect(text) is known


def test_a_marker_inside_a_trace_cannot_end_it() -> None:
    text = OPENTHOUGHTS.render(Trace("a <|end_of_thought|> b", "c"), "P")
    assert text.count("<|end_of_thought|>") == 1
    assert OPENTHOUGHTS.escapes(Trace("a <|end_of_thought|> b", "c"))
    assert not OPENTHOUGHTS.escapes(Trace(None, "c <think>"))


@pytest.mark.parametrize(
    "text",
    ["", "S", "<think>\nR", "<|begin_of_thought|>\n\nR", THINK.render(Trace("R", "S"), "") + THINK.between],
)
def test_what_is_in_no_format_is_refused(text: str) -> None:
    for known in (OPENTHOUGHTS, THINK):
        with pytest.raises(ValueError, match="not in the trace format"):
            known.parse(text)


def test_a_template_file(tmp_path: Path) -> None:
    path = tmp_path / "my.jinja"
    path.write_text("{{ domain }}: {{ problem }}\n{% if reasoning %}\n[{{ reasoning }}]\n{% endif %}\n{{ solution }}\n")
    form = trace_format(str(path))
    assert form.render(Trace("R & <b>", "S"), "P", "math") == "math: P\n[R & <b>]\nS"
    assert form.needs_reasoning
    with pytest.raises(ValueError, match="cannot be taken apart"):
        form.parse("x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ solution", "not valid jinja"),
        ("{% include 'x' %}", "fails on a row"),
        ("{{ answer }}", "reads answer"),
        ("{{ solution.__class__.__mro__ }}", "fails on a row"),
        ("{{ 1 / 0 }}", "fails on a row"),
        ("{% for i in range(10000000) %}{% endfor %}", "fails on a row"),
    ],
)
def test_a_bad_template_is_an_input_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.j2"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        trace_format(str(path)).render(Trace("R", "S"), "P")
    assert str(path) in str(caught.value)


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'openthoughts'"):
        trace_format("openthought")


def test_missing_and_binary_templates(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        trace_format(str(tmp_path / "none.jinja"))
    (tmp_path / "b.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        trace_format(str(tmp_path / "b.jinja"))
