r"""Trace formats: how reasoning and solution become the text of an assistant turn, and how they are taken apart again.

For `openthoughts` and `think`, `parse(render(trace)) == trace` holds for every text: a marker that stands inside a
trace is escaped by a backslash (`<\|end_of_thought|>`, `<\/think>`), so it can neither end the trace early nor teach
a student to. `solution_only` and jinja files cannot be taken apart.
"""

import difflib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic_core import PydanticCustomError

from curate.errors import InputError
from curate.paths import resolve

TEMPLATE_SUFFIXES = (".jinja", ".jinja2", ".j2")
_VARIABLES = {"reasoning", "solution", "problem", "domain"}

# Our own words; what it asks for is the layout that OpenThoughts-114k uses, so that students of both can be mixed.
OPENTHOUGHTS_SYSTEM = (
    "Work through each question in two sections before you are done.\n\n"
    "First the thought section, written between <|begin_of_thought|> and <|end_of_thought|>. Explore the question "
    "there at whatever length it needs: restate what is asked, try approaches step by step, test intermediate results, "
    "reconsider and correct what does not hold, and go back where a path leads nowhere. Separate steps by blank lines."
    "\n\n"
    "Then the solution section, written between <|begin_of_solution|> and <|end_of_solution|>. Give there the final "
    "answer and the steps that lead to it, concisely and completely, without the detours. It must stand on its own."
)


class Trace(NamedTuple):
    """What a teacher wrote. No reasoning is None, never an empty text."""

    reasoning: str | None
    solution: str


class TraceFormat(ABC):
    """One layout of the assistant turn.

    `system` is the system text that belongs to it, if any; `needs_reasoning` says whether a trace that lost its
    reasoning can still be written in it.
    """

    name: str
    system: str | None = None
    needs_reasoning: bool = True

    @abstractmethod
    def render(self, trace: Trace, problem: str, domain: str | None = None) -> str:
        """The assistant text."""

    @abstractmethod
    def parse(self, text: str) -> Trace:
        """The trace that an assistant text holds. Raises ValueError for a text that is not in this format."""


@dataclass(frozen=True)
class Marked(TraceFormat):
    """Reasoning and solution between fixed texts. `marker` finds what must be escaped inside them."""

    name: str
    before: str
    between: str
    after: str
    marker: re.Pattern[str]
    system: str | None = None

    def render(self, trace: Trace, problem: str = "", domain: str | None = None) -> str:
        """The assistant text; without reasoning its section is empty."""
        reasoning = self._escape(trace.reasoning or "")
        return f"{self.before}{reasoning}{self.between}{self._escape(trace.solution)}{self.after}"

    def parse(self, text: str) -> Trace:
        """The trace between the markers. Raises ValueError where they are missing or not in their places."""
        if not text.startswith(self.before) or not text.endswith(self.after) or text.count(self.between) != 1:
            raise ValueError(f"not in the trace format {self.name}")
        reasoning, solution = text[len(self.before) : len(text) - len(self.after)].split(self.between)
        return Trace(self._unescape(reasoning) or None, self._unescape(solution))

    def escapes(self, trace: Trace) -> bool:
        """Whether rendering changes the text of this trace."""
        return any(self.marker.search(text) for text in (trace.reasoning, trace.solution) if text)

    def _escape(self, text: str) -> str:
        return self.marker.sub(r"<\\\g<1>\g<2>", text)

    def _unescape(self, text: str) -> str:
        return self.marker.sub(lambda found: "<" + found[1].removeprefix("\\") + found[2], text)


class SolutionOnly(TraceFormat):
    """The solution alone: the reasoning is lost."""

    name = "solution_only"
    needs_reasoning = False

    def render(self, trace: Trace, problem: str = "", domain: str | None = None) -> str:
        """The solution."""
        return trace.solution

    def parse(self, text: str) -> Trace:
        """A trace without reasoning."""
        return Trace(None, text)


class FromTemplate(TraceFormat):
    """A user's jinja file, given `reasoning`, `solution`, `problem` and `domain`; it cannot be parsed back."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._template, variables = _compiled(path)
        self.needs_reasoning = "reasoning" in variables

    def render(self, trace: Trace, problem: str, domain: str | None = None) -> str:
        """The rendered template. Raises InputError where it fails on a row."""
        try:
            return self._template.render(
                reasoning=trace.reasoning, solution=trace.solution, problem=problem, domain=domain
            )
        except TemplateError as error:
            raise InputError(f"the template fails on a row: {error.message}", where=self.name) from error
        except Exception as error:  # boundary to a user's template, which may hold any expression (1/0, None + "")
            raise InputError(f"the template fails on a row: {error!r}", where=self.name) from error

    def parse(self, text: str) -> Trace:
        """Raises ValueError: nothing says how a template is read backwards."""
        raise ValueError("a text made by a jinja file cannot be taken apart")


OPENTHOUGHTS = Marked(
    name="openthoughts",
    before="<|begin_of_thought|>\n\n",
    between="\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
    after="\n\n<|end_of_solution|>",
    marker=re.compile(r"<(\\*)(\|(?:begin|end)_of_(?:thought|solution)\|>)"),
    system=OPENTHOUGHTS_SYSTEM,
)
THINK = Marked(
    name="think",
    before="<think>\n",
    between="\n</think>\n\n",
    after="",
    marker=re.compile(r"<(\\*)(/?think>)"),
)
_FORMATS: dict[str, TraceFormat] = {known.name: known for known in (OPENTHOUGHTS, THINK, SolutionOnly())}


def named_format(name: str) -> str:
    """Check a `trace_format` of a recipe: a known name, or the path of a template, resolved against the recipe."""
    if name in _FORMATS:
        return name
    if name.endswith(TEMPLATE_SUFFIXES):
        return str(resolve(Path(name)))
    near = difflib.get_close_matches(name, list(_FORMATS), 1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    raise PydanticCustomError(
        "trace_format",
        "expected {known} or a file ending in {suffixes}{hint}",
        {"known": ", ".join(_FORMATS), "suffixes": ", ".join(TEMPLATE_SUFFIXES), "hint": hint},
    )


def trace_format(name: str) -> TraceFormat:
    """The format of a name or template path. Raises InputError for an unknown name or an unusable file."""
    try:
        name = named_format(name)
    except PydanticCustomError as error:
        raise InputError(error.message(), where=f"trace format '{name}'") from error
    return _FORMATS.get(name) or FromTemplate(Path(name))


def detect(text: str) -> TraceFormat:
    """The known format that an assistant text is in; `solution_only` where it has no markers."""
    for known in (OPENTHOUGHTS, THINK):
        try:
            known.parse(text)
        except ValueError:
            continue
        return known
    return _FORMATS["solution_only"]


def _compiled(path: Path) -> tuple[Template, set[str]]:
    """The template of a file, and the variables that it reads."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        text = path.read_text("utf-8")
        variables = find_undeclared_variables(environment.parse(text))
        template = environment.from_string(text)
    except OSError as error:
        raise InputError(f"cannot read the trace template: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("the trace template is not UTF-8 text", where=str(path)) from error
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise InputError(
            f"the trace template is not valid jinja: {error.message}", where=f"{path}:{line}" if line else str(path)
        ) from error
    if unknown := variables - _VARIABLES:
        raise InputError(
            f"the trace template reads {', '.join(sorted(unknown))}",
            where=str(path),
            next=f"a template is given {', '.join(sorted(_VARIABLES))}",
        )
    return template, variables
