"""Turns the rows into tokens with LLaMA-Factory's own code, once, before the launch, and counts what that did to them.

`python -I code/tokenise.py --job FOLDER/job.json --out FACTS.json [--to FOLDER/tokenized/KEY] [--on-cut keep|drop|fail]
[--workers N]` runs in the training interpreter. It reports facts as JSON; what they mean is for the control process to
say. Standard library here; llamafactory, transformers and datasets are imported where they run.
"""

import argparse
import contextlib
import difflib
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import process

SAMPLED = 24  # rows that are decoded again and compared with what the dataset says
NAMED = 20  # rows that are named where many are concerned
_SHOWN = 2000  # characters of the row that is shown
_MARK = re.compile(r"<\|[^|<>]+\|>")
# Text between special tokens that nobody wrote: role names and newlines are shorter, a system prompt is not.
_HEAD = 40


class Stop(Exception):
    """The facts so far say that going on makes no sense."""


class Rows:
    """One look at a job's rows; `facts` is the report."""

    def __init__(self, folder: Path, args: dict[str, Any], workers: int) -> None:
        self.folder, self.args, self.workers = folder, args, workers
        self.facts: dict[str, Any] = {}
        self.model_args: Any = None
        self.data_args: Any = None
        self.training_args: Any = None
        self.tokenizer: Any = None
        self.template: Any = None
        self.modules: dict[str, Any] = {}

    def parse(self) -> None:
        """Keys and values, through LLaMA-Factory's own parser.

        Parsed as on the CPU and without DeepSpeed: the machine that asks may have no GPU, and nothing is started here.
        """
        import dataclasses

        hparams: Any = importlib.import_module("llamafactory.hparams.parser")
        known = sorted({field.name for kind in hparams._TRAIN_ARGS for field in dataclasses.fields(kind) if field.init})
        unknown = [key for key in self.args if key not in known]
        self.facts["unknown"] = {key: _nearest(key, known) for key in unknown}
        away = {"deepspeed", "fsdp", "fsdp_config", "ddp_backend", "tokenized_path", *unknown}
        # The output of a run that goes on is no concern of this look.
        own = {"use_cpu": True, "output_dir": tempfile.gettempdir() + "/veristill-none", "report_to": "none"}
        own["preprocessing_num_workers"] = self.workers
        args = {**{key: value for key, value in self.args.items() if key not in away}, **own}
        try:
            parsed = hparams.get_train_args(args)
        except Exception as error:  # boundary to LLaMA-Factory: whatever it refuses with is the answer
            self.facts["refused"] = _line(error)
            raise Stop from error
        self.model_args, self.data_args, self.training_args = parsed[:3]
        if unknown:
            raise Stop

    def load_template(self) -> None:
        """Tokenizer and template, and whether they belong to the student."""
        kinds: Any = importlib.import_module("llamafactory.data.template")
        name = self.data_args.template
        near = difflib.get_close_matches(name, kinds.TEMPLATES, 3, 0.5)
        self.facts["template"] = {"name": name, "exists": name in kinds.TEMPLATES, "near": near}
        try:
            model: Any = importlib.import_module("llamafactory.model")
            self.modules = model.load_tokenizer(self.model_args)
            config: Any = importlib.import_module("transformers").AutoConfig
            config = config.from_pretrained(self.model_args.model_name_or_path)
        except Exception as error:  # boundary to transformers: a broken student is reported, not raised
            self.facts["student"] = _line(error)
            raise Stop from error
        if name not in kinds.TEMPLATES:
            raise Stop
        self.tokenizer = self.modules["tokenizer"]
        before = len(self.tokenizer)
        marks = sorted(_marks(kinds.TEMPLATES[name]))
        split = [mark for mark in marks if len(self.tokenizer.encode(mark, add_special_tokens=False)) != 1]
        data: Any = importlib.import_module("llamafactory.data")
        self.template = data.get_template_and_fix_tokenizer(self.tokenizer, self.data_args)
        self.facts["template"]["kind"] = type(self.template).__name__
        self.facts["tokenizer"] = {
            "size": len(self.tokenizer),
            "added": len(self.tokenizer) - before,
            "split": split,
            "vocabulary": getattr(config, "vocab_size", None),
            "positions": getattr(config, "max_position_embeddings", None),
            "resize": bool(self.model_args.resize_vocab),
        }

    def read(self) -> Any:
        """The rows as LLaMA-Factory reads them, with their numbers."""
        loader: Any = importlib.import_module("llamafactory.data.loader")
        try:
            rows = loader._get_merged_dataset(
                self.data_args.dataset, self.model_args, self.data_args, self.training_args, "sft"
            )
        except Exception as error:  # boundary to datasets: an unreadable file is reported, not raised
            self.facts["unreadable"] = _line(error)
            raise Stop from error
        self.facts["read"] = len(rows)
        return rows.add_column("_row", list(range(len(rows))))

    def sample(self, rows: Any) -> None:
        """Tokenise some rows, decode them again, and compare: is the trace whole, and did anything come in?"""
        count = len(rows)
        chosen = sorted({number * (count - 1) // max(1, SAMPLED - 1) for number in range(min(SAMPLED, count))})
        looked = [one for number in chosen if (one := self.look(rows[number]))]
        faults = [one for one in looked if one["faults"]][:NAMED]
        self.facts["sample"] = {"rows": len(looked), "faults": faults, "shown": looked[0] if looked else None}
        if faults:
            raise Stop

    def look(self, row: Any) -> dict[str, Any] | None:
        """What became of one row; None for one that LLaMA-Factory drops."""
        if _invalid(row["_prompt"], row["_response"]):
            return None
        messages = [dict(turn) for turn in row["_prompt"] + row["_response"]]
        hidden = self.data_args.mask_history and not self.template.preserve_thinking
        pairs = self.template.encode_multiturn(self.tokenizer, messages, row["_system"], row["_tools"], hidden)
        faults: dict[str, str] = {}
        for turn, (source, target) in enumerate(pairs):
            told = self._round(messages[2 * turn + 1]["content"])
            said = self._decode(target)
            if told not in said:
                faults["trace"] = _difference(told, said)
            elif (before := said[: said.index(told)].strip()) not in ("", self._heading()):
                faults["before"] = before
            thought = "".join(self.template.thought_words).strip()
            if thought and "trace" not in faults and self._decode(source).rstrip().endswith(thought):
                faults["thought"] = thought
        head = self._head(pairs[0][0], messages[0]["content"], row["_system"])
        if head:
            faults["system"] = head
        texts = [self._decode(source) + "[trained:]" + self._decode(target) for source, target in pairs]
        return {"row": row["_row"], "faults": faults, "text": _short("".join(texts))}

    def _heading(self) -> str:
        """What the template itself writes before an answer, such as a role's name; most write nothing."""
        slot = next((slot for slot in self.template.format_assistant.slots if isinstance(slot, str)), "")
        return str(slot.partition("{{content}}")[0]).strip()

    def _head(self, source: list[int], asked: str, system: str | None) -> str:
        """A system prompt that the row does not have; empty where there is none. And a lost one, in words."""
        text = self._decode(source)
        if system:
            return "" if self._round(system) in text else f"the row's own is lost: {_short(system, 80)}"
        head = text.partition(self._round(asked))[0]
        words = _MARK.sub("", head).strip()
        return words if len(words) > _HEAD else ""

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _round(self, text: str) -> str:
        """Text as the tokenizer gives it back: some normalise it."""
        return self._decode(self.tokenizer.encode(text, add_special_tokens=False))

    def tokenise(self, rows: Any, to: Path, on_cut: str) -> None:
        """All rows, with LLaMA-Factory's own processor; the tokens go to `to`, which appears when it is whole."""
        loader: Any = importlib.import_module("llamafactory.data.loader")
        notes = Path(tempfile.mkdtemp(prefix=".counting-", dir=to.parent))
        name = "PackedSupervisedDatasetProcessor" if self.data_args.packing else "SupervisedDatasetProcessor"
        setattr(loader, name, counting(getattr(loader, name), str(notes), on_cut == "drop", self._stops()))
        staged = to.with_name(f".{to.name}.tmp")
        shutil.rmtree(staged, ignore_errors=True)
        try:
            staged.mkdir()
            made = self._made(loader, rows, notes)
            self.facts["sequences"] = len(made) if made is not None else 0
            self.facts["counts"] = _count(notes, staged / "left-out.jsonl")
            if made is not None:
                datasets: Any = importlib.import_module("datasets")
                datasets.DatasetDict({"train": made}).save_to_disk(str(staged))
        finally:
            shutil.rmtree(notes, ignore_errors=True)
        counts = self.facts["counts"]
        if counts["dropped"] or (on_cut == "fail" and counts["cut"]) or not counts["tokenised"]:
            shutil.rmtree(staged, ignore_errors=True)
            return
        (staged / "facts.json").write_text(json.dumps(self.facts), "utf-8")
        staged.rename(to)

    def _made(self, loader: Any, rows: Any, notes: Path) -> Any:
        """The tokenised dataset; None where every row was left out, which LLaMA-Factory takes for an error."""
        try:
            return loader._get_preprocessed_dataset(
                rows, self.data_args, self.training_args, "sft", self.template, **self.modules
            )
        except RuntimeError:
            fates = {note[1] for note in _notes(notes)}
            if fates <= {"dropped", "cut-out"}:
                return None
            raise

    def _stops(self) -> list[int]:
        return sorted({*self.template.get_stop_token_ids(self.tokenizer), self.tokenizer.eos_token_id} - {None})


class Remembered:
    """A template that gives the encodings again that were made to measure them."""

    def __init__(self, template: Any) -> None:
        self.template = template
        self.made: deque[Any] = deque()

    def __getattr__(self, name: str) -> Any:
        if name in ("template", "made"):  # not there yet while it is unpickled
            raise AttributeError(name)
        return getattr(self.template, name)

    def encode_multiturn(self, *args: Any, **more: Any) -> Any:
        """The next encoding, whatever is asked: rows come in the order in which they were measured."""
        return self.made.popleft()


def counting(parent: Any, notes: str, drop: bool, stops: list[int]) -> Any:
    """LLaMA-Factory's processor, which also notes what became of each row. Rows are encoded once.

    A note: row, fate, full length, kept length, trained tokens, whether it ends with a stop token, whether it has a
    system prompt, highest token id. Defined in a function, so that worker processes get it by value.
    """

    class Counting(parent):  # type: ignore[misc]  # a class that only the training interpreter has
        template: Any

        def preprocess_dataset(self, examples: Any) -> Any:
            if not isinstance(self.template, Remembered):
                self.template = Remembered(self.template)
            self.noted: list[list[Any]] = []
            self.current: deque[list[Any]] = deque()
            kept = [number for number in range(len(examples["_row"])) if self.keeps(examples, number)]
            chosen = {name: [values[number] for number in kept] for name, values in examples.items()}
            made = super().preprocess_dataset(chosen)
            with open(f"{notes}/{os.getpid()}.jsonl", "a", encoding="utf-8") as file:  # noqa: PTH123
                file.writelines(json.dumps(note) + "\n" for note in self.noted)
            return made if made else {"input_ids": []}

        def keeps(self, examples: Any, number: int) -> bool:
            note, pairs = measured(self, {name: values[number] for name, values in examples.items()}, stops)
            if drop and note[1] == "cut":
                note[1] = "cut-out"
            self.noted.append(note)
            if note[1] in ("dropped", "cut-out"):
                return False
            self.template.made.append(pairs)
            self.current.append(note)
            return True

        def _encode_data_example(self, *args: Any, **more: Any) -> Any:
            ids, labels = super()._encode_data_example(*args, **more)
            note = self.current.popleft()
            note[3], note[4], note[7] = len(ids), sum(1 for label in labels if label != -100), max(ids, default=0)
            return ids, labels

    return Counting


def measured(processor: Any, example: dict[str, Any], stops: list[int]) -> tuple[list[Any], Any]:
    """The note of one row before it is cut, and its encoding."""
    prompt, response, system = example["_prompt"], example["_response"], example["_system"]
    if _invalid(prompt, response):
        return [example["_row"], "dropped", 0, 0, 0, False, bool(system), 0], None
    real, settings = processor.template.template, processor.data_args
    hidden = settings.mask_history and not real.preserve_thinking
    messages = real.mm_plugin.process_messages(prompt + response, [], [], [], processor.processor)
    pairs = real.encode_multiturn(processor.tokenizer, messages, system, example["_tools"], hidden)
    full = sum(len(source) + len(target) for source, target in pairs) + (1 if real.efficient_eos else 0)
    ends = bool(real.efficient_eos or any(token in stops for token in pairs[-1][1][-4:]))
    fate = "cut" if full > settings.cutoff_len else "whole"
    return [example["_row"], fate, full, 0, 0, ends, bool(system), 0], pairs


def _count(notes: Path, left: Path) -> dict[str, Any]:
    """Add the notes up. Rows that were cut or left out go to `left`, with the reason."""
    sums: dict[str, Any] = dict.fromkeys(
        ("tokenised", "dropped", "cut", "cut_out", "tokens", "trained", "lost", "longest", "highest"), 0
    ) | dict.fromkeys(("no_stop", "untrained", "no_system"), 0)
    sums["named"] = {"dropped": [], "cut": [], "no_stop": [], "untrained": []}
    with left.open("w", encoding="utf-8") as file:
        for row, fate, full, kept, trained, ends, system, highest in _notes(notes):
            sums["longest"], sums["highest"] = max(sums["longest"], full), max(sums["highest"], highest)
            sums["no_system"] += not system
            if fate != "whole":
                _name(sums, "dropped" if fate == "dropped" else "cut", row)
                sums["cut_out"] += fate == "cut-out"
                file.write(json.dumps({"row": row, "fate": fate, "tokens": full, "kept": kept}) + "\n")
            if fate in ("dropped", "cut-out"):
                continue
            sums["tokenised"] += 1
            sums["tokens"], sums["trained"], sums["lost"] = (
                sums["tokens"] + kept, sums["trained"] + trained, sums["lost"] + full - kept
            )  # fmt: skip
            if not ends:
                _name(sums, "no_stop", row)
            if not trained:
                _name(sums, "untrained", row)
    return sums


def _notes(folder: Path) -> Iterator[list[Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def _name(sums: dict[str, Any], group: str, row: int) -> None:
    """Count a row, and name it while they are few."""
    sums[group] += 1
    if len(sums["named"][group]) < NAMED:
        sums["named"][group].append(row)


def _nearest(key: str, known: list[str]) -> str | None:
    near = difflib.get_close_matches(key, known, 1)
    return near[0] if near else None


def _invalid(prompt: Any, response: Any) -> bool:
    return len(prompt) % 2 != 1 or len(response) != 1


def _marks(template: Any) -> set[str]:
    """The special tokens that a template writes, such as <|im_start|>."""
    slots = [template.format_user, template.format_assistant, template.format_system, template.format_prefix]
    texts = [slot for one in slots for slot in one.slots if isinstance(slot, str)]
    return {mark for text in [*texts, *template.stop_words] for mark in _MARK.findall(text)}


def _difference(told: str, said: str) -> str:
    """Where the trained text leaves the trace."""
    start = next((at for at, (one, other) in enumerate(zip(told, said, strict=False)) if one != other), 0)
    return f"the dataset says {_short(told[start:], 80)!r}, trained is {_short(said[start:], 80)!r}"


def _short(text: str, most: int = _SHOWN) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} [...] {text[-most // 2 :]}"


def _line(error: BaseException) -> str:
    cause = error.__cause__
    said = str(error).strip() or type(error).__name__
    return f"{said} ({_line(cause)})" if cause is not None and str(cause) not in said else said


def main() -> int:
    """0: the facts are written, whatever they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--on-cut", choices=["keep", "drop", "fail"], default="keep")
    parser.add_argument("--workers", type=int, default=1)
    flags = parser.parse_args()
    process.end_with_parent()
    folder = flags.job.absolute().parent
    out, to = flags.out.absolute(), flags.to.absolute() if flags.to else None
    job = json.loads(flags.job.read_text("utf-8"))
    os.chdir(folder)
    importlib.import_module("datasets").disable_caching()
    omega: Any = importlib.import_module("omegaconf").OmegaConf
    rows = Rows(folder, omega.to_container(omega.load(folder / job["args"])), flags.workers)
    with contextlib.suppress(Stop):
        rows.parse()
        rows.load_template()
        read = rows.read()
        rows.sample(read)
        if to is not None:
            to.parent.mkdir(parents=True, exist_ok=True)
            rows.tokenise(read, to, flags.on_cut)
    out.write_text(json.dumps(rows.facts), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
