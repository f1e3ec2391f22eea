"""`veristill view` in a real browser without a network: what is shown, filters, keys, and hostile traces."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, Page, expect, sync_playwright

VERISTILL = str(Path(sys.executable).with_name("veristill"))
_WAIT_MS = 60_000  # a busy machine

FORMULAS = r"""Let \( x = \frac{1}{2} \) and $y<2$, so

\[
\sum_{i=1}^{n} i^2 = \frac{n(n+1)(2n+1)}{6}
\]

\begin{align}
a &= b \\
c &= d
\end{align}
which gives \boxed{18}. It costs $5 and $6."""
CODE = "Read it:\n\n```python\nn = int(input())\nprint(n * 2)\n```\n"
HOSTILE = "\n\n".join(
    [
        "<script>window.hacked = 1</script>",
        '<img src="http://evil.example/a.png" onerror="window.hacked = 2">',
        "![pixel](http://evil.example/b.png)",
        "[click](javascript:window.hacked=3)",
        r"$\text{<img src=x onerror=window.hacked=4>}$",
        r"\( \text{<script>window.hacked = 5</script>} \)",
        r"$\href{javascript:window.hacked=6}{x}$",
        "```html\n<svg onload=window.hacked=7>\n```",
        "```<script>window.hacked=8</script>\ncode\n```",
        "</div></div><style>body { display: none }</style>",
        "{{ window.hacked = 9 }} {% raw %} <!-- ",
        "$" + "{" * 5000,
        r"$\frac{$ $\left( \begin{matrix} 1 & $ $\sqrt[$",
        "| a | <b onmouseover=window.hacked=10>b</b> |\n|---|---|\n| 1 | <iframe src='//evil.example/c'></iframe> |",
        "still here\x00\x1b[31m\u202e",
    ]
)


def _row(number: int, **changes: Any) -> dict[str, Any]:
    domain = ("math", "code", "science")[number % 3]
    outcome = "pass" if number % 2 == 0 else "fail"
    return {
        "question_id": f"{number:032x}",
        "sample": 0,
        "problem": f"Problem number {number}",
        "domain": domain,
        "source": f"source-{number % 4}",
        "source_id": str(number),
        "licence": "MIT",
        "deepseek_reasoning": "I think. " * (number + 1),
        "deepseek_solution": f"The answer is {number}.",
        "finish_reason": "stop",
        "outcome": outcome,
        "reason": "ok" if outcome == "pass" else "wrong_answer",
        "verifier": "math",
        "verifier_version": "1",
        "evidence": '{"answer": "7", "reference": "8"}',
        **changes,
    }


ROWS = [
    _row(0, problem="What is $\\frac{a}{b}$?", deepseek_solution=FORMULAS),
    _row(1, deepseek_solution=CODE),
    _row(
        2, **dict.fromkeys(("problem", "deepseek_reasoning", "deepseek_solution", "source"), HOSTILE), evidence=HOSTILE
    ),
    *(_row(number) for number in range(3, 40)),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "unverified").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "unverified" / "train-00000-of-00001.parquet", row_group_size=7)
    # What a published dataset knows of the questions that it kept: here the first ten.
    (folder / "metadata").mkdir()
    (folder / "provenance").mkdir()
    kept = [{"problem": row["problem"], "ground_truth_solution": f"truth {n}"} for n, row in enumerate(ROWS[:10])]
    pq.write_table(pa.Table.from_pylist(kept), folder / "metadata" / "train-00000-of-00001.parquet")
    ids = [{"question_id": row["question_id"]} for row in ROWS[:10]]
    pq.write_table(pa.Table.from_pylist(ids), folder / "provenance" / "train-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="module")
def address(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running `veristill view` that leaves nothing in its working directory."""
    place = tmp_path_factory.mktemp("cwd")
    yield from _served(place, str(dataset))
    assert list(place.iterdir()) == []


