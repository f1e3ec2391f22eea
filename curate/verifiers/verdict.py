"""How a verifier writes its verdict down, and how much of an answer it shows."""

from functools import cache
from importlib.metadata import version
from typing import Any

from curate.kinds import Verifier
from curate.records import Reason, Verdict, VerdictOutcome

_SHOWN = 200  # characters of a text kept as evidence


@cache
def installed(package: str) -> str:
    """The version of an installed package; reading it costs a millisecond, and every verdict key needs it.

    Raises importlib.metadata.PackageNotFoundError.
    """
    return version(package)


def verdict_of(verifier: Verifier, outcome: VerdictOutcome, reason: Reason, evidence: dict[str, Any]) -> Verdict:
    """A verdict under the verifier's kind and version; `evidence` must hold nothing measured."""
    return Verdict(
        verifier=verifier.kind(),
        verifier_version=verifier.verifier_version(),
        outcome=outcome,
        reason=reason,
        evidence=evidence,
    )


def shown(text: str) -> str:
    """A text as evidence: cut to 200 characters, and without the half surrogates that no file can hold."""
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return text.encode("utf-8", "replace").decode()
