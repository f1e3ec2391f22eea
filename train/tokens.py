"""Tokenised rows: made once by LLaMA-Factory's own code before the launch, and kept under a name that is their content.

The name changes with the rows, the tokenizer, the template, the cutoff, every key of `sft.yaml` that decides how a row
is read, and the versions that do it. LLaMA-Factory itself ignores all of these once `tokenized_path` is there.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import Failed, Prerequisite
from curate.keys import digest
from curate.run import locked
from curate.sources.files import fingerprint
from train.dataset import Data
from train.environment import Examined, quiet
from train.inside import process

if TYPE_CHECKING:
    from train.block import Train

FOLDER = "tokenized"
_DECIDING = ("llamafactory", "transformers", "tokenizers", "datasets")
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja",
)  # fmt: skip


def key(block: "Train", data: Data, student: Path, seen: Examined) -> str:
    """The name of the tokens of these rows. Reads all of the dataset once."""
    files = [student / name for name in _TOKENIZER if (student / name).is_file()]
    said = {
        "template": block.template,
        "system": block.system,
        "cutoff": block.cutoff,
        "packing": block.packing,
        "on_cut": block.on_cut,
        "extra": block.extra,
    }
    versions = {name: seen.packages.get(name) for name in _DECIDING}
    rows = [fingerprint(data.files), data.columns._asdict()]
    return digest(said, versions, rows, [file.name for file in files], fingerprint(files))[:16]


def learns(block: "Train", data: Data, student: Path) -> str:
    """A digest of what a run learns from: its rows, how they are read, and the student that learns.

    A checkpoint is gone on from where this is the same; batch, optimizer, machines and versions may change on the way.
    """
    files = [student / name for name in ("config.json", *_TOKENIZER) if (student / name).is_file()]
    read = [block.template, block.system, block.cutoff, block.packing, block.on_cut]
    rows = [fingerprint(data.files), data.columns._asdict()]
    return digest(read, rows, fingerprint(files), block.method.model_dump(mode="json"))[:16]


def tokenised(block: "Train", here: Path, python: Path, name: str, say: Callable[[str], None]) -> dict[str, Any]:
    """What LLaMA-Factory makes of the rows of the run rendered in `here`: the facts of train/inside/tokenise.py.

    Where all is well the tokens lie in `here`/tokenized/`name` afterwards; a second call only reads, and where both are
    made at once it waits for the first. Raises Failed where LLaMA-Factory breaks, Prerequisite where the interpreter
    does not start.
    """
    to = here / FOLDER / name
    (here / FOLDER).mkdir(parents=True, exist_ok=True)
    (here / "logs").mkdir(exist_ok=True)
    handle = locked(here / FOLDER / ".lock", "its rows are being tokenised", wait=True)
    try:
        if (to / "facts.json").is_file():
            found: dict[str, Any] = json.loads((to / "facts.json").read_text("utf-8"))
            return found
        say("tokenising the rows once, with LLaMA-Factory")
        return _made(block, here, python, to)
    finally:
        os.close(handle)


def _made(block: "Train", here: Path, python: Path, to: Path) -> dict[str, Any]:
    out, cache = here / FOLDER / f".{to.name}.json", here / FOLDER / f".cache-{os.getpid()}"
    # A fixed number where rows are packed: packs are made within a worker's share.
    workers = 16 if block.packing != "none" and not block.on_cpu else min(16, os.cpu_count() or 1)
    command = [str(python), "-I", str(here / "code" / "tokenise.py"), "--job", str(here / "job.json")]
    command += ["--out", str(out), "--to", str(to), "--on-cut", block.on_cut, "--workers", str(workers)]
    log = here / "logs" / "tokenise.log"
    try:
        _run(command, {**quiet(), "HF_DATASETS_CACHE": str(cache), "HF_DATASETS_OFFLINE": "1"}, log)
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        out.unlink(missing_ok=True)
    return found


def _run(command: list[str], env: dict[str, str], log: Path) -> None:
    """Run to the end, its workers with it. Raises Prerequisite or Failed."""
    me = os.getpid()
    with log.open("wb") as file:
        try:
            child = subprocess.Popen(
                command,
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: process.die_with_parent(me),
            )
        except OSError as error:
            raise Prerequisite(
                f"the training interpreter does not start: {error.strerror}",
                where=command[0],
                next="veristill train setup",
            ) from None
        try:
            rc = child.wait()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if rc:
        lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
        raise Failed(
            f"LLaMA-Factory broke while it tokenised: {lines[-1] if lines else f'exit code {rc}'}",
            where=str(log),
            next="read the log",
        )
