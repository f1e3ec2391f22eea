"""What is too dangerous to hand to a symbolic engine: such an answer is compared as a string and nothing more.

The worker's CPU limit would end each of these too; the screen spares the seconds. Its limits are ours, chosen to lie
far beyond the answers of real benchmarks (longest in MATH500: under 200 characters).
"""

import re

from curate.verifiers.answers.node import names

LENGTH = 2000  # characters
DEPTH = 50  # brackets and groups inside one another
DIGITS = 1000  # of one number

_TOWER = re.compile(r"\^\s*\{?\s*\(?\s*\d+\s*(?:\^|\*\*)\s*[{(]*\s*\d|\*\*\s*\(*\s*\d+\s*\*\*\s*\(*\s*\d")
_BIG_POWER = re.compile(r"(?:\^|\*\*)\s*[{(]*\s*-?\d{6,}")
_BIG_FACTORIAL = re.compile(r"\d{5,}\s*[)}]*\s*!|!\s*!\s*!")
_BIG_NUMBER = re.compile(rf"[\d,.]{{{DIGITS + 1},}}")
_COMMAND = re.compile(r"\\[A-Za-z]+")
# What Math-Verify reads as it is written. Of others (`\begin{cases}`, `\oplus`) it takes some part for the whole.
_READ = names(
    r"""
    \frac \sqrt \sum \prod \int \lim \to \rightarrow \infty \cdot \times \div \pi \sin \cos \tan \cot \sec \csc \log \ln
    \lg \exp \arcsin \arccos \arctan \sinh \cosh \tanh \max \min \gcd \binom \le \ge \ne \lt \gt \in \cup \cap \setminus
    \emptyset \mathbb \lfloor \rfloor \lceil \rceil \alpha \beta \gamma \delta \epsilon \theta \lambda \mu \phi \omega
    \rho \sigma \tau \mathrm \mathbf \operatorname \circ \pm \langle \rangle \overline \begin \end \ldots
    """
)
_ENVIRONMENTS = frozenset({"pmatrix", "bmatrix", "matrix", "array"})
_ENVIRONMENT = re.compile(r"\\begin\s*\{\s*([^{}]*)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def danger(text: str) -> str | None:
    """Why `text` must not be parsed symbolically, or None where it may."""
    if len(text) > LENGTH:
        return f"longer than {LENGTH} characters"
    if _depth(text) > DEPTH:
        return f"nested deeper than {DEPTH}"
    for pattern, name in (
        (_TOWER, "exponent tower"),
        (_BIG_POWER, "exponent of six digits or more"),
        (_BIG_FACTORIAL, "large factorial"),
        (_BIG_NUMBER, f"number of more than {DIGITS} digits"),
        (_CONTROL, "control character"),
    ):
        if pattern.search(text):
            return name
    return None


def unfamiliar(text: str) -> str | None:
    """A command of `text` of which an engine would drop or misread something, or None where it has none."""
    for command in _COMMAND.findall(text):
        if command not in _READ:
            return str(command)
    return next((name for name in _ENVIRONMENT.findall(text) if name not in _ENVIRONMENTS), None)


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "{([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "})]":
            depth -= 1
    return deepest
