"""Sets of math problems with a stated answer: GSM8K, MATH, MATH-500, AIME, AMC, LIMO, OpenR1, OpenMathInstruct-2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.errors import InputError
from curate.kinds import Source
from curate.records import Answer, Drop, Question
from curate.sources._published import Published
from curate.sources.aime import Aime
from curate.sources.amc23 import Amc23
from curate.sources.gsm8k import Gsm8k
from curate.sources.limo import Limo
from curate.sources.math import SUBJECTS, Math
from curate.sources.math500 import Math500
from curate.sources.minerva import Minerva
from curate.sources.olympiadbench import Olympiadbench
from curate.sources.open_math_instruct import OpenMathInstruct
from curate.sources.openr1_math import OpenR1Math
from curate.sources.still2 import Still2
from curate.verifiers.math import decide

Lines = Callable[..., Path]


def answers(source: Source) -> list[str]:
    found = [item.truth for item in source.read() if isinstance(item, Question)]
    assert all(isinstance(truth, Answer) for truth in found)
    return [truth.text for truth in found if isinstance(truth, Answer)]


def reasons(source: Source) -> list[str]:
    return [item.reason for item in source.read() if isinstance(item, Drop)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Gsm8k(), ["28", "1,220", "1.75"]),
        (Math(), ["6", r"\frac{3}{2}", "30"]),
        (Math500(), [r"\frac{19}{12}", "5", "(-3,3)"]),
        (Limo(), ["24", r"\frac{1}{6}"]),
        (OpenR1Math(), ["1", "1", "B"]),
        (OpenMathInstruct(), ["3", "3", "19", r"\frac{3}{4}"]),
        (Amc23(), ["120", "5"]),
        (Amc23(repo="AI-MO/aimo-validation-amc"), ["14", "2.25"]),
        (Minerva(), ["1.2", "196", "2e^{-3t}"]),
        (Olympiadbench(), ["2,3", "$(n-1)!$", "2"]),
        (Aime(), ["012", "001"]),
        (Aime(year=2024, repo="Maxwell-Jia/AIME_2024"), ["126", "195"]),
        (Aime(year=2025), ["42", "10"]),
        (Aime(year=2025, repo="opencompass/AIME2025"), ["24", "959"]),
    ],
)
def test_the_bundled_answers(source: Published, expected: list[str]) -> None:
    assert answers(source.rehearsal()) == expected
    for text in expected:
        assert decide(text, text) is True


def test_leading_zeros_of_aime_are_no_digits_of_the_answer() -> None:
    assert decide("012", "12") is True
    assert decide("012", "120") is False


def test_gsm8k_reads_the_last_mark_and_wants_a_solution_before_it(lines: Lines) -> None:
    path = lines(
        {"question": "q", "answer": "#### 3 of them\nwork\n#### -1,234.5 "},
        {"question": "q", "answer": "work without a mark"},
        {"question": "q", "answer": "work\n#### "},
        {"question": " ", "answer": "work\n#### 1"},
        {"question": "q", "answer": None},
    )
    assert answers(Gsm8k(path=path)) == ["-1,234.5"]
    assert reasons(Gsm8k(path=path)) == ["no_answer", "no_answer", "empty_problem", "no_solution"]


def test_math_reads_every_subject_and_wants_a_box(lines: Lines) -> None:
    hubs = Math(split="train+test").hubs()
    assert len(hubs) == 2 * len(SUBJECTS)
    assert hubs[1].data_files == ("algebra/test-*.parquet",)
    assert [hub.data_files for hub in Math(subjects=("geometry",)).hubs()] == [("geometry/train-*.parquet",)]
    path = lines({"problem": "p", "level": None, "type": None, "solution": "None."})
    assert reasons(Math(path=path)) == ["no_boxed"]


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        (r"So $x = \boxed 2$.", "2"),
        (r"First $\boxed{3}$, then $\boxed \frac{1}{2}$, as asked.", r"\frac{1}{2}"),
        (r"First $\boxed 3$, then $\boxed{4}$.", "4"),
        (r"So $\boxed {5}$ and $\fbox{6}$.", "6"),
    ],
)
def test_a_box_may_lack_its_braces(lines: Lines, solution: str, expected: str) -> None:
    assert answers(Math(path=lines({"problem": "p", "solution": solution}))) == [expected]


def test_math_reads_a_folder_with_a_file_for_each_part(tmp_path: Path) -> None:
    text = '{"problem": "p", "solution": "\\\\boxed{%s}"}\n'
    (tmp_path / "algebra-train.jsonl").write_text(text % 1)
    (tmp_path / "geometry-train.jsonl").write_text(text % 2)
    assert answers(Math(path=tmp_path, subjects=("geometry", "algebra"))) == ["2", "1"]
    with pytest.raises(InputError, match="no file for"):
        list(Math(path=tmp_path).read())


def test_openr1_drops_what_has_no_answer_and_loads_no_traces(lines: Lines) -> None:
    fixed = {"problem": "p", "solution": "s", "source": "olympiads", "uuid": "u"}
    path = lines(*({**fixed, "answer": answer} for answer in ("proof", "NotFound", None, "7")))
    assert answers(OpenR1Math(path=path)) == ["7"]
    assert reasons(OpenR1Math(path=path)) == ["no_answer"] * 3
    assert reasons(OpenR1Math(path=lines({**fixed, "source": None, "answer": "7"}), sources=("olympiads",))) == [
        "no_subset"
    ]
    assert [hub.data_files for hub in OpenR1Math().hubs()] == [("data/train-*.parquet",)]
    assert [hub.data_files for hub in OpenR1Math(config="extended").hubs()] == [("extended/train-*.parquet",)]


def test_a_choice_that_no_row_meets_is_told(lines: Lines) -> None:
    path = lines({"problem": "p", "solution": "s", "source": "olympiads", "uuid": "u", "answer": "7"})
    with pytest.raises(InputError, match="no row has olympiad as its 'source'") as caught:
        list(OpenR1Math(path=path, sources=("olympiad",)).read())
    assert caught.value.next == "its values are: olympiads"


def test_aime_is_of_one_year() -> None:
    with pytest.raises(ValidationError, match="not of the year 2025"):
        Aime(year=2025, repo="HuggingFaceH4/aime_2024")
    hubs = Aime(year=2025, repo="opencompass/AIME2025").hubs()
    assert [(hub.config, hub.split) for hub in hubs] == [("AIME2025-I", "test"), ("AIME2025-II", "test")]


@pytest.mark.parametrize(("answer", "expected"), [(27.0, "27"), ("27.0", "27"), ("-1.0", "-1"), (2.5, "2.5")])
def test_amc_answers_are_numbers(lines: Lines, answer: Any, expected: str) -> None:
    assert answers(Amc23(path=lines({"question": "q", "answer": answer}))) == [expected]


def test_still2_reads_science_and_puzzles_unless_told_otherwise() -> None:
    found = [item.domain for item in Still2().rehearsal().read() if isinstance(item, Question)]
    assert found == ["science", "puzzle", "science"]
    (math,) = Still2(domains=("math",)).rehearsal().read()
    assert isinstance(math, Question)
    assert math.domain == "math"


@pytest.mark.real
def test_the_real_files_are_read_whole(data_dir: Path) -> None:
    train = answers(Gsm8k(path=data_dir / "gsm8k/train.jsonl.gz"))
    assert len(train) == 7473
    assert all(text.lstrip("-").replace(",", "").replace(".", "").isdecimal() for text in train)
    assert len(answers(Gsm8k(path=data_dir / "gsm8k/test.jsonl"))) == 1319
    stated = answers(Math500(path=data_dir / "limo_eval/math.jsonl"))
    boxed = answers(Math(path=data_dir / "limo_eval/math.jsonl"))
    assert [decide(one, other) for one, other in zip(stated, boxed, strict=True)] == [True] * 500
    assert all(text.lstrip("-").isdecimal() for text in answers(Amc23(path=data_dir / "limo_eval/amc.jsonl")))
    for path, year in (("limo_eval/aime", 2024), ("nemo_aime24/test", 2024), ("nemo_aime25/test", 2025)):
        found = answers(Aime(year=year, path=data_dir / f"{path}.jsonl"))
        assert len(found) == 30
        assert all(0 <= int(text) <= 999 for text in found)


def test_a_copy_of_the_repository_is_read_as_the_hub_is(tmp_path: Path) -> None:
    for subject, answer in (("geometry", 2), ("algebra", 1)):
        (tmp_path / "math" / subject).mkdir(parents=True)
        rows = {"problem": ["p"], "level": ["Level 1"], "type": [subject], "solution": [rf"\boxed{{{answer}}}"]}
        pq.write_table(pa.table(rows), tmp_path / "math" / subject / "train-00000-of-00001.parquet")
    (tmp_path / "math" / "hendrycks_math.py").write_text("raise SystemExit('the script was run')")
    assert answers(Math(path=tmp_path / "math", subjects=("geometry", "algebra"))) == ["2", "1"]

    card = "---\nconfigs:\n" + "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train-*\n"
        for name in ("main", "socratic")
    )
    for name in ("main", "socratic"):
        (tmp_path / "gsm8k" / name).mkdir(parents=True)
        table = pa.table({"question": ["q"], "answer": [f"{name}\n#### {len(name)}"]})
        pq.write_table(table, tmp_path / "gsm8k" / name / "train-00000-of-00001.parquet")
    (tmp_path / "gsm8k" / "README.md").write_text(card + "---\n")
    assert answers(Gsm8k(path=tmp_path / "gsm8k")) == ["4"]
    assert answers(Gsm8k(path=tmp_path / "gsm8k", config="socratic")) == ["8"]
