"""The shape of a student: what its config.json says, and the number of parameters that follows from it.

Found, in this order, in the student's folder, in the hub's cache on this machine, in students.yaml, on the hub: a known
student needs no network. Only config.json is fetched, never weights. Only dense decoders are understood.
"""

import json
import math
import struct
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from curate.errors import InputError, Prerequisite
from curate.records import Record
from train.block import is_folder

_ROOM_S = 10.0  # seconds for the hub to answer
_HEADER = 100 << 20  # bytes; a longer safetensors header is none
# Dense decoders of llama's form: attention, then a gated feed-forward block, RMS norms. Others are named when refused.
_DENSE = frozenset({"qwen2", "qwen3", "llama", "mistral"})


class Facts(Record):
    """The shape of a dense decoder. Sizes are numbers of elements."""

    source: str = Field(description="Where this was read.")
    model_type: str
    hidden: int = Field(gt=0, description="Width of the residual stream.")
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    ffn: int = Field(gt=0, description="Width of the gated feed-forward block.")
    vocab: int = Field(gt=0, description="Rows of the embedding, padding rows included.")
    tied: bool = Field(description="The output projection is the input embedding.")
    qkv_bias: bool = False
    out_bias: bool = False
    ffn_bias: bool = False
    qk_norm: bool = False
    positions: int | None = Field(None, description="The longest sequence that the model knows.")
    stored: int | None = Field(None, description="Parameters in the weight files, where these were read.")

    @property
    def q_dim(self) -> int:
        """Width of all query heads."""
        return self.heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        """Width of all key heads; that of the value heads is the same."""
        return self.kv_heads * self.head_dim

    @property
    def layer(self) -> int:
        """Parameters of one layer."""
        matrices = 2 * self.hidden * self.q_dim + 2 * self.hidden * self.kv_dim + 3 * self.hidden * self.ffn
        biases = (
            self.qkv_bias * (self.q_dim + 2 * self.kv_dim)
            + self.out_bias * self.hidden
            + self.ffn_bias * (2 * self.ffn + self.hidden)
        )
        return matrices + biases + 2 * self.hidden + self.qk_norm * 2 * self.head_dim

    @property
    def embedding(self) -> int:
        """Parameters of the input embedding."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """Parameters in all: layers, embedding, output projection where it is another matrix, last norm."""
        return self.layers * self.layer + self.embedding * (1 if self.tied else 2) + self.hidden

    @property
    def multiplied(self) -> int:
        """Parameters that every token is multiplied with: all but the input embedding, which is looked up."""
        return self.layers * self.layer + self.embedding

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the linear modules of a layer, by the names that adapters know them by."""
        h, q, kv, f = self.hidden, self.q_dim, self.kv_dim, self.ffn
        return {
            "q_proj": (h, q),
            "k_proj": (h, kv),
            "v_proj": (h, kv),
            "o_proj": (q, h),
            "gate_proj": (h, f),
            "up_proj": (h, f),
            "down_proj": (f, h),
        }


def facts(student: str, revision: str | None = None) -> Facts:
    """The shape of a student: a hub id or a folder.

    Raises InputError for a folder or model whose shape cannot be told, Prerequisite where only the hub could tell it
    and does not answer.
    """
    if is_folder(student):
        folder = Path(student)
        found = from_config(_config(folder / "config.json"), str(folder / "config.json"))
        return found.model_copy(update={"stored": stored(folder)})
    cached = _cached(student, revision)
    if cached is not None:
        return from_config(_config(cached), f"config.json of {student} in the hub's cache")
    if (known := _known().get(student)) is not None:
        return known
    return from_config(_config(_fetched(student, revision)), f"config.json of {student}")


def known() -> dict[str, tuple[Facts, int]]:
    """Every student of the table by its key, with the number of parameters that was published."""
    return {
        key: (from_config(entry["config"], f"students.yaml ({key})"), int(entry["published"]))
        for key, entry in _table().items()
    }


def from_config(config: Mapping[str, Any], source: str) -> Facts:
    """The shape that a config.json says. Raises InputError for a model of another form than a dense decoder."""
    kind = str(config.get("model_type", ""))
    if kind not in _DENSE or config.get("num_experts") or config.get("num_local_experts"):
        raise InputError(
            f"the shape of a model of type '{kind or 'unknown'}' is not understood; known are dense decoders: "
            + ", ".join(sorted(_DENSE)),
            where=source,
        )
    heads = config.get("num_attention_heads") or 0
    attention_bias = bool(config.get("attention_bias", False))
    try:
        return Facts(
            source=source,
            model_type=kind,
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or config["hidden_size"] // max(1, heads),
            ffn=config["intermediate_size"],
            vocab=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
            qkv_bias=kind == "qwen2" or attention_bias,
            out_bias=attention_bias,
            ffn_bias=bool(config.get("mlp_bias", False)),
            qk_norm=kind == "qwen3",
            positions=config.get("max_position_embeddings"),
        )
    except (KeyError, TypeError, ValidationError) as error:
        lacking = f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise InputError(f"not the configuration of a {kind} model: {lacking}", where=source) from None


def stored(folder: Path) -> int | None:
    """Parameters in the safetensors files of a folder, by their headers alone; None where there are none."""
    paths = sorted(folder.glob("model*.safetensors"))
    return sum(_elements(path) for path in paths) if paths else None


def _elements(path: Path) -> int:
    """Elements of all tensors of a file: eight bytes of length, then a header in JSON (the safetensors format)."""
    with path.open("rb") as file:
        first = file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        if not 0 < length <= _HEADER:
            raise InputError("not a safetensors file: is it a pointer of Git LFS?", where=str(path))
        text = file.read(length)
    try:
        header = json.loads(text)
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("not a safetensors file: its header cannot be read", where=str(path)) from None


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError("there is no config.json: not the folder of a model", where=str(path.parent)) from None
    except ValueError as error:
        raise InputError(f"not JSON: {error}", where=str(path)) from None
    if not isinstance(config, dict):
        raise InputError("expected an object", where=str(path))
    # Models that also see images keep the language model's shape apart.
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) and "hidden_size" not in config else config


@cache
def _table() -> dict[str, Any]:
    text = files("train").joinpath("students.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@cache
def _known() -> dict[str, Facts]:
    shapes = known()
    return {name: shapes[key][0] for key, entry in _table().items() for name in entry["names"]}


def _cached(student: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(student, "config.json", revision=revision)
    except HFValidationError as error:
        raise InputError(
            f"'{student}' is neither a folder nor an id of the hub: {error}", where="train.student"
        ) from None
    return Path(found) if isinstance(found, str) else None


def _fetched(student: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # Asked first, because a download tries for half a minute before it says that there is no network.
        HfApi().model_info(student, revision=revision, timeout=_ROOM_S)
        return Path(hf_hub_download(student, "config.json", revision=revision))
    except Exception as error:  # the boundary to the hub's client: a dozen kinds of errors, all of them "not there"
        raise Prerequisite(
            f"config.json of {student} cannot be read ({type(error).__name__}): its shape is not known",
            where="train.student",
            next="name a folder that holds the model, or one of: " + ", ".join(sorted(_known())),
        ) from error
