"""The page of `veristill view`, built on NiceGUI: filters to the left, one trace to the right, keys to walk by.

Everything it loads comes from this machine, and a Content-Security-Policy has the browser refuse anything else.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import app, events, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from curate.errors import VeristillError
from curate.view.index import Filters, Index
from curate.view.markdown import style
from curate.view.opening import Opened
from curate.view.renderer import Renderer
from curate.view.trace import Section, facts, sections

_COLOURS = {"pass": "positive", "fail": "negative", "unsure": "warning", "error": "dark"}
_LOOK_S = 1.0  # seconds between two looks at an index that is still being filled
# Vue compiles its templates in the page, hence 'unsafe-eval'; what models wrote never becomes a script or a template.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_STYLE = Path(__file__).with_name("page.css")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


def serve(opened: Opened, *, host: str, port: int, browser: bool, ready: Callable[[], None]) -> None:
    """Serve the page until interrupted; `ready` is called once it answers. `host` and `port` must be free."""
    index = Index(opened.shelf, opened.columns.texts)
    renderer = Renderer()
    names = [host, "127.0.0.1", "localhost", "[::1]"]
    # A web page elsewhere must not read traces through a name that it points at this machine.
    open_to_all = host in ("0.0.0.0", "::")
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["*"] if open_to_all else names)
    app.add_middleware(_Policy)
    app.on_startup(renderer.__aenter__)
    app.on_startup(index.start)
    app.on_startup(ready)
    app.on_shutdown(renderer.__aexit__)

    async def page() -> None:
        await _Page(opened, index, renderer).build()

    try:
        ui.run(
            page,
            host=host,
            port=port,
            title=f"{opened.title} - veristill",
            show=browser,
            reload=False,
            show_welcome_message=False,
            favicon="📖",
        )
    finally:
        index.stop()


class _Policy:
    """Adds the security headers to every answer."""

    def __init__(self, application: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self._application(scope, receive, sent)


class _Page:
    """One reader's page: what is filtered, and which row is open."""

    def __init__(self, opened: Opened, index: Index, renderer: Renderer) -> None:
        self._opened, self._index, self._renderer = opened, index, renderer
        self._filters = Filters()
        self._rows: np.ndarray[Any, np.dtype[np.int64]] = index.matching(self._filters)
        self._place = 0
        self._wanted = 0  # counts what was asked for, so that only the last answer is shown
        self._selects: dict[str, ui.select] = {}
        self._known = -1
        self._shown = False  # whether a row is on the page

    async def build(self) -> None:
        """Lay the page out and show the first row."""
        ui.add_css(_STYLE.read_text("utf-8") + style())
        ui.keyboard(on_key=self._key, ignore=["input", "textarea", "select"])
        with ui.header().classes("items-center"):
            ui.label(self._opened.title).classes("text-lg v-title")
            ui.space()
            ui.button("Previous (k)", on_click=lambda: self._move(-1)).props("flat color=white").classes("v-previous")
            self._position = ui.label().classes("v-position")
            ui.button("Next (j)", on_click=lambda: self._move(1)).props("flat color=white").classes("v-next")
        with ui.left_drawer().props("width=280"):
            self._filter_controls()
        self._content = ui.column().classes("w-full v-content")
        self._timer = ui.timer(_LOOK_S, self._look)
        await self._look()

    def _filter_controls(self) -> None:
        ui.label("Filter").classes("text-lg")
        for facet in self._index.facets:
            self._selects[facet] = (
                ui.select({}, label=facet, multiple=True, clearable=True, on_change=self._filter)
                .classes(f"w-full v-filter-{facet}")
                .props("dense use-chips")
            )
        ui.label("Length of the trace, in characters")
        self._shortest = self._number("at least", "v-shortest")
        self._longest = self._number("at most", "v-longest")
        ui.button("Show all", on_click=self._clear).props("flat dense").classes("v-clear")
        ui.separator()
        self._row_number = ui.number("Go to row", min=0, precision=0).props("dense").classes("w-full v-row")
        self._row_number.on("keydown.enter", self._go)
        self._progress = ui.label().classes("v-progress text-caption")
        ui.label("Keys: j or → next, k or ← previous").classes("text-caption")

    def _number(self, label: str, name: str) -> ui.number:
        wait = "dense debounce=400"
        return ui.number(label, min=0, precision=0, on_change=self._filter).props(wait).classes(f"w-full {name}")

    async def _look(self) -> None:
        """Take over what the index has learnt since the last look."""
        index = self._index
        state = index.lengths_known + len(index)
        if state != self._known or index.trouble:
            self._known = state
            for facet, select in self._selects.items():
                select.set_options({name: f"{name} ({count:,})" for name, count in index.values(facet).items()})
            filters = self._filters
            rows = await asyncio.to_thread(index.matching, filters)
            if self._filters is filters:
                self._rows = rows
            self._progress.set_text(self._said())
            await (self._tell() if self._shown else self._show())
        if index.measured or index.trouble:
            self._progress.set_text(self._said())
            self._timer.deactivate()
            if not self._shown:
                await self._show()

    def _said(self) -> str:
        index = self._index
        if index.trouble:
            return f"reading stopped: {index.trouble}"
        if not index.listed:
            return f"listing rows: {len(index):,}"
        if not index.measured and self._opened.columns.texts:
            return f"{len(index):,} rows; lengths known of {index.lengths_known:,}"
        return f"{len(index):,} rows"

    def _why_empty(self) -> str:
        if len(self._index):
            return "No row matches."
        if self._index.trouble:
            return "No row could be read."
        return "There are no rows." if self._index.listed else "Reading..."

    async def _filter(self) -> None:
        numbers = [None if box.value is None else int(box.value) for box in (self._shortest, self._longest)]
        chosen = {facet: frozenset(select.value or ()) for facet, select in self._selects.items()}
        self._filters = filters = Filters(chosen, *numbers)
        rows = await asyncio.to_thread(self._index.matching, filters)
        if self._filters is not filters:
            return  # chosen otherwise meanwhile: what matched before must not overwrite what matches now
        self._rows, self._place = rows, 0
        await self._show()

    async def _clear(self) -> None:
        for select in self._selects.values():
            select.set_value([])
        self._shortest.set_value(None)
        self._longest.set_value(None)
        await self._filter()

    async def _go(self) -> None:
        if self._row_number.value is None or not len(self._rows):
            return
        place = int(np.searchsorted(self._rows, int(self._row_number.value)))
        self._place = min(place, len(self._rows) - 1)
        await self._show()

    async def _key(self, event: events.KeyEventArguments) -> None:
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        if event.key in ("j", "ArrowRight"):
            await self._move(1)
        elif event.key in ("k", "ArrowLeft"):
            await self._move(-1)

    async def _move(self, step: int) -> None:
        place = min(max(self._place + step, 0), max(len(self._rows) - 1, 0))
        if place != self._place:
            self._place = place
            await self._show()

    async def _tell(self) -> None:
        of = f"{len(self._rows):,}"
        row = f"row {int(self._rows[self._place]):,}" if len(self._rows) else "no row"
        self._position.set_text(f"{min(self._place + 1, len(self._rows)):,} of {of} ({row})")

    async def _show(self) -> None:
        """Read and render the row in place; what was asked for later wins."""
        self._wanted += 1
        mine = self._wanted
        await self._tell()
        self._shown = len(self._rows) > 0
        if not self._shown:
            self._content.clear()
            with self._content:
                ui.label(self._why_empty()).classes("v-empty")
            return
        try:
            row = await asyncio.to_thread(self._opened.row, int(self._rows[self._place]))
        except VeristillError as error:
            self._content.clear()
            with self._content:
                ui.label(str(error)).classes("v-trouble")
            return
        found = sections(row, self._opened.columns)
        rendered = await asyncio.gather(*(self._rendered(section) for section in found))
        if mine != self._wanted:
            return
        self._content.clear()
        with self._content:
            self._head(row)
            for section, html in zip(found, rendered, strict=True):
                bold = ui.expansion(section.title, value=section.opened).props("header-class=text-weight-bold")
                with bold.classes(f"w-full v-{section.name}"):
                    # DOMPurify looks over the HTML once more in the browser.
                    ui.html(html, sanitize=True).classes("v-text")
        ui.run_javascript("window.scrollTo(0, 0)")

    async def _rendered(self, section: Section) -> str:
        if section.form == "markdown":
            return await self._renderer.markdown(section.text)
        return await self._renderer.code(section.text, section.form)

    def _head(self, row: dict[str, Any]) -> None:
        with ui.row().classes("items-center v-head"):
            for name in ("domain", "source"):
                if row.get(name):
                    ui.badge(str(row[name]), color="primary").classes(f"v-{name}")
            if row.get("outcome"):
                verdict = f"{row['outcome']} / {row.get('reason') or ''}"
                ui.badge(verdict, color=_COLOURS.get(str(row["outcome"]), "dark")).classes("v-verdict")
            told = ", ".join(f"{name} {value}" for name, value in facts(row, self._opened.columns).items())
            ui.label(told).classes("text-caption v-facts")
