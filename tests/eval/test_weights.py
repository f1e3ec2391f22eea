"""Retrained weights under an old path are another model: their answers are asked for anew."""

from pathlib import Path

from curate.progress import Progress
from curate.teachers.openai import Openai
from eval.weights import told_apart, weights


def checkpoint(folder: Path, values: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(values)
    (folder / "config.json").write_text("{}", "utf-8")
    return folder


def test_the_weights_decide_and_what_training_keeps_for_itself_does_not(tmp_path: Path) -> None:
    one = weights(checkpoint(tmp_path / "a", b"1" * 1000))
    assert weights(checkpoint(tmp_path / "b", b"1" * 1000)) == one
    assert weights(checkpoint(tmp_path / "a", b"1" * 999 + b"2")) != one
    kept = checkpoint(tmp_path / "b", b"1" * 1000)
    for name in ("optimizer.pt", "trainer_state.json", "training_args.bin", "rng_state.pth"):
        (kept / name).write_text("x", "utf-8")
    assert weights(kept) == one
    (kept / "chat_template.jinja").write_text("x", "utf-8")
    assert weights(kept) != one


async def test_a_served_folder_has_its_hash_in_every_key(tmp_path: Path) -> None:
    folder = str(checkpoint(tmp_path / "a", b"1"))
    models = {
        "served": Openai.model_validate({"model": folder, "serve": {"server": "vllm"}}),
        "named": Openai.model_validate({"model": "s", "revision": "r", "serve": {"server": "vllm", "path": folder}}),
        "hub": Openai.model_validate({"model": "org/name", "serve": {"server": "vllm"}}),
        "api": Openai.model_validate({"model": folder, "base_url": "http://127.0.0.1:9/v1"}),
    }
    made = await told_apart(models, Progress(quiet=True))
    revisions = {name: getattr(one, "revision", None) for name, one in made.items()}
    mark = f"weights {weights(tmp_path / 'a')}"
    assert revisions == {"served": mark, "named": f"r, {mark}", "hub": None, "api": None}
