"""Turns what training left into a plain Hugging Face folder: `python -I gather.py TASK.json`, which prints the facts.

TASK: {kind: whole | lora | zero | fsdp, source, student, out, dtype, template}. The weights keep the student's own
number format unless `dtype` names one. Nothing larger than a shard is held in memory, but for LoRA, whose merge needs
the whole student. Runs in the training interpreter; what it made is read back and compared before it counts.
"""

import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

SHARD = "5GB"
_KEPT = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*",
         "*.model", "config.json", "generation_config.json", "*.jinja")  # fmt: skip
_RUNS = ("trainer_", "training_", "train_")  # what the trainer writes about itself is left behind


class Refused(Exception):
    """The words say why there is no model to be made of this."""


def main() -> None:
    """Facts on standard output as one JSON object; whatever the libraries print goes to standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    source, target = Path(task["source"]), Path(task["out"])
    try:
        student: Any = _transformers().AutoConfig.from_pretrained(task["student"])
        dtype = task.get("dtype") or _dtype_name(student)
        {"whole": _whole, "lora": _lora, "zero": _zero, "fsdp": _fsdp}[task["kind"]](source, target, dtype, task)
        _files(source, target)
        _configure(target, student, dtype, task)
        facts = _check(target, dtype)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        sys.exit(2)
    os.write(out, json.dumps(facts).encode() + b"\n")


def _transformers() -> Any:
    return importlib.import_module("transformers")


def _torch() -> Any:
    return importlib.import_module("torch")


def _dtype_name(config: Any) -> str:
    """The number format that a model's configuration names; transformers 4 calls it torch_dtype."""
    found = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None) or "float32"
    return str(found).removeprefix("torch.")


def _whole(source: Path, target: Path, dtype: str, task: dict[str, Any]) -> None:
    """Whole weights: linked where their format is right, else converted shard by shard."""
    shards = sorted(source.glob("model*.safetensors"))
    if not shards:
        raise Refused(f"{source} holds no model*.safetensors")
    for shard in shards:
        if _formats(shard) <= {dtype}:
            _link(shard, target / shard.name)
        else:
            _save(_load(shard, dtype), target / shard.name)
    _reindex(target)


def _lora(source: Path, target: Path, dtype: str, task: dict[str, Any]) -> None:
    """LLaMA-Factory's own export: the adapters are added to the student's weights."""
    if not list(source.glob("adapter_model*.safetensors")):
        raise Refused(
            f"{source} holds no adapter_model.safetensors; with ZeRO-3, adapters need checkpoints.gather: true"
        )
    arguments = {
        "model_name_or_path": task["student"],
        "adapter_name_or_path": str(source),
        "template": task["template"],
        "finetuning_type": "lora",
        "export_dir": str(target),
        "export_size": 5,
        "export_device": "cpu",
        "infer_dtype": dtype,
    }
    importlib.import_module("llamafactory.train.tuner").export_model(arguments)
    for name in ("Modelfile",):  # for another server's format
        (target / name).unlink(missing_ok=True)


def _zero(source: Path, target: Path, dtype: str, task: dict[str, Any]) -> None:
    """DeepSpeed's shards, put together by DeepSpeed from the fp32 weights that the optimizer keeps."""
    convert: Any = importlib.import_module("deepspeed.utils.zero_to_fp32")
    convert.convert_zero_checkpoint_to_state_dict(
        str(source), str(target), dtype=getattr(_torch(), dtype), max_shard_size=SHARD, safe_serialization=True
    )


def _fsdp(source: Path, target: Path, dtype: str, task: dict[str, Any]) -> None:
    """FSDP's shards: put together by accelerate in one file, then cut and converted."""
    folder = next(iter(sorted(source.glob("pytorch_model_fsdp_*"))), None)
    if folder is None:
        raise Refused(f"{source} holds no pytorch_model_fsdp_0")
    beside = target / "merged"
    importlib.import_module("accelerate.utils").merge_fsdp_weights(str(folder), str(beside), safe_serialization=True)
    merged = next(iter(beside.glob("*.safetensors")))
    importlib.import_module("huggingface_hub").save_torch_state_dict(
        _load(merged, dtype), str(target), max_shard_size=SHARD
    )
    shutil.rmtree(beside)


def _formats(shard: Path) -> set[str]:
    """The number formats of a shard's floating-point tensors."""
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
    with importlib.import_module("safetensors").safe_open(str(shard), "pt") as file:
        said = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 - it is no dict
    return {names[one] for one in said if one in names}


