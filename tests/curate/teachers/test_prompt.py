"""Prompts: found by name, checked when loaded, filled with text that is never a template."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from curate.errors import RecipeError
from curate.keys import digest
from curate.prompts.prompt import load
from curate.records import Answer, Choice, Grid, Question, Tests, Truth, Unknown
from curate.teachers.completions import Completions
from curate.teachers.openai import Openai


def question(truth: Truth, domain: str = "math", problem: str = "What is 2 + 2?", **fields: Any) -> Question:
    return Question.of(problem=problem, domain=domain, truth=truth, source="s", source_id="1", **fields)


def user(name: str, asked: Question) -> str:
    return load("annotate", name).render(asked)[-1]["content"]


SHIPPED = ["plain", "openthoughts", "deepseek-r1", "qwq", "gpt-oss"]
# By version: whoever changes what a shipped prompt says raises its version and freezes it anew.
FROZEN = {
    "plain": (1, "6b2d96b7de7890678493a142bfbf1a57"),
    "openthoughts": (2, "06d7ddf584937f2fac353bfa9b8dc8ab"),
    "deepseek-r1": (1, "9b1be33beeeea6d52387198b9471a7c9"),
    "qwq": (1, "942231e6738a9c026255bbf3e927ab0a"),
    "gpt-oss": (1, "4edf4bc8adf93133a6fe3a05888b2c3e"),
    "bare": (1, "d3fcda55de9b9206886a15dd269269ae"),  # the question alone, as reward models read it
}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_domain_is_told_what_is_checked(name: str) -> None:
    assert r"\boxed{}" in user(name, question(Answer(text="4")))
    stdin = user(name, question(Tests(cases=""), "code"))
    assert "standard input" in stdin
    call = user(name, question(Tests(cases=""), "code", starter_code="def double(x):"))
    assert "`double`" in call
    assert "def double(x):" in call
    assert "standard input" not in call
    named = user(name, question(Tests(cases=""), "code", meta={"fn_name": "triple"}))
    assert "`triple`" in named
    choice = user(name, question(Choice(letter="A", options=("red", "blue")), "puzzle"))
    assert "B. blue" in choice
    assert "letter" in choice
    listed = user(name, question(Choice(letter="A", options=("red", "blue")), "puzzle", "Which? A) red B) blue"))
    assert "B. blue" not in listed
    assert user(name, question(Unknown(), "poetry", "Write a poem.")) == "Write a poem."
    assert "JSON list of rows" in user(name, question(Grid(cells=((1,),)), "puzzle"))


@pytest.mark.parametrize("name", FROZEN)
def test_a_changed_prompt_has_a_new_version(name: str) -> None:
    found = load("annotate", name)
    assert FROZEN[name] == (found.version, digest(found.model_dump(exclude={"version"})))


def test_every_shipped_prompt_is_known_here() -> None:
    folder = Path(str(files("curate.prompts"))) / "annotate"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(FROZEN)


def test_a_system_message_by_domain(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("system: {math: Count., default: Think.}\nuser: {default: 'Q: {{ problem }}'}")
    math, code = question(Answer(text="4")), question(Answer(text="4"), "code")
    assert [load("annotate", str(path)).render(one)[0]["content"] for one in (math, code)] == ["Count.", "Think."]
    teacher = Openai(model="m", base_url="http://x/v1", system={"code": "Program."})
    assert teacher.call(code, 0, None).body["messages"][0] == {"role": "system", "content": "Program."}  # type: ignore[arg-type]
    assert len(teacher.call(math, 0, None).body["messages"]) == 1  # type: ignore[arg-type]


def test_an_edited_prompt_changes_only_what_it_changes(tmp_path: Path) -> None:
    path, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    path.write_text("version: 1\nuser: {math: 'M {{ problem }}', default: 'Q {{ problem }}'}")
    other.write_text("version: 2\nuser: {math: 'N {{ problem }}', default: 'Q {{ problem }}'}")
    math, code = question(Answer(text="4")), question(Answer(text="4"), "code")

    def keys(prompt: Path) -> list[str]:
        teacher = Openai(model="m", base_url="http://x/v1", prompt=str(prompt))
        return [teacher.call(one, 0, None).key for one in (math, code)]  # type: ignore[arg-type]

    before, after = keys(path), keys(other)
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize("name", SHIPPED)
def test_code_that_stands_in_the_problem_is_not_repeated(name: str) -> None:
    code = "def double(x):"
    assert user(name, question(Tests(cases=""), "code", code, starter_code=code)).count(code) == 1


def test_openthoughts_names_its_marks_and_system_can_be_replaced() -> None:
    asked = question(Answer(text="4"))
    [system, _] = load("annotate", "openthoughts").render(asked)
    assert system["role"] == "system"
    for mark in ("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"):
        assert mark in system["content"]
    assert load("annotate", "openthoughts").render(asked, system="Be brief.")[0]["content"] == "Be brief."
    assert len(load("annotate", "openthoughts").render(asked, system="")) == 1
    assert len(load("annotate", "plain").render(asked)) == 1


def test_a_question_is_never_a_template() -> None:
    hostile = "{{ 7 * 7 }} {% for x in range(9) %}!{% endfor %} {{ ''.__class__.__mro__ }} & <b>"
    assert hostile in user("plain", question(Answer(text="4"), problem=hostile))


@pytest.mark.parametrize(
    ("problem", "options", "listed"),
    [
        ("Which? A. red\nB. blue", ("red", "blue"), True),
        ("Which? (a) red (b) blue", ("red", "blue"), True),
        (r"$\textbf{(A)}\ 4\qquad\textbf{(B)}\ 5$", ("4", "5"), True),
        ("**A:** $x$ **B:** $y$", ("$x$", "$y$"), True),
        ("Is it red or blue?", ("red", "blue"), False),  # nobody could tell which letter is which
        ("What is 12 + 34?", ("1", "2", "3", "4"), False),
        ("Plan A is red, B is blue", ("red", "blue"), False),
        ("A. blue\nB. red", ("red", "blue"), False),
    ],
)
def test_options_are_left_out_only_where_the_problem_has_their_letters(
    problem: str, options: tuple[str, ...], listed: bool
) -> None:
    asked = user("plain", question(Choice(letter="A", options=options), "puzzle", problem))
    assert ("\n\nA. " + options[0] not in asked) == listed


def test_a_template_that_fails_on_a_question_says_so(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("user: {default: '{{ 1 / (problem | length) }}'}")
    with pytest.raises(RecipeError, match="cannot be filled in"):
        load("annotate", str(path)).render(question(Answer(text="4"), problem=""))
    raw = Completions(model="m", base_url="http://x/v1", raw="{{ user.of.what }}")
    with pytest.raises(RecipeError, match="cannot be filled in"):
        raw.call(question(Answer(text="4")), 0, None)  # type: ignore[arg-type]


BAD = [
    ("user: {math: x}", "'default' is missing"),
    ("user: {default: '{{ truth_text }}'}", "unknown variable truth_text"),
    ("user: {default: '{% if %}'}", "default"),
    ("nothing: 1\nuser: {default: x}", "nothing"),
    ("user: [", "not YAML"),
    ("[]", "."),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_prompt_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        load("annotate", str(path))
    assert str(path) in str(error.value)


def test_an_own_prompt_file_and_a_wrong_name(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("system: Be kind.\nuser: {default: 'Q: {{ problem }}'}")
    messages = (
        Openai(model="m", base_url="http://x/v1", prompt=str(path))
        .call(question(Answer(text="4")), 0, None)
        .body["messages"]
    )  # type: ignore[arg-type]
    assert messages == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Q: What is 2 + 2?"}]
    with pytest.raises(RecipeError, match="did you mean 'plain'"):
        load("annotate", "plan")
    with pytest.raises(ValueError, match="did you mean 'openthoughts'"):
        Openai(model="m", prompt="openthought")
