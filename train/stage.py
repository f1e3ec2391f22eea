"""Puts the student and the dataset at their commits into a run's folder, so that the job itself reaches out to nothing.

`stage` fetches (or, where nodes do not share the folder, copies) and writes down what it did in `inputs/inputs.json`;
`staged` says what a run will read, and refuses what is not what the recipe names.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from curate.errors import InputError, Prerequisite, VeristillError
from curate.run import replace_file, usable
from train import dataset as rows
from train.block import is_folder
from train.render import Inputs

if TYPE_CHECKING:
    from train.block import Train

_HUB_S = 30.0
# Weights in forms that nothing here reads, beside the safetensors that it does.
_NOT = ("*.gguf", "*.onnx", "*.h5", "*.msgpack", "*.pth", "original/*", "consolidated*")
_ROWS = ("*.parquet", "*.jsonl")
Role = Literal["student", "dataset"]


class Input(BaseModel):
    """Where one input came from and where it lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str  # a hub id or a folder, as the recipe says it
    revision: str | None  # as the recipe says it
    commit: str | None  # of a hub repository: what is there now
    path: str


class Staged(BaseModel):
    """`inputs/inputs.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    student: Input | None = None
    dataset: Input | None = None

    @classmethod
    def read(cls, here: Path) -> "Staged":
        """What was staged for the run in `here`; nothing, where nothing was."""
        try:
            return cls.model_validate_json((here / "inputs" / "inputs.json").read_text("utf-8"))
        except OSError:
            return cls()
        except ValueError:
            raise InputError(
                "not a record of staged inputs",
                where=str(here / "inputs" / "inputs.json"),
                next="remove the file and run `veristill train stage` again",
            ) from None


def staged(block: "Train", here: Path, published: Path) -> Inputs:
    """The student and the rows of the run in `here`; `published` is the dataset folder of the recipe's own run.

    Raises Prerequisite for what must be staged or published first, InputError for what cannot be trained on.
    """
    record = Staged.read(here)
    return Inputs(_student(block, record.student, here), rows.find(_dataset(block, record.dataset, here, published)))


def _student(block: "Train", entry: Input | None, here: Path) -> Path:
    folder = _place("student", block.student, block.student_revision, entry)
    if folder is None:
        raise _first("the student", block.student, "train.student")
    _model(folder)
    return folder


def _dataset(block: "Train", entry: Input | None, here: Path, published: Path) -> Path:
    if block.dataset is None:
        if not published.is_dir():
            raise Prerequisite(
                "this recipe's own run has published no dataset",
                where=str(published),
                next="veristill run RECIPE, or name one with train.dataset",
            )
        return _place("dataset", str(published.absolute()), None, entry) or published
    found = _place("dataset", block.dataset, block.dataset_revision, entry)
    if found is None:
        raise _first("the dataset", block.dataset, "train.dataset")
    return found


def _place(role: Role, source: str, revision: str | None, entry: Input | None) -> Path | None:
    """The folder of an input; None for a hub id that is not staged at this revision."""
    kept = entry is not None and entry.source == source and entry.revision == revision and Path(entry.path).is_dir()
    if is_folder(source):
        if not Path(source).is_dir():
            raise InputError("there is no such folder", where=f"train.{role}: {source}", next="correct the recipe")
        return Path(entry.path) if entry and kept and _copied(role, Path(source), Path(entry.path)) else Path(source)
    return Path(entry.path) if entry and kept else None


def _first(what: str, source: str, where: str) -> Prerequisite:
    return Prerequisite(
        f"{what} {source} is not staged at the recipe's revision", where=where, next="veristill train stage RECIPE"
    )


def _model(folder: Path) -> None:
    """Raise InputError for a folder that is no complete model of the Hugging Face form."""
    where = f"train.student: {folder}"
    for names, what in (
        (("config.json",), "config.json"),
        (("tokenizer.json", "tokenizer.model", "vocab.json"), "tokenizer"),
    ):
        if not any((folder / name).is_file() for name in names):
            raise InputError(f"it has no {what}", where=where, next="name the folder of a model")
    weights = {path.name for path in folder.glob("*") if path.suffix in (".safetensors", ".bin")}
    for index in folder.glob("*.index.json"):
        named = set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
        if named - weights:
            lacking = sorted(named - weights)
            raise InputError(
                f"{len(lacking)} of {len(named)} files of weights are missing: {', '.join(lacking[:3])}",
                where=where,
                next="stage or copy it again",
            )
    if not weights:
        raise InputError("it has no weights (*.safetensors, *.bin)", where=where, next="stage or copy it again")


def stage(
    block: "Train", here: Path, published: Path, say: Callable[[str], None], *, into: Path | None = None,
    endpoint: str | None = None,
) -> Staged:  # fmt: skip
    """Bring the student and the dataset of the run in `here` into `here`/inputs (or `into`), at their commits.

    What is there already is kept; a killed fetch goes on. A folder is used as it is, or copied where the launcher's
    nodes do not share this one. Raises InputError for a revision that is not there, Prerequisite where the hub
    cannot be reached or asks for a login.
    """
    target = (into or here / "inputs").absolute()
    with usable(target, "choose another folder with --into"):
        student = _bring("student", block.student, block.student_revision, block, _Way(target, here, say, endpoint))
        source = block.dataset or str(published.absolute())
        own = _bring(
            "dataset",
            source,
            block.dataset_revision if block.dataset else None,
            block,
            _Way(target, here, say, endpoint),
        )
        done = Staged(student=student, dataset=own)
        (here / "inputs").mkdir(parents=True, exist_ok=True)
        replace_file(here / "inputs" / "inputs.json", done.model_dump_json(indent=2).encode() + b"\n")
    staged(block, here, published)
    return done


class _Way:
    """Where inputs go, and how they come."""

    def __init__(self, target: Path, here: Path, say: Callable[[str], None], endpoint: str | None) -> None:
        self.target, self.here, self.say, self.endpoint = target, here, say, endpoint


def _bring(role: Role, source: str, revision: str | None, block: "Train", way: _Way) -> Input | None:
    folder = way.target / role
    if is_folder(source):
        if block.launcher.shared():
            return None
        if not Path(source).is_dir():
            raise InputError("there is no such folder", where=source, next="correct the recipe, or publish the dataset")
        way.say(f"copying the {role} {source}: the nodes do not share this folder")
        shutil.rmtree(folder, ignore_errors=True)
        for path in _files(role, Path(source)):
            beside = folder / path.relative_to(source)
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, beside)
        return Input(source=source, revision=revision, commit=None, path=str(folder))
    before = Staged.read(way.here)
    earlier = before.student if role == "student" else before.dataset
    with _told(role, source, revision):
        commit = _commit(role, source, revision, way)
        if earlier is not None and (earlier.source, earlier.commit) != (source, commit):
            shutil.rmtree(folder, ignore_errors=True)  # files of another commit must not stay among these
        way.say(f"fetching the {role} {source} at {commit}")
        _fetch(role, source, commit, folder, way)
    return Input(source=source, revision=revision, commit=commit, path=str(folder))


def _files(role: Role, folder: Path) -> list[Path]:
    """The files of a local input that training reads."""
    if role == "dataset":
        return list(rows.find(folder).files)
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not any(path.match(no) for no in _NOT)]


def _copied(role: Role, source: Path, copy: Path) -> bool:
    """Whether a copy still has its source's sizes and times."""
    for path in _files(role, source):
        beside = copy / path.relative_to(source)
        if not beside.is_file():
            return False
        one, other = path.stat(), beside.stat()
        if (one.st_size, int(one.st_mtime)) != (other.st_size, int(other.st_mtime)):
            return False
    return True


