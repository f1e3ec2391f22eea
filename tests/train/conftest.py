"""The training interpreter that tests use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train import environment


@pytest.fixture(scope="session")
def training_python(missing: Callable[[str], None]) -> Path:
    """The interpreter of a training environment for the CPU; see `environment`."""
    if part := environment.missing_part():
        missing(part)
    return environment.python()
