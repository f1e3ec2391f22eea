"""`sft.yaml`: LLaMA-Factory's file, made from the `train:` block, every key with its reason where it is not obvious.

Never in it: `resume_from_checkpoint` (it fails on a first launch; LLaMA-Factory finds the newest checkpoint of `output`
itself) and `overwrite_output_dir` (with it, a restarted run begins again).
"""

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import RecipeError

if TYPE_CHECKING:
    from train.block import Train

# Keys that a field of the block decides: `extra` must not say them a second time.
OWNED = {
    "model_name_or_path": "train.student",
    "model_revision": "train.student_revision",
    "finetuning_type": "train.method",
    "lora_rank": "train.method.rank",
    "lora_alpha": "train.method.alpha",
    "lora_dropout": "train.method.dropout",
    "lora_target": "train.method.target",
    "flash_attn": "train.attention",
    "enable_liger_kernel": "train.liger",
    "disable_gradient_checkpointing": "train.gradient_checkpointing",
    "dataset": "train.dataset",
    "template": "train.template",
    "default_system": "train.system",
    "cutoff_len": "train.cutoff",
    "packing": "train.packing",
    "neat_packing": "train.packing",
    "per_device_train_batch_size": "train.micro_batch",
    "gradient_accumulation_steps": "train.batch",
    "num_train_epochs": "train.epochs",
    "max_steps": "train.max_steps",
    "optim": "train.optimizer.name",
    "learning_rate": "train.optimizer.lr",
    "adam_beta1": "train.optimizer.betas",
    "adam_beta2": "train.optimizer.betas",
    "adam_epsilon": "train.optimizer.eps",
    "weight_decay": "train.optimizer.weight_decay",
    "lr_scheduler_type": "train.optimizer.schedule",
    "warmup_ratio": "train.optimizer.warmup",
    "warmup_steps": "train.optimizer.warmup",
    "max_grad_norm": "train.optimizer.max_grad_norm",
    "bf16": "train.precision",
    "fp16": "train.precision",
    "deepspeed": "train.shard",
    "fsdp": "train.shard",
    "fsdp_config": "train.shard",
    "save_steps": "train.checkpoints.every",
    "save_total_limit": "train.checkpoints.keep",
    "save_only_model": "train.checkpoints.resumable",
    "ddp_timeout": "train.ddp_timeout_minutes",
    "report_to": "train.report_to",
    "seed": "train.seed",
}
# Keys whose value a run that can be resumed and checked depends on.
KEPT = {
    "output_dir": "checkpoints are looked for in the run's own folder",
    "overwrite_output_dir": "a restarted run would begin again",
    "resume_from_checkpoint": "LLaMA-Factory finds the newest checkpoint itself",
    "dataset_dir": "dataset_info.json is written for it",
    "tokenized_path": "the rows are tokenised once, before the launch, and checked",
    "use_cpu": "`train.cluster.gpu: cpu` decides it",
    "stage": "this is supervised fine-tuning",
    "do_train": "this is supervised fine-tuning",
    "streaming": "the rows are counted and checked before the launch",
    "max_samples": "rows would be left out silently; limit the dataset instead",
    "val_size": "rows would leave the training set silently",
    "save_strategy": "checkpoints follow `train.checkpoints`",
    "save_on_each_node": "it follows the launcher's folder",
}


class Sources(NamedTuple):
    """What the run reads, as its nodes see it: absolute paths, or paths relative to the run's folder."""

    student: str
    revision: str | None  # of a student that is still a hub id
    dataset: tuple[str, ...]  # names in dataset_info.json
    system: bool  # whether the rows have a column of system prompts
    tokenized: str | None  # the folder of tokenised rows; None: LLaMA-Factory tokenises at the start of every attempt


class _Line(NamedTuple):
    key: str
    value: Any
    why: str = ""


