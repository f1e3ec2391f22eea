"""Renders texts in killable processes, so that no text a model wrote can hang the page or fill the memory.

Run as a module it is such a process: jobs are JSON `{"text", "language"}`, answers are HTML.
"""

import html
import json
import sys
from typing import Self

from sandbox import SandboxError
from sandbox.workers import JobCrashed, JobTimeout, Workers

_CPU_S = 8.0  # a trace of 130 KB takes 0.3 s
_WALL_S = 60.0
_MEMORY_BYTES = 2 << 30
_MOST = 300_000  # characters that are rendered; what follows is shown as plain text
_KEPT = 32  # rendered texts, so that going back is immediate


class Renderer:
    """Markdown or code to HTML. Use it as an async context manager, on one loop."""

    def __init__(self) -> None:
        self._workers = Workers(
            [sys.executable, "-P", "-m", "curate.view.renderer"], count=2, memory_bytes=_MEMORY_BYTES
        )
        self._kept: dict[tuple[str, str | None], str] = {}

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._workers.__aexit__(None, None, None)

    async def markdown(self, text: str) -> str:
        """Markdown with formulas and code."""
        return await self._rendered(text, None)

    async def code(self, text: str, language: str) -> str:
        """A block of code in a language that Pygments knows."""
        return await self._rendered(text, language)

    async def _rendered(self, text: str, language: str | None) -> str:
        key = (text, language)
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = await self._once(text, language)
        return self._kept[key]

    async def _once(self, text: str, language: str | None) -> str:
        head, rest = text[:_MOST], text[_MOST:]
        job = json.dumps({"text": head, "language": language}).encode()
        try:
            found = (await self._workers.run(job, cpu_s=_CPU_S, wall_s=_WALL_S)).decode()
        except (JobTimeout, JobCrashed, SandboxError) as error:
            return _note(f"shown as plain text: rendering it failed ({error})") + _plain(text)
        more = f"{len(rest):,} characters more, shown as plain text"
        return found + (_note(more) + _plain(rest) if rest else "")


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def _plain(text: str) -> str:
    from curate.view.markdown import plain_html

    return plain_html(text)


def answer(job: bytes) -> bytes:
    """Render one job."""
    from curate.view.markdown import code_html, plain_html, to_html

    asked = json.loads(job)
    text, language = asked["text"], asked["language"]
    try:
        found = to_html(text) if language is None else code_html(text, language)
    # Boundary to the Markdown, formula and highlighting libraries, on what a model wrote.
    except Exception as error:  # noqa: BLE001 - the boundary to the rendering libraries
        found = _note(f"shown as plain text: rendering it failed ({type(error).__name__})") + plain_html(text)
    return found.encode("utf-8", "replace")


def main() -> None:
    """Serve jobs until the parent closes the pipe."""
    from sandbox.worker_loop import serve

    answer(b'{"text": "$x$ `y`", "language": null}')  # imports the libraries before any clock runs
    serve(answer)


if __name__ == "__main__":
    main()
