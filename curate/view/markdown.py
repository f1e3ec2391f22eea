r"""Model-written Markdown to HTML: formulas as MathML, code highlighted, everything else text.

The result holds no markup that the text brought along: HTML is escaped, images become their address, and links keep
only harmless schemes. Formulas are `$...$`, `$$...$$`, `\(...\)`, `\[...\]` and bare `\begin{align}`-like environments.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight as pygmentize
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from curate.view.brackets import brackets_plugin

_LONGEST_FORMULA = 10_000  # characters; a longer one is shown as it was written
_SEEN: dict[tuple[str, bool], str] = {}  # formulas of this process: traces repeat them
_MOST_SEEN = 20_000
# Hints for typesetting that latex2mathml does not know and would show.
_NOISE = re.compile(r"\\(?:displaystyle|textstyle|nonumber|notag|label\{[^}]*\}|tag\{[^}]*\})")
_NUMBERED = re.compile(r"\\(begin|end)\{(align|gather|equation)\}")  # would be numbered from 1, each on its own
# What MathML Core and latex2mathml share; `href` among others is left out.
_ATTRIBUTE_NAMES = """
    accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form frame height
    largeop linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation
    rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset width xmlns
"""
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def to_html(text: str) -> str:
    """Render a text. CPU-bound, and without a bound on hostile input: run it where it can be killed."""
    rendered: str = _PARSER.render(_CONTROL.sub("\ufffd", text))
    return rendered


def code_html(text: str, language: str) -> str:
    """A highlighted block of code; a language nobody knows is shown plain."""
    text = _CONTROL.sub("\ufffd", text)
    body = _highlighted(text, language, "") or html.escape(text)
    return f'<pre class="code"><code>{body}</code></pre>'


def plain_html(text: str) -> str:
    """The text as it is, in a block that keeps its lines."""
    return f'<pre class="plain">{html.escape(_CONTROL.sub(chr(0xFFFD), text))}</pre>'


def style() -> str:
    """The style sheet that the highlighted code needs."""
    sheet: str = HtmlFormatter(style="default").get_style_defs("pre.code")
    return sheet


def formula(text: str, *, block: bool) -> str:
    """A formula as MathML; one that cannot be read as its own text."""
    key = (text, block)
    if key not in _SEEN:
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        _SEEN[key] = _mathml(text, block)
    return _SEEN[key]


def _mathml(text: str, block: bool) -> str:
    source = f'<code class="formula">{html.escape(text)}</code>'
    if len(text) > _LONGEST_FORMULA:
        return source
    try:
        known = _NUMBERED.sub(r"\\\1{\2*}", _NOISE.sub("", text))
        found = convert_to_element(known, display="block" if block else "inline")
    # Boundary to latex2mathml, which raises its own and Python's errors on what a model wrote.
    except Exception:  # noqa: BLE001 - the boundary to latex2mathml
        return source
    # The library writes its symbols as character references and leaves it to the caller to read them: read here, in
    # the tree, so that the text of a formula is escaped when the tree is written.
    for node in found.iter():
        node.text = html.unescape(node.text) if node.text else None
        node.tail = html.unescape(node.tail) if node.tail else None
        for name in [name for name in node.attrib if name not in _ATTRIBUTES]:
            del node.attrib[name]
    return ElementTree.tostring(found, encoding="unicode")


def _highlighted(code: str, language: str, attributes: str) -> str:
    del attributes  # what follows the language on the line of a fence
    try:
        lexer = get_lexer_by_name(language) if language else None
    except ClassNotFound:
        lexer = None
    if lexer is None:
        return ""
    found: str = pygmentize(code, lexer, HtmlFormatter(nowrap=True))
    return found


class _Math:
    """Renders the tokens that the three plugins leave for formulas."""

    def __init__(self, *, block: bool, apart: bool = False) -> None:
        self._block, self._apart = block, apart

    def __call__(self, tokens: Sequence[Token], place: int, options: Any, env: Mapping[str, Any]) -> str:
        rendered = formula(tokens[place].content.strip(), block=self._block)
        return f'<div class="formula">{rendered}</div>\n' if self._apart else rendered


def _fence(tokens: Sequence[Token], place: int, options: Any, env: Mapping[str, Any]) -> str:
    words = tokens[place].info.split()
    return code_html(tokens[place].content, words[0].lower() if words else "") + "\n"


def _image(tokens: Sequence[Token], place: int, options: Any, env: Mapping[str, Any]) -> str:
    address = str(tokens[place].attrs.get("src", ""))
    return f'<span class="image">[image: {html.escape(tokens[place].content)} {html.escape(address)}]</span>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    parser.disable(["code", "reference"])  # models indent prose and formulas, and fence their code
    # A digit beside a dollar is money: `$5 and $6` is no formula.
    parser.use(dollarmath_plugin, allow_labels=False, allow_digits=False, double_inline=True)
    parser.use(amsmath_plugin).use(brackets_plugin)
    rules: dict[str, Any] = parser.renderer.rules  # type: ignore[attr-defined]
    for name in ("math_inline", "math_single"):
        rules[name] = _Math(block=False)
    rules["math_inline_double"] = _Math(block=True)
    for name in ("math_block", "amsmath"):
        rules[name] = _Math(block=True, apart=True)
    rules["fence"], rules["image"] = _fence, _image
    return parser


_PARSER = _parser()