def sft_text(block: "Train", sources: Sources, *, name: str, shared: bool) -> str:
    """The text of `sft.yaml`. Raises RecipeError for an `extra` key that a field decides, or an uneven batch."""
    groups = [
        ("student", _student(block, sources)),
        ("rows", _rows(block, sources, shared)),
        ("batch and optimizer", _steps(block)),
        ("how it is split and run", _machine(block)),
        ("what is written", _output(block, name, shared)),
    ]
    extra = _extra(block)
    parts = [
        f"# Made from the recipe {name}; change the recipe, not this file. Paths are relative to this folder.",
        "# The launcher's file in this folder starts all nodes; a single process: llamafactory-cli train sft.yaml",
    ]
    for title, lines in groups:
        parts += ["", f"# {title}"]
        parts += [_written(line) for line in lines if line.key not in extra]
    if extra:
        parts += ["", "# the recipe's train.extra"]
        parts += [_written(_Line(key, value)) for key, value in extra.items()]
    return "\n".join(parts) + "\n"


def _student(block: "Train", sources: Sources) -> list[_Line]:
    lines = [_Line("model_name_or_path", sources.student)]
    if sources.revision:
        lines.append(_Line("model_revision", sources.revision, "a hub id: `veristill train stage` puts it into place"))
    lines += [_Line("stage", "sft"), _Line("do_train", True), _Line("finetuning_type", block.method.kind)]
    if block.method.kind == "lora":
        alpha = block.method.alpha or 2 * block.method.rank
        lines += [_Line("lora_rank", block.method.rank), _Line("lora_alpha", alpha)]
        lines += [_Line("lora_dropout", block.method.dropout), _Line("lora_target", block.method.target)]
    recompute = "activations are recomputed in the backward pass" if block.gradient_checkpointing else ""
    fused = "fused loss: the logits of a sequence are never held whole" if block.liger else ""
    return [
        *lines,
        _Line("flash_attn", block.attention),
        _Line("enable_liger_kernel", block.liger, fused),
        _Line("disable_gradient_checkpointing", not block.gradient_checkpointing, recompute),
    ]


def _rows(block: "Train", sources: Sources, shared: bool) -> list[_Line]:
    packing = {
        "none": "one row a sequence",
        "greedy": "rows share a sequence and see each other",
        "neat": "rows share a sequence and do not see each other",
    }[block.packing]
    lines = [
        _Line("dataset", ",".join(sources.dataset)),
        _Line("dataset_dir", "data"),
        _Line("template", block.template),
        _Line("default_system", block.system or "", _why_system(block, sources)),
        _Line("cutoff_len", block.cutoff, "tokens; LLaMA-Factory cuts longer rows without a word"),
        _Line("packing", block.packing != "none", packing),
        _Line("neat_packing", block.packing == "neat"),
    ]
    if sources.tokenized:
        lines.append(
            _Line("tokenized_path", sources.tokenized, "made and counted before the launch; its name is its content")
        )
    elif block.on_cut != "keep":
        lines.append(_Line("overwrite_cache", False, f"not tokenised yet: only then is on_cut: {block.on_cut} applied"))
    node = "one folder for all nodes: rank 0 reads first" if shared else "each node has its own folder"
    return [
        *lines,
        _Line("preprocessing_num_workers", 1 if block.on_cpu else 16),
        _Line("dataloader_num_workers", 0 if block.on_cpu else 4),
        _Line("data_shared_file_system", shared, node),
    ]


def _why_system(block: "Train", sources: Sources) -> str:
    if block.system:
        return "the recipe's, for every row"
    own = (
        "a row without a system prompt gets none" if sources.system else "no row has a system prompt, and none is added"
    )
    return f"{own}: unset, the template would add its own"


def _steps(block: "Train") -> list[_Line]:
    accumulate, optimizer = block.accumulate(), block.optimizer
    total = block.micro_batch * accumulate * block.world
    unit = "rows" if block.packing == "none" else "packs"
    lines = [
        _Line("per_device_train_batch_size", block.micro_batch),
        _Line(
            "gradient_accumulation_steps",
            accumulate,
            f"{block.micro_batch} x {accumulate} x {block.world} processes = {total} {unit} a step",
        ),
        _Line("num_train_epochs", block.epochs),
    ]
    if block.max_steps is not None:
        lines.append(_Line("max_steps", block.max_steps, "whatever num_train_epochs says"))
    # A share as warmup_ratio: warmup_steps takes shares only in the newest transformers, and reads 0.1 as 0 before.
    warm = (
        _Line("warmup_ratio", optimizer.warmup, "of all steps")
        if optimizer.warmup < 1
        else _Line("warmup_steps", int(optimizer.warmup))
    )
    return [
        *lines,
        _Line("optim", optimizer.name),
        _Line("learning_rate", optimizer.lr),
        _Line("adam_beta1", optimizer.betas[0]),
        _Line("adam_beta2", optimizer.betas[1]),
        _Line("adam_epsilon", optimizer.eps),
        _Line("weight_decay", optimizer.weight_decay),
        _Line("lr_scheduler_type", optimizer.schedule),
        warm,
        _Line("max_grad_norm", optimizer.max_grad_norm),
        _Line("seed", block.seed, "of the order of rows too"),
    ]


