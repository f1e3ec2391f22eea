"""Fixtures of all rooms: where the real data lies, and which missing system parts turn a skip into a failure."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import Engine, missing_part

ROOT = Path(__file__).resolve().parent.parent


_MISSING: list[str] = []


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Call it with the name of a system part that is absent."""
    return _missing


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data (`VERISTILL_DATA`); skips where there is none, unless all parts are required."""
    folder = Path(os.environ.get("VERISTILL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        _missing("real data (set VERISTILL_DATA to its folder)")
    return folder


@pytest.fixture(scope="session")
def own_engine() -> Iterator[Engine]:
    """A Docker daemon of this process, which a test may kill and start again."""
    if part := missing_part():
        _missing(part)
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """The url of a Docker engine: `DOCKER_HOST`, or a daemon of this process's own."""
    if url := os.environ.get("DOCKER_HOST"):
        return url
    own: Engine = request.getfixturevalue("own_engine")
    return own.url


def _missing(part: str) -> None:
    """Skip a test because `part` of the system is absent; with `VERISTILL_REQUIRE=all` that is a failure."""
    if os.environ.get("VERISTILL_REQUIRE") == "all":
        pytest.fail(f"required but missing: {part}")
    _MISSING.append(part)
    pytest.skip(f"missing: {part}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each missing part in the last lines of the run."""
    for part in sorted(set(_MISSING)):
        terminalreporter.write_line(f"not tested, missing: {part}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest file: whoever runs files side by side must not begin it last."""
    items.sort(key=lambda item: Path(item.path).name != "test_crash.py")
