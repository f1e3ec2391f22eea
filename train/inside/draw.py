"""Draws a loss curve: `python -I draw.py OUT.png` reads {title, steps, losses} as JSON from standard input.

Runs in the training interpreter, for its matplotlib; the standard library beside it.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

_MOST = 200  # points up to which each is marked
_SMOOTH = 50  # the thick line is the mean over a fiftieth of all steps


def main() -> None:
    """Write the picture under another name first: readers see it whole."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    said = json.load(sys.stdin)
    steps, losses = said["steps"], said["losses"]
    figure, axes = pyplot.subplots(figsize=(9, 5), dpi=120, layout="constrained")
    window = max(1, len(losses) // _SMOOTH)
    axes.plot(steps, losses, color="#9db4d0" if window > 1 else "#1f5fa8", linewidth=1,
              marker="." if len(steps) <= _MOST else None, label="each step")  # fmt: skip
    if window > 1:
        axes.plot(steps, _means(losses, window), color="#1f5fa8", linewidth=2, label=f"mean of {window} steps")
        axes.legend(frameon=False)
    axes.set(title=said["title"], xlabel="step", ylabel="loss")
    axes.grid(color="#e5e5e5")
    axes.spines[["top", "right"]].set_visible(False)
    out = Path(sys.argv[1])
    partial = out.with_name(f".{out.name}.tmp")
    figure.savefig(partial, format="png")
    partial.replace(out)


def _means(values: list[float], window: int) -> list[float]:
    """The mean of each value and those before it, `window` in all."""
    found, total = [], 0.0
    for number, value in enumerate(values):
        total += value - (values[number - window] if number >= window else 0.0)
        found.append(total / min(number + 1, window))
    return found


if __name__ == "__main__":
    main()
