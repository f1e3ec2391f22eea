"""The heat map: one column a question, one row a run, coloured by what came of the sample."""

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

from eval.graded import right
from eval.report.charts import svg, text
from eval.results import Samples

_CELL, _ACROSS = 10, 100  # pixels; questions in one band
_MOST_QUESTIONS, _MOST_RUNS, _MOST_CELLS = 1000, 64, 20_000
_COLOURS = {
    "right": "#2166ac",
    "wrong": "#f4a582",
    "cut": "#b2182b",
    "unsure": "#c2a5cf",
    "error": "#878787",
}
_KEYS = {
    "right": "right",
    "wrong": "wrong",
    "cut": "cut by the cap on tokens",
    "unsure": "undecided",
    "error": "no verdict: trouble of ours",
}


class HeatMap(NamedTuple):
    """The drawing, and what it leaves out in words (empty: nothing)."""

    svg: str
    left_out: str


def heat_map(samples: Samples, label: str) -> HeatMap:
    """Draw one; at most 1,000 questions, 64 runs and 20,000 samples, the first ones."""
    runs = max((len(rows) for rows in samples.rows), default=0)
    shown_runs = min(runs, _MOST_RUNS)
    shown = min(len(samples.rows), _MOST_QUESTIONS, _MOST_CELLS // max(shown_runs, 1))
    band = shown_runs * _CELL + 22
    cells: dict[str, list[str]] = {name: [] for name in _COLOURS}
    body: list[str] = []
    for at, rows in enumerate(samples.rows[:shown]):
        x, y = 40 + at % _ACROSS * _CELL, at // _ACROSS * band + 16
        if at % 10 == 0:
            body.append(text(x, y - 3, str(at)))
        for place, row in enumerate(rows[:shown_runs]):
            cells[_state(row)].append(f"M{x} {y + place * _CELL}h9v9h-9z")
        body.append(_tip(x, y, shown_runs * _CELL, f"question {at} ({samples.question_ids[at][:12]})", rows))
    drawn = [f'<path fill="{_COLOURS[name]}" d="{"".join(found)}"/>' for name, found in cells.items() if found]
    top = (shown + _ACROSS - 1) // _ACROSS * band + 20
    x = 40
    for name, words in _KEYS.items():
        drawn.append(f'<rect x="{x}" y="{top - 9}" width="9" height="9" fill="{_COLOURS[name]}"/>')
        drawn.append(text(x + 14, top, words))
        x += 40 + 7 * len(words)
    left = []
    if shown < len(samples.rows):
        left.append(f"the first {shown:,} of {len(samples.rows):,} questions are drawn")
    if shown_runs < runs:
        left.append(f"the first {shown_runs} of {runs:,} runs are drawn")
    return HeatMap(svg(max(50 + min(shown, _ACROSS) * _CELL, x), top + 8, label, [*drawn, *body]), "; ".join(left))


def _state(row: Mapping[str, Any]) -> str:
    if row["outcome"] == "pass":
        return "right"
    if row["outcome"] in ("unsure", "error"):
        return str(row["outcome"])
    return "cut" if row["finish_reason"] == "length" else "wrong"


def _tip(x: int, y: int, height: int, name: str, rows: tuple[dict[str, Any], ...]) -> str:
    """What lies over a question's column and says its name and count."""
    scores = [score for row in rows if (score := right(row)) is not None]
    words = f"{name}: {sum(scores):g} of {len(scores)} right"
    return f'<rect x="{x}" y="{y}" width="10" height="{height}" fill-opacity="0"><title>{escape(words)}</title></rect>'
