"""One job over the pool of zygotes, as every backend does it: what hangs is tried again, what breaks is told."""

import math
from collections.abc import Callable

from sandbox.frames import Facts, Job, pack_job, patience_s, unpack_answer
from sandbox.model import Limits, SandboxError
from sandbox.workers import JobCrashed, JobTimeout, Workers

_TRIES = 2  # of a test whose zygote hangs


async def exchange(workers: Workers, job: Job, limits: Limits, advice: Callable[[str], str | None]) -> list[Facts]:
    """The facts of a job. Raises SandboxError, with `advice` on what to do next from what was said."""
    message, patience = pack_job(job, limits), patience_s(job, limits)
    for _ in range(_TRIES):
        try:
            answer = await workers.run(message, cpu_s=math.inf, wall_s=patience)
        except JobTimeout:
            continue
        except JobCrashed as crashed:
            what = f"the sandbox broke twice on one test: {crashed.how[-500:]}"
            raise SandboxError(what, next=advice(crashed.how)) from None
        except SandboxError as error:
            what = f"no sandbox can start here: {error.what}"
            raise SandboxError(what, next=error.next or advice(error.what)) from None
        return unpack_answer(answer)
    raise SandboxError(f"a test had no answer after {patience:.0f} s, twice")
