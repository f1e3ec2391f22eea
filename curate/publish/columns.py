"""The columns of the four configs: names, order and Arrow types are a contract (docs/reference/dataset.md)."""

import pyarrow as pa

CONFIGS = ("default", "metadata", "unverified", "provenance")

TURNS = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))


def schemas(prefix: str) -> dict[str, pa.Schema]:
    """The schema of each config, in the order in which the card lists them; `prefix` names the teacher's columns.

    Everything is `string`, so that the rows can be appended to OpenThoughts' own; the exceptions are `conversations`
    and `unverified.sample` (int64).
    """
    trace = [f"{prefix}_reasoning", f"{prefix}_solution"]
    metadata = ["problem", "ground_truth_solution", "test_cases", "starter_code", *trace, "domain", "source"]
    unverified = ["question_id", "sample", "problem", "domain", "source", "source_id", "licence", *trace]
    unverified += ["finish_reason", "outcome", "reason", "verifier", "verifier_version", "evidence"]
    provenance = ["question_id", "attempt_id", "source_revision", "licence", "model", "keys"]
    return {
        "default": pa.schema([("system", pa.string()), ("conversations", TURNS)]),
        "metadata": _schema(metadata),
        "unverified": _schema(unverified),
        "provenance": _schema(provenance),
    }


def _schema(names: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.int64() if name == "sample" else pa.string()) for name in names])
