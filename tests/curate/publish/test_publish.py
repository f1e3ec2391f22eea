"""The `publish:` block."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from curate.paths import relative_to
from curate.publish.publish import Publish


def test_a_preset_fills_what_the_recipe_leaves_open() -> None:
    assert Publish().teacher_prefix == "teacher"
    assert Publish(preset="openthoughts").teacher_prefix == "deepseek"
    chosen = Publish(preset="openthoughts", teacher_prefix="qwq", trace_format="think")
    assert (chosen.teacher_prefix, chosen.trace_format) == ("qwq", "think")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"push": True}, "needs repo"),
        ({"repo": "no slash"}, "repo"),
        ({"preset": "other"}, "preset"),
        ({"teacher_prefix": "ground_truth"}, "taken"),
        ({"teacher_prefix": "Deep Seek"}, "lower-case"),
        ({"trace_format": "thinks"}, "did you mean 'think'"),
        ({"shard_mb": 0}, "shard_mb"),
        ({"shards": 1}, "shards"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Publish.model_validate(fields)


def test_a_template_stands_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ solution }}")
    with relative_to(tmp_path):
        publish = Publish(trace_format="own.jinja")
    assert publish.trace_format == str(tmp_path / "own.jinja")
    assert not publish.trace().needs_reasoning
