"""Writes the report: one HTML page that holds all it needs, and its words and tables in Markdown.

The page asks nobody for anything, and runs no script but the one that sorts its tables: its policy names that one by
hash. It stays below 12 MB, whatever the results hold; what is left out is said.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from curate.run import replace_file
from eval.report.gathered import Gathered, gather
from eval.report.sections import sections
from eval.report.shape import Section, Table
from eval.report.traces import rendering, traces

PAGE, TEXT = "report.html", "report.md"
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


async def write_report(folders: Sequence[Path], page: Path, text: Path | None = None) -> None:
    """Write the report on the results in one or several folders; later models are compared to the first.

    `page` is the HTML file, `text` the Markdown one. Raises InputError for a folder without results, and for none.
    """
    found = gather(folders)
    told = sections(found)
    shown = await traces(found)
    title = "Evaluation: " + ", ".join(one.name for one in found.models)
    facts = _facts(found)
    page.parent.mkdir(parents=True, exist_ok=True)
    whole = [*told, shown] if shown.words or shown.traces else told
    replace_file(page, page_html(title, facts, whole).encode("utf-8", "replace"))
    if text is not None:
        replace_file(text, markdown(title, facts, told).encode("utf-8", "replace"))


def page_html(title: str, facts: Sequence[str], shown: Sequence[Section]) -> str:
    """The page. Words are escaped here; charts and rendered texts are markup already."""
    here = files("eval") / "report"
    style, script, template = ((here / name).read_text("utf-8") for name in ("page.css", "page.js", "page.jinja"))
    if rendering():
        from curate.view.markdown import style as code_style

        style += code_style()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=title, facts=facts, sections=shown, style=style, script=script, script_hash=f"sha256-{digest}"
    )


def markdown(title: str, facts: Sequence[str], shown: Sequence[Section]) -> str:
    """The same without charts and texts."""
    lines = [f"# {_escaped(title)}", ""]
    for fact in facts:
        lines += [_escaped(fact), ""]
    for section in shown:
        if section.words or any(table.rows for table in section.tables):
            lines += [f"## {section.title}", ""]
            lines += [f"- {_escaped(line)}" for line in section.words] if len(section.words) > 1 else []
            lines += [_escaped(section.words[0])] if len(section.words) == 1 else []
            lines += [""] if section.words else []
            for table in section.tables:
                lines += _table(table)
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    columns = list(zip(*table.rows, strict=True))
    numbers = [any(one.key is not None for one in column) for column in columns]
    lines = [_line(table.head), _line(["---:" if number else "---" for number in numbers], escape=False)]
    lines += [_line([cell.text for cell in row]) for row in table.rows]
    return [*lines, "", *([table.note, ""] if table.note else [])]


def _line(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(_escaped(one) if escape else one for one in cells) + " |"


def _escaped(text: str) -> str:
    """Words that Markdown and HTML take for words."""
    told = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", told)


def _facts(found: Gathered) -> tuple[str, ...]:
    """How each model was asked, from its protocol."""
    made = []
    for model in found.models:
        asked = model.lock.get("benchmarks")
        if not isinstance(asked, list):
            continue
        said = [f"{one.get('label')}: {_decoding(one)}" for one in asked if isinstance(one, dict)]
        made.append(f"{model.name}, preset {model.lock.get('preset')}. " + "; ".join(dict.fromkeys(said)) + ".")
    return tuple(made)


def _decoding(asked: dict[str, object]) -> str:
    decoding = asked.get("decoding")
    told = decoding if isinstance(decoding, dict) else {}
    words = [f"{asked.get('runs')} runs", f"prompt {asked.get('prompt')}"]
    words += [f"{name.replace('_', ' ')} {value}" for name, value in told.items() if value is not None]
    return ", ".join(words)