def _served(place: Path, *what: str) -> Iterator[str]:
    """Its address; at the end Ctrl-C stops it, with exit code 0."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "NICEGUI"))}
    command = [VERISTILL, "view", *what, "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=place)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        yield found[0]
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def browser(missing: Callable[[str], None]) -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium (Debian package chromium)")
    # No name but this machine's can be resolved: the page must need nothing else.
    network = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", network])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page with its first row; at the end nothing was asked of another machine and no error stands in the log."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    _at(page, 1, 40, 0)
    page.wait_for_selector(".v-solution .v-text")
    yield page
    context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert errors == []


def _at(page: Page, place: int, of: int, row: int) -> None:
    expect(page.locator(".v-position")).to_have_text(f"{place} of {of} (row {row})", timeout=_WAIT_MS)
    shown = page.locator(".v-facts")
    expect(shown).to_contain_text(f"source_id {row},", timeout=_WAIT_MS)


def _choose(page: Page, facet: str, value: str) -> None:
    page.locator(f".v-filter-{facet}").click()
    page.locator(".q-menu .q-item", has_text=re.compile(rf"^{value} \(")).click()
    page.keyboard.press("Escape")


def test_formulas_code_verdict_and_evidence_are_rendered(page: Page) -> None:
    assert page.locator(".v-problem math mfrac").count() == 1
    solution = page.locator(".v-solution .v-text")
    assert solution.locator("math munderover, math msubsup").count() >= 1
    assert solution.locator("math mtable mtr").count() == 2
    assert solution.locator("math menclose").text_content() == "18"
    assert solution.locator("math").count() == 5
    assert "It costs $5 and $6." in solution.inner_text()
    # A formula takes room as a formula does: the fraction is higher than a line of text, the box has a border.
    box = page.locator(".v-problem math mfrac").bounding_box()
    assert box is not None and box["height"] > 15
    border = "element => getComputedStyle(element).borderTopWidth"
    assert solution.locator("menclose").evaluate(border) == "1px"
    expect(page.locator(".v-verdict")).to_have_text("pass / ok")
    assert '"reference"' in page.locator(".v-evidence").inner_text()
    assert "truth 0" in page.locator(".v-reference").inner_text()
    page.keyboard.press("j")
    _at(page, 2, 40, 1)
    code = page.locator(".v-solution pre.code")
    assert code.inner_text() == "n = int(input())\nprint(n * 2)\n"
    colour = "element => getComputedStyle(element).color"
    assert code.locator("span", has_text="print").first.evaluate(colour) != code.evaluate(colour)


def test_keys_walk_and_stop_at_the_ends(page: Page) -> None:
    for key, place in (("k", 1), ("j", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("k", 1), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        _at(page, place, 40, place - 1)
    page.locator(".v-next").click()
    _at(page, 2, 40, 1)
    page.keyboard.press("j")  # a button that has the focus does not swallow it
    _at(page, 3, 40, 2)
    for _ in range(20):  # faster than rows can be rendered: the last one asked for is the one that is shown
        page.keyboard.press("j")
    _at(page, 23, 40, 22)
    expect(page.locator(".v-problem .v-text")).to_have_text("Problem number 22")
    page.locator(".v-row input").fill("39")
    page.keyboard.press("Enter")
    _at(page, 40, 40, 39)
    page.locator(".v-content").click()
    page.keyboard.press("j")
    _at(page, 40, 40, 39)


def test_filters_narrow_the_rows_and_combine(page: Page) -> None:
    fails = [n for n, row in enumerate(ROWS) if row["outcome"] == "fail"]
    _choose(page, "outcome", "fail")
    _at(page, 1, len(fails), fails[0])
    code = [n for n in fails if ROWS[n]["domain"] == "code"]
    _choose(page, "domain", "code")
    _at(page, 1, len(code), code[0])
    page.locator(".v-content").click()
    page.keyboard.press("j")
    _at(page, 2, len(code), code[1])
    page.locator(".v-clear").click()
    _at(page, 1, 40, 0)
    _choose(page, "reason", "wrong_answer")
    _choose(page, "source", "source-3")
    wanted = [n for n in fails if ROWS[n]["source"] == "source-3"]
    _at(page, 1, len(wanted), wanted[0])
    page.locator(".v-clear").click()
    _at(page, 1, 40, 0)
    page.locator(".v-shortest input").fill("300")
    page.locator(".v-longest input").fill("330")
    length = [len(row["deepseek_reasoning"]) + len(row["deepseek_solution"]) for row in ROWS]
    wanted = [n for n, size in enumerate(length) if 300 <= size <= 330]
    assert wanted
    _at(page, 1, len(wanted), wanted[0])
    page.locator(".v-longest input").fill("301")
    expect(page.locator(".v-empty")).to_have_text("No row matches.", timeout=_WAIT_MS)
    expect(page.locator(".v-position")).to_have_text("0 of 0 (no row)")


def test_hostile_traces_are_text(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    _at(page, 3, 40, 2)
    for name in ("problem", "reasoning", "solution", "evidence"):
        text = page.locator(f".v-{name} .v-text").first
        expect(text).to_contain_text("still here")
        assert text.locator("script, img, iframe, svg, style, a[href^=javascript], [onerror], [onload]").count() == 0
        assert "<script>window.hacked = 1</script>" in text.inner_text()
    page.locator(".v-solution .v-text").hover()
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    page.keyboard.press("j")  # and the page goes on
    _at(page, 4, 40, 3)


def test_a_dataset_without_rows_says_so(browser: Browser, tmp_path: Path) -> None:
    pq.write_table(pa.table({"problem": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    for address in _served(tmp_path, str(tmp_path / "empty.parquet")):
        opened = browser.new_page()
        opened.goto(address)
        expect(opened.locator(".v-empty")).to_have_text("There are no rows.", timeout=_WAIT_MS)
        opened.close()


def test_only_this_machine_may_ask(address: str) -> None:
    def get(host: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1].strip("/")), timeout=30)
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse()

    assert get("traces.example:8765").status == 400  # a name that somebody pointed at this machine
    answer = get("localhost:8765")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
