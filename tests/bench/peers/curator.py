"""Curator's executor, one row a test, in an environment that holds Curator alone. Nothing of ours is imported here."""

import os
import time
from collections.abc import Callable
from typing import Any

_BACKENDS = ("multiprocessing", "local")  # the first that this version has


def run(items: list[dict[str, Any]], workers: int, say: Callable[..., None]) -> None:
    """Run all tests of `items`; Curator takes as many processes as there are CPUs, whatever `workers` is."""
    os.environ.update(CURATOR_DISABLE_CACHE="1", TELEMETRY_ENABLED="0", CURATOR_VIEWER="0")
    from bespokelabs import curator  # type: ignore[import-not-found,unused-ignore]

    class Bench(curator.CodeExecutor):  # type: ignore[misc,unused-ignore]
        def code(self, row: dict[str, Any]) -> str:
            return str(row["script"])

        def code_input(self, row: dict[str, Any]) -> str:
            return str(row["input"])

        def code_output(self, row: dict[str, Any], output: Any) -> dict[str, Any]:
            return {"number": row["number"], "printed": output.stdout or ""}

    def rows(chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"script": item["script"], "input": test["input"], "number": f"{number} {index}"}
            for number, item in enumerate(chosen)
            for index, test in enumerate(item["tests"])
        ]

    def judged(chosen: list[dict[str, Any]]) -> int:
        from tests.bench.peers.runner import passed

        result = Bench(backend=os.environ.get("BENCH_CURATOR_BACKEND", _BACKENDS[0]))(rows(chosen))
        found = {row["number"]: row["printed"] for row in getattr(result, "dataset", result)}
        return sum(
            all(passed(item, test, found[f"{number} {index}"]) for index, test in enumerate(item["tests"]))
            for number, item in enumerate(chosen)
        )

    judged(items[:1])
    say(ready=True)
    began = time.monotonic()
    right = judged(items)
    say(done=True, wall_s=time.monotonic() - began, right=right)
    say(alone_s=[])  # it reports on all rows at once
