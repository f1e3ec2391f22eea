"""What tokenising did to the rows, as findings: the facts of `train/inside/tokenise.py`, judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from curate.errors import InputError, RecipeError
from train.finding import Finding

if TYPE_CHECKING:
    from train.block import Train

_FAULTS = {
    "trace": (
        "the template changes or drops the trace",
        "take another template, or drop the key under train.extra that strips it (enable_thinking, mask_history)",
    ),
    "before": (
        "the template trains on text before the trace that the dataset does not have",
        "take a template without reasoning blocks of its own (qwen for Qwen2.5)",
    ),
    "thought": (
        "the template puts an empty thinking block before the trace",
        "take a template without reasoning blocks of its own (qwen for Qwen2.5)",
    ),
    "system": ("the tokens have another system prompt than the row", "say train.system, or take another template"),
}


def findings(block: "Train", facts: Mapping[str, Any], rows: int) -> Iterator[Finding]:
    """Keys, template, tokenizer, rows: in this order, as far as the facts go. `rows` is what the dataset holds."""
    yield from _keys(facts)
    if "template" in facts:
        yield from _template(block, facts)
    if "unreadable" in facts:
        yield Finding.bad(
            "rows",
            InputError(
                f"LLaMA-Factory cannot read the dataset: {facts['unreadable']}",
                where="train.dataset",
                next="look at the file it names",
            ),
        )
    if "sample" in facts:
        yield from _sample(facts)
    if "counts" in facts:
        yield from _counts(block, facts, rows)


def _keys(facts: Mapping[str, Any]) -> Iterator[Finding]:
    for name, near in facts.get("unknown", {}).items():
        meant = f"; did you mean `{near}`?" if near else ""
        yield Finding.bad(
            "keys",
            RecipeError(
                f"this LLaMA-Factory knows no key `{name}`{meant}",
                where=f"train.extra.{name}",
                next="correct it or remove it",
            ),
        )
    if "refused" in facts:
        yield Finding.bad(
            "keys",
            RecipeError(
                f"LLaMA-Factory refuses it: {facts['refused']}",
                where="train.extra",
                next="correct the value that it names",
            ),
        )
    if not facts.get("unknown") and "refused" not in facts:
        yield Finding.good("keys", "every key and value is understood by this LLaMA-Factory")


def _template(block: "Train", facts: Mapping[str, Any]) -> Iterator[Finding]:
    said = facts["template"]
    if "student" in facts:
        yield Finding.bad(
            "student",
            InputError(
                f"its tokenizer or config cannot be read: {facts['student']}",
                where=f"train.student: {block.student}",
                next="stage or copy it again",
            ),
        )
    if not said["exists"]:
        near = f"near to it: {', '.join(said['near'])}" if said["near"] else "see LLaMA-Factory's list"
        error = RecipeError(f"this LLaMA-Factory has no template '{said['name']}'", where="train.template", next=near)
        yield Finding.bad("template", error)
    if "tokenizer" in facts:
        yield from _tokenizer(block, facts)


def _tokenizer(block: "Train", facts: Mapping[str, Any]) -> Iterator[Finding]:
    said = facts["tokenizer"]
    where = f"train.student: {block.student}"
    highest = max(said["size"] - 1, facts.get("counts", {}).get("highest", 0))
    if said["split"] or (said["added"] and not said["resize"]):
        unknown = ", ".join(said["split"]) or f"{said['added']} special tokens"
        yield Finding.bad(
            "tokenizer",
            InputError(
                f"the student's tokenizer has no token for {unknown}, which the template '{block.template}' writes",
                where=where,
                next="take the template of this family of models, or the tokenizer of this template's",
            ),
        )
    elif said["vocabulary"] is not None and highest >= said["vocabulary"] and not said["resize"]:
        yield Finding.bad(
            "tokenizer",
            InputError(
                f"the tokenizer has tokens up to {highest}, the model only {said['vocabulary']}: "
                "they do not belong together",
                where=where,
                next="stage the student again: tokenizer and weights from one commit",
            ),
        )
    else:
        yield Finding.good("tokenizer", f"{said['size']:,} tokens, the model has {said['vocabulary']:,}")


def _sample(facts: Mapping[str, Any]) -> Iterator[Finding]:
    said = facts["sample"]
    told: dict[str, tuple[int, str]] = {}
    for one in said["faults"]:
        for fault, words in one["faults"].items():
            told.setdefault(fault, (one["row"], words))
    for fault, (row, words) in told.items():
        what, follow = _FAULTS[fault]
        error = RecipeError(f"{what}: {words!r}", where=f"train.template, row {row}", next=follow)
        yield Finding.bad("trace", error)
    if not told:
        yield Finding.good("trace", f"{said['rows']} rows decoded again: prompt and trace are whole, nothing came in")


def _counts(block: "Train", facts: Mapping[str, Any], rows: int) -> Iterator[Finding]:
    said, named = facts["counts"], facts["counts"]["named"]
    if facts["read"] != rows:
        yield Finding.bad(
            "rows",
            InputError(
                f"the dataset has {rows:,} rows, LLaMA-Factory reads {facts['read']:,}",
                where="train.dataset",
                next="publish or stage it again",
            ),
        )
    if said["dropped"]:
        yield Finding.bad(
            "rows",
            InputError(
                f"LLaMA-Factory would drop {_rows(said['dropped'], named['dropped'])} without a word: their turns are "
                "not user and assistant in turn",
                where="train.dataset",
                next="mend or leave out these rows",
            ),
        )
    yield from _cut(block, said)
    left = said["dropped"] + said["cut_out"]
    if not said["tokenised"]:
        yield Finding.bad(
            "rows",
            InputError(
                f"none of {rows:,} rows is left to train on",
                where="train.dataset",
                next="raise train.cutoff, or say on_cut: keep",
            ),
        )
        return
    if said["tokenised"] + left != rows:
        yield Finding.bad(
            "rows",
            InputError(
                f"{rows:,} rows in, {said['tokenised']:,} tokenised, {left:,} left out with a reason",
                where="train.dataset",
                next="this is a defect: please report it",
            ),
        )
    elif not said["dropped"]:
        mean = said["tokens"] / said["tokenised"]
        packs = f" in {facts['sequences']:,} packs" if block.packing != "none" else ""
        what = f"{rows:,} rows in, {said['tokenised']:,} tokenised{packs}; {mean:,.0f} tokens a row"
        yield Finding.good("rows", what)
    yield from _ends(block, said, named)
    yield from _steps(block, facts)


def _cut(block: "Train", said: Mapping[str, Any]) -> Iterator[Finding]:
    if not said["cut"]:
        yield Finding.good(
            "cutoff", f"no row is longer than {block.cutoff:,} tokens; the longest has {said['longest']:,}"
        )
        return
    words = f"{_rows(said['cut'], said['named']['cut'])} longer than {block.cutoff:,} tokens"
    if block.on_cut == "fail":
        yield Finding.bad(
            "cutoff",
            InputError(
                f"{words}, and the recipe says on_cut: fail",
                where="train.on_cut",
                next=f"raise train.cutoff (the longest row has {said['longest']:,}), or say drop or keep",
            ),
        )
    elif block.on_cut == "drop":
        yield Finding.warning("cutoff", f"{words} are left out (on_cut: drop)", where="train.on_cut")
    else:
        yield Finding.warning(
            "cutoff",
            f"{words} are cut: no answer, no end; {said['lost']:,} tokens are lost (on_cut: keep)",
            where="train.on_cut",
            next="say drop to leave them out",
        )


def _ends(block: "Train", said: Mapping[str, Any], named: Mapping[str, Any]) -> Iterator[Finding]:
    if said["no_stop"]:
        yield Finding.bad(
            "stop token",
            RecipeError(
                f"{_rows(said['no_stop'], named['no_stop'])} do not end with a stop token: nothing teaches it to stop",
                where="train.template",
                next="take a template that ends the assistant's turn",
            ),
        )
    else:
        yield Finding.good("stop token", "every whole row ends with one")
    if said["untrained"]:
        yield Finding.warning(
            "rows",
            f"{_rows(said['untrained'], named['untrained'])} have no token to learn from: "
            "the cutoff ends in the question",
            where="train.cutoff",
            next="say on_cut: drop",
        )


def _steps(block: "Train", facts: Mapping[str, Any]) -> Iterator[Finding]:
    each = block.micro_batch * block.accumulate() * block.world
    if facts["sequences"] < each:
        yield Finding.warning(
            "steps",
            f"{facts['sequences']:,} sequences do not fill one step of {each:,}",
            where="train.batch",
            next="a smaller batch makes more steps",
        )
    else:
        yield Finding.good("steps", f"{-(-facts['sequences'] // each):,} steps an epoch")


def _rows(count: int, named: list[int]) -> str:
    """A number of rows, and the first of them."""
    shown = ", ".join(str(row) for row in named[:5]) + (", ..." if count > 5 else "")
    return f"{count:,} row{'s' if count != 1 else ''} ({shown})"
