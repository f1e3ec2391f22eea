"""The nouns of the sandbox: Limits, the three kinds of Case, Program, Outcome, SandboxError.

They know nothing of questions or datasets, so that `sandbox` can be used alone.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class SandboxError(Exception):
    """No working isolation on this machine, or the sandbox itself broke. Never a verdict on a program."""

    def __init__(self, what: str, *, next: str | None = None) -> None:  # noqa: A002 - as curate's errors call it
        super().__init__(what if next is None else f"{what}\n  {next}")
        self.what = what
        self.next = next


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Container(_Frozen):
    """Of the backend `docker`: the engine's `runtime` (such as runsc), and an `image` with Python instead of ours."""

    runtime: str | None = None
    image: str | None = None


class Limits(_Frozen):
    """Limits of one test. CPU time decides; wall time only backs it up, so a busy machine changes no verdict."""

    cpu_s: float = Field(6.0, gt=0)
    wall_s: float | None = Field(None, gt=0)  # of idleness: nothing of it ran or waited for a CPU; None: 3 * cpu_s + 5
    memory_mb: int = Field(1024, gt=0)  # on top of the bare interpreter, all processes of the test together
    output_mb: int = Field(64, gt=0)
    processes: int = Field(64, gt=0)


class Stdin(_Frozen):
    """Run the program as a script with `input` on its standard input; compare its standard output."""

    kind: Literal["stdin"] = "stdin"
    input: str
    expected: str


class Call(_Frozen):
    """Call the program's `entry` (a function, or a method of `class Solution`) with `args`; compare the value.

    `args` and `expected` are JSON values, compared by `Program.compare`. With `equality` `python` they are values of
    Python's built-in types (tuples, sets, bytes, any keys), and the value must equal `expected` by Python's `==`.
    """

    kind: Literal["call"] = "call"
    args: Sequence[Any]
    expected: Any
    equality: Literal["json", "python"] = "json"


class Assert(_Frozen):
    """Run `code` after the program, in the same process; it passes when it runs to its end.

    Where `code` is assert statements on calls of the program, only the calls run inside and the values are judged
    outside (`sandbox.asserts`), with the same verdict. Anything else runs inside as it stands: the weaker kind.
    """

    kind: Literal["assert"] = "assert"
    code: str


Case = Stdin | Call | Assert
Compare = Literal["token", "lcb", "exact"]  # see sandbox.compare


class Program(_Frozen):
    """A program and its tests. `entry` names the function for Call cases.

    `stop_first` ends at the first test that does not pass; False runs all, for a pass rate. `compare` chooses the rules
    by which outputs and returned values are compared.
    """

    source: str
    cases: Sequence[Case]
    entry: str | None = None
    limits: Limits = Limits()
    stop_first: bool = True
    compare: Compare = "token"


Status = Literal["pass", "fail", "error"]
Reason = Literal[
    "ok", "wrong_answer", "time_limit", "memory_limit", "output_limit", "process_limit", "runtime_error",
    "compile_error", "missing_module", "infrastructure",
]  # fmt: skip


class Outcome(_Frozen):
    """What became of a program. `error` (`missing_module`, `infrastructure`) is our trouble, never a verdict on it.

    `evidence` repeats exactly for a deterministic program (nothing measured, addresses masked): `test` (index of the
    first test not passed), `input`, `expected`, `got`, `message`, `signal`, `module`, `backend` never; `measured` holds
    what does not repeat: `cpu_s`, `wall_s`, `peak_mb`, `backend`.
    """

    status: Status
    reason: Reason
    passed: int = 0
    run: int = 0
    total: int = 0
    weaker: bool = False  # True: decided by assert-style tests that ran inside the process as they stand
    evidence: dict[str, Any] = Field(default_factory=dict)
    measured: dict[str, Any] = Field(default_factory=dict)
