import time

import pytest

from curate.verifiers.program import blocks, find_program

STARTER = 'def add(a: int, b: int) -> int:\n    """Sum."""\n'


def fenced(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}\n```\n"


def test_the_last_python_block_wins() -> None:
    text = fenced("print(1)") + "better:\n" + fenced("print(2)")
    assert find_program(text, entry=None, starter=None) == "print(2)\n"


def test_a_sample_output_block_is_not_the_program() -> None:
    for sample in ("3", "YES\nNO", "[1, 2]", "Hello, world!", "1 2 3"):
        text = fenced("print(input())", "") + "It prints:\n" + fenced(sample, "")
        assert find_program(text, entry=None, starter=None) == "print(input())\n"
        assert find_program(fenced("print(1)") + fenced(sample), entry=None, starter=None) == "print(1)\n"
        assert find_program(fenced(sample, ""), entry=None, starter=None) is None


def test_other_languages_are_not_candidates() -> None:
    assert find_program(fenced("int main() {}", "cpp"), entry=None, starter=None) is None
    text = fenced("print(1)") + fenced("python add.py", "bash") + fenced("1", "output")
    assert find_program(text, entry=None, starter=None) == "print(1)\n"


def test_tagged_blocks_come_before_untagged_ones() -> None:
    text = fenced("print(1)", "py") + fenced("x = 2", "")
    assert find_program(text, entry=None, starter=None) == "print(1)\n"


def test_a_usage_example_is_not_the_definition() -> None:
    text = fenced("def add(a, b):\n    return a + b") + "Use it so:\n" + fenced("print(add(1, 2))")
    for starter in (None, STARTER):
        assert find_program(text, entry="add", starter=starter) == "def add(a, b):\n    return a + b\n"


def test_a_method_of_a_class_is_a_definition() -> None:
    text = fenced("class Solution:\n    def add(self, a, b):\n        return a + b") + fenced("Solution().add(1, 2)")
    program = find_program(text, entry="add", starter=None)
    assert program is not None
    assert program.startswith("class Solution")


def test_an_open_fence_runs_to_the_end() -> None:
    assert find_program("Here:\n```python\nprint(1)\n", entry=None, starter=None) == "print(1)\n"
    assert [block.text for block in blocks("```python\na\n```python\nb\n```")] == ["a\n", "b\n"]


def test_tildes_longer_fences_and_indentation() -> None:
    assert find_program("~~~python\nprint(1)\n~~~", entry=None, starter=None) == "print(1)\n"
    assert find_program("````python\nprint('''\n```\n''')\n````", entry=None, starter=None) == "print('''\n```\n''')\n"


def test_text_without_a_fence() -> None:
    assert find_program("def add(a, b):\n    return a + b", entry="add", starter=None) is not None
    assert find_program("I could not solve it.", entry=None, starter=None) is None
    assert find_program("42", entry=None, starter=None) is None
    assert find_program("", entry="add", starter=STARTER) is None
    assert find_program("  \n ", entry="add", starter=STARTER) is None


def test_a_program_that_does_not_compile_is_still_the_program() -> None:
    assert find_program(fenced("print(1"), entry=None, starter=None) == "print(1\n"
    assert find_program("def add(a, b:\n    return a", entry="add", starter=None) is not None
    assert find_program("    return (a", entry="add", starter=STARTER) == STARTER + "    return (a"


@pytest.mark.parametrize(
    "body", ["    return a + b\n", "return a + b", "\n    c = a + b\n    return c\n", "c = a + b\nreturn c"]
)
def test_the_starter_is_completed_by_a_body(body: str) -> None:
    for text in (body, fenced(body)):
        program = find_program(text, entry="add", starter=STARTER)
        assert program is not None
        space: dict[str, object] = {}
        exec(program, space)  # our own text
        assert space["add"](1, 2) == 3  # type: ignore[operator]


def test_a_full_definition_stands_without_the_starter() -> None:
    code = "def add(a, b):\n    return a + b"
    assert find_program(code, entry="add", starter=STARTER) == code


def test_thinking_is_not_the_answer() -> None:
    text = "<think>" + fenced("print(1)") + "</think>" + fenced("print(2)")
    assert find_program(text, entry=None, starter=None) == "print(2)\n"


@pytest.mark.parametrize(
    "code",
    [
        "(" * 100_000,
        "-" * 100_000 + "1",
        "x" + ".x" * 100_000,
        "1" + "+1" * 100_000,
        "print(" + "1" * 100_000 + ")",
        "not " * 100_000 + "1",
        "lambda:" * 100_000 + "1",
        "\0print(1)",
        "x = '\\d'",
        "print(1)\n" * 200_000,
    ],
)
def test_hostile_programs_are_found_without_harm(code: str) -> None:
    started = time.process_time()
    assert find_program(fenced(code), entry="f", starter=None) is not None
    assert time.process_time() - started < 10


def test_many_fences_take_linear_time() -> None:
    started = time.process_time()
    find_program("```python\n" * 20_000, entry=None, starter=None)
    find_program("```\nx\n```\n" * 20_000, entry=None, starter=None)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("code", ["x=1\n" * 250_000, "1" + "<1" * 500_000, "*a," * 300_000, "(A) " * 250_000])
def test_a_megabyte_of_code_is_not_parsed_here(code: str) -> None:
    """Parsing holds the interpreter, and with it the event loop: it would be some seconds."""
    started = time.process_time()
    assert find_program(fenced(code), entry="f", starter="def f():\n") is not None
    assert time.process_time() - started < 1


def test_a_fence_within_a_list_is_not_indented_code() -> None:
    text = "1. Do:\n\n   ```python\n   n=int(input())\n   print(n+1)\n   ```"
    assert find_program(text, entry=None, starter=None) == "n=int(input())\nprint(n+1)\n"
    text = "  ```python\nfor i in x:\n  print(i)\n  ```"  # the code itself is not indented
    assert find_program(text, entry=None, starter=None) == "for i in x:\n  print(i)\n"


@pytest.mark.parametrize("tag", ["python:main.py", "python {.numbered}", "{.python .numbered}"])
def test_a_tag_may_say_more_than_the_language(tag: str) -> None:
    assert [block.tag for block in blocks(fenced("print(1)", tag))] == ["python"]


def test_tags_of_thinking_within_code_are_code() -> None:
    code = "# <think>\nprint(1)\n# </think>\nprint('</think>')"
    for text in (code, fenced(code), "<think>print(2)</think>" + fenced(code)):
        program = find_program(text, entry=None, starter=None)
        assert program is not None
        assert program.rstrip("\n") == code


def test_a_fence_that_is_none_takes_linear_time() -> None:
    started = time.process_time()
    assert blocks("```" + " " * 200_000 + "`\n") == []
    assert time.process_time() - started < 1


@pytest.mark.parametrize("tail", ["```", "```\n", "```\n\n", "  ```"])
def test_marks_behind_the_last_line_of_code_close_the_block(tail: str) -> None:
    found = find_program(f"So:\n\n```python\nprint(1){tail}", entry=None, starter=None)
    assert found is not None
    assert found.rstrip() == "print(1)"
