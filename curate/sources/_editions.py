"""`Editions`: a set that the hub holds in several repositories, whose columns have other names and types in each.

What is read is one edition; the others are the same questions as other people wrote them down.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from curate.kinds import Source
from curate.sources._places import typed
from curate.sources._published import NoColumn, Origin, Part, Published, Row
from curate.sources.row_reader import RawRow


class Editions(Published):
    """One edition of a set; `origin` is that of the default one."""

    editions: ClassVar[Mapping[str, Origin]]

    split: str = Field("all", description="The split; `all`: every split of the edition.")

    @abstractmethod
    def edition_name(self) -> str:
        """The key of the chosen edition in `editions`, which also names its bundled file."""

    def edition_origin(self) -> Origin:
        """The chosen edition."""
        return self.editions[self.edition_name()]

    def origin_of(self, part: Part) -> Origin:
        """The chosen edition."""
        return self.edition_origin()

    def parts(self) -> list[Part]:
        """Every configuration of the edition, split by split; a lone part bears the edition's name."""
        known = self.edition_origin()
        pairs = [(config, split) for config in known.configs or (None,) for split in self.edition_splits()]
        name = self._file_name()
        lone = len(pairs) == 1
        return [
            Part(known.repo, config, split, name if lone else "-".join(filter(None, (name, config, split))))
            for config, split in pairs
        ]

    def edition_splits(self) -> tuple[str, ...]:
        """The splits to read, by the names that they have in the edition."""
        return self.edition_origin().splits

    def rehearsal(self) -> Source:
        """The same edition over its bundled rows, whatever its configurations and splits."""
        return self.model_copy(update={"path": self.tiny() / f"{self._file_name()}.jsonl", "revision": None})

    def _file_name(self) -> str:
        return self.edition_name().replace("/", "-")

    def _bundled(self) -> bool:
        return self.path is not None and self.path.parent == self.tiny()

    def _typed(self, rows: Iterable[RawRow]) -> Iterator[RawRow]:
        return typed([self.edition_origin().features], rows)


def either(row: Row, *names: str) -> Any:
    """The first of several columns that the row has. Raises NoColumn, naming the first, where it has none."""
    for name in names:
        if name in row:
            return row[name]
    raise NoColumn(names[0])
