"""Run by the training interpreter: many looks at run folders after one import, each in a fork of its own.

`lookers.py look:FOLDER` runs code/tokenise.py on it, `parse:FOLDER` loads its sft.yaml in LLaMA-Factory's own parser,
unchanged, `read:FOLDER` has LLaMA-Factory's own loader make the rows. The result of each stands in FOLDER/<verb>.json.
"""

import dataclasses
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


def look(folder: Path) -> None:
    sys.path.insert(0, str(folder / "code"))
    tokenise = importlib.import_module("tokenise")
    wish = json.loads((folder / "wish.json").read_text())
    sys.argv = ["tokenise.py", "--job", str(folder / "job.json"), "--out", str(folder / "look.json")]
    sys.argv += ["--to", str(folder / "tokenized" / "a"), "--on-cut", wish["on_cut"], "--workers", str(wish["workers"])]
    tokenise.main()


def parse(folder: Path) -> None:
    """As rank 0 of its world would, but for the GPU that it has not."""
    import transformers.training_args
    from llamafactory.hparams.parser import _TRAIN_ARGS
    from omegaconf import OmegaConf
    from transformers import HfArgumentParser

    os.chdir(folder)
    world = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29413"}
    os.environ |= {**world, "DS_ACCELERATOR": "cpu"}
    transformers.training_args.is_torch_bf16_gpu_available = lambda: True
    args = OmegaConf.to_container(OmegaConf.load("sft.yaml"))
    parsed = HfArgumentParser(_TRAIN_ARGS).parse_dict(args)
    found: dict[str, Any] = {}
    for one in parsed:
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            found[field.name] = value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
    training = parsed[2]
    found["mismatches"] = list(getattr(getattr(training, "hf_deepspeed_config", None), "mismatches", []))
    (folder / "parse.json").write_text(json.dumps(found))


def read(folder: Path) -> None:
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer
    from omegaconf import OmegaConf

    os.chdir(folder)
    args = OmegaConf.to_container(OmegaConf.load("sft.yaml"))
    args.pop("ddp_backend")  # a lone process has nobody to talk to
    model, data, training, *_ = get_train_args(args)
    modules = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(modules["tokenizer"], data)
    made = get_dataset(template, model, data, training, stage="sft", **modules)["train_dataset"]
    (folder / "read.json").write_text(json.dumps({"ids": made["input_ids"][:], "labels": made["labels"][:]}))


def main() -> int:
    for name in ("llamafactory.hparams.parser", "llamafactory.model", "llamafactory.data.loader", "datasets"):
        importlib.import_module(name)
    for wish in sys.argv[1:]:
        verb, _, name = wish.partition(":")
        folder = Path(name)
        child = os.fork()
        if child == 0:
            try:
                {"look": look, "parse": parse, "read": read}[verb](folder)
                os._exit(0)
            except BaseException:
                (folder / "error.txt").write_text(traceback.format_exc())
                os._exit(1)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
