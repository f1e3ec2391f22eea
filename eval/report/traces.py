"""Which questions are shown with their texts, and those texts as HTML; a private question is never shown.

Texts are rendered in processes that can be killed, cut in the middle where they are long, and no more of them are taken
than keep the page small.
"""

from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from eval.graded import graded, right
from eval.report.gathered import Gathered
from eval.report.shape import Section, Side, Trace
from eval.results import TEXTS, Samples, groups

_NEEDED = ("markdown_it", "mdit_py_plugins", "latex2mathml", "pygments")
_MOST_QUESTIONS = 12  # of a benchmark
_MOST_MODELS = 4  # side by side
_HEAD, _TAIL = 12_000, 6_000  # characters of a text
_MOST_OF_ONE = 300_000  # characters of HTML that one rendered text may take
_MOST_OF_ALL = 7_000_000  # and all of them together
_KEYS = ("bench", "version", "question_id", "run")

_Key = tuple[str, str, int]  # benchmark, question, run


class Picked(NamedTuple):
    """A question to show: for each model its row, None where it has none."""

    bench: str
    question: str
    seq: int
    rows: tuple[dict[str, Any] | None, ...]


async def traces(found: Gathered) -> Section:
    """With several models the questions where they differ most, with one those that it gets wrong."""
    alone = len(found.models) == 1
    picked: list[Picked] = []
    words: list[str] = []
    for bench in found.benchmarks:
        chosen, private, more = _picked(found, bench)
        picked += chosen
        if private:
            words.append(f"{bench}: {private:,} such questions are private and not shown.")
        if more:
            words.append(f"{bench}: {more:,} more are not shown; `veristill eval` keeps all in results.parquet.")
    if len(found.models) > _MOST_MODELS:
        words.append(f"The first {_MOST_MODELS} models are shown.")
    shown = await _rendered(found, picked)
    if len(shown) < len(picked):
        words.append(f"{len(picked) - len(shown):,} more are left out to keep this page below 12 MB.")
    if not rendering():
        words.append("Texts are shown as they were written; `pip install 'veristill[view]'` shows formulas and code.")
    title = "Questions that it gets wrong" if alone else "Questions where the models differ, side by side"
    return Section("traces", title, tuple(words) if picked or words else (), traces=tuple(shown))


def rendering() -> bool:
    """Whether the parts that render Markdown and formulas are installed."""
    return all(find_spec(name) is not None for name in _NEEDED)


def _picked(found: Gathered, bench: str) -> tuple[list[Picked], int, int]:
    """The questions to show, how many private ones there would be, and how many more."""
    samples = [one for model in found.models[:_MOST_MODELS] if (one := model.of(bench)) is not None]
    if not samples or (len(samples) == 1 and len(found.models) > 1):
        return [], 0, 0
    scores = [{name: sum(all_) / len(all_) for name, all_ in graded(one).items()} for one in samples]
    wanted: list[tuple[float, int, str]] = []
    private = 0
    for name, rows in zip(samples[0].question_ids, samples[0].rows, strict=True):
        means = [one[name] for one in scores if name in one]
        gap = 1 - means[0] if len(samples) == 1 and means else max(means, default=0) - min(means, default=0)
        if gap <= 0:
            continue
        if rows[0]["private"]:
            private += 1
        else:
            wanted.append((-gap, rows[0]["seq"], name))
    wanted.sort()
    chosen = [_of(found, bench, name, seq) for _, seq, name in wanted[:_MOST_QUESTIONS]]
    return chosen, private, max(len(wanted) - _MOST_QUESTIONS, 0)


def _of(found: Gathered, bench: str, question: str, seq: int) -> Picked:
    every = [_rows(model.of(bench), question) for model in found.models[:_MOST_MODELS]]
    means = [sum(right(row) or 0 for row in rows) / len(rows) for rows in every if rows]
    middle = (max(means) + min(means)) / 2 if len(found.models) > 1 else 1.1
    return Picked(bench, question, seq, tuple(_typical(rows, middle) for rows in every))