def _machine(block: "Train") -> list[_Line]:
    zero = block.shard in ("zero2", "zero3")
    lines = [_Line("bf16", block.precision == "bf16"), _Line("fp16", block.precision == "fp16")]
    if zero:
        lines.append(_Line("deepspeed", "ds.json"))
    if block.on_cpu:
        # Under ZeRO transformers would then never start DeepSpeed's own communication; DS_ACCELERATOR=cpu says it.
        lines.append(_Line("use_cpu", not zero, "DS_ACCELERATOR=cpu says it to DeepSpeed" if zero else ""))
        if block.world > 1 and not zero:
            lines.append(_Line("ddp_backend", "gloo"))
    wait = int(block.ddp_timeout_minutes * 60)
    return [*lines, _Line("ddp_timeout", wait, "seconds until a collective that waits fails")]


def _output(block: "Train", name: str, shared: bool) -> list[_Line]:
    saved = block.checkpoints
    weights = "" if saved.resumable else "weights alone: nothing can go on from them"
    lines = [
        _Line("output_dir", "output"),
        _Line("save_strategy", "steps"),
        _Line("save_steps", saved.every),
        _Line("save_total_limit", saved.keep),
        _Line("save_only_model", not saved.resumable, weights),
        _Line("save_on_each_node", not shared, "" if shared else "each node has its own folder"),
        _Line("logging_steps", 1, "trainer_log.jsonl has every step"),
        _Line(
            "include_num_input_tokens_seen",
            "all" if block.packing == "neat" else "non_padding",
            # The mask of neat packing numbers the rows of a pack, so its sum is no count.
            "a full pack holds next to no padding" if block.packing == "neat" else "throughput is of real tokens",
        ),
        _Line("plot_loss", False, "`veristill train status` draws it"),
        _Line("disable_tqdm", True, "the log is a file"),
        _Line("report_to", list(block.report_to) or "none"),
    ]
    return [*lines, _Line("run_name", name)] if block.report_to else lines


def _extra(block: "Train") -> dict[str, Any]:
    """The recipe's further keys. Raises RecipeError for those that a field decides."""
    for key in block.extra:
        if key in OWNED:
            raise RecipeError(
                f"`{key}` is decided by {OWNED[key]}", where=f"train.extra.{key}", next=f"say {OWNED[key]}"
            )
        if key in KEPT:
            raise RecipeError(f"`{key}` cannot be set: {KEPT[key]}", where=f"train.extra.{key}", next="remove it")
    return block.extra


def _written(line: _Line) -> str:
    text = f"{line.key}: {_scalar(line.key, line.value)}"
    return f"{text}  # {line.why}" if line.why else text


def _scalar(key: str, value: Any) -> str:
    """A value that PyYAML and OmegaConf read alike. Raises RecipeError for text that OmegaConf would expand."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./@,-]*", value) and not _word(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    if "${" in text:
        raise RecipeError(
            f"LLaMA-Factory would read the ${{ in {key} as the name of a variable",
            where=key,
            next="write it without ${",
        )
    return text


def _float(value: float) -> str:
    """With a dot even in exponents: YAML 1.1 reads `1e-05` as text."""
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if mark and "." not in mantissa else text


def _word(value: str) -> bool:
    """Whether YAML takes a bare word for something else than text."""
    return value.lower() in {"true", "false", "yes", "no", "on", "off", "null", "y", "n", ".", ".inf", ".nan"}
