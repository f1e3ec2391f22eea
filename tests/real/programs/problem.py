"""What a family of problems is, and the problems that it makes: programs, tests, and wrong variants of the program."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import Call, Case, Limits, Program, Stdin

LIMITS = Limits(cpu_s=2.0, memory_mb=512)


@dataclass(frozen=True)
class Problem:
    """A right program, programs that are wrong, and the tests; `entry` is the function that its tests call."""

    name: str
    source: str
    wrong: Sequence[str]
    cases: Sequence[Case]
    entry: str | None = None

    def program(self, source: str | None = None, *, stop_first: bool = True, limits: Limits = LIMITS) -> Program:
        """The right program, or `source` in its place."""
        text = self.source if source is None else source
        return Program(source=text, cases=self.cases, entry=self.entry, limits=limits, stop_first=stop_first)


@dataclass(frozen=True)
class Family:
    """Problems of one kind that differ by a parameter, which stands as PARAM in the program.

    `wrong`: pairs of a text of the program and what stands in its place in a wrong variant. `oracle` finds the answer
    by another way than the program; `inputs` makes at least ten, the edges among them.
    """

    name: str
    parameters: Sequence[Any]
    source: str
    wrong: Sequence[tuple[str, str]]
    inputs: Callable[[Any, random.Random], list[Any]]
    oracle: Callable[[Any, Any], Any]
    entry: str | None = None

    def problems(self) -> list[Problem]:
        """One for each parameter. Input and answer are texts, or for calls the arguments and the value."""
        return [self._problem(parameter) for parameter in self.parameters]

    def _problem(self, parameter: Any) -> Problem:
        source = self.source.lstrip("\n").replace("PARAM", repr(parameter))
        wrong = []
        for old, new in self.wrong:
            assert old in source, f"{self.name}: no {old!r} to break"
            wrong.append(source.replace(old, new))
        given = self.inputs(parameter, random.Random(f"{self.name} {parameter}"))
        assert len(given) >= 10, self.name
        cases: list[Case] = []
        for one in given:
            answer = self.oracle(parameter, one)
            if self.entry is None:
                cases.append(Stdin(input=one, expected=answer))
            else:  # as JSON would have it, so that no tuple or shared list is given
                cases.append(Call(args=json.loads(json.dumps(one)), expected=json.loads(json.dumps(answer))))
        return Problem(f"{self.name}({parameter!r})", source, wrong, cases, self.entry)


def numbers(rng: random.Random, count: int, low: int = 0, high: int = 1000) -> list[int]:
    """`count` whole numbers from `low` to `high`."""
    return [rng.randint(low, high) for _ in range(count)]


def row(values: Sequence[Any]) -> str:
    """Values in one line."""
    return " ".join(map(str, values))


def counted(values: Sequence[Any]) -> str:
    """How many, and in the next line the values."""
    return f"{len(values)}\n{row(values)}\n"


def lists(low: int, high: int, longest: int = 40) -> Callable[[Any, random.Random], list[str]]:
    """Inputs of one counted list each: of one value, of equal values, sorted, reversed and random."""

    def make(parameter: Any, rng: random.Random) -> list[str]:
        made = [[low], [high] * 5, sorted(numbers(rng, 12, low, high)), sorted(numbers(rng, 12, low, high))[::-1]]
        made += [numbers(rng, rng.randint(2, longest), low, high) for _ in range(8)]
        return [counted(one) for one in made]

    return make


def listed(text: str) -> list[int]:
    """The values of a counted list."""
    return [int(one) for one in text.split()[1:]]
