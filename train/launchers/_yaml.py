"""YAML for people to read: keys in the order given, long texts as blocks."""

from typing import Any

import yaml


class _Readable(yaml.SafeDumper):
    pass


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def readable(value: dict[str, Any], *comments: str) -> str:
    """A document with comment lines before it; line ends in a comment end no comment."""
    body = yaml.dump(value, Dumper=_Readable, sort_keys=False, width=120, allow_unicode=True)
    return "".join(f"# {' '.join(line.splitlines())}\n" for line in comments) + body
