"""`kind: hf`: any dataset that `datasets.load_dataset` opens, from the hub or a folder, streamed row by row.

Code that a dataset brings along is never run.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from curate.errors import InputError, Prerequisite
from curate.keys import Operational, digest
from curate.kinds import Source
from curate.paths import resolve
from curate.records import Drop, Question
from curate.sources._first import First
from curate.sources._sample import Sample
from curate.sources.arrow import exact, inexact
from curate.sources.columns import Columns
from curate.sources.files import Place, empty, find, fingerprint
from curate.sources.row_reader import RawRow, RowReader, need_domain

_LOCAL = ("/", "./", "../", "~", "${", "bundled:")
_SAVED = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves: only `load_from_disk` opens it
_HUB_S = 10.0  # seconds to ask the hub for a commit


def _repo_or_folder(value: str) -> str:
    return str(resolve(Path(value)).absolute()) if value.startswith(_LOCAL) else value


class Hf(Source):
    """Questions from a Hugging Face dataset."""

    version: ClassVar[int] = 2
    path: Annotated[str, AfterValidator(_repo_or_folder)] = Field(
        min_length=1, description="A hub id (org/name), or a folder, which starts with `./`, `../`, `/` or `~`."
    )
    config: str | None = Field(None, description="The dataset's configuration.")
    split: str = Field("train", description="The split to read.")
    revision: str | None = Field(None, description="A commit, tag or branch of the hub repository.")
    streaming: Annotated[bool, Operational()] = Field(True, description="False: download (or map) everything first.")
    name: str | None = Field(None, description="The source's name in the dataset; by default the path.")
    domain: str | None = Field(None, description="The domain of rows that name none.")
    licence: str | None = Field(None, description="The licence of rows that name none.")
    data_files: tuple[str, ...] = Field(
        (),
        description="Only these files (Parquet, JSON lines; globs) of the repository or folder: also where it holds a "
        "loading script, which is never run. They are one split.",
    )
    columns: Columns = Columns()

    @model_validator(mode="after")
    def _domain(self) -> Self:
        need_domain(self.domain, self.columns)
        return self

    def read(self) -> Iterator[Question | Drop]:
        """Yield the questions in the dataset's order. Raises InputError; Prerequisite for what must be set first."""
        return self._reader().read(self.rows)

    def fingerprint(self) -> str | None:
        """A hash of a local folder's bytes; the commit of a hub repository where it can be asked, else `revision`."""
        if self._is_local():
            return digest(self._reader().name, fingerprint(find(Path(self.path), ("",))))
        return self.commit() or self.revision

    def rehearsal(self) -> Source:
        """The first rows of a local folder; for the hub, which a rehearsal must not ask, made-up ones (`Sample`)."""
        return First(source=self) if self._is_local() else Sample(columns=self.columns, domain=self.domain)

    def _reader(self) -> RowReader:
        local = Path(self.path).name if self._is_local() else self.path
        return RowReader(self.columns, self.name or local, self.domain, self.licence)

    def _is_local(self) -> bool:
        return self.path.startswith("/") or Path(self.path).is_dir()

    def rows(self) -> Iterator[RawRow]:
        """The rows as they stand, in order. Raises as `read` does."""
        number = 0
        try:
            opened = self._open()
            features = getattr(opened, "features", None)  # None where only reading tells
            altered = (
                {field.name: field.type for field in features.arrow_schema if inexact(field.type)} if features else {}
            )
            for row in opened:
                number += 1
                for name in altered.keys() & row.keys():
                    row = {**row, name: exact(row[name], altered[name])}
                yield RawRow(Place(self.path, number), row)
                del row
        except InputError:
            raise
        except Exception as error:  # boundary to `datasets`, which raises whatever its readers raise
            raise self._failed(error, f"{self.path}:{number + 1}") from error
        if not number:
            raise empty(Path(self.path))

    def features(self) -> Any:
        """The columns as `datasets` tells them; None where only reading the rows would. Raises as `read` does."""
        try:
            return getattr(self._open(), "features", None)
        except InputError:
            raise
        except Exception as error:  # boundary to `datasets`, which raises whatever its readers raise
            raise self._failed(error, self.path) from error

    def stated(self) -> int | None:
        """How many rows the dataset says that it has; None where it does not say."""
        splits = getattr(getattr(self._open(), "info", None), "splits", None) or {}
        return splits[self.split].num_examples or None if self.split in splits else None

    def _open(self) -> Iterable[Mapping[str, Any]]:
        import datasets

        if self._is_local() and not Path(self.path).is_dir():
            find(Path(self.path), ("",))  # raises the error that names what lies near
        if self._is_local() and any((Path(self.path) / name).exists() for name in _SAVED):
            saved = datasets.load_from_disk(self.path)
            return self._split_of(saved) if isinstance(saved, datasets.DatasetDict) else saved
        if self.data_files:
            return self._files()
        # Before 4.0 a dataset could bring a script along, and 2.16 ran it unasked.
        old = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
        opened: Iterable[Mapping[str, Any]] = datasets.load_dataset(
            self.path, self.config, split=self.split, revision=self.revision, streaming=self.streaming, **old
        )
        return opened

    def _files(self) -> Iterable[Mapping[str, Any]]:
        """The named files, opened as what they are: whatever else lies beside them does not count."""
        import datasets

        # A branch of the hub's own stands as it is; the slashes of any other would end the repository's name.
        revision = self.revision or ""
        at = f"@{quote(revision, safe='/' if revision.startswith('refs/') else '')}" if revision else ""
        root = self.path if self._is_local() else f"hf://datasets/{self.path}{at}"
        form = "parquet" if all(name.endswith(".parquet") for name in self.data_files) else "json"
        files = [f"{root}/{name}" for name in self.data_files]
        opened: Iterable[Mapping[str, Any]] = datasets.load_dataset(
            form, data_files=files, split="train", streaming=self.streaming, **self._reading(form)
        )
        return opened

    def _reading(self, form: str) -> dict[str, Any]:
        """How named files of a form (`parquet`, `json`) are read: further arguments of their builder."""
        return {}

    def _split_of(self, saved: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterable[Mapping[str, Any]]:
        if self.split not in saved:
            raise InputError(
                f"there is no split '{self.split}'", where=self.path, next=f"the splits are: {', '.join(saved)}"
            )
        return saved[self.split]

    def _failed(self, error: Exception, where: str) -> InputError | Prerequisite:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        kind = type(error).__name__
        if kind == "GatedRepoError" or "gated" in what.lower():
            return Prerequisite(
                f"access is restricted: {what}", where=where, next="ask for access on its page, then `hf auth login`"
            )
        if isinstance(error, ConnectionError) or "Offline" in kind or "Connect" in kind:
            return Prerequisite(
                f"the hub cannot be reached: {what}",
                where=where,
                next="check the network, or name a folder that holds the dataset",
            )
        return InputError(
            f"`datasets` cannot read it ({kind}): {what}", where=where, next="check path, config, split and revision"
        )

    def commit(self) -> str | None:
        """The commit that the hub has under `revision`; None where it cannot be asked."""
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
            return None
        from huggingface_hub import HfApi

        try:
            found: str | None = HfApi().dataset_info(self.path, revision=self.revision, timeout=_HUB_S).sha
        except Exception:  # noqa: BLE001 - boundary to the hub: reading the dataset will say what is wrong
            return None
        return found
