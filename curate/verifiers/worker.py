"""The killable process in which models' answers meet symbolic engines: Math-Verify and reasoning-gym's scorers.

Jobs and results are JSON. A worker loads the engines once and answers in a child of its own (`Child`), which the kernel
ends at the job's CPU limit (`cpu_s`): the next child is a fork away, not an import of seconds. Memory is limited by the
parent. An audit hook refuses what no comparison needs (writing, running, networking), since some scorers evaluate parts
of the answer.
"""

import ast
import gc
import importlib
import json
import os
import random
import re
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from sandbox.worker_loop import PARENT, die_with_parent, read_frame, serve, write_frame

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
    if request.get("whole"):
        texts = (request["gold"], request["answer"])
        parsed = [one and _whole(text, side) for one, text, side in zip(parsed, texts, sides, strict=True)]
        if not all(parsed) or bool(_free(sides[0])) != bool(_free(sides[1])):
            return {"equal": False, "parsed": [False, False]}  # `F_n` may be known to the question, not to us
    equal = bool(all(sides) and verify(sides[0], sides[1], timeout_seconds=None, raise_on_error=True))
    if not equal and not _differ(sides):
        parsed = [False, False]  # it found no proof of equality, which proves no difference
    return {"equal": equal, "parsed": parsed}


def _differ(sides: list[list[Any]]) -> bool:
    """Whether two parsed answers surely differ: as values at whole numbers for their variables, or as finite sets."""
    from sympy import Expr, Integer, N  # type: ignore[import-untyped]

    one, other = ([item for item in side if not isinstance(item, str)][:1] for side in sides)
    if not (one and other):
        return False
    if not (isinstance(one[0], Expr) and isinstance(other[0], Expr)):
        return not any(_relational(item) for item in (*one, *other))
    free = sorted(one[0].free_symbols | other[0].free_symbols, key=str)
    for start in (5, 8):
        point = {name: Integer(start + 3 * place) for place, name in enumerate(free)}
        values = [N(side[0].subs(point), 30) for side in (one, other)]
        if all(value.is_number and value.is_finite for value in values):
            return bool(abs(complex(values[0] - values[1])) > 1e-9 * max(1e-30, abs(complex(values[0]))))
    return False


def _relational(item: Any) -> bool:
    """Whether there are conditions in it, whose equality is more than their spelling's."""
    from sympy.core.relational import Relational  # type: ignore[import-untyped]
    from sympy.logic.boolalg import Boolean  # type: ignore[import-untyped]

    return isinstance(item, (Relational, Boolean)) or bool(item.atoms(Relational, Boolean))


def _whole(text: str, parsed: list[Any]) -> bool:
    r"""Whether what was parsed holds every number of the text: of `5 \oplus 3` Math-Verify reads the 3 alone."""
    read = set(_DIGITS.findall(" ".join(str(item) for item in parsed if not isinstance(item, str))))
    if any(str(name).partition("_")[0] not in text for name in _free(parsed)):
        return False  # it reads `R` as `r`
    text = _SHORT.sub(r"\1 \2 ", text)
    return text.isascii() and {run.lstrip("0") or "0" for run in _DIGITS.findall(text)} <= read


def _free(parsed: list[Any]) -> set[Any]:
    """The variables that nothing in the parsed expression binds."""
    return {name for item in parsed for name in getattr(item, "free_symbols", ())}


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

_JOBS_EACH = 2000  # answers of one child: what engines keep of each adds up
_WARM = [
    ("\\frac{1}{2}", "0.5"),
    ("x^2+2x+1", "(x+1)^2"),
    ("(1,2)", "\\{1,2\\}"),
    ("\\sum_{n=1}^\\infty \\frac{a_{n+1}}{b_n c_{n+2}}", "\\prod_{k=2}^{n} (1-\\frac{1}{k^2})"),
    ("\\sum_{k=1}^{3} k", "\\int_0^1 x dx"),
    ("[2,5)\\cup(7,\\infty)", "x<3"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\sqrt[3]{2}"),
    ("\\lim_{x\\to 0}\\frac{\\sin x}{x}", "\\log_2 3"),
]

_DIGITS = re.compile(r"\d+")
_SHORT = re.compile(r"(\\frac\s*\d)\s*(\d)")

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


class Child:
    """A forked process that answers jobs, each under its CPU limit; replaced when a job ends it."""

    def __init__(self) -> None:
        self._pid = 0
        self._line: socket.socket | None = None
        self._jobs = 0

    def handle(self, job: bytes) -> bytes:
        """The child's answer; `{"limit": "cpu"}` where it ran over that, `{"crashed": SIGNAL}` where two died of it."""
        for _ in range(2):
            answer = self._once(job)
            if answer is not None:
                return answer
            died = self._end()
            if died == signal.SIGPROF:
                return json.dumps({"limit": "cpu"}).encode()
        return json.dumps({"crashed": signal.Signals(died).name if died in signal.valid_signals() else "exit"}).encode()

    def _once(self, job: bytes) -> bytes | None:
        if self._jobs >= _JOBS_EACH:
            self._end()
        if self._line is None:
            self._fork()
        assert self._line is not None
        self._jobs += 1
        try:
            write_frame(self._line.fileno(), job)
            return read_frame(self._line.fileno())
        except (OSError, EOFError):
            return None

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        os.environ[PARENT] = str(os.getpid())  # whom the child dies with
        pid = os.fork()
        if pid:
            theirs.close()
            self._pid, self._line, self._jobs = pid, ours, 0
            return
        try:
            ours.close()
            die_with_parent()
            line = theirs.detach()
            os.dup2(line, 3)
            os.closerange(4, 1024)
            while (job := read_frame(3)) is not None:
                write_frame(3, _limited(job))
        finally:
            os._exit(1)

    def _end(self) -> int:
        """End the child, and say which signal had ended it before (0: none)."""
        assert self._line is not None
        self._line.close()
        self._line = None
        _, status = os.waitpid(self._pid, 0)  # its line is closed: it ends now, if it has not
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _limited(job: bytes) -> bytes:
    """Answer one job under its own CPU limit; over it, the kernel ends this process (SIGPROF has no handler)."""
    limit = json.loads(job).get("cpu_s")
    if limit is None:
        return handle(job)
    signal.setitimer(signal.ITIMER_PROF, limit)
    answer = handle(job)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return answer


def main() -> None:
    """Serve jobs until the parent closes the pipe."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # sympy's order of terms, and so its answers, follow the hashes
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, worker_command())
    sys.dont_write_bytecode = True  # modules loaded later would otherwise be written where the hook refuses
    importlib.import_module("math_verify")
    for gold, answer in _WARM:  # fills the parser's caches before any clock runs
        handle(json.dumps({"do": "math", "gold": gold, "answer": answer}).encode())
    gc.freeze()  # the children share these pages
    serve(Child().handle)


if __name__ == "__main__":
    main()
