"""`CodeSet`: what the sets of programming problems have in common, and how their texts of tests and limits are read.

The filters are those of OpenThoughts, with its values as defaults; each row that one of them drops says so.
"""

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from curate.sources._published import Left, Published
from curate.sources.values import solution_texts
from curate.verifiers.testcases import UnreadableTests, read_tests

_UNITS = {"second": 1.0, "ms": 0.001, "millisecond": 0.001, "sec": 1.0, "s": 1.0, "minute": 60.0}
_SIZES = {
    "byte": 2**-20,
    "kilobyte": 2**-10,
    "kb": 2**-10,
    "megabyte": 1.0,
    "mb": 1.0,
    "gigabyte": 1024.0,
    "gb": 1024.0,
}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_LITERAL = 1 << 24  # characters read as a Python literal


class CodeSet(Published):
    """Programming problems with tests."""

    domain: ClassVar[str] = "code"

    min_chars: int = Field(200, ge=0, description="Drop a problem that is shorter (`short_problem`).")
    exclude: tuple[str, ...] = Field(
        ("http://", "[image]"), description="Drop a problem that holds one of these texts (`excluded_text`)."
    )
    need_solution: bool = Field(
        False, description="Drop a problem without an accepted Python solution (`no_solution`)."
    )

    def wanted(self, problem: str, solutions: list[str]) -> None:
        """Raises Left for a problem that a filter drops."""
        if not problem.strip():
            raise Left("empty_problem")
        if len(problem) < self.min_chars:
            raise Left("short_problem", characters=len(problem), least=self.min_chars)
        if found := next((text for text in self.exclude if text in problem), None):
            raise Left("excluded_text", text=found)
        if self.need_solution and not solutions:
            raise Left("no_solution")


def need_tests(tests: str) -> tuple[str, str | None]:
    """The tests and the function that they call, if any. Raises Left: `no_tests`, `unreadable_tests`."""
    if not tests.strip() or tests.strip() in ("{}", "[]", "null"):
        raise Left("no_tests")
    try:
        return tests, read_tests(tests, {}).entry
    except UnreadableTests as error:
        if "0 inputs and 0 outputs" in str(error):
            raise Left("no_tests") from None
        raise Left("unreadable_tests", detail=str(error)) from None


def accepted(value: str | None) -> list[str]:
    """The first accepted solutions of a column that holds a list of them as JSON, or as a Python literal, in a text."""
    if not value or not value.strip():
        return []
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(value) if len(value) < _LITERAL else []
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return solution_texts(found) if isinstance(found, list) and all(isinstance(one, str) for one in found) else []


def seconds(value: str | None) -> float | None:
    """A time limit written as text, such as `2 seconds`, in seconds; None where it is none."""
    return _quantity(value, _UNITS)


def megabytes(value: str | None) -> int | None:
    """A memory limit written as text, such as `256 megabytes`, in MiB, at least 1; None where it is none."""
    found = _quantity(value, _SIZES)
    return max(1, int(found)) if found else None


def _quantity(value: str | None, units: Mapping[str, float]) -> float | None:
    match = _QUANTITY.match(value or "")
    unit = match[2].lower() if match else ""
    factor = units.get(unit) or units.get(unit.removesuffix("s"))
    return (float(match[1]) * factor or None) if match and factor else None


def site(url: str | None) -> str | None:
    """The site of a problem as OpenThoughts names it: the host in capitals, without `www.` and `.com`."""
    host = urlsplit(url or "").netloc
    return host.replace("www.", "").replace(".com", "").upper() or None


def problem_id(problem: str) -> str:
    """What identifies a problem by its text: the MD5 that OpenThoughts uses."""
    return hashlib.md5(problem.encode(), usedforsecurity=False).hexdigest()
