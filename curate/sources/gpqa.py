"""`kind: gpqa`: GPQA, hard questions in biology, chemistry and physics with four options.

A gated benchmark: its authors ask that nobody show its questions in plain text, so no page, card or sample does.
"""

from typing import ClassVar

from pydantic import Field

from curate.keys import digest
from curate.records import Choice, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text

RIGHT = "Correct Answer"
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


class Gpqa(Published):
    """GPQA. The order of the four options depends on their texts and the seed alone.

    No page, card, report or drop quotes its questions, nor does the evidence of `decontaminate`; `veristill explain`
    and `veristill view` leave them and their answers out. A run's own files and its published dataset hold them as they
    are: keep a dataset made from it private.
    """

    origin: ClassVar[Origin] = Origin(
        repo="Idavidrein/gpqa",
        configs=("gpqa_diamond", "gpqa_main", "gpqa_extended"),
        features={
            "Question": "string",
            **dict.fromkeys((RIGHT, *WRONG), "string"),
            "Subdomain": "string",
            "High-level domain": "string",
            "Record ID": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/teddyyyy123/ssss/blob/main/README.md?code=true",
            "https://huggingface.co/datasets/alan2saji/gpqa_diamond_da/commit/1b2ecf49afb87f8d977e6d07da3fa7ecc53d9fc8",
            "openai/simple-evals: gpqa_eval.py",
        ),
        confirmed=True,
        licence="cc-by-4.0",
        gated=True,
        private_text=True,
        note="198 rows in gpqa_diamond, 448 in gpqa_main, 546 in gpqa_extended; one CSV file each. Ask for access on "
        "its page first. The column types are those of copies that state them; further columns are not read.",
    )
    domain: ClassVar[str] = "science"

    seed: int = Field(0, ge=0, description="Seed of the order of the options.")

    def question(self, row: Row, part: Part) -> Question:
        """The question with its options below it; the answer is a letter. Raises Left."""
        asked, right = text(row["Question"] or "").strip(), row[RIGHT]
        options = [right, *(row[name] for name in WRONG)]
        if not all(given(option) for option in options):
            raise Left("no_answer")
        texts = [label(option) for option in options]
        if len(set(texts)) < len(texts):
            raise Left("equal_options")
        ordered = sorted(texts, key=lambda option: digest("gpqa", self.seed, asked, option))
        listed = "\n".join(f"{chr(ord('A') + n)}. {option}" for n, option in enumerate(ordered))
        return self.made(
            f"{asked}\n\n{listed}" if asked else "",
            Choice(letter=chr(ord("A") + ordered.index(texts[0])), options=tuple(ordered)),
            source_id=row["Record ID"] or "",
            meta={
                "subdomain": row.get("Subdomain"),
                "subject": row.get("High-level domain"),
                "columns": [texts.index(option) for option in ordered],  # of each listed option, from the right one on
            },
        )
