"""The killable process in which models' answers meet symbolic engines: Math-Verify and reasoning-gym's scorers.

Jobs and results are JSON. Nothing here limits time or memory: the parent does, by the CPU clock and SIGKILL. An audit
hook refuses what no comparison needs (writing, running, networking), since some scorers evaluate parts of the answer.
"""

import ast
import importlib
import json
import os
import random
import sys
from collections.abc import Callable
from typing import Any

MEMORY_BYTES = 2 << 30  # address space of one worker; sympy needs about 0.2 GiB, reasoning-gym 0.6


def worker_command() -> list[str]:
    """The command line of a worker, for `sandbox.workers.Workers`."""
    return [sys.executable, "-P", "-m", "curate.verifiers.worker"]


def handle(job: bytes) -> bytes:
    """Answer one job; an exception of the engine is an answer too (`raised`)."""
    request: dict[str, Any] = json.loads(job)
    random.seed(0)  # sympy draws random points in some comparisons
    try:
        result = _JOBS[request["do"]](request)
    # The boundary between the engines, which raise anything on what a model wrote, and the verdict.
    except Exception as error:  # noqa: BLE001 - the boundary to the symbolic engines
        result = {"raised": type(error).__name__}  # its text may hold addresses, and evidence must repeat
    return json.dumps(result).encode()


def _math(request: dict[str, Any]) -> dict[str, Any]:
    """Compare two answers with Math-Verify, its own alarm-based time-outs disabled."""
    from math_verify import parse, verify
    from sympy.core.random import seed  # type: ignore[import-untyped]

    seed(0)
    sides = [parse(f"${request[side]}$", parsing_timeout=None, raise_on_error=True) for side in ("gold", "answer")]
    # A list that holds nothing but the string itself means that the text could not be parsed.
    parsed = [any(not isinstance(item, str) for item in side) for side in sides]
    equal = bool(all(sides) and verify(sides[0], sides[1], timeout_seconds=None, raise_on_error=True))
    return {"equal": equal, "parsed": parsed}


def _score(request: dict[str, Any]) -> dict[str, Any]:
    """Score an answer with the named reasoning-gym task."""
    try:
        gym = importlib.import_module("reasoning_gym")
    except ModuleNotFoundError as error:
        return {"missing": error.name or "reasoning_gym"}
    _guard()
    try:
        scorer = gym.get_score_answer_fn(request["task"])
    except ValueError:
        return {"unknown_task": request["task"]}
    entry = request["entry"]
    if request["task"] in ("arc_agi", "rearc"):  # they compare a board of tuples, which JSON turned into lists
        entry["metadata"]["output"] = tuple(map(tuple, entry["metadata"]["output"]))
    return {"score": float(scorer(answer=request["answer"], entry=entry))}


def _guard() -> None:
    """Close what scorers leave open: some `eval` the answer, whose only honest forms are lists and matrices."""
    if "guarded" in _STATE:
        return
    _STATE.add("guarded")
    sys.addaudithook(_refuse)
    for name in ("string_insertion", "spiral_matrix", "binary_matrix", "n_queens"):
        for folder in ("algorithmic", "games"):
            module = sys.modules.get(f"reasoning_gym.{folder}.{name}")
            if module is not None:
                module.eval = ast.literal_eval  # type: ignore[attr-defined]


_JOBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"math": _math, "score": _score}

_STATE: set[str] = set()
_REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.dl", "pty.", "signal.", "tempfile.", "sqlite3.")
_ALLOWED = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr", "os.putenv")


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
        # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND
        if flags & (1 | 2 | 64 | 512 | 1024):
            raise PermissionError("a scorer may not write")
    elif event.startswith(_REFUSED) and event not in _ALLOWED:
        raise PermissionError(f"a scorer may not do {event}")


def main() -> None:
    """Serve jobs until the parent closes the pipe."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # sympy's order of terms, and so its answers, follow the hashes
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, worker_command())
    from sandbox.worker_loop import serve

    sys.dont_write_bytecode = True  # modules loaded later would otherwise be written where the hook refuses
    importlib.import_module("math_verify")
    _math({"gold": "\\frac{1}{2}", "answer": "0.5"})  # warms the parser's caches before any clock runs
    serve(handle)


if __name__ == "__main__":
    main()