def _load(shard: Path, dtype: str) -> dict[str, Any]:
    wanted = getattr(_torch(), dtype)
    tensors = importlib.import_module("safetensors.torch").load_file(str(shard))
    return {name: one.to(wanted) if one.is_floating_point() else one for name, one in tensors.items()}


def _save(tensors: dict[str, Any], path: Path) -> None:
    importlib.import_module("safetensors.torch").save_file(tensors, str(path), metadata={"format": "pt"})


def _link(path: Path, target: Path) -> None:
    """The same file under another name, where the file system can; a later write elsewhere makes a new file."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copy2(path, target)


def _reindex(target: Path) -> None:
    """The index of several shards, from their own headers."""
    shards = sorted(target.glob("model*.safetensors"))
    if len(shards) < 2:
        return
    sizes, where = 0, dict[str, str]()
    for shard in shards:
        with importlib.import_module("safetensors").safe_open(str(shard), "pt") as file:
            where |= {key: shard.name for key in file.keys()}  # noqa: SIM118 - it is no dict
        sizes += shard.stat().st_size
    index = {"metadata": {"total_size": sizes}, "weight_map": dict(sorted(where.items()))}
    (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def _files(source: Path, target: Path) -> None:
    """Tokenizer, chat template and configurations; what the export wrote itself stays."""
    places = [source, source.parent] if source.name.startswith("checkpoint-") else [source]
    for place in places:
        for pattern in _KEPT:
            for path in place.glob(pattern):
                if path.is_file() and not path.name.startswith(_RUNS) and not (target / path.name).exists():
                    shutil.copyfile(path, target / path.name)


def _configure(target: Path, student: Any, dtype: str, task: dict[str, Any]) -> None:
    """The configuration says the number format that the weights have, and `use_cache` as the student has it (training
    turns it off); where no generation configuration was saved, the student's own.
    """
    path = target / "config.json"
    if not path.exists():
        raise Refused(f"neither the checkpoint nor its folder has a config.json: {task['source']}")
    config = json.loads(path.read_text("utf-8"))
    for name in ("dtype", "torch_dtype"):
        if name in config:
            config[name] = dtype
    config["use_cache"] = bool(getattr(student, "use_cache", True))
    path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    if not (target / "generation_config.json").exists():
        generation = _transformers().GenerationConfig
        try:
            found = generation.from_pretrained(task["student"])
        except OSError:
            found = generation.from_model_config(student)
        found.save_pretrained(str(target))


def _check(target: Path, dtype: str) -> dict[str, Any]:
    """Compare every tensor with what the configuration asks for. Raises Refused."""
    torch, transformers = _torch(), _transformers()
    config = transformers.AutoConfig.from_pretrained(str(target))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    wanted = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    # What is tied to another tensor is not saved a second time.
    names = getattr(model, "all_tied_weights_keys", None) or getattr(model, "_tied_weights_keys", None) or ()
    tied = set(names) if getattr(config, "tie_word_embeddings", False) else set()
    found: dict[str, tuple[int, ...]] = {}
    formats: set[str] = set()
    shards = sorted(target.glob("*.safetensors"))
    for shard in shards:
        formats |= _formats(shard)
        with importlib.import_module("safetensors").safe_open(str(shard), "pt") as file:
            found |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no dict
    lacking = sorted(name for name in wanted if name not in found and name not in tied)
    other = sorted(name for name in found if name in wanted and found[name] != wanted[name])
    strange = sorted(set(found) - set(wanted))
    if lacking or other or strange or not formats <= {dtype}:
        raise Refused(
            f"what was made is not the model of its config.json: lacking {lacking[:3]}, of other shape {other[:3]}, "
            f"unknown {strange[:3]}, formats {sorted(formats)} (wanted {dtype})"
        )
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(target))
    if not tokenizer.chat_template:
        raise Refused("the tokenizer has no chat template: nobody could talk to this model")
    return {
        "parameters": sum(_count(shape) for shape in found.values()),
        "dtype": dtype,
        "bytes": sum(one.stat().st_size for one in shards),
        "shards": len(shards),
        "architecture": (config.architectures or [type(model).__name__])[0],
        "files": sorted(one.name for one in target.iterdir()),
    }


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for one in shape:
        total *= one
    return total


if __name__ == "__main__":
    main()
