"""Which weights a served checkpoint folder holds: training writes new ones under a path that has been evaluated before.

Answers are kept by the model's name. The name of a folder on this machine says nothing of what lies there now, so a
hash of its files becomes part of every request's key (`revision`).
"""

import asyncio
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path

from curate.kinds import Teacher
from curate.progress import Progress
from curate.teachers._api import Api

_SERVED = (".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt")
# What training leaves beside a checkpoint for itself.
_OF_TRAINING = ("trainer_state.json", "training_args.bin", "optimizer.bin", "scheduler.bin", "all_results.json")


async def told_apart(models: Mapping[str, Teacher], progress: Progress) -> dict[str, Teacher]:
    """The same models; those that are served from a folder here with its hash in their `revision`."""
    return {name: await _with_weights(model, progress) for name, model in models.items()}


def weights(folder: Path) -> str:
    """A hash of the files that a server loads, by name and content: at about 1 GB/s. Raises OSError."""
    state = sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _SERVED and path.name not in _OF_TRAINING:
            with path.open("rb") as file:
                state.update(
                    path.name.encode("utf-8", "surrogateescape") + b"\0" + file_digest(file, "sha256").digest()
                )
    return state.hexdigest()[:32]


async def _with_weights(model: Teacher, progress: Progress) -> Teacher:
    if not isinstance(model, Api) or model.serve is None:
        return model
    folder = Path(model.serve.path or model.model)
    if not folder.is_dir():
        return model
    progress.say(f"reading the weights in {folder}")
    mark = f"weights {await asyncio.to_thread(weights, folder)}"
    return model.model_copy(update={"revision": mark if model.revision is None else f"{model.revision}, {mark}"})
