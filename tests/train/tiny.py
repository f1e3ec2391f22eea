"""A student that trains in seconds on a CPU: a two-layer Qwen2 with random weights and a tokenizer made on the spot.

Run by the training interpreter as a script, it writes the student; imported, it makes rows and run folders from them.
"""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

CHAT = (
    "{%- for m in messages %}{%- if loop.first and m.role != 'system' %}<|im_start|>system\nYou are Qwen, created by "
    "Alibaba Cloud. You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def rows(count: int = 64) -> list[dict[str, Any]]:
    """Conversations in the shape of the published dataset, with something to learn in them."""
    chance = random.Random(0)
    found = []
    for _ in range(count):
        a, b = chance.randint(2, 99), chance.randint(2, 12)
        steps = " ".join(f"Add {a} once more to get {a * k}." for k in range(1, b))
        thought = f"We need {a} times {b}. {steps} Wait, let me verify. {a}*{b} = {a * b}."
        answer = (
            f"<|begin_of_thought|>\n\n{thought}\n\n<|end_of_thought|>\n\n"
            f"<|begin_of_solution|>\n\n\\boxed{{{a * b}}}\n\n<|end_of_solution|>"
        )
        turns = [{"from": "user", "value": f"What is {a} * {b}?"}, {"from": "assistant", "value": answer}]
        found.append({"system": "Solve the problem. Think first.", "conversations": turns})
    return found


def write_rows(folder: Path, count: int = 64) -> Path:
    """A folder that holds them as a published dataset's default config does."""
    (folder / "default").mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows(count))
    (folder / "default" / "train.jsonl").write_text(lines, "utf-8")
    return folder


def write_student(python: Path, folder: Path) -> Path:
    """The student, made in the training interpreter in a few seconds."""
    subprocess.run([python, "-I", __file__, folder], check=True, capture_output=True, text=True)
    return folder


def train_block(student: Path, dataset: Path, **block: Any) -> "Train":
    """A recipe's train: block for the tiny student; `block` is what it says further."""
    from train.block import Train

    settings: dict[str, Any] = {
        "student": str(student),
        "dataset": str(dataset),
        "cutoff": 512,
        "offload": "none",
        "epochs": 3,
        "optimizer": {"lr": 1e-3},
        "checkpoints": {"every": 4},
        "gradient_checkpointing": False,
        **block,
    }
    return Train.model_validate(settings)


def run_folder(here: Path, student: Path, dataset: Path, python: Path, **block: Any) -> "Job":
    """A rendered run in `here`."""
    from train.dataset import find
    from train.render import Inputs, rendered, write

    train = train_block(student, dataset, **block)
    made = rendered(train, name=here.name, here=here, python=str(python), inputs=Inputs(student, find(dataset)))
    write(made, here)
    return made.job


def losses(here: Path) -> dict[int, float]:
    """step -> loss from trainer_log.jsonl; of a step that was made twice, the later."""
    found = {}
    for line in (here / "output" / "trainer_log.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        if "loss" in entry:
            found[int(entry["current_steps"])] = float(entry["loss"])
    return found


def main(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([turn["value"] for row in rows() for turn in row["conversations"]], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT,
        model_max_length=32768,
    )
    fast.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        bos_token_id=None,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
