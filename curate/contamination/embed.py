"""Embed: which model turns texts into vectors, and the benchmark items that are near a text by them.

The vectors of the items are in memory together (4 bytes a number); a text's is looked at and let go.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from curate.calls.model import URL, Call, Reply
from curate.calls.prices import FREE, Price
from curate.calls.served import Served
from curate.clean._asked import all_of
from curate.contamination.against import file_mark
from curate.contamination.items import Item
from curate.errors import InputError, Prerequisite
from curate.keys import Operational, digest
from curate.kinds import Unexamined
from curate.paths import RecipePath

if TYPE_CHECKING:
    from curate.resources import Resources

Vector = npt.NDArray[np.float32]
_MOST = 5  # items that are named as near a text


class Near(NamedTuple):
    """An item and the cosine of the angle between its vector and a text's."""

    item: Item
    cosine: float


class Embed(Served):
    """An embedding model: behind any OpenAI-compatible `/embeddings`, or in a folder of this machine (`local`)."""

    model: str = Field("", description="The name under which it is served.")
    base_url: Annotated[str | None, Operational] = Field(
        None, pattern=URL, description="What `/embeddings` is put behind, mostly ending in `/v1`. None: OpenAI."
    )
    api_key_env: Annotated[str | None, Operational] = Field(
        None, description="The environment variable with the key; OPENAI_API_KEY where no address is given."
    )
    concurrency: Annotated[int, Operational] = Field(
        256, ge=1, le=4096, description="Texts under way at most; up to 32 of them go in one request."
    )
    local: Annotated[RecipePath | None, Operational()] = Field(
        None, description="A folder with a model2vec model, instead of a server; needs `veristill[embed]`. Free."
    )
    threshold: float = Field(0.85, gt=0, le=1, description="The cosine from which on a text and an item are near.")
    dimensions: int | None = Field(None, ge=1, description="Numbers of a vector, where the model can give fewer.")
    encoding: Annotated[Literal["base64", "float"], Operational()] = Field(
        "base64", description="How vectors are sent; base64 is a quarter of the size. Some servers know only float."
    )
    max_chars: int = Field(8000, ge=100, description="What a text has beyond that is not embedded.")

    @model_validator(mode="before")
    @classmethod
    def _key_of_openai(cls, given: Any) -> Any:
        if not isinstance(given, dict) or any(given.get(name) for name in ("base_url", "endpoints", "local")):
            return given
        return {**given, "api_key_env": given.get("api_key_env") or "OPENAI_API_KEY"}

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.local is None) == (not self.model):
            raise ValueError("say `model:` (and where it is served), or `local:` (a folder with one)")
        return self

    def spec(self) -> dict[str, Any]:
        """What decides a vector and what is near: also the bytes of a local model."""
        told = self.model_dump(include={"model", "revision", "extra_body", "threshold", "dimensions", "max_chars"})
        return {**told, "local": None if self.local is None else _mark(self.local)}

    def name(self) -> str:
        """What it is called in plans."""
        return f"embeddings/{self.model}" if self.local is None else f"local/{self.local.name}"

    async def open(self, resources: "Resources") -> None:
        """Raise Prerequisite if a key or the extra is not there, InputError for an unknown price or no model."""
        if self.local is None:
            await super().open(resources)
        elif not resources.read_only:
            _mark(self.local)
            try:
                import model2vec  # noqa: F401
            except ImportError as error:
                raise Prerequisite("a local embedding model needs model2vec", next=_EXTRA) from error

    def known_price(self) -> Price | None:
        """What it costs; a local model is free."""
        return FREE if self.local is not None else super().known_price()

    def request(self, text: str) -> Call:
        """The request for the vector of a text."""
        body: dict[str, Any] = {"input": text[: self.max_chars]}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        if self.local is not None:
            model = str(self.local.absolute())
            call = self.call("encoder", {**body, "content": _mark(self.local)}, "difficulty")
            return call.model_copy(update={"model": model, "revision": None})
        return self.call("embeddings", {**body, "encoding_format": self.encoding}, "difficulty")


_EXTRA = "pip install 'veristill[embed]'"


def vector_of(reply: Reply) -> Vector:
    """The vector in a reply, of length 1. Raises Unexamined where there is none."""
    data = reply.raw.get("data")
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    given = first.get("embedding")
    try:
        if isinstance(given, str):
            found = np.frombuffer(base64.b64decode(given, validate=True), "<f4").astype(np.float32)
        else:
            found = np.asarray(given, np.float32)
    except (ValueError, TypeError, binascii.Error):
        found = np.zeros(0, np.float32)
    length = float(np.linalg.norm(found)) if found.ndim == 1 and found.size else 0.0
    if not np.isfinite(length) or length == 0.0:
        raise Unexamined("the embedding model gave no vector")
    return (found / length).astype(np.float32)


class Nearness:
    """The items of benchmarks by their vectors, which are asked for when the first text comes."""

    def __init__(self, embed: Embed, items: Sequence[Item]) -> None:
        self._embed, self._items = embed, [item for item in items if item.text.strip()]
        self._vectors: Vector | None = None
        self._lack: str | None = None  # why there are none
        self._lock = asyncio.Lock()

    async def near(self, text: str, resources: "Resources") -> list[Near]:
        """The items near a text, the nearest first. Raises Unexamined where a vector did not come, and Stopped."""
        vectors = await self._held(resources)
        mine = await self._vector(text, resources)
        if mine.size != vectors.shape[1]:
            raise Unexamined(f"the embedding model gave {mine.size} numbers and {vectors.shape[1]} before")
        return await asyncio.to_thread(self._nearest, vectors, mine)

    async def _held(self, resources: "Resources") -> Vector:
        async with self._lock:
            if self._lack is not None:
                raise Unexamined(self._lack)
            if self._vectors is None:
                try:
                    self._vectors = await self._of_items(resources)
                except Unexamined as why:  # once: else each question would ask for it again, and pay for that
                    self._lack = str(why)
                    raise
            return self._vectors

    async def _of_items(self, resources: "Resources") -> Vector:
        vectors = await all_of(self._of_item(item, resources) for item in self._items)
        if len({one.size for one in vectors}) > 1:
            raise Unexamined("the embedding model gave vectors of several sizes")
        return np.stack(vectors)

    async def _of_item(self, item: Item, resources: "Resources") -> Vector:
        try:
            return await self._vector(item.text, resources)
        except Unexamined as why:
            raise Unexamined(f"{item.bench} {item.item}: {why}"[:200]) from why

    async def _vector(self, text: str, resources: "Resources") -> Vector:
        reply = await resources.calls.ask(self._embed.request(text))
        if reply.status == "failed":
            raise Unexamined(f"no vector: {reply.error or 'the call failed'}"[:200])
        return vector_of(reply)

    def _nearest(self, vectors: Vector, mine: Vector) -> list[Near]:
        cosines = vectors @ mine
        places = np.flatnonzero(cosines >= self._embed.threshold)
        # Rounded, so that another machine's arithmetic gives the same evidence.
        found = [Near(self._items[place], round(float(cosines[place]), 3)) for place in places.tolist()]
        return sorted(found, key=lambda one: (-one.cosine, one.item.bench, one.item.item))[:_MOST]


def _mark(folder: Path) -> str:
    """A hash of a model's files. Raises InputError where there are none."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not files:
        raise InputError(
            "there is no embedding model", where=str(folder), next="name a folder that model2vec has saved"
        )
    return digest([file_mark(path) for path in files])
