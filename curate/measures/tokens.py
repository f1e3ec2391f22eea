"""The block `measure:`, and tokens of answers.

They are counted in the student's own tokenizer, or else by a stated substitute, never a mixture of the two.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from curate.errors import InputError, Prerequisite
from curate.kinds import Reward
from curate.paths import resolve
from curate.plug import Plug

# Characters of a token where nothing counted them. English prose has 4 to 5 in the vocabularies of today (the usual
# rule of thumb says 4), formulas, code and digits 2 to 3: the estimate is rather too high than too low.
CHARS_PER_TOKEN = 3.0
_BATCH_CHARS = 1 << 20  # tokenised at a time; what a token takes while it is encoded is about 100 bytes
_FILE = "tokenizer.json"


def _beside(name: object) -> object:
    """A name that looks like a path is one, beside the recipe; any other is a name on the hub."""
    looks = isinstance(name, str) and (name.startswith((".", "/", "~", "${")) or name.endswith(".json"))
    return str(resolve(Path(str(name)))) if looks else name


class Measure(BaseModel):
    """How answers are measured, and who is asked for their rewards."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tokenizer: Annotated[str | None, BeforeValidator(_beside)] = Field(
        None,
        description="The student's: a model on the hub, such as `Qwen/Qwen2.5-7B-Instruct`, or the path of a folder or"
        " a tokenizer.json (beginning with `./`, `/` or `~`). Without it, tokens are what the one teacher's server"
        " counted, or an estimate.",
    )
    revision: str | None = Field(None, description="Of the tokenizer on the hub: a branch, tag or commit.")
    reward: Annotated[Reward, Plug("curate.rewards")] | None = Field(
        None, description="What the column `reward` is asked of: only where a selector reads that column."
    )

    def counter(self) -> "Counter | None":
        """What counts tokens; None where no tokenizer is named. Raises InputError or Prerequisite, before any work."""
        return None if self.tokenizer is None else _counter(self.tokenizer, self.revision)

    @property
    def local(self) -> bool:
        """Whether it needs no network."""
        return self.tokenizer is None or Path(self.tokenizer).exists()


class Counter:
    """Counts tokens with one tokenizer; `spec` names it by its content."""

    def __init__(self, path: Path, name: str) -> None:
        """Raises InputError for a file that is no tokenizer."""
        from tokenizers import Tokenizer

        # Set, it also keeps the library from warning of forks: ours load another program at once.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        text = path.read_bytes()
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_buffer(text)
        except Exception as error:  # the boundary to the library, which raises a bare Exception
            raise InputError(f"this is no tokenizer: {error}", where=str(path)) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.name = name
        self.spec: dict[str, Any] = {"measure": "tokens", "tokenizer": hashlib.sha256(text).hexdigest()[:32]}

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without those that a template adds."""
        found: list[int] = []
        for batch in _batches(texts):
            encoded = self._tokenizer.encode_batch(batch, add_special_tokens=False)
            found += [len(one.ids) for one in encoded]
        return found


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        # Half a surrogate pair, which models do write, is no text to the tokenizer.
        batch.append(text if text.isascii() else text.encode("utf-8", "replace").decode())
        size += len(text)
        if size >= _BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@lru_cache(maxsize=2)
def _counter(name: str, revision: str | None) -> Counter:
    path = Path(name)
    if path.is_dir():
        path = path / _FILE
    if path.is_file():
        return Counter(path, name)
    if path.is_absolute() or name.endswith(".json"):
        raise InputError(f"there is no tokenizer at {path}", where="measure.tokenizer", next=f"name a {_FILE}")
    return Counter(_from_hub(name, revision), name if revision is None else f"{name}@{revision}")


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, _FILE, revision=revision))
    except Exception as error:  # the boundary to the hub: no network, no such model, a gate
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Prerequisite(
            f"the tokenizer '{name}' cannot be had: {what}",
            where="measure.tokenizer",
            next=f"copy its {_FILE} here and name the path, such as ./{_FILE}",
        ) from error
