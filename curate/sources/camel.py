"""`kind: camel`: CAMEL's problems in physics, chemistry or biology, a few from each sub-topic.

Problems and answers were both written by a model: nothing in the set is a truth, so no row has one. The reference
draws 2 rows of each sub-topic with pandas and seed 42 from files in the order in which a file system lists them
(open-thoughts/open-thoughts, `open_thoughts/science/camel.py`), so that its rows cannot be drawn again. Here the seed
and the rows' content decide; as many come from the same sub-topics, but they are not the reference's rows.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from curate.records import Drop, Question, Unknown
from curate.sources._picked import Draw, Rows
from curate.sources._published import Origin, Part, Published, Row
from curate.sources.files import Place
from curate.sources.values import text


class Camel(Published):
    """One of CAMEL's three science sets, whose problems and answers a model wrote: no row has a truth.

    Which rows are drawn depends on their content and the seed, not on their order. They are not the rows that
    OpenThoughts drew, which depended on the order in which a file system listed the files.
    """

    origin: ClassVar[Origin] = Origin(
        repo="camel-ai/physics",
        features={
            "role_1": "string",
            "topic;": "string",  # so spelt in the set
            "sub_topic": "string",
            "message_1": "string",
            "message_2": "string",
        },
        evidence=(
            "open-thoughts/open-thoughts: open_thoughts/science/camel.py and science.py",
            "https://huggingface.co/datasets/lgaalves/camel-ai-physics/blob/main/README.md",
            "https://huggingface.co/datasets/dim/camel_ai_physics/blob/"
            "ec5f4e85e80884361ae6f5e0cae643db3e30566f/README.md",
            "https://huggingface.co/datasets/camel-ai/chemistry/commit/9130b68c65c2375ae1753c064978769f5509acd8",
        ),
        confirmed=True,
        licence="cc-by-nc-4.0",
        note="20,000 rows each of camel-ai/physics, camel-ai/chemistry and camel-ai/biology: one zip of JSON files, "
        "an object in each. The column types are those of two copies as Parquet.",
    )
    domain: ClassVar[str] = "science"

    subject: Literal["physics", "chemistry", "biology"] = Field("physics", description="Which of the three sets.")
    per_sub_topic: int | None = Field(2, ge=1, description="Rows drawn from each sub-topic; null: every row.")
    seed: int = Field(42, ge=0, description="Seed of the draw.")

    def parts(self) -> list[Part]:
        """The subject's set."""
        return [Part(f"camel-ai/{self.subject}", None, split, self.subject) for split in self.splits()]

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The drawn rows in the set's order, then a Drop for each of the others (reason `not_sampled`)."""
        if self.per_sub_topic is None:
            yield from super().items(rows)
            return
        draw, places, number = Draw(self.per_sub_topic, self.seed), list[Place](), -1
        part = self.parts()[0]
        for part, raw in rows:
            number += 1
            places.append(raw.place)
            told = (raw.values.get("message_1"), raw.values.get("message_2"))
            draw.offer(str(raw.values.get("sub_topic")), told, number, part, raw)
        drawn = draw.drawn()
        for one in drawn:
            yield self.item(one.part, one.raw)
        kept = {one.number for one in drawn}
        for number, place in enumerate(places):
            if number not in kept:
                yield self.left(part, place, "not_sampled", per_sub_topic=self.per_sub_topic, seed=self.seed)

    def question(self, row: Row, part: Part) -> Question:
        """The problem without a truth; CAMEL's own answer is kept beside it. Raises Left."""
        meta = {
            "subject": self.subject,
            "topic": row["topic;"],
            "sub_topic": row["sub_topic"],
            "camel_answer": row["message_2"],
        }
        return self.made(text(row["message_1"] or ""), Unknown(), meta=meta)
