"""Runs in an environment that holds nothing but one version of `datasets`; prints what it found as JSON.

Usage: python -P reader.py DATASET CACHE
"""

import json
import sys

import datasets
from datasets import Dataset, Features, Value, concatenate_datasets, load_dataset


def main(path: str, cache: str) -> None:
    found = {"version": datasets.__version__, "configs": {}}
    for config in ("default", "metadata", "unverified", "provenance"):
        rows = load_dataset(path, config, split="train", cache_dir=cache)
        types = {name: str(rows.features.arrow_schema.field(name).type) for name in rows.column_names}
        found["configs"][config] = {"columns": rows.column_names, "types": types, "rows": len(rows)}
        streamed = next(iter(load_dataset(path, config, split="train", streaming=True)))
        assert streamed == rows[0], config
    found["default_columns"] = load_dataset(path, split="train", cache_dir=cache).column_names
    metadata = load_dataset(path, "metadata", split="train", cache_dir=cache)
    features = Features({name: Value("string") for name in metadata.column_names})
    others = {name: [None, f"other {name}"] for name in metadata.column_names}
    for tables in ([Dataset.from_dict(others, features), metadata], [metadata, Dataset.from_dict(others, features)]):
        both = concatenate_datasets(tables)
        assert both.features == features, both.features
        assert len(both) == len(metadata) + 2
    found["last"] = both[len(metadata) + 1]["problem"]
    found["first"] = metadata[0]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
