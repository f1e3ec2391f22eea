"""A prompt: a YAML file of Jinja templates, one per domain and a default, that turns a question into messages.

Templates run in Jinja's sandbox, and a question's text is only ever a value, never a template.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, ValidationError, field_validator

from curate.errors import RecipeError
from curate.records import Choice, Question, Record

T = TypeVar("T")

VARIABLES = frozenset({"problem", "domain", "truth", "starter_code", "function", "options"})
_JINJA = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False
)
# For text that a model takes as it is: each space and line end counts.
_EXACT = ImmutableSandboxedEnvironment(keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False)
_DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


class Prompt(Record):
    """Templates by domain; `default` is for the domains that have none of their own.

    `version` is raised with every change of a shipped prompt. It is no part of a key: what is sent decides.
    """

    version: int = Field(1, ge=1)
    system: str | dict[str, str] | None = None  # a text, or texts by domain
    user: dict[str, str] = Field(min_length=1)

    @field_validator("user")
    @classmethod
    def _usable(cls, user: dict[str, str]) -> dict[str, str]:
        if "default" not in user:
            raise ValueError("'default' is missing: the template of every domain without its own")
        for name, text in user.items():
            try:
                unknown = variables_of(text) - VARIABLES
            except TemplateError as error:
                raise ValueError(f"{name}: {error}") from error
            if unknown:
                raise ValueError(
                    f"{name}: unknown variable {sorted(unknown)[0]}; known: {', '.join(sorted(VARIABLES))}"
                )
        return user

    def render(self, question: Question, *, system: str | None = None) -> list[dict[str, str]]:
        """The messages of a request, `system` in the place of the prompt's own. Raises RecipeError."""
        text = self.user.get(question.domain, self.user["default"])
        content = filled(compiled(text), _variables(question), where=f"question {question.id}").strip()
        if system is None:
            own = self.system
            system = own.get(question.domain, own.get("default")) if isinstance(own, dict) else own
        messages = [{"role": "system", "content": system.strip()}] if system and system.strip() else []
        return [*messages, {"role": "user", "content": content}]


@lru_cache(maxsize=64)
def load(use: str, name: str) -> Prompt:
    """The prompt `name` for a use such as `annotate`; a name that ends in `.yaml` is a file of the user's.

    Raises RecipeError where there is none, or where it is not a prompt.
    """
    return read(use, name, lambda found, _: Prompt.model_validate(found))


def read(use: str, name: str, made: Callable[[Any, str], T]) -> T:
    """What `made` makes of a prompt file's content and its name without the ending, whatever kind of prompt it is.

    Raises RecipeError where there is none, or where it is not such a prompt.
    """
    own = name.endswith((".yaml", ".yml"))
    path = Path(name) if own else Path(str(files("curate.prompts"))) / use / f"{name}.yaml"
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise _missing(use, name, own) from error
    try:
        return made(yaml.safe_load(text), path.stem)
    except yaml.YAMLError as error:
        raise RecipeError(f"this is not YAML: {error}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"{where}: {first['msg']}" if where else first["msg"], where=str(path)) from error


def function_of(question: Question) -> str | None:
    """The function that the question's tests call, as far as the question says: by its source, or its starter code."""
    for name in ("fn_name", "entry_point"):
        if isinstance(question.meta.get(name), str):
            return str(question.meta[name])
    found = _DEF.findall(question.starter_code or "")
    return found[-1] if found else None


@lru_cache(maxsize=64)
def compiled(text: str, *, exact: bool = False) -> Template:
    """A template in Jinja's sandbox; `exact` keeps every space and line end. Raises jinja2.TemplateError."""
    return (_EXACT if exact else _JINJA).from_string(text)


def filled(template: Template, values: dict[str, Any], *, where: str) -> str:
    """The text of a template. Raises RecipeError where it fails on these values."""
    try:
        return template.render(values)
    except Exception as error:  # the boundary to a template, which may divide by zero
        raise RecipeError(f"the prompt cannot be filled in: {error}", where=where) from error


def variables_of(text: str) -> set[str]:
    """The variables that a template reads. Raises jinja2.TemplateError."""
    return set(meta.find_undeclared_variables(_JINJA.parse(text)))


def _variables(question: Question) -> dict[str, Any]:
    options = question.truth.options if isinstance(question.truth, Choice) else ()
    if _listed(question.problem, options):
        options = ()
    return {
        "problem": question.problem,
        "domain": question.domain,
        "truth": question.truth.type,
        "starter_code": question.starter_code,
        "function": function_of(question),
        "options": [{"letter": chr(ord("A") + number), "text": text} for number, text in enumerate(options)],
    }


def _listed(problem: str, options: Sequence[str]) -> bool:
    """Whether a problem lists these options itself, each after its letter: as `A. 4`, `(a) 4`, or in LaTeX."""
    at = 0
    for number, option in enumerate(options):
        letter = chr(ord("A") + number)
        label = rf"(?<!\w)[{letter}{letter.lower()}](?=\W{{0,8}}[).:\]}}–-])\W{{1,12}}?"
        found = re.compile(label + re.escape(option.strip()) + r"(?!\w)").search(problem, at)
        if found is None:
            return False
        at = found.end()
    return True


def _missing(use: str, name: str, own: bool) -> RecipeError:
    if own:
        return RecipeError("there is no such prompt file, or it is no UTF-8 text", where=name)
    known = sorted(entry.name[:-5] for entry in files("curate.prompts").joinpath(use).iterdir())
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return RecipeError(f"there is no prompt '{name}'; {hint}known: {', '.join(known)}, or a path that ends in .yaml")
