"""The report in a real browser without a network: charts, tables that sort, formulas; hostile texts stay text."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from eval.report import traces
from eval.report.heat import heat_map
from eval.report.written import write_report
from eval.results import PROTOCOL, Samples
from tests.eval.test_compare import row, write
from tests.test_view import FORMULAS, HOSTILE

_WAIT_MS = 60_000  # a busy machine
SECRET = "the private question of GPQA"
SECRET_ANSWER = "its private answer"
BROKEN = (
    r"$\frac{1}{$ and \( \left( \begin{matrix} 1 & \) \[ \sqrt[ \]" + "\n\n</script><script>window.hacked=20</script>"
)
ROWS_OF_SET = 30


def _report(folders: Sequence[Path], page: Path, text: Path | None = None) -> None:
    """Write it in a thread of its own: this one has the browser's event loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(write_report(folders, page, text))).result()


def _texts(question: int, **more: Any) -> dict[str, Any]:
    told = {
        "problem": f"What is $\\frac{{{question}}}{{2}}$?",
        "reference": str(question),
        "reasoning": "I think. " * 50,
        "solution": FORMULAS,
        "output_tokens": 100 * (question + 1),
        "answer": str(question),
        "answer_class": 0,
        "topic": ("algebra", "geometry")[question % 2],
        "source": "made",
        "similarity": question / ROWS_OF_SET,
    }
    return {**told, **more}


def _results(folder: Path, name: str, share: float) -> Path:
    """30 questions of five runs: a model that is right on a share of them, with hostile texts among its answers."""
    rows: list[dict[str, Any]] = []
    hostile = dict.fromkeys(("problem", "reference", "reasoning", "solution", "answer", "topic", "source"), HOSTILE)
    for question in range(ROWS_OF_SET):
        for run in range(5):
            good = question < share * ROWS_OF_SET
            told = _texts(question)
            if question == 20:
                told = _texts(question, **hostile)
            if question == 21:
                told = _texts(
                    question, solution=BROKEN, reasoning="long " * 200_000, problem="</title></style>" + BROKEN
                )
            if question == 22:
                told = _texts(question, problem=SECRET, solution=SECRET_ANSWER, answer=SECRET_ANSWER, private=True)
                told |= {"reference": SECRET_ANSWER, "reasoning": SECRET, "evalchemy_answer": SECRET_ANSWER}
            made = {
                **told,
                "evalchemy": not good if question in (3, 22) else good,
                "outcome": "pass" if good else "fail",
            }
            cut = "length" if run == 4 and not good else "stop"
            rows.append(row(question, run, bench="aime24", version="v1", finish_reason=cut, **made))
    write(folder, rows)
    lock = {"model": name, "preset": "openthinker", "benchmarks": [{"label": "aime24", "runs": 5, "prompt": "x"}]}
    (folder / PROTOCOL).write_text(json.dumps(lock))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("eval")
    return _results(root / "base", "base <b>", 0.6), _results(root / "student", "student", 1.0)


@pytest.fixture(scope="module")
def report(models: tuple[Path, Path]) -> Path:
    page = models[0].parent / "report.html"
    _report(models, page, page.with_suffix(".md"))
    return page


@pytest.fixture(scope="module")
def browser(missing: Callable[[str], None]) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium (Debian package chromium)")
    with playwright.sync_playwright() as started:
        network = "--host-resolver-rules=MAP * ~NOTFOUND"
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox", network])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The page from its file, opened; at the end nothing was asked of anybody and no error was logged."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, offline=True)
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    yield page
    context.close()
    assert asked == [report.as_uri()]
    assert errors == []


def test_every_chart_is_drawn(page: Any) -> None:
    for kind, count in {"accuracy": 1, "budget": 1, "lengths": 2, "truncation": 1, "heat": 2}.items():
        charts = page.locator(f"figure.{kind} svg")
        assert charts.count() == count, kind
        box = charts.first.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 50
    accuracy = page.locator("figure.accuracy")
    assert accuracy.locator(".whisker").count() == 4  # two models, two gradings
    assert "OpenThinker-32B, published: 66.0 %" in accuracy.text_content()
    assert "base <b>, ours: 60.0 %" in accuracy.text_content()
    heat = page.locator("figure.heat").first.locator("svg")
    assert heat.locator("rect title").count() == ROWS_OF_SET
    assert "question 29 (q0029): 0 of 5 right" in heat.text_content()


def _column(table: Any, at: int) -> list[str]:
    found: list[str] = table.locator("tbody tr").evaluate_all(f"rows => rows.map((row) => row.cells[{at}].textContent)")
    return found


def test_tables_sort_by_numbers_and_by_words(page: Any) -> None:
    table = page.get_by_role("table", name="Scores")
    assert _column(table, 4) == ["60.0", "100.0"]
    table.get_by_role("button", name="ours %").click()
    assert _column(table, 4) == ["60.0", "100.0"]  # as numbers: as words 100.0 would stand first
    table.get_by_role("button", name="ours %").click()
    assert _column(table, 4) == ["100.0", "60.0"]
    assert table.locator("th[aria-sort=descending]").count() == 1
    table.get_by_role("button", name="model").click()
    assert _column(table, 1) == ["base <b>", "student"]
    published = page.get_by_role("table", name="Published")
    published.get_by_role("button", name="published %").click()
    scores = [float(one) for one in _column(published, 2)]
    assert scores == sorted(scores)
    assert len(scores) >= 5


