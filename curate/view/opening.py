"""From what a user names (a run, a folder, a file, a hub id) to the shelf of its rows and where its references lie."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.errors import InputError
from curate.run import Run
from curate.runs import runs, said
from curate.view.lines import LinesShelf, first_columns
from curate.view.shelf import LoadedShelf, ParquetShelf, Shelf
from curate.view.trace import Columns, columns_of
from curate.withheld import HIDDEN, HOLDS, private_ids, private_source, shown_row

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_CONFIGS = ("unverified", "metadata", "default")  # the first that is there: every attempt, before what was selected


@dataclass(frozen=True)
class Opened:
    """A dataset to read traces in."""

    title: str
    shelf: Shelf
    columns: Columns
    references: "References | None" = None
    withheld: frozenset[str] = frozenset()  # ids of questions whose rows are not shown
    rows_withheld: frozenset[int] = frozenset()  # the same by number, where rows say neither question nor source

    def row(self, number: int) -> dict[str, Any]:
        """One row, with its reference answer where that lies in another table; without texts nobody is to be shown."""
        found = self.shelf.row(number)
        if isinstance(found.get("source"), str) and private_source(found["source"]):
            return shown_row(found, HIDDEN, self.columns.problem)
        if found.get("question_id") in self.withheld or number in self.rows_withheld:
            return shown_row(found, HOLDS, self.columns.problem)
        if self.references is not None and isinstance(found.get("question_id"), str):
            found = {**self.references.of(found["question_id"]), **found}
        return found


class References:
    """Reference answers by question id, looked up in a table beside the rows: nothing is held in memory."""

    def __init__(self, ids: Sequence[Path], id_column: str, rows: Sequence[Path], columns: Mapping[str, str]) -> None:
        self._ids, self._id_column = ids, id_column
        self._shelf = ParquetShelf("references", rows)
        self._columns = columns  # there -> here

    def of(self, question_id: str) -> dict[str, Any]:
        """The columns of a question; empty where it is not in the table (it was not published)."""
        number = self._number(question_id)
        if number is None:
            return {}
        row = self._shelf.row(number)
        return {here: row[there] for there, here in self._columns.items() if row.get(there)}

    def _number(self, question_id: str) -> int | None:
        before = 0
        for path in self._ids:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=[self._id_column], use_threads=False):
                    place = batch.column(0).index(question_id).as_py()
                    if place >= 0:
                        return before + int(place)
                    before += batch.num_rows
        return None


def open_traces(root: Path, name: str, config: str | None = None) -> Opened:
    """Open what `name` means: a run under `root`, the folder of a run, or a dataset.

    `config` picks one of the configs of a dataset folder or a hub dataset. Raises InputError.
    """
    run = run_of(root, name)
    if run is not None:
        return _of_run(run, config)
    try:
        return _of_dataset(Path(name), config)
    except FileNotFoundError:
        raise InputError(
            f"there is no run, file or folder '{name}'; {said(root)}",
            where=str(root),
            next="name a run, a dataset folder, .jsonl, .jsonl.gz or .parquet; "
            "`veristill --root DIR` names the folder that holds runs/",
        ) from None


def run_of(root: Path, name: str) -> Run | None:
    """The run that `name` means, by its name or folder; None where it means something else."""
    if name in runs(root):
        return Run(root, name)
    folder = Path(name).resolve()
    return Run(folder.parent.parent, folder.name) if (folder / "recipe.lock.yaml").is_file() else None


def _of_run(run: Run, config: str | None) -> Opened:
    if not run.dataset.is_dir():
        raise InputError(
            f"nothing was published in run '{run.name}' yet",
            where=str(run.folder),
            next=f"publish what is decided so far: veristill --root {run.root} run {run.name} --partial",
        )
    shelf, columns = _folder(run.dataset, config)
    questions = sorted(run.questions.glob("part-*.parquet"))
    references = None
    if "question_id" in shelf.columns and questions:
        # As published: the worked solution, else the answer.
        there = {"answer": "ground_truth_solution", "gold": "ground_truth_solution", "starter_code": "starter_code"}
        references = References(questions, "id", questions, there)
    withheld = private_ids(run)
    return _with(Opened(run.name, shelf, columns, references, withheld, _withheld(run.dataset, shelf, withheld)))


def _of_dataset(path: Path, config: str | None) -> Opened:
    if path.is_dir():
        shelf, columns = _folder(path, config)
        hidden = _withheld(path, shelf, frozenset())
        return _with(Opened(str(path), shelf, columns, _published(path, shelf), rows_withheld=hidden))
    if path.is_file() and path.suffix == ".parquet":
        parquet = ParquetShelf(str(path), [path])
        return Opened(str(path), parquet, columns_of(parquet.columns, str(path)))
    if path.is_file() and path.name.endswith((".jsonl", ".jsonl.gz")):
        names = first_columns(path)
        found = columns_of(names, str(path))
        return Opened(str(path), LinesShelf(path, found.texts, names), found)
    if path.is_file():
        raise InputError("not a dataset file", where=str(path), next="expected .jsonl, .jsonl.gz or .parquet")
    if _HUB_ID.fullmatch(str(path)) and not path.name.endswith((".jsonl", ".gz", ".parquet")):
        loaded = _loaded(str(path), config)
        return Opened(str(path), loaded, columns_of(loaded.columns, str(path)))
    raise FileNotFoundError(path)


def _folder(path: Path, config: str | None) -> tuple[Shelf, Columns]:
    """Parquet files are read where they lie; any other folder is opened by `datasets`, which copies it first."""
    for name in [config] if config else [*_CONFIGS, ".", "data"]:
        files = sorted((path / name).glob("*.parquet"))
        files = [file for file in files if file.name.startswith("train")] or files
        if files:
            shelf: Shelf = ParquetShelf(str(path), files)
            break
    else:
        shelf = _loaded(str(path), config)
    return shelf, columns_of(shelf.columns, str(path))


def _published(path: Path, shelf: Shelf) -> References | None:
    """In a published dataset `provenance` says which row of `metadata` belongs to a question."""
    ids, rows = sorted((path / "provenance").glob("*.parquet")), sorted((path / "metadata").glob("*.parquet"))
    if "question_id" not in shelf.columns or not ids or not rows:
        return None
    there = {name: name for name in ("ground_truth_solution", "starter_code")}
    return References(ids, "question_id", rows, there)


def _withheld(path: Path, shelf: Shelf, ids: frozenset[str]) -> frozenset[int]:
    """Rows of `default` or `metadata` that are not shown, by the configs beside it, which say more of the same rows."""
    found: set[int] = set()
    looked: list[tuple[str, str, Callable[[str], bool]]] = [
        ("metadata", "source", private_source),
        ("provenance", "question_id", ids.__contains__),
    ]
    for config, column, hides in looked:
        if column in shelf.columns or (config == "provenance" and not ids):
            continue
        before = 0
        for file in map(pq.ParquetFile, sorted((path / config).glob("*.parquet"))):
            for batch in file.iter_batches(columns=[column]):
                words = batch.column(0).to_pylist()
                found.update(before + number for number, word in enumerate(words) if word and hides(word))
                before += len(words)
    return frozenset(found)


def _with(opened: Opened) -> Opened:
    """The reference comes from the other table, and so does its column."""
    if opened.references is None or opened.columns.reference is not None:
        return opened
    columns = opened.columns._replace(reference="ground_truth_solution")
    return replace(opened, columns=columns)


def _loaded(name: str, config: str | None) -> Shelf:
    try:
        from datasets import get_dataset_config_names, load_dataset

        known = get_dataset_config_names(name)
        chosen = config or next((one for one in _CONFIGS if one in known), None)
        return LoadedShelf(name, load_dataset(name, chosen, split="train"))
    except Exception as error:  # boundary to `datasets`, which raises whatever its readers raise
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"`datasets` cannot open it ({type(error).__name__}): {what}", where=name, next="check its name"
        ) from error
