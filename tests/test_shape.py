"""The limits on shape: sizes, annotations, imports, broad excepts and words, measured over the five rooms."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("curate", "sandbox", "train", "eval", "recipes")
FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 50, 6
WORDS = ("Manager", "Handler", "Processor", "Helper", "Utils", "Base", "Common")
Function = ast.FunctionDef | ast.AsyncFunctionDef

FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.Module) -> Iterator[tuple[Function, bool]]:
    """Every function, and whether its first parameter is `self` or `cls`."""
    methods = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for child in node.body
        if isinstance(child, Function)
    }
    for node in ast.walk(tree):
        if isinstance(node, Function):
            static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
            yield node, node in methods and not static


def _is_verb(node: Function) -> bool:
    """A command-line verb: each of its parameters is an option that a user sees (`@app.command`)."""
    calls = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(isinstance(mark, ast.Attribute) and mark.attr in ("command", "callback") for mark in calls)


def faults(text: str) -> list[str]:
    """What is wrong with the shape of one module."""
    tree = ast.parse(text)
    lines = text.splitlines()
    found = []
    if len(lines) > FILE_LINES:
        found.append(f"{len(lines)} lines (at most {FILE_LINES})")
    for node, bound in _functions(tree):
        found += _function_faults(node, bound)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            found += _except_faults(node, lines)
        if isinstance(node, ast.ClassDef) and any(re.search(rf"{word}(?![a-z])", node.name) for word in WORDS):
            found.append(f"class {node.name}: a word that says nothing")
    return found


def _function_faults(node: Function, bound: bool) -> list[str]:
    found = []
    length = (node.end_lineno or 0) - node.lineno + 1
    if length > FUNCTION_LINES:
        found.append(f"{node.name}: {length} lines (at most {FUNCTION_LINES})")
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs][bound:]
    if len(arguments) > PARAMETERS and not _is_verb(node):
        found.append(f"{node.name}: {len(arguments)} parameters (at most {PARAMETERS})")
    stars = [one for one in (node.args.vararg, node.args.kwarg) if one is not None]
    bare = [one.arg for one in [*arguments, *stars] if one.annotation is None]
    if bare or node.returns is None:
        found.append(f"{node.name}: not annotated: {', '.join(bare) or 'return'}")
    return found


def _except_faults(node: ast.ExceptHandler, lines: list[str]) -> list[str]:
    if node.type is None:
        return [f"line {node.lineno}: bare except"]
    named = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(isinstance(one, ast.Name) and one.id in ("Exception", "BaseException") for one in named)
    last = node.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return []  # it cleans up and lets the exception go on
    # The handler's own line, or the one above or below it, says which boundary this is.
    around = lines[max(node.lineno - 2, 0) : node.lineno + 1]
    said = any(re.search(r"#.*[A-Za-z]{4,}", line.replace("# noqa: BLE001", "#")) for line in around)
    return [f"line {node.lineno}: a broad except that does not say its boundary"] if broad and not said else []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_shape(path: Path) -> None:
    text = path.read_text("utf-8")
    assert faults(text) == []
    if path.name == "__init__.py":
        assert len(text.splitlines()) <= 30, "an __init__ stays nearly empty"
    else:
        docstring = ast.get_docstring(ast.parse(text))
        assert docstring, "a module opens with what lives in it"
    assert not any(word.lower() in path.stem.split("_") for word in WORDS)


def test_the_measure_sees_each_fault() -> None:
    long_function = "def f() -> None:\n" + "    x = 1\n" * 51
    bad = {
        "x = 1\n" * 401: "401 lines",
        long_function: "f: 52 lines",
        "def f(a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> None: ...": "7 parameters",
        "def f(a) -> None: ...": "not annotated: a",
        "def f(): ...": "not annotated: return",
        "try:\n    x = 1\nexcept:\n    pass": "bare except",
        "try:\n    x = 1\nexcept Exception:\n    pass": "does not say its boundary",
        "try:\n    x = 1\nexcept Exception:  # noqa: BLE001\n    pass": "does not say its boundary",
        "class TaskManager: ...": "a word that says nothing",
    }
    for text, fault in bad.items():
        assert any(fault in one for one in faults(text)), fault
    good = "try:\n    x = 1\nexcept Exception:  # noqa: BLE001 - a plugin's code\n    pass\nclass Baseline: ..."
    assert faults(good) == []
    assert faults("try:\n    x = 1\nexcept BaseException:\n    x = 2\n    raise") == []


def test_no_import_cycles() -> None:
    """Modules of the rooms import each other in one direction (imports under TYPE_CHECKING do not count)."""
    names = {_module(path): path for path in FILES}
    graph = {name: _imports(path, names) for name, path in names.items()}
    done: set[str] = set()
    for start in graph:
        trail: list[str] = []
        _visit(start, graph, trail, done)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, names: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:  # the top level alone: what runs when the module is imported
        if isinstance(node, ast.ImportFrom) and node.module:
            wanted = {f"{node.module}.{one.name}" for one in node.names}
            found |= {one if one in names else node.module for one in wanted}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return found & set(names)


def _visit(name: str, graph: dict[str, set[str]], trail: list[str], done: set[str]) -> None:
    assert name not in trail, f"import cycle: {' -> '.join([*trail[trail.index(name) :], name])}"
    if name in done:
        return
    trail.append(name)
    for other in graph[name] - {name}:
        _visit(other, graph, trail, done)
    trail.pop()
    done.add(name)


def test_every_test_folder_is_a_package() -> None:
    """Else `import sandbox` would find `tests/sandbox`."""
    folders = {path.parent for path in TESTS}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=_name)
def test_eval_is_never_imported_whole(path: Path) -> None:
    """`import eval` would shadow the builtin."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert all(one.asname or one.name.split(".")[0] != "eval" for one in node.names)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_only_the_command_line_prints_errors_and_exits(path: Path) -> None:
    room = path.relative_to(ROOT).parts
    if room[:2] == ("recipes", "cli") or _runs_in_a_child(path):
        return
    tree = ast.parse(path.read_text("utf-8"))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {"sys.exit", "exit", "quit", "print"} & set(calls)


def _runs_in_a_child(path: Path) -> bool:
    """Files that are the main program of a process of their own."""
    return path.relative_to(ROOT).parts[0] == "sandbox" or "__main__" in path.read_text("utf-8")