def _commit(role: Role, source: str, revision: str | None, way: _Way) -> str:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=way.endpoint)
    kind = "model" if role == "student" else "dataset"
    return str(api.repo_info(source, repo_type=kind, revision=revision, timeout=_HUB_S).sha)


def _fetch(role: Role, source: str, commit: str, folder: Path, way: _Way) -> None:
    """All that training reads of a repository at a commit."""
    from huggingface_hub import snapshot_download

    kind = "model" if role == "student" else "dataset"
    wanted: list[str] | None = None
    if role == "dataset":
        snapshot_download(
            source,
            repo_type=kind,
            revision=commit,
            local_dir=folder,
            endpoint=way.endpoint,
            allow_patterns=["README.md"],
        )
        wanted = ["README.md", *(rows.declared(folder) or _ROWS)]
    snapshot_download(
        source,
        repo_type=kind,
        revision=commit,
        local_dir=folder,
        endpoint=way.endpoint,
        allow_patterns=wanted,
        ignore_patterns=None if wanted else list(_NOT),
    )


@contextmanager
def _told(role: Role, source: str, revision: str | None) -> Iterator[None]:
    """Whatever the hub's client raises, as one of our errors."""
    at = f" at {revision}" if revision else ""
    where = f"train.{role}: {source}{at}"
    try:
        yield
    except VeristillError:
        raise
    except Exception as error:  # boundary to the hub's client: connections fail in its library's ways
        kind = type(error).__name__
        if type(error) is OSError:
            raise  # a disk that is full, a folder that cannot be written
        said = (str(error).strip() or kind).splitlines()[0]
        if kind in ("RevisionNotFoundError", "HFValidationError"):
            raise InputError(f"the hub has no such revision or id: {said}", where=where, next="correct it") from None
        if kind in ("GatedRepoError", "RepositoryNotFoundError"):
            raise Prerequisite(
                f"the hub has no such repository, or it asks for a login: {said}",
                where=where,
                next="correct the id; or ask for access on its page, then `hf auth login`",
            ) from None
        raise Prerequisite(
            f"the hub cannot be reached ({kind}): {said}", where=where, next="check the network, or name a folder"
        ) from None
