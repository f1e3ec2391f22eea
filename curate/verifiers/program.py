"""The program in an answer: which fenced block is it, and when is it the whole text.

Policy. Only Python counts: blocks tagged `python`, `py`, `python3` and untagged ones; an open fence runs to the end.
A block must parse and do something (bare values and names are sample output). Where the tests name a function, the
last block that defines it wins; else the last tagged block, else the last untagged one. Text without any fence is a
program if it parses as one. If nothing parses, the last tagged block is taken, and compiling it says what is wrong.
A starter code is put before a candidate that does not define the named function itself but completes the starter.
"""

import ast
import re
import textwrap
import warnings
from typing import NamedTuple

from curate.verifiers.extract import solution_part

_TAG_END = re.compile(r"[\s:{,]")  # `python:main.py`, `python {.numbered}`
_PYTHON = frozenset({"python", "py", "python3", "python2", "pypy", "pypy3"})
_CODE_LINE = re.compile(r"^[ \t]*(?:def \w+\s*\(|class \w+|import \w|from [\w.]+ import )", re.MULTILINE)
_LARGEST = 1 << 18  # characters parsed on the host, which takes up to a second; a longer block is left to the sandbox


class Block(NamedTuple):
    """A fenced block: its language tag in lower case (empty: none) and its text."""

    tag: str
    text: str


class _Fence(NamedTuple):
    """A line that opens or closes a block: its indentation, its run of marks and what stands after them."""

    indent: int
    marks: str
    info: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in order; line by line, so that no text takes long."""
    found: list[Block] = []
    opened: _Fence | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        fence = _fence(line)
        if opened is None:
            opened, lines = fence, []
        elif fence and not fence.info and fence.marks.startswith(opened.marks):
            found.append(_block(opened, [*lines, ""]))
            opened = None
        elif fence and fence.info and fence.marks == opened.marks:
            # A tagged fence cannot close: the block before it was left open.
            found.append(_block(opened, [*lines, ""]))
            opened, lines = fence, []
        else:
            lines.append(line)
    if opened is not None:
        text = "\n".join(lines)
        if (bare := text.rstrip()).endswith(opened.marks):  # the closing marks stand behind the last line of code
            text = bare.removesuffix(opened.marks)
        found.append(_block(opened, text.split("\n")))
    return found


def _fence(line: str) -> _Fence | None:
    bare = line.lstrip(" \t")
    if not bare.startswith(("```", "~~~")):
        return None
    info = bare.lstrip(bare[0])
    # With a backtick after it, it is code within a line.
    return None if "`" in info else _Fence(len(line) - len(bare), bare[: len(bare) - len(info)], info.strip())


def _block(fence: _Fence, lines: list[str]) -> Block:
    """A block without its fence's indentation (CommonMark), as far as its first line of code has it."""
    first = next((line for line in lines if line.strip()), "")
    indent = min(fence.indent, _blank(first))
    tag = _TAG_END.split(fence.info.strip("{}.").lower(), maxsplit=1)[0]
    return Block(tag, "\n".join(line[min(indent, _blank(line)) :] for line in lines))


def _blank(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def find_program(solution: str, *, entry: str | None, starter: str | None) -> str | None:
    """The program to run, or None where the answer holds none. `entry` is the function that the tests call."""
    text = solution_part(solution)
    fenced = blocks(text)
    if not fenced:
        return _unfenced(text, entry, starter)
    tagged = [block.text for block in fenced if block.tag in _PYTHON and block.text.strip()]
    untagged = [block.text for block in fenced if not block.tag and block.text.strip()]
    for candidates in (tagged, untagged):
        found = _choose(candidates[::-1], entry, starter)
        if found is not None:
            return found
    if tagged:
        return tagged[-1]
    return next((candidate for candidate in reversed(untagged) if _CODE_LINE.search(candidate)), None)


def _choose(candidates: list[str], entry: str | None, starter: str | None) -> str | None:
    """The first candidate that defines `entry`, else completes the starter, else does anything at all."""
    if entry:
        for candidate in candidates:
            if _defines(candidate, entry):
                return candidate
        for candidate in candidates:
            completed = _completed(candidate, entry, starter)
            if completed is not None:
                return completed
    return next((candidate for candidate in candidates if _acts(candidate)), None)


def _unfenced(text: str, entry: str | None, starter: str | None) -> str | None:
    if not text.strip():
        return None
    found = _choose([text], entry, starter)
    if found is not None:
        return found
    if starter and entry and text[:1] in " \t":
        return starter + text  # the body of the starter's function, and it does not parse
    return text if _CODE_LINE.search(text) else None


def _completed(text: str, entry: str, starter: str | None) -> str | None:
    """The starter completed by the candidate, where that parses and defines `entry`."""
    if not starter:
        return None
    if text.lstrip("\n")[:1] in (" ", "\t"):
        wholes = [starter + text]
    else:  # a body that lost its indentation: that of its first line, to a strip(), or all of it
        head = starter.rstrip() + "\n"
        wholes = [head + "    " + text.lstrip(), head + textwrap.indent(text, "    ")]
    return next((whole for whole in wholes if _defines(whole, entry)), None)


def _parse(text: str) -> ast.Module | None:
    if len(text) > _LARGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the program's business
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None if any(isinstance(node, ast.Return) for node in tree.body) else tree


def _defines(text: str, entry: str) -> bool:
    tree = _parse(text)
    return tree is not None and _has(tree, entry)


def _has(tree: ast.Module, entry: str) -> bool:
    """Whether a module defines `entry`: as a function, an assigned name, or a method of one of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry:
            return True
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == entry for t in node.targets):
            return True
        if isinstance(node, ast.ClassDef) and (
            node.name == entry or any(isinstance(m, ast.FunctionDef) and m.name == entry for m in node.body)
        ):
            return True
    return False


def _acts(text: str) -> bool:
    """Whether a program does anything: bare values and names, such as a sample output, do not."""
    tree = _parse(text)
    if tree is None:
        return len(text) > _LARGEST
    return any(
        not isinstance(node, ast.Expr) or any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(node.value))
        for node in tree.body
    )
