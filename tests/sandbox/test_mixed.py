"""2,000 programs, right, wrong and hostile, mixed at random: none changes another's verdict, and nothing is left."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sandbox import Call, Limits, Outcome, Program, Sandbox, Stdin
from tests.sandbox.conftest import Processes
from tests.sandbox.hostile import ATTACKS, Attack
from tests.sandbox.hostile_abuse import ABUSES
from tests.sandbox.hostile_forge import FORGERIES
from tests.sandbox.hostile_state import LEFTOVERS

COUNT, SEED = 2000, 20_250_101
LIMITS = Limits(cpu_s=2.0, wall_s=2.0, memory_mb=128, output_mb=2, processes=16)
MARK = "veristill-mixed"  # in the names of files and processes that the programs below try to leave
DEAR = 40  # attacks that run into a limit of time or memory: each takes 0.1 s of CPU


class Entry(NamedTuple):
    """A program, and the reason that its making says is right; None: the one that it has alone."""

    name: str
    program: Program
    reason: str | None


def _sums(rng: random.Random) -> tuple[str, str, str]:
    numbers = [rng.randint(-999, 999) for _ in range(rng.randint(1, 9))]
    return "print(sum(map(int, input().split())))", " ".join(map(str, numbers)), str(sum(numbers))


def _sorts(rng: random.Random) -> tuple[str, str, str]:
    words = ["".join(rng.choices("abcxyz", k=4)) for _ in range(rng.randint(1, 9))]
    source = "import sys\nwords = sys.stdin.read().split()\nwords.sort()\nfor word in words:\n    print(word)"
    return source, "\n".join(words), "\n".join(sorted(words))


def _halves(rng: random.Random) -> tuple[str, str, str]:
    number = rng.randint(1, 10**6)
    return "def main():\n    print(int(input()) / 7)\nmain()", str(number), f"{number / 7:.9f}"


def _memo(rng: random.Random) -> tuple[str, str, str]:
    number = rng.randint(1, 80)
    one, other = 0, 1
    for _ in range(number):
        one, other = other, one + other
    source = "import functools\n@functools.cache\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n"
    source += "print(f(int(input())))"
    return source, str(number), str(one)


KINDS: list[Callable[[random.Random], tuple[str, str, str]]] = [_sums, _sorts, _halves, _memo]


def benign(rng: random.Random, number: int) -> Entry:
    """A right program, or one that its tests show to be wrong."""
    make = rng.choice(KINDS)
    tests = [make(rng) for _ in range(rng.randint(1, 4))]
    right = rng.random() < 0.7
    cases: list[Stdin] = [Stdin(input=given, expected=expected) for _, given, expected in tests]
    if not right:
        spoilt = rng.randrange(len(cases))
        cases[spoilt] = cases[spoilt].model_copy(update={"expected": cases[spoilt].expected + " x"})
    program = Program(source=f"# {number}\n{tests[0][0]}", cases=cases, limits=LIMITS)
    return Entry(f"{make.__name__} {number}", program, "ok" if right else "wrong_answer")


def called(rng: random.Random, number: int) -> Entry:
    """A function with a few calls."""
    right = rng.random() < 0.7
    pairs = [(rng.randint(1, 99), rng.randint(1, 99)) for _ in range(3)]
    cases = [Call(args=[a, b], expected={"sum": a + b, "both": [a, b]}) for a, b in pairs]
    line = "return {'sum': a + b, 'both': (a, b)}" if right else "return {'sum': a + b, 'both': (b, a), 'more': 1}"
    program = Program(source=f"# {number}\ndef f(a, b):\n    {line}", cases=cases, entry="f", limits=LIMITS)
    return Entry(f"called {number}", program, "ok" if right else "wrong_answer")


def leaving(rng: random.Random, number: int) -> Entry:
    """A right program that leaves what it can behind."""
    name = f"{MARK}-{number}"
    acts = [
        f"[open(d + '/{name}', 'w').close() for d in ('/tmp', '/dev/shm')]",
        f"os.fork() or (os.setsid(), os.execv('/bin/sleep', ['{name}', '600']))",
        f"os.mkfifo('/tmp/{name}.fifo')",
        f"os.environ['{name}'] = 'x'; os.chdir('/'); os.umask(0)",
        "signal.setitimer(signal.ITIMER_REAL, 30); signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "builtins.print2 = print; sys.modules['json'] = None; random.seed(1)",
    ]
    tasks = "\n".join(rng.sample(acts, 3))
    source = (
        f"import builtins, os, random, signal, sys, threading, time\n{tasks}\nprint(sum(map(int, input().split())))"
    )
    return Entry(
        f"leaving {number}", Program(source=source, cases=[Stdin(input="3 4", expected="7")], limits=LIMITS), "ok"
    )


def hostile(attack: Attack, number: int) -> Entry:
    limits = LIMITS.model_copy(update={"cpu_s": 0.1}) if "time_limit" in attack.reasons else LIMITS
    cases = [attack.case, *attack.more]
    return Entry(
        attack.name, Program(source=f"{attack.source}\n# {number}", cases=cases, entry="add", limits=limits), None
    )


def mixture() -> list[Entry]:
    rng = random.Random(SEED)
    # Those with one right verdict, whatever the limits and however the machine's processes take their turns.
    sure = [a for a in (*ATTACKS, *FORGERIES, *ABUSES, *LEFTOVERS) if " " not in a.reasons and a.cpu_s <= 0.5]
    dear = [attack for attack in sure if "limit" in attack.reasons]
    cheap = [attack for attack in sure if "limit" not in attack.reasons]
    attacks = [*rng.choices(dear, k=DEAR), *cheap, *rng.choices(cheap, k=560 - len(cheap))]
    entries = [hostile(attack, number) for number, attack in enumerate(attacks)]
    makers = [benign, benign, called, leaving]
    entries += [rng.choice(makers)(rng, number) for number in range(COUNT - len(entries))]
    rng.shuffle(entries)
    return entries


def verdict(outcome: Outcome) -> tuple[object, ...]:
    """All of an outcome that is not measured."""
    return outcome.status, outcome.reason, outcome.passed, outcome.run, outcome.total, outcome.weaker, outcome.evidence


async def alone(backend: str, entries: list[Entry]) -> dict[str, tuple[object, ...]]:
    """The verdict of each attack with nothing beside it."""
    found = {}
    async with Sandbox(backend, workers=1) as sandbox:
        for entry in entries:
            if entry.reason is None and entry.name not in found:
                found[entry.name] = verdict(await sandbox.run(entry.program))
    return found


async def together(backend: str, entries: list[Entry]) -> list[Outcome]:
    gate = asyncio.Semaphore(16)
    async with Sandbox(backend, workers=2) as sandbox:

        async def one(entry: Entry) -> Outcome:
            async with gate:
                return await sandbox.run(entry.program)

        return await asyncio.gather(*map(one, entries))


def traces() -> list[str]:
    """Whatever the programs above may have left on this host."""
    found = [str(path) for folder in ("/tmp", "/dev/shm", "/var/tmp", "/", str(Path.home()), str(Path.cwd()))
             for path in Path(folder).glob(f"*{MARK}*")]  # fmt: skip
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if MARK in (path / "cmdline").read_text(errors="replace"):
                found.append(str(path))
        except OSError:  # it ended meanwhile
            continue
    return found


def objects() -> list[str]:
    """System V objects and POSIX queues of this host."""
    tables = [Path(f"/proc/sysvipc/{kind}") for kind in ("shm", "sem", "msg")]
    return [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]


@pytest.mark.slow
def test_mixed_at_random_every_verdict_is_the_one_it_has_alone(backend: str, processes: type[Processes]) -> None:
    entries = mixture()
    assert len(entries) == COUNT
    children, before = processes.below(os.getpid()), objects()
    expected = asyncio.run(alone(backend, entries))
    outcomes = asyncio.run(together(backend, entries))
    wrong = [
        (entry.name, outcome)
        for entry, outcome in zip(entries, outcomes, strict=True)
        if (outcome.reason != entry.reason if entry.reason else verdict(outcome) != expected[entry.name])
    ]
    assert not wrong
    assert len(expected) >= 150
    assert {outcome.status for outcome in outcomes} == {"pass", "fail"}
    assert not processes.alive(processes.below(os.getpid()) - children)
    assert not traces()
    assert objects() == before
