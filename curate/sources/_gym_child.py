"""The process that makes reasoning-gym's questions: `python -m curate.sources._gym_child`, one JSON line a question.

A process of its own, with a fixed hash seed, because some tasks walk through sets: in ours they would make other
questions at every start. It also keeps 340 MB of imports out of the control process.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from curate.sources.values import plain

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Read `{task, size, seed, options}` from the first argument; write lines `{question, answer, entry}`.

    A line `{unknown_task, known}` or `{bad_options, config}` says why there are none; `damaged` replaces an entry whose
    own answer no longer gets its score once the entry has been JSON.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # the parent may be killed at any moment
    asked = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a task prints is not ours
    from reasoning_gym import create_dataset
    from reasoning_gym.factory import DATASETS

    if asked["task"] not in DATASETS:
        return _say(out, {"unknown_task": True, "known": sorted(DATASETS)})
    try:
        dataset = create_dataset(asked["task"], size=asked["size"], seed=asked["seed"], **asked["options"])
    except (AssertionError, TypeError, ValueError) as error:
        return _say(out, {"bad_options": str(error), "config": DATASETS[asked["task"]][1].__name__})
    for number in range(asked["size"]):
        _say(out, _line(dataset[number], dataset.score_answer))
    return None


def _line(entry: dict[str, Any], score: Callable[[Any, dict[str, Any]], float]) -> dict[str, Any]:
    text = json.dumps(plain(entry), ensure_ascii=False, sort_keys=True)
    answer = entry["answer"]
    line: dict[str, Any] = {
        "question": str(entry["question"]),
        "answer": None if answer is None else str(answer),
        "entry": text,
    }
    # Scorers that compare with tuples cannot judge an entry that was stored: their verdicts would be wrong.
    if answer is not None and score(answer, entry) != score(answer, json.loads(text)):
        line["damaged"] = True
    return line


def _say(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
