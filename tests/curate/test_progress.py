"""Tests of the progress line: it moves with time, not only with what ends."""

import asyncio
import io

import pytest

from curate import progress
from curate.progress import Progress


async def test_the_line_goes_on_while_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_QUIET_S", "_LINE_S", "_BEAT_S"):
        monkeypatch.setattr(progress, name, 0.02)
    stream = io.StringIO()
    with Progress(stream=stream).stage("solve", 200) as bar:
        bar.tell = lambda: "16 in flight"
        async with bar.beating():
            await asyncio.sleep(0.5)
        shown = stream.getvalue()
        await asyncio.sleep(0.1)
    lines = shown.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("solve 0/200") and line.endswith("16 in flight") for line in lines)
    assert stream.getvalue() == shown  # it ends with the work


async def test_a_quiet_stage_stays_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_BEAT_S", 0.01)
    stream = io.StringIO()
    with Progress(quiet=True, stream=stream).stage("solve", 2) as bar:
        async with bar.beating():
            await asyncio.sleep(0.1)
    assert stream.getvalue() == ""