def _rows(samples: Samples | None, question: str) -> Sequence[dict[str, Any]]:
    if samples is None or question not in samples.question_ids:
        return ()
    rows = samples.rows[samples.question_ids.index(question)]
    return [row for row in rows if row["outcome"] != "error"] or rows


def _typical(rows: Sequence[dict[str, Any]], middle: float) -> dict[str, Any] | None:
    """A right sample of a model that is mostly right here, else a wrong one."""
    if not rows:
        return None
    good = sum(right(row) or 0 for row in rows) / len(rows) > middle
    return next((row for row in rows if (row["outcome"] == "pass") == good), rows[0])


async def _rendered(found: Gathered, picked: Sequence[Picked]) -> list[Trace]:
    texts = [_read(model.folder, picked, at) for at, model in enumerate(found.models[:_MOST_MODELS])]
    if not rendering():
        return await _all(found, picked, texts, None)
    from curate.view.renderer import Renderer

    async with Renderer() as renderer:
        return await _all(found, picked, texts, renderer)


async def _all(
    found: Gathered, picked: Sequence[Picked], texts: Sequence[Mapping[_Key, dict[str, str]]], renderer: Any
) -> list[Trace]:
    made: list[Trace] = []
    size = 0
    for one in picked:
        trace = await _trace(found, one, texts, renderer)
        size += sum(len(html) for html in (trace.problem, trace.reference))
        size += sum(len(side.reasoning) + len(side.solution) for side in trace.sides)
        if size > _MOST_OF_ALL:
            break
        made.append(trace)
    return made


async def _trace(found: Gathered, one: Picked, texts: Sequence[Mapping[_Key, dict[str, str]]], renderer: Any) -> Trace:
    sides: list[Side] = []
    shared: dict[str, str] = {}
    for model, row, held in zip(found.models, one.rows, texts, strict=False):
        if row is None:
            continue
        told = held.get((one.bench, one.question, row["run"]), {})
        shared = shared or told
        html = [await _html(told.get(name, ""), renderer) for name in ("reasoning", "solution")]
        sides.append(Side(model.name, _facts(row), *html))
    problem, reference = [await _html(shared.get(name, ""), renderer) for name in ("problem", "reference")]
    return Trace(f"{one.bench}, question {one.seq} ({one.question[:12]})", problem, reference, tuple(sides))


def _facts(row: Mapping[str, Any]) -> str:
    said = [f"run {row['run']}", f"{row['outcome']} / {row['reason']}" if row["reason"] else str(row["outcome"])]
    if row["output_tokens"] is not None:
        said.append(f"{row['output_tokens']:,} tokens")
    if row["answer"]:
        said.append(f"answer: {' '.join(row['answer'].split())[:120]}")
    return ", ".join(said)


def _read(folder: Path, picked: Sequence[Picked], at: int) -> dict[_Key, dict[str, str]]:
    """The texts of one model's picked samples, cut; results are read group by group."""
    wanted = {(one.bench, one.question, row["run"]) for one in picked if (row := one.rows[at]) is not None}
    found: dict[_Key, dict[str, str]] = {}
    for table in groups(folder, [*_KEYS, "private", *TEXTS]) if wanted else ():
        names = zip(*(table.column(one).to_pylist() for one in _KEYS), strict=True)
        for place, (bench, version, question, run) in enumerate(names):
            key = (f"{bench}@{version}", question, run)
            if key in wanted and not table.column("private")[place].as_py():
                found[key] = {one: _cut(table.column(one)[place].as_py() or "") for one in TEXTS}
    return found


def _cut(text: str) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= _HEAD + _TAIL:
        return text
    left = len(text) - _HEAD - _TAIL
    return f"{text[:_HEAD]}\n\n[... {left:,} characters are left out ...]\n\n{text[-_TAIL:]}"


async def _html(text: str, renderer: Any) -> str:
    if not text.strip():
        return ""
    rendered = await renderer.markdown(text) if renderer is not None else _plain(text)
    return rendered if len(rendered) <= _MOST_OF_ONE else _plain(text)


def _plain(text: str) -> str:
    return f'<pre class="plain">{escape(text)}</pre>'
