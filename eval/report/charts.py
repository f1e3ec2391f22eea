"""Charts as SVG text: colours and shapes of ours, every word escaped, nothing that needs a script or a network."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#2166ac", "#d6604d", "#1b7837", "#9970ab", "#bf812d", "#4d4d4d")
_LEFT, _WIDE, _ROW, _RIGHT = 270, 520, 20, 130
_MOST_BARS = 60
_PALE = "#d9d9d9"


class Mark(NamedTuple):
    """One line of a chart of shares: a mean with its bounds, or without (`low` None). `heading` opens a group."""

    label: str
    mean: float = 0.0
    low: float | None = None
    high: float | None = None
    colour: str = COLOURS[0]
    hollow: bool = False
    heading: bool = False


class Line(NamedTuple):
    """A line through points (x above 0, a share)."""

    label: str
    points: tuple[tuple[float, float], ...]
    colour: str


def colour(at: int) -> str:
    """The colour of the model at a place."""
    return COLOURS[at % len(COLOURS)]


def svg(width: float, height: float, label: str, body: Sequence[str]) -> str:
    """A drawing with its name for who cannot see it."""
    head = f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img"'
    return f'{head} aria-label="{escape(label)}">{"".join(body)}</svg>'


def text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    """Words at a place; more than 44 characters end in dots, with all of them as the tip."""
    shown = words if len(words) <= 44 else words[:43] + "…"
    tip = f"<title>{escape(words)}</title>" if shown != words else ""
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{weight}>{escape(shown)}{tip}</text>'


def intervals(marks: Sequence[Mark], label: str) -> str:
    """Means with their 95 % intervals, from 0 to 100 %."""
    height = _ROW * len(marks) + 30
    body = [_grid(height - 24)]
    for at, mark in enumerate(marks):
        y = at * _ROW + 14
        if mark.heading:
            body.append(text(4, y + 4, mark.label, bold=True))
            continue
        body.append(text(_LEFT - 10, y + 4, mark.label, anchor="end"))
        x = _at(mark.mean)
        said = f"{100 * mark.mean:.1f} %"
        if mark.low is not None and mark.high is not None:
            low, high = _at(mark.low), _at(mark.high)
            ends = "".join(f"M{one:.1f} {y - 4}v8" for one in (low, high))
            body.append(f'<path class="whisker" d="M{low:.1f} {y}H{high:.1f}{ends}" stroke="{mark.colour}"/>')
            said += f" ({100 * mark.low:.1f} to {100 * mark.high:.1f})"
        fill = "#fff" if mark.hollow else mark.colour
        tip = f"<title>{escape(f'{mark.label}: {said}')}</title>"
        body.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{fill}" stroke="{mark.colour}">{tip}</circle>')
        body.append(text(_LEFT + _WIDE + 10, y + 4, said))
    return svg(_LEFT + _WIDE + _RIGHT + 40, height, label, body)


def bars(marks: Sequence[Mark], label: str) -> str:
    """Shares as bars, from 0 to 100 %; at most 60 of them."""
    marks = marks[:_MOST_BARS]
    height = _ROW * len(marks) + 30
    body = [_grid(height - 24)]
    for at, mark in enumerate(marks):
        y = at * _ROW + 14
        body.append(text(_LEFT - 10, y + 4, mark.label, anchor="end"))
        wide = _at(mark.mean) - _LEFT
        body.append(f'<rect x="{_LEFT}" y="{y - 7}" width="{wide:.1f}" height="14" fill="{mark.colour}"/>')
        body.append(text(_LEFT + wide + 6, y + 4, f"{100 * mark.mean:.1f} %"))
    return svg(_LEFT + _WIDE + _RIGHT, height, label, body)


def lines(found: Sequence[Line], label: str) -> str:
    """Shares (0 to 100 %) over numbers of tokens, whose axis doubles from mark to mark."""
    xs = [x for line in found for x, _ in line.points]
    low, high = math.floor(math.log2(max(min(xs), 1))), max(math.ceil(math.log2(max(*xs, 2))), 1)
    low = min(low, high - 1)
    wide, tall, left, top = 560.0, 220.0, 50.0, 10.0

    def place(x: float, y: float) -> tuple[float, float]:
        return left + wide * (math.log2(max(x, 1)) - low) / (high - low), top + tall * (1 - y)

    body = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = place(1, share)[1]
        body.append(f'<path d="M{left:g} {y:g}h{wide:g}" stroke="{_PALE}"/>')
        body.append(text(left - 6, y + 4, f"{100 * share:.0f}", anchor="end"))
    for power in range(low, high + 1):
        body.append(text(place(2**power, 0)[0], top + tall + 18, f"{2**power:,}", anchor="middle"))
    for at, line in enumerate(found):
        spots = [place(x, y) for x, y in line.points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        body.append(f'<path d="{path}" stroke="{line.colour}" stroke-width="2" fill="none"/>')
        for (x, y), (tokens, share) in zip(spots, line.points, strict=True):
            tip = f"<title>{escape(f'{line.label}: {100 * share:.1f} % within {tokens:,.0f} tokens')}</title>"
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}">{tip}</circle>')
        body.append(_key(left + wide + 20, top + 12 + at * 18, line.label, line.colour))
    return svg(left + wide + 320, top + tall + 30, label, body)


def histogram(counts: Sequence[tuple[str, int, int]], label: str, tint: str) -> str:
    """Columns of two counts (right ones below, others above); each bin is named."""
    most = max((right + wrong for _, right, wrong in counts), default=0) or 1
    tall, step, left = 140.0, 54.0, 20.0
    body = []
    for at, (name, right, wrong) in enumerate(counts):
        x, base = left + at * step, tall + 16
        low, high = tall * right / most, tall * wrong / most
        tip = f"<title>{escape(f'{name} tokens: {right:,} right, {wrong:,} not')}</title>"
        body.append(f'<rect x="{x:g}" y="{base - low:.1f}" width="44" height="{low:.1f}" fill="{tint}">{tip}</rect>')
        y = base - low - high
        body.append(f'<rect x="{x:g}" y="{y:.1f}" width="44" height="{high:.1f}" fill="{_PALE}">{tip}</rect>')
        body.append(text(x + 22, y - 3, f"{right + wrong:,}", anchor="middle") if right + wrong else "")
        body.append(text(x + 22, base + 15, name, anchor="middle"))
    end = left + len(counts) * step + 12
    body += [_key(end, 24, "right", tint), _key(end, 42, "not right", _PALE)]
    return svg(end + 90, tall + 40, label, body)


def _key(x: float, y: float, label: str, tint: str) -> str:
    return f'<rect x="{x:g}" y="{y - 9:g}" width="10" height="10" fill="{tint}"/>{text(x + 16, y, label)}'


def _at(share: float) -> float:
    return _LEFT + _WIDE * min(max(share, 0.0), 1.0)


def _grid(height: float) -> str:
    body = ""
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _at(share)
        body += f'<path d="M{x:g} 0V{height:g}" stroke="{_PALE}"/>'
        body += text(x, height + 16, f"{100 * share:.0f} %", anchor="middle")
    return body
