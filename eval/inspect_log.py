"""Results as logs of inspect-ai (its JSON form, version 2), for its viewer and its data frames; one file a benchmark.

Each sample is one of inspect's, its run an epoch; both gradings are scores (C right, I wrong, N undecided), an answer
without a verdict is a sample with an error. Texts of private questions stay out. Rows are streamed, never held.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import yaml

from curate.keys import digest
from eval.graded import GRADINGS
from eval.results import PROTOCOL, Samples, groups, results_file, slug
from eval.scores import read_samples, scores_of

INSPECT = "inspect"
_STOPS = {"stop": "stop", "length": "max_tokens", "refused": "content_filter"}
_PRIVATE = "(private)"


def write_inspect(folder: Path) -> list[Path]:
    """Write `inspect/<benchmark>.json` beside the results in a folder; returns the files. Raises InputError."""
    path = folder / PROTOCOL
    lock: Any = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    told = lock if isinstance(lock, dict) else {}
    written = []
    (folder / INSPECT).mkdir(exist_ok=True)
    for samples in read_samples(folder):
        out = folder / INSPECT / f"{slug(samples.bench)}.json"
        draft = out.with_suffix(".tmp")
        with draft.open("w", encoding="utf-8", errors="replace") as file:
            _write(file, folder, samples, told)
        draft.replace(out)
        written.append(out)
    return written


def _write(file: IO[str], folder: Path, samples: Samples, lock: Mapping[str, Any]) -> None:
    """The log in the order of inspect's fields, samples last."""
    model = str(lock.get("model") or folder.name)
    head = json.dumps(_head(folder, samples, model, lock), ensure_ascii=False)
    file.write(head[:-1] + ', "samples": [')
    for at, row in enumerate(_rows(folder, samples.bench)):
        file.write((",\n" if at else "\n") + json.dumps(_sample(row, model), ensure_ascii=False))
    file.write("\n]}\n")


def _head(folder: Path, samples: Samples, model: str, lock: Mapping[str, Any]) -> dict[str, Any]:
    made = datetime.fromtimestamp(results_file(folder).stat().st_mtime, UTC).isoformat(timespec="seconds")
    told = scores_of(samples)
    asked = next((one for one in lock.get("benchmarks", ()) if _names(one, samples.bench)), None)
    run = digest("inspect", [model, str(lock.get("recipe")), made])[:22]
    task = digest("inspect", [samples.bench])[:22]
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": digest("inspect", [run, task])[:22],
            "run_id": run,
            "created": made,
            "task": samples.bench,
            "task_id": task,
            "task_version": 0,
            "dataset": {"name": samples.bench, "samples": told["questions"], "sample_ids": list(samples.question_ids)},
            "model": model,
            "config": {"epochs": told["runs"]},
            "metadata": {"recipe": lock.get("recipe"), "preset": lock.get("preset"), "protocol": asked},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": told["samples"],
            "completed_samples": told["samples"] - told["error"],
            "scores": [_score(grading, told[grading]) for grading in GRADINGS if told[grading] is not None],
        },
        "stats": {"started_at": made, "completed_at": made, "model_usage": {}},
    }


def _names(asked: Any, bench: str) -> bool:
    return isinstance(asked, dict) and bench == f"{asked.get('label')}@{asked.get('edition')}"


def _score(grading: str, one: Mapping[str, Any]) -> dict[str, Any]:
    values = {"accuracy": one["mean"], "stderr": one["se"], "low_95": one["low"], "high_95": one["high"]}
    metrics = {name: {"name": name, "value": value} for name, value in values.items() if value is not None}
    return {"name": grading, "scorer": grading, "metrics": metrics}


def _rows(folder: Path, bench: str) -> Iterator[dict[str, Any]]:
    for table in groups(folder):
        for row in table.to_pylist():
            if f"{row['bench']}@{row['version']}" == bench:
                yield row


def _sample(row: Mapping[str, Any], model: str) -> dict[str, Any]:
    private = bool(row["private"])
    texts = {name: _PRIVATE if private else row[name] or "" for name in ("problem", "reference", "solution")}
    reasoning = None if private else row["reasoning"]
    content = [{"type": "text", "text": texts["solution"]}]
    if reasoning:
        content.insert(0, {"type": "reasoning", "reasoning": reasoning})
    answer = {"role": "assistant", "content": content, "source": "generate", "model": row["model_returned"] or model}
    tokens = {"input_tokens": row["prompt_tokens"] or 0, "output_tokens": row["output_tokens"] or 0}
    output: dict[str, Any] = {
        "model": row["model_returned"] or model,
        "choices": [{"message": answer, "stop_reason": _STOPS.get(row["finish_reason"], "unknown")}],
        "usage": {**tokens, "total_tokens": sum(tokens.values())},
    }
    kept = ("source", "topic", "seq", "seed", "outcome", "reason", "finish_reason", "similarity", "cost_usd")
    told: dict[str, Any] = {
        "id": row["question_id"],
        "epoch": row["run"] + 1,
        "input": texts["problem"],
        "target": texts["reference"],
        "messages": [{"role": "user", "content": texts["problem"], "source": "input"}, answer],
        "output": output,
        "scores": _graded(row, private=private),
        "metadata": {name: row[name] for name in kept if row[name] is not None},
    }
    if row["outcome"] == "error":
        told["error"] = {"message": f"no verdict: {row['reason']}", "traceback": "", "traceback_ansi": ""}
    return told


def _graded(row: Mapping[str, Any], *, private: bool) -> dict[str, Any]:
    """Both gradings of a sample; none where it has no verdict."""
    if row["outcome"] == "error":
        return {}
    value = {"pass": "C", "fail": "I"}.get(row["outcome"], "N")
    found = {"ours": _said(value, row["answer"], row["reason"], private=private)}
    if row["evalchemy"] is not None:
        theirs = "C" if row["evalchemy"] else "I"
        found["evalchemy"] = _said(theirs, row["evalchemy_answer"], None, private=private)
    return found


def _said(value: str, answer: str | None, reason: str | None, *, private: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"value": value, "answer": _PRIVATE if private and answer is not None else answer}
    return {**told, "explanation": reason} if reason else told
