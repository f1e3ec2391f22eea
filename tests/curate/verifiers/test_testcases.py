import base64
import json
import os
import pickle
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest

from curate.verifiers.testcases import UnreadableTests, read_tests
from sandbox.model import Assert, Call, Stdin


def compressed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def test_stdin_pairs() -> None:
    suite = read_tests(json.dumps({"inputs": ["3 4\n", ["1", "2"]], "outputs": ["7\n", ["3"]]}), {})
    assert suite.entry is None
    assert list(suite.cases) == [Stdin(input="3 4\n", expected="7\n"), Stdin(input="1\n2", expected="3")]


def test_scalars_as_lines() -> None:
    suite = read_tests(json.dumps({"inputs": [[1, 2.5]], "outputs": [7]}), {})
    assert list(suite.cases) == [Stdin(input="1\n2.5", expected="7")]


def test_call_pairs() -> None:
    suite = read_tests(json.dumps({"fn_name": "add", "inputs": [[1, 2], [[1], {"a": 2}]], "outputs": [3, [[1]]]}), {})
    assert suite.entry == "add"
    assert list(suite.cases) == [Call(args=[1, 2], expected=3), Call(args=[[1], {"a": 2}], expected=[[1]])]


def test_call_pairs_written_as_json_lines() -> None:
    suite = read_tests(json.dumps({"fn_name": "f", "inputs": ['["a"]\n2'], "outputs": ["false"]}), {})
    assert list(suite.cases) == [Call(args=[["a"], 2], expected=False)]


def test_a_null_function_name_means_stdin() -> None:
    assert read_tests(json.dumps({"fn_name": None, "inputs": ["1"], "outputs": ["1"]}), {}).entry is None


def test_python_literals() -> None:
    suite = read_tests("{'inputs': ['1\\n'], 'outputs': [\"it's\"], 'fn_name': None}", {})
    assert list(suite.cases) == [Stdin(input="1\n", expected="it's")]


def test_livecodebench_stdin_and_functional() -> None:
    assert list(read_tests(json.dumps([{"input": "1", "output": "2", "testtype": "stdin"}]), {}).cases) == [
        Stdin(input="1", expected="2")
    ]
    text = json.dumps([{"input": '[1, 2]\n"x"', "output": "true", "testtype": "functional"}])
    for meta in ({"func_name": "f"}, {"metadata": {"func_name": "f"}}, {"metadata": '{"func_name": "f"}'}):
        suite = read_tests(text, meta)
        assert suite.entry == "f"
        assert list(suite.cases) == [Call(args=[[1, 2], "x"], expected=True)]


def test_livecodebench_compressed() -> None:
    tests = [{"input": "1", "output": "2", "testtype": "stdin"}]
    for value in (json.dumps(tests), tests, {"input_output": json.dumps({"inputs": ["1"], "outputs": ["2"]})}):
        assert list(read_tests(compressed(value), {}).cases) == [Stdin(input="1", expected="2")]


def test_asserts_and_checks() -> None:
    assert list(read_tests('{"asserts": ["assert f(1) == 2"]}', {}).cases) == [Assert(code="assert f(1) == 2")]
    suite = read_tests(json.dumps({"check": "def check(c):\n    assert c(1) == 2\n", "entry_point": "f"}), {})
    assert suite.entry == "f"
    (case,) = suite.cases
    assert isinstance(case, Assert)
    assert case.code.rstrip().endswith("check(f)")


def test_long_integers_are_read() -> None:
    digits = "7" * 5000
    limit = sys.get_int_max_str_digits()
    for text in (
        f'{{"fn_name": "f", "inputs": [[{digits}]], "outputs": [-{digits}]}}',
        f"{{'fn_name': 'f', 'inputs': [[{digits}]], 'outputs': [-{digits}]}}",
    ):
        (case,) = read_tests(text, {}).cases
        assert isinstance(case, Call)
        assert case.args[0] == -case.expected == (10**5000 - 1) // 9 * 7
    (case,) = read_tests(f'{{"inputs": [[{digits}]], "outputs": [{digits}]}}', {}).cases
    assert case == Stdin(input=digits, expected=digits)
    assert sys.get_int_max_str_digits() == limit


def test_long_integers_are_read_in_many_threads() -> None:
    limit = sys.get_int_max_str_digits()
    text = f'{{"fn_name": "f", "inputs": [[{"7" * 20_000}]], "outputs": [1]}}'
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(20):
                read_tests(text, {})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sys.get_int_max_str_digits() == limit


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/veristill-owned",)


UNREADABLE = {
    "empty text": "",
    "null": "null",
    "number": "3",
    "prose": "see the statement",
    "broken JSON": '{"inputs": ["1"], "outputs": ["1"',
    "no tests": '{"inputs": [], "outputs": []}',
    "empty list": "[]",
    "different lengths": '{"inputs": ["1", "2"], "outputs": ["1"]}',
    "not lists": '{"inputs": "1", "outputs": "1"}',
    "null output": '{"inputs": ["1"], "outputs": [null]}',
    "nested lines": '{"inputs": [[["1"]]], "outputs": ["1"]}',
    "unknown keys": '{"tests": ["1"]}',
    "bad function name": '{"fn_name": "os.system(1)", "inputs": [[1]], "outputs": [1]}',
    "keyword as a name": '{"fn_name": "class", "inputs": [[1]], "outputs": [1]}',
    "arguments not a list": '{"fn_name": "f", "inputs": [1], "outputs": [1]}',
    "empty asserts": '{"asserts": []}',
    "asserts of numbers": '{"asserts": [1]}',
    "check without a name": '{"check": "def check(c): pass"}',
    "functional without a name": '[{"input": "1", "output": "1", "testtype": "functional"}]',
    "functional, not JSON": '[{"input": "x y", "output": "1", "testtype": "functional"}]',
    "list without output": '[{"input": "1"}]',
    "half a surrogate": '{"inputs": ["\\ud800"], "outputs": ["1"]}',
    "deep": "[" * 100_000,
    "deep literal": "-" * 100_000 + "1",
    "enormous integer": f'{{"fn_name": "f", "inputs": [[{"7" * 200_000}]], "outputs": [1]}}',
    "base64 of nothing": base64.b64encode(b"nothing at all").decode(),
    "base64 cut off": compressed(json.dumps([{"input": "1" * 100, "output": "1"}]))[:40],
    "pickle that calls": compressed(Evil()),
    "pickle of a set": compressed({1, 2}),
    "zlib bomb": base64.b64encode(zlib.compress(bytes(1 << 20), 9)).decode(),
    "sparse memo": base64.b64encode(zlib.compress(b"\x80\x04}r\xff\xff\xff\x7f.")).decode(),
    "code": "__import__('os').system('touch /tmp/veristill-owned')",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str) -> None:
    meta = {"func_name": "f"} if name == "functional, not JSON" else {}
    with pytest.raises(UnreadableTests) as caught:
        read_tests(UNREADABLE[name], meta)
    assert 0 < len(str(caught.value)) < 400
    assert not Path("/tmp/veristill-owned").exists()
