"""What `train_memory.py` runs in the training interpreter: makes a student of random weights, or trains and measures.

PYTHON -I train_rank.py make FOLDER CONFIG.json     the student, and the tiny tokenizer of the tests
PYTHON -I train_rank.py run OUT                     one rank, in the folder of a rendered run: OUT/<rank>.json
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def make(folder: Path, config: dict[str, Any]) -> None:
    """Random weights in bf16 beside a tokenizer that is there already."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = AutoConfig.for_model(config.pop("model_type"), **config)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(settings, dtype=torch.bfloat16)
    model.save_pretrained(folder)


def run(out: Path) -> None:
    """Train by LLaMA-Factory; the peak is taken after each step, so that saving the result is not in it."""
    import torch
    import yaml
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    seen: dict[str, Any] = {"steps": [], "allocated": 0, "reserved": 0}

    class Measure(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
                seen["allocated"] = torch.cuda.max_memory_allocated()
                seen["reserved"] = torch.cuda.max_memory_reserved()
            seen["resident"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            seen["steps"].append(time.monotonic())

    run_exp(yaml.safe_load(Path("sft.yaml").read_text("utf-8")), callbacks=[Measure()])
    out.mkdir(parents=True, exist_ok=True)
    seen["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    (out / f"{os.environ.get('RANK', '0')}.json").write_text(json.dumps(seen), "utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text("utf-8")))
    else:
        run(Path(sys.argv[2]))
