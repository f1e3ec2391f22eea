"""Makes a dataset in OpenThoughts' `metadata` schema from real data, with planted faults, and says what each row is.

    python -m tests.audit_faults DATA OUT.jsonl [--rows 10000] [--each 100]

Some plants are traps: rows that a careless judge rejects and that must pass. `EXPECTED` says of each kind which
outcomes (and reasons) are right, and why.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.audit_programs import Program, load

Row = dict[str, Any]
Make = Callable[["Pools"], list[Row]]

# kind -> the right outcomes. A reason is named where only one is right.
EXPECTED: dict[str, set[str]] = {
    "untouched": {"pass"},
    # Code: what crashes, loops or is absent has not solved the problem, whatever it printed before.
    "right_then_crash": {"fail/runtime_error"},
    "right_on_first_test_then_crash": {"fail/runtime_error"},
    "garbage_after_call_row": {"fail/wrong_answer"},  # a judge that a call-based row spoils passes it
    "call_row_before_it": {"pass"},
    "two_fences_with_output": {"pass"},  # the last fence is the sample output, not the program
    "two_programs_last_wrong": {"fail"},  # the last program is the answer
    "null_test_cases": {"unsure/no_verifier"},  # nothing to verify with: neither right nor wrong, nor our error
    "looping": {"fail/time_limit"},
    "truncated_program": {"fail"},
    "prints_debug": {"fail/wrong_answer"},  # its output is not the answer
    "prints_debug_in_call": {"pass"},  # the value counts, and it is right
    "exits_before_answering": {"fail"},
    "missing_function": {"fail"},
    "syntax_error": {"fail/compile_error"},
    "infinite_recursion": {"fail"},
    "no_code": {"fail/no_code"},
    "prints_instead_of_returning": {"fail/wrong_answer"},
    "empty_solution": {"fail/no_answer"},
    "python_literal_tests": {"pass"},  # tests that are no JSON, yet can be read
    "tokens_reversed": {"fail/wrong_answer"},  # the same tokens in another order
    "extra_white_space": {"pass"},
    "exit_code_3": {"fail/runtime_error"},
    "starter_completed": {"pass"},  # the body alone completes the starter code
    "memory_hog": {"fail"},
    # Math
    "wrong_value": {"fail"},  # real wrong outputs of real models
    "off_by_one": {"fail/wrong_answer"},
    "boxed_only_in_reasoning": {"fail/no_answer"},  # the solution is what the student learns to say
    "boxed_only_in_thought_of_trace": {"fail/no_answer"},
    "gold_with_thousands_separators": {"pass"},
    "truncated_trace": {"fail/truncated"},
    "cut_in_the_box": {"fail", "unsure"},  # what stands before the cut may or may not be the whole answer
    "wrong_units": {"fail", "unsure"},
    "corrects_itself": {"pass"},  # the last box counts
    "corrects_itself_wrongly": {"fail"},
    "full_trace": {"pass"},
    "equal_form": {"pass"},  # 3/4 and 0.75
}
OPEN = frozenset({"cut_in_the_box"})  # planted half as often: no verdict but `unsure` is certainly right
_NUMBER = re.compile(r"#### (-?[\d,]+)$")
_UNITS = [("cm", "m"), ("kg", "g"), ("hours", "minutes"), ("km", "miles"), ("dollars", "cents")]
_WRONG = "print('garbage')\n"


class Pools:
    """The real material, drawn from by a seeded generator."""

    def __init__(self, data: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.gsm8k = list(_gsm8k(data))
        outputs = list(_outputs(data))
        self.right = [one for one in outputs if one["correct"]]
        self.wrong = [one for one in outputs if not one["correct"]]
        self.math = [*_math500(data)]
        programs = load(data)
        self.programs = programs
        self.stdin = [one for one in programs if one.form == "stdin"]
        self.call = [one for one in programs if one.form == "call"]
        self.check = [one for one in programs if one.form == "check"]

    def one(self, pool: list[Any]) -> Any:
        """One of a pool."""
        return self.rng.choice(pool)


class Worked(NamedTuple):
    """A GSM8K question with its worked answer and the number that it ends in."""

    question: str
    gold: str
    value: int


def _gsm8k(data: Path) -> Iterator[Worked]:
    with gzip.open(data / "gsm8k" / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if number := _NUMBER.search(row["answer"]):
                yield Worked(row["question"], row["answer"], int(number[1].replace(",", "")))


def _outputs(data: Path) -> Iterator[Row]:
    """Real answers of four models to GSM8K, labelled."""
    with gzip.open(data / "gsm8k" / "example_model_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            gold = row["ground_truth"].replace("\nA: ", "\n#### ")
            for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
                yield _math(row["question"], gold, row[model]["solution"], correct=row[model]["is_correct"])


def _math500(data: Path) -> Iterator[Row]:
    for line in (data / "limo_eval" / "math.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        solution = f"Working it out step by step gives the result.\n\n**Answer:** \\[\\boxed{{{row['answer']}}}\\]"
        yield _math(row["problem"], row["solution"], solution, source="math")


def _math(problem: str, gold: str, solution: str | None, **fields: Any) -> Row:
    reasoning = fields.pop("reasoning", "Let me think about it. " + problem[:80])
    return {
        "problem": problem,
        "deepseek_reasoning": reasoning,
        "deepseek_solution": solution,
        "ground_truth_solution": gold,
        "domain": "math",
        "source": fields.pop("source", "gsm8k"),
        "test_cases": None,
        "starter_code": None,
        "correct": fields.pop("correct", True),
    }


def _code(program: Program, source: str | None = None, **fields: Any) -> Row:
    """A code row. `solution` overrides the whole text, `tests` and `starter` what their names say."""
    text = program.source if source is None else source
    solution = fields.get("solution", f"The idea is short.\n\n```python\n{text}```\n\nThis handles every case.")
    starter = program.starter if program.form in ("check", "call") else None
    return {
        "problem": program.problem,
        "deepseek_reasoning": "First I read the statement again.",
        "deepseek_solution": solution,
        "ground_truth_solution": None,
        "domain": "code",
        "source": program.name.split("/")[0].split()[0],
        "test_cases": fields.get("tests", json.dumps(program.tests)),
        "starter_code": starter,
        "correct": True,
    }


def _boxed(one: Worked, value: object) -> str:
    text = re.sub(r"<<[^>]*>>", "", one.gold.split("\n####")[0])
    return f"{text}\n\nThe final answer is $\\boxed{{{value}}}$."


def untouched(pools: Pools) -> Row:
    """A right row: a third code, the rest math, half of that real outputs of real models."""
    draw = pools.rng.random()
    if draw < 0.3:
        program = pools.one(pools.programs)
        fence = pools.one(["python", "py", "Python", ""])
        return _code(program, solution=f"**Approach.** As below.\n\n```{fence}\n{program.source}```")
    if draw < 0.4:
        return dict(pools.one(pools.math))
    if draw < 0.7:
        return dict(pools.one(pools.right))
    one = pools.one(pools.gsm8k)
    return _math(one.question, one.gold, _boxed(one, one.value))


def _any(pools: Pools) -> Program:
    return pools.one(pools.one([pools.stdin, pools.call]))


def _wrapped(program: Program, body: str) -> str:
    """The function renamed and a new one of its name around it; `inner` is the old one."""
    return f"{program.source}\n\ninner = {program.entry}\n\n\ndef {program.entry}(*arguments):\n{body}"


def _crash_later(pools: Pools) -> Row:
    program = pools.one(pools.call)
    second = program.tests["inputs"][1]
    if program.tests["inputs"].index(second) == 0:
        second = next((one for one in program.tests["inputs"] if one != program.tests["inputs"][0]), second)
    body = (
        f"    if list(arguments) == {second!r}:\n        raise ValueError('unexpected')\n    return inner(*arguments)\n"
    )
    return _code(program, _wrapped(program, body))


def _after_call_row(pools: Pools) -> list[Row]:
    return [_code(pools.one(pools.call)), _code(pools.one(pools.stdin), _WRONG)]


def _looping(pools: Pools) -> Row:
    program = _any(pools)
    if program.entry:
        return _code(program, _wrapped(program, "    while True:\n        pass\n"))
    return _code(program, program.source + "\nwhile True:\n    pass\n")


def _cut_program(pools: Pools) -> Row:
    program = pools.one([one for one in pools.call if len(one.body or "") > 60])
    at = len(program.starter or "") + pools.rng.randrange(5, len(program.body or "") // 2)
    return _code(program, solution=f"The program:\n\n```python\n{program.source[:at]}")


def _exits(pools: Pools) -> Row:
    program = _any(pools)
    return _code(program, f"import sys\n\nsys.exit(0)\n{program.source}")


def _missing(pools: Pools) -> Row:
    program = pools.one(pools.call)
    row = _code(program, re.sub(rf"\b{program.entry}\b", "my_function", program.source))
    return row | {"starter_code": None}


def _syntax(pools: Pools) -> Row:
    program = _any(pools)
    return _code(program, f"{program.source}\nfor each in range(3)\n    print(each)\n")


def _recursion(pools: Pools) -> Row:
    program = _any(pools)
    if program.entry:
        return _code(program, _wrapped(program, f"    return {program.entry}(*arguments)\n"))
    return _code(program, f"def again(n):\n    return again(n + 1)\n\n\nagain(0)\n{program.source}")


def _reversed(pools: Pools) -> Row:
    def several(program: Program) -> bool:
        return any(one.split() != one.split()[::-1] for one in program.tests["outputs"])

    program = pools.one([one for one in pools.stdin if several(one)])
    turn = "show = print\n\n\ndef print(*parts):\n    show(*' '.join(map(str, parts)).split()[::-1])\n\n\n"
    return _code(program, turn + program.source)


def _spaced(pools: Pools) -> Row:
    program = pools.one(pools.stdin)
    wide = "show = print\n\n\ndef print(*parts):\n    show('  '.join(map(str, parts)) + '  \\n')\n\n\n"
    return _code(program, wide + program.source)


def _starter(pools: Pools) -> Row:
    program = pools.one(pools.check)
    return _code(program, solution=f"Completing the function:\n\n```python\n{program.body}```")


def _literal_tests(pools: Pools) -> Row:
    program = _any(pools)
    return _code(program, tests=repr(program.tests | {"note": None}))


def _thousands(pools: Pools) -> Row:
    one = pools.one([one for one in pools.gsm8k if abs(one.value) >= 1000])
    comma = pools.one([",", "{,}", "\\,"])
    separated = f"{one.value:,}".replace(",", comma)
    if pools.rng.random() < 0.5:
        return _math(one.question, f"So it is $\\boxed{{{separated}}}$.", _boxed(one, one.value))
    return _math(one.question, re.sub(r"#### .*", f"#### {one.value:,}", one.gold), _boxed(one, one.value))


def _in_reasoning(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    solution = "The quantities add up as shown above, which settles the question."
    return _math(one.question, one.gold, solution, reasoning=_boxed(one, one.value))


def _in_thought(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    end = "As shown, all parts have been added up."
    if pools.rng.random() < 0.5:
        return _math(one.question, one.gold, f"<think>\n{_boxed(one, one.value)}\n</think>\n\n{end}")
    thought = f"<|begin_of_thought|>\n\n{_boxed(one, one.value)}\n\n<|end_of_thought|>"
    return _math(one.question, one.gold, f"{thought}\n\n<|begin_of_solution|>\n\n{end}\n\n<|end_of_solution|>")


def _truncated(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    text = _boxed(one, one.value)
    forms = [
        f"<think>\n{text}",
        f"<|begin_of_thought|>\n\n{text}",
        f"<|begin_of_thought|>\n\n{text}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n{text[: len(text) // 2]}",
    ]
    return _math(one.question, one.gold, pools.one(forms))


def _cut_box(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    return _math(one.question, one.gold, _boxed(one, one.value).removesuffix("}$."))


def _units(pools: Pools) -> Row:
    one = pools.one([one for one in pools.gsm8k if one.value])
    right, wrong = pools.one(_UNITS)
    gold = f"It is \\boxed{{{one.value}\\text{{ {right}}}}}."
    return _math(one.question, gold, _boxed(one, f"{one.value}\\text{{ {wrong}}}"))


def _corrects(pools: Pools, *, right: bool) -> Row:
    one = pools.one(pools.gsm8k)
    first, last = (one.value + 7, one.value) if right else (one.value, one.value + 7)
    solution = f"At first it looks like \\boxed{{{first}}}.\n\nBut a step was left out. {_boxed(one, last)}"
    return _math(one.question, one.gold, solution)


def _trace(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    thought = f"<|begin_of_thought|>\n\nMaybe \\boxed{{{one.value + 3}}}?\n\n<|end_of_thought|>"
    solution = f"<|begin_of_solution|>\n\n{_boxed(one, one.value)}\n\n<|end_of_solution|>"
    return _math(one.question, one.gold, f"{thought}\n\n{solution}")


def _equal(pools: Pools) -> Row:
    top, bottom = pools.rng.randrange(1, 60), pools.one([2, 4, 5, 8, 20])
    gold, answer = f"\\frac{{{top}}}{{{bottom}}}", str(top / bottom)
    if pools.rng.random() < 0.5:
        gold, answer = answer, gold
    return _math(f"What is {top} over {bottom}?", f"It is \\boxed{{{gold}}}.", f"We get \\boxed{{{answer}}}.")


def _off(pools: Pools) -> Row:
    one = pools.one(pools.gsm8k)
    return _math(one.question, one.gold, _boxed(one, one.value + pools.one([-1, 1])))


def _stdin(change: Callable[[str], str]) -> Make:
    def make(pools: Pools) -> list[Row]:
        program = pools.one(pools.stdin)
        return [_code(program, change(program.source))]

    return make


def _single(make: Callable[[Pools], Row]) -> Make:
    return lambda pools: [make(pools)]


def _in_call(body: str) -> Make:
    def make(pools: Pools) -> list[Row]:
        program = pools.one(pools.call)
        return [_code(program, _wrapped(program, body))]

    return make


def _text(change: Callable[[Program], str | None]) -> Make:
    def make(pools: Pools) -> list[Row]:
        program = _any(pools)
        return [_code(program, solution=change(program))]

    return make


MAKERS: dict[str, Make] = {
    "right_then_crash": _stdin(lambda source: source + "\nraise RuntimeError('after the answer')\n"),
    "right_on_first_test_then_crash": _single(_crash_later),
    "garbage_after_call_row": _after_call_row,
    "two_fences_with_output": _text(lambda one: f"```python\n{one.source}```\n\nA run prints:\n\n```\n3\n1 2 3\n```\n"),
    "two_programs_last_wrong": _text(
        lambda one: (
            f"```python\n{one.source}```\n\nShorter:\n\n```python\n"
            + (f"def {one.entry}(*arguments):\n    return 'garbage'\n```" if one.entry else f"{_WRONG}```")
        )
    ),
    "null_test_cases": lambda pools: [_code(_any(pools), tests=None)],
    "looping": _single(_looping),
    "truncated_program": _single(_cut_program),
    "prints_debug": _stdin(lambda source: f"print('debug: reading')\n{source}"),
    "prints_debug_in_call": _in_call("    print('debug', arguments)\n    return inner(*arguments)\n"),
    "exits_before_answering": _single(_exits),
    "missing_function": _single(_missing),
    "syntax_error": _single(_syntax),
    "infinite_recursion": _single(_recursion),
    "no_code": _text(lambda one: "One sorts the items and then counts the pairs, which is fast enough."),
    "prints_instead_of_returning": _in_call("    print(inner(*arguments))\n"),
    "empty_solution": lambda pools: [
        pools.one([untouched(pools)]) | {"deepseek_solution": pools.one(["", None, " \n"])}
    ],
    "python_literal_tests": _single(_literal_tests),
    "tokens_reversed": _single(_reversed),
    "extra_white_space": _single(_spaced),
    "exit_code_3": _stdin(lambda source: f"{source}\nimport sys\n\nsys.exit(3)\n"),
    "starter_completed": _single(_starter),
    "memory_hog": _stdin(lambda source: f"hog = [bytearray(1 << 28) for _ in range(64)]\n{source}"),
    "wrong_value": lambda pools: [dict(pools.one(pools.wrong))],
    "off_by_one": _single(_off),
    "boxed_only_in_reasoning": _single(_in_reasoning),
    "boxed_only_in_thought_of_trace": _single(_in_thought),
    "gold_with_thousands_separators": _single(_thousands),
    "truncated_trace": _single(_truncated),
    "cut_in_the_box": _single(_cut_box),
    "wrong_units": _single(_units),
    "corrects_itself": lambda pools: [_corrects(pools, right=True)],
    "corrects_itself_wrongly": lambda pools: [_corrects(pools, right=False)],
    "full_trace": _single(_trace),
    "equal_form": _single(_equal),
}


def make(data: Path, rows: int, each: int, seed: int = 1, fewer: dict[str, int] | None = None) -> list[tuple[str, Row]]:
    """`rows` rows with `each` of every plant (`fewer`: of these kinds so many), mixed; each with its kind.

    `correct` is the label that the row deserves, None where it deserves neither.
    """
    pools = Pools(data, seed)
    groups: list[list[tuple[str, Row]]] = []
    for kind, maker in MAKERS.items():
        count = each // 2 if kind in OPEN else each
        for _ in range((fewer or {}).get(kind, count)):
            made = maker(pools)
            kinds = ["call_row_before_it", kind] if len(made) == 2 else [kind]
            groups.append([(name, _labelled(name, row)) for name, row in zip(kinds, made, strict=True)])
    planted = sum(map(len, groups))
    groups += [[("untouched", untouched(pools))] for _ in range(rows - planted)]
    pools.rng.shuffle(groups)
    return [one for group in groups for one in group]


def _labelled(kind: str, row: Row) -> Row:
    outcomes = {one.partition("/")[0] for one in EXPECTED[kind]}
    return row | {"correct": True if outcomes == {"pass"} else None if kind == "null_test_cases" else False}


def write(rows: list[tuple[str, Row]], path: Path) -> None:
    """Write the rows as JSON lines; a `.kinds.json` beside them holds the kinds."""
    with path.open("w", encoding="utf-8") as file:
        for _, row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    path.with_suffix(".kinds.json").write_text(json.dumps([kind for kind, _ in rows]))


def misjudged(kinds: list[str], found: list[Row]) -> list[tuple[int, str, str, str]]:
    """The rows whose outcome is not the right one: row, kind, what was found, its evidence."""
    wrong = []
    for number, (kind, one) in enumerate(zip(kinds, found, strict=True)):
        if not {one["outcome"], f"{one['outcome']}/{one['reason']}"} & EXPECTED[kind]:
            wrong.append((number, kind, f"{one['outcome']}/{one['reason']}", one["evidence"]))
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=100)
    args = parser.parse_args()
    write(make(args.data, args.rows, args.each), args.out)
