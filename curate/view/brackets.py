r"""Markdown rules for formulas between `\(` and `\)`, `\[` and `\]`, and a bare `\boxed{...}`, as models write them.

They run before the rules for escapes and lists, so that nothing inside a formula is taken for Markdown.
"""

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_PAIRS = {"\\(": "\\)", "\\[": "\\]"}
_BOXED = "\\boxed{"


def brackets_plugin(parser: MarkdownIt) -> None:
    """Add the rules; formulas become the tokens `math_inline`, `math_inline_double` and `math_block`."""
    parser.inline.ruler.before("escape", "math_brackets", _inline)
    parser.block.ruler.before("fence", "math_brackets", _block, {"alt": ["paragraph", "reference", "blockquote"]})


def _inline(state: StateInline, silent: bool) -> bool:
    text, start = state.src, state.pos
    if text[start] != "\\":
        return False
    opening = text[start : start + 2]
    if opening in _PAIRS:
        end = _find(state, _PAIRS[opening], start + 2)
        content, after = text[start + 2 : end], end + 2
    elif text.startswith(_BOXED, start):
        end = _closing_brace(text, start + len(_BOXED), state.posMax)
        content, after = text[start : end + 1], end + 1
    else:
        return False
    if end < 0 or not content.strip():
        return False
    if not silent:
        token = state.push("math_inline_double" if opening == "\\[" else "math_inline", "math", 0)
        token.content = content
    state.pos = after
    return True


def _find(state: StateInline, closing: str, start: int) -> int:
    """Where a formula closes; once the rest of a paragraph has no such bracket, it is not searched again."""
    missing: set[str] = state.env.setdefault("math_missing", {}).setdefault((state.src, state.posMax), set())
    if closing in missing:
        return -1
    end = state.src.find(closing, start, state.posMax)
    if end < 0:
        missing.add(closing)
    return end


def _closing_brace(text: str, start: int, stop: int) -> int:
    depth = 1
    for place in range(start, min(stop, start + 1000)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return place
    return -1


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    start = state.bMarks[start_line] + state.tShift[start_line]
    if not state.src.startswith("\\[", start):
        return False
    line, lines = start_line, []
    while line < end_line:
        begin = state.bMarks[line] + state.tShift[line] + (2 if line == start_line else 0)
        content = state.src[begin : state.eMarks[line]]
        head, found, tail = content.partition("\\]")
        lines.append(head)
        if found:
            break
        line += 1
    else:
        return False
    if tail.strip(" \t.,;"):  # a sentence goes on behind it: the inline rule takes the formula
        return False
    if silent:
        return True
    token = state.push("math_block", "math", 0)
    token.block = True
    token.content = "\n".join(lines)
    token.map = [start_line, line + 1]
    state.line = line + 1
    return True
