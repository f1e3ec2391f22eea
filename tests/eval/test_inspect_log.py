"""Logs for inspect-ai: what stands in them, and, where inspect-ai is installed, that it reads them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from eval.inspect_log import write_inspect
from tests.eval.test_compare import row, write

_READS = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
print(json.dumps({
    "version": log.version, "status": log.status, "task": log.eval.task, "model": log.eval.model,
    "accuracy": log.results.scores[0].metrics["accuracy"].value, "epochs": log.eval.config.epochs,
    "samples": [[one.id, one.epoch, one.scores and {name: score.value for name, score in one.scores.items()},
                 one.output.completion, one.output.stop_reason, one.error and one.error.message]
                for one in log.samples],
}))
"""


def _results(folder: Path) -> Path:
    texts = {"problem": "1 + 1?", "reference": "2", "reasoning": "Hm.", "solution": "2 </script>"}
    rows = [
        row(0, 0, answer="2", prompt_tokens=5, output_tokens=3, **texts),
        row(0, 1, outcome="fail", reason="truncated", finish_reason="length", **texts),
        row(1, 0, outcome="unsure", evalchemy=None, **texts),
        row(1, 1, outcome="error", reason="infrastructure", evalchemy=None),
        row(2, 0, answer="secret", evalchemy_answer="secret", private=True, **dict.fromkeys(texts, "secret")),
    ]
    return write(folder, rows)


def test_a_log_says_what_the_results_say(tmp_path: Path) -> None:
    (path,) = write_inspect(_results(tmp_path / "student"))
    assert path == tmp_path / "student" / "inspect" / "made-v1.json"
    text = path.read_text()
    assert "secret" not in text
    log = json.loads(text)
    assert list(log) == ["version", "status", "eval", "plan", "results", "stats", "samples"]
    assert (log["version"], log["eval"]["model"], log["eval"]["dataset"]["samples"]) == (2, "student", 3)
    assert [(one["id"], one["epoch"]) for one in log["samples"]][:3] == [("q0000", 1), ("q0000", 2), ("q0001", 1)]
    first = log["samples"][0]
    assert first["scores"] == {"ours": {"value": "C", "answer": "2"}, "evalchemy": {"value": "C", "answer": None}}
    assert first["output"]["usage"] == {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    assert list(tmp_path.rglob("*.tmp")) == []


def test_inspect_reads_it(tmp_path: Path) -> None:
    """With an interpreter that has inspect-ai: VERISTILL_INSPECT_PYTHON, or the one of `inspect` on the PATH."""
    found = os.environ.get("VERISTILL_INSPECT_PYTHON")
    inspect = shutil.which("inspect")
    python = found or (str(Path(inspect).with_name("python")) if inspect else None)
    if python is None or not Path(python).is_file():
        pytest.skip("inspect-ai is not installed; its format is asserted above")
    (path,) = write_inspect(_results(tmp_path / "student"))
    done = subprocess.run([python, "-P", "-c", _READS, str(path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["version"] == 2
    assert (told["status"], told["task"], told["model"], told["epochs"]) == ("success", "made@v1", "student", 2)
    assert told["accuracy"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert told["samples"][0] == ["q0000", 1, {"ours": "C", "evalchemy": "C"}, "2 </script>", "stop", None]
    assert told["samples"][1][2:5] == [{"ours": "I", "evalchemy": "I"}, "2 </script>", "max_tokens"]
    assert told["samples"][2][2] == {"ours": "N"}
    assert told["samples"][3][5] == "no verdict: infrastructure"