def test_formulas_are_rendered_side_by_side(page: Any) -> None:
    trace = page.locator("details.trace", has_text="question 19")
    assert trace.locator(".problem math mfrac").count() == 1
    assert trace.locator(".side").count() == 2
    for side in trace.locator(".side").all():
        assert side.locator(".solution math mtable mtr").count() == 2
    box = trace.locator(".problem math mfrac").bounding_box()
    assert box["height"] > 15
    assert "fail" in trace.locator(".side .facts").first.text_content()
    assert "pass" in trace.locator(".side .facts").last.text_content()


def test_hostile_texts_do_nothing(page: Any) -> None:
    trace = page.locator("details.trace", has_text="question 20")
    for name in ("problem", "reference", "solution", "reasoning"):
        text = trace.locator(f".{name}.text").first
        assert "still here" in text.text_content()
        assert text.locator("script, img, iframe, svg, style, a[href^=javascript], [onerror], [onload]").count() == 0
    broken = page.locator("details.trace", has_text="question 21")
    assert "window.hacked=20" in broken.locator(".solution.text").first.text_content()
    assert "characters are left out" in broken.locator(".reasoning.text").first.text_content()
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 1
    assert (
        page.locator("body *").evaluate_all(
            "all => all.flatMap((one) => [...one.attributes]).filter((one) => /^on/i.test(one.name)).length"
        )
        == 0
    )


def test_what_got_in_all_the_same_would_not_run(browser: Any, report: Path) -> None:
    opened = browser.new_page()
    opened.goto(report.as_uri())
    late = "<p id=late onclick='window.hacked = 30'>x</p><a id=link href='javascript:window.hacked = 31'>y</a>"
    opened.evaluate("html => document.querySelector('h1').insertAdjacentHTML('afterend', html)", late)
    for name in ("late", "link"):
        opened.locator(f"#{name}").click(timeout=_WAIT_MS)
    opened.wait_for_timeout(200)
    assert opened.evaluate("window.hacked") is None
    opened.close()


def test_private_questions_are_nowhere(report: Path) -> None:
    for text in (report.read_text(), report.with_suffix(".md").read_text()):
        assert SECRET not in text
        assert SECRET_ANSWER not in text
        assert "(private)" in text
    assert "aime24@v1: 1 such questions are private and not shown." in report.read_text()


def test_the_words_and_tables_stand_in_markdown_too(report: Path) -> None:
    text = report.with_suffix(".md").read_text()
    assert "# Evaluation: base &lt;b>, student" in text
    assert "| aime24@v1 | student | 30 | 5 | 100.0 |" in text
    assert "<script" not in text
    for line in [line for line in text.splitlines() if line.startswith("|")]:
        assert line.endswith("|")
    for place in ("Before you believe a number", "Against the first model", "Published scores", "Failures by topic"):
        assert f"## {place}" in text
    assert "B is better" not in text
    assert "student is better by 40.0 points" in text
    assert "the model scores lower on what is like its training set" in text


def test_noise_is_called_noise(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [row(at, outcome="pass" if at < 15 else "fail") for at in range(30)])
    b = write(tmp_path / "b", [row(at, outcome="pass" if 2 <= at < 18 else "fail") for at in range(30)])
    _report([a, b], tmp_path / "out.html", tmp_path / "out.md")
    text = (tmp_path / "out.md").read_text()
    assert "b is not shown to differ from a. The gap of +3.3 points is within noise" in text
    with pytest.raises(InputError, match="no results of an evaluation"):
        _report([a, tmp_path / "none"], tmp_path / "never.html")
    assert not (tmp_path / "never.html").exists()


def test_questions_without_a_sample_are_missed(tmp_path: Path) -> None:
    folder = write(tmp_path, [row(0), row(1)])
    (folder / PROTOCOL).write_text(json.dumps({"model": "m", "questions": {"kept": 5}}))
    _report([folder], tmp_path / "out.html", tmp_path / "out.md")
    assert "m: 3 of 5 questions have no sample: the scores are of the others." in (tmp_path / "out.md").read_text()
    _report([write(tmp_path / "none", [])], tmp_path / "empty.html", tmp_path / "empty.md")
    assert (tmp_path / "empty.md").read_text().startswith("# Evaluation: none")


def test_the_page_stays_small(tmp_path: Path) -> None:
    big = "$x_{1}$ " * 125_000  # 1 MB, and each formula is ten times as long as MathML
    rows = [
        row(
            at, bench=f"b{bench}", outcome="fail", **_texts(at, reasoning=big if at < 3 else "", solution="$x$ " * 3000)
        )
        for bench in range(6)
        for at in range(40)
    ]
    page = tmp_path / "page.html"
    _report([write(tmp_path / "one", rows)], page)
    assert page.stat().st_size < 12_000_000
    assert "28 more are not shown" in page.read_text()
    assert "more are left out to keep this page below 12 MB" in page.read_text()
    samples = Samples("b", tuple(map(str, range(5000))), tuple((row(at, run=0),) * 100 for at in range(5000)))
    drawn = heat_map(samples, "b")
    assert len(drawn.svg) < 600_000
    assert drawn.left_out == "the first 312 of 5,000 questions are drawn; the first 64 of 100 runs are drawn"


def test_without_the_parts_that_render_texts_are_shown_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "_NEEDED", ("no_such_package",))
    folder = write(tmp_path, [row(0, outcome="fail", **_texts(0, solution="$x$ <script>window.hacked=1</script>"))])
    _report([folder], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<pre class="plain">$x$ &lt;script&gt;window.hacked=1&lt;/script&gt;</pre>' in page
    assert "pip install &#39;veristill[view]&#39;" in page
