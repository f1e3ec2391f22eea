"""The files that say how a model is split over GPUs: DeepSpeed's `ds.json`, or accelerate's `accelerate.yaml` for FSDP.

Every value that the recipe decides is written out, so that transformers refuses a run whose batch or precision differs
from it. Three sizes stay "auto": transformers makes them from the model's hidden size (h*h, 0.9*h*h, 10*h).
"""

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from train.block import Train

_BILLION = 1_000_000_000


def ds_text(block: "Train") -> str:
    """`ds.json` of ZeRO-2 or ZeRO-3. Raises RecipeError where the batch cannot be split."""
    return json.dumps(_ds(block), indent=2) + "\n"


def _ds(block: "Train") -> dict[str, Any]:
    accumulate = block.accumulate()
    fp16: dict[str, Any] = {"enabled": block.precision == "fp16"}
    if block.precision == "fp16":
        fp16 |= {"loss_scale": 0, "loss_scale_window": 1000, "initial_scale_power": 16, "hysteresis": 2}
    # Else only the first node has what all ranks need to go on.
    own = {} if block.launcher.shared() else {"checkpoint": {"use_node_local_storage": True}}
    return {
        "train_batch_size": block.micro_batch * accumulate * block.world,
        "train_micro_batch_size_per_gpu": block.micro_batch,
        "gradient_accumulation_steps": accumulate,
        "gradient_clipping": block.optimizer.max_grad_norm,
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": block.precision == "bf16"},
        "fp16": fp16,
        **own,
        "zero_optimization": _zero3(block) if block.shard == "zero3" else _zero2(block),
    }


def _zero2(block: "Train") -> dict[str, Any]:
    return {
        "stage": 2,
        "allgather_partitions": True,
        "allgather_bucket_size": _BILLION // 2,
        "overlap_comm": False,
        "reduce_scatter": True,
        "reduce_bucket_size": _BILLION // 2,
        "contiguous_gradients": True,
        "round_robin_gradients": True,
        **_offload(block),
    }


def _zero3(block: "Train") -> dict[str, Any]:
    return {
        "stage": 3,
        # As in LLaMA-Factory's own ds_z3_config.json; overlapping costs memory that this file is there to save.
        "overlap_comm": False,
        "contiguous_gradients": True,
        "sub_group_size": _BILLION,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": _BILLION,
        "stage3_max_reuse_distance": _BILLION,
        "stage3_gather_16bit_weights_on_model_save": block.checkpoints.gather,
        **_offload(block),
    }


def _offload(block: "Train") -> dict[str, Any]:
    place = {"device": "cpu", "pin_memory": not block.on_cpu}
    return {
        **({"offload_optimizer": place} if block.offload != "none" else {}),
        **({"offload_param": place} if block.offload == "all" else {}),
    }


def accelerate_text(block: "Train") -> str:
    """`accelerate.yaml` of FSDP (version 2). Machines and ranks in it are those of node 0; `node.py` says its own."""
    config = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP",
        "fsdp_config": {
            "fsdp_version": 2,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_cpu_ram_efficient_loading": not block.on_cpu,
            "fsdp_offload_params": block.offload == "all",
            "fsdp_reshard_after_forward": True,
            "fsdp_state_dict_type": "FULL_STATE_DICT" if block.checkpoints.gather else "SHARDED_STATE_DICT",
        },
        "mixed_precision": "no" if block.precision == "fp32" else block.precision,
        "use_cpu": block.on_cpu,
        "num_machines": block.cluster.nodes,
        "num_processes": block.world,
        "machine_rank": 0,
        "rdzv_backend": "static",
        "same_network": True,
        "main_training_function": "main",
    }
    return str(yaml.safe_dump(config, sort_keys=False))
