"""`kind: where`: keeps the questions for which an expression over their columns, `meta` and earlier scores is true."""

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import looked_at
from curate.kinds import Label, Opinion
from curate.select.expression import LONGEST, Expression
from curate.select.meta import family, key_values
from curate.select.where import readable

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 200  # characters of a text in the evidence
# The names that it knows, their types, and the columns of the questions table that they are read from.
_KNOWN = {
    "problem": ("text", "problem"),
    "problem_chars": ("number", "problem"),
    "domain": ("text", "domain"),
    "source": ("text", "source"),
    "source_id": ("text", "source_id"),
    "licence": ("text", "licence"),
    "truth": ("text", "truth_type"),
    "gold": ("text", "gold"),
    "starter_code": ("text", "starter_code"),
}
_META = "meta."


class Where(Label):
    """Keeps the questions for which an expression is true: `meta.level == "Level 5" or problem_chars < 2000`.

    The grammar is that of the selector `where`. A comparison with a missing value is neither true nor false; `x is
    None` asks for one. A key of `meta` that holds a number in some questions and a text in others is compared as what
    it is in each of them.
    """

    columns: ClassVar[tuple[str, ...]] = ("domain",)
    expression: Annotated[str, AfterValidator(readable)] = Field(
        min_length=1,
        max_length=LONGEST,
        description=f"Over {', '.join(f'`{name}`' for name in _KNOWN)}, `meta.<key>` and scores of earlier stages.",
    )
    missing: Literal["drop", "keep"] = Field(
        "drop", description="A question whose whole expression is not decided because a value is missing."
    )
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _typed(self) -> Self:
        types = {name: kind for name, (kind, _) in _KNOWN.items()}
        self._parsed().typed(
            {**{name: "any" for name in self._meta()}, **dict.fromkeys(self.wants(), "number"), **types}
        )
        return self

    def reads(self) -> tuple[str, ...]:
        """The columns that the expression names."""
        named = {_KNOWN[name][1] for name in self._parsed().names if name in _KNOWN}
        return tuple(sorted({"domain", *named, *(["meta"] if self._meta() else [])}))

    def wants(self) -> tuple[str, ...]:
        """The names in the expression that are no columns of questions."""
        return tuple(sorted(name for name in self._parsed().names if name not in _KNOWN and not name.startswith(_META)))

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: not_true or missing_value; the evidence is what the expression read."""
        opinions = [Opinion(True)] * rows.num_rows
        looked = looked_at(rows, self.domains)
        meta = self._meta()
        columns = {name: rows.column(_KNOWN[name][1]).to_pylist() for name in self._parsed().names if name in _KNOWN}
        columns |= {name: rows.column(name).to_pylist() for name in self.wants()}
        if meta:
            found = [json.loads(text) if text else {} for text in rows.column("meta").to_pylist()]
            columns |= {name: [one.get(name.removeprefix(_META)) for one in found] for name in meta}
        if "problem_chars" in columns:
            columns["problem_chars"] = [float(len(text)) for text in columns["problem_chars"]]
        alike: dict[tuple[str, ...], list[int]] = {}
        for row, look in enumerate(looked):
            if look:
                alike.setdefault(tuple(family(columns[name][row]) for name in meta), []).append(row)
        for places in alike.values():
            part = {name: [values[place] for place in places] for name, values in columns.items()}
            for place, opinion in zip(places, self._opinions(part, len(places)), strict=True):
                opinions[place] = opinion
        return opinions

    def _parsed(self) -> Expression:
        return Expression.read(self.expression)

    def _meta(self) -> list[str]:
        return sorted(name for name in self._parsed().names if name.startswith(_META))

    def _opinions(self, columns: dict[str, list[Any]], rows: int) -> list[Opinion]:
        """The opinions on rows whose keys of `meta` are of the same types."""
        import pyarrow as pa

        from curate.select.evaluation import evaluate

        table: dict[str, Any] = {"seq": pa.nulls(rows)}
        for name, values in columns.items():
            if name.startswith(_META):
                table[name] = key_values(values)
            else:
                text = _KNOWN.get(name, ("number",))[0] == "text"
                table[name] = pa.array(values, pa.string() if text else pa.float64())
        true, missing = evaluate(self._parsed(), pa.table(table))
        opinions = []
        for row, (holds, open_) in enumerate(zip(true.tolist(), missing.tolist(), strict=True)):
            if holds or (open_ and self.missing == "keep"):
                opinions.append(Opinion(True))
                continue
            told = {name: _short(values[row]) for name, values in columns.items() if values[row] is not None}
            opinions.append(Opinion(False, "missing_value" if open_ else "not_true", told))
        return opinions


def _short(value: Any) -> Any:
    return (
        value[:_SHOWN] if isinstance(value, str) else value if isinstance(value, int | float) else str(value)[:_SHOWN]
    )
