"""`kind: where`: keep the attempts for which an expression over row fields is true."""

from collections.abc import Mapping
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import drop_unfinished
from curate.select.evaluation import evaluate
from curate.select.expression import LONGEST, Expression

_SHOWN = 200  # characters of a text in the evidence: a question's own key may hold a whole solution


def readable(text: str) -> str:
    """The text, if it is an expression. Raises ExpressionError, which is a ValueError."""
    Expression.read(text)
    return text


class Where(Selector):
    """Keep the finished attempts for which an expression is true: `0 < pass_rate < 1 and tokens < 16000`.

    Comparisons, also chained and with `in`, `and`, `or`, `not`, `+ - * /`, numbers, texts, lists, `abs`, `min`, `max`
    and `len`. A comparison with a missing value is neither true nor false; a row whose whole expression is not decided
    because of one is dropped for that, under its own reason. `x is None` asks whether a value is missing.
    """

    expression: Annotated[str, AfterValidator(readable)] = Field(
        min_length=1, max_length=LONGEST, description="Over the columns of docs/how-to/select.md."
    )

    def reads(self) -> frozenset[str]:
        """The names in the expression."""
        return Expression.read(self.expression).names

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where it compares what cannot be compared."""
        Expression.read(self.expression).typed(types)

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `missing_value` or `not_true`; the evidence is the values that the expression read."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        expression = Expression.read(self.expression)
        true, missing = evaluate(expression, attempts)
        seen = sieve.open
        sieve.drop("missing_value", missing)
        sieve.drop("not_true", ~true)
        for name in sorted(expression.names):
            sieve.tell(name, _short(attempts.column(name)), seen)
        return sieve.choices()


def _short(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return pc.utf8_slice_codeunits(values, 0, _SHOWN) if pa.types.is_string(values.type) else values
