"""The judge against a scripted server: what it is shown, how its replies are read, what is paid, and its troubles."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls import client, endpoint
from curate.calls.client import Calls
from curate.errors import InputError, Stopped
from curate.ledger import Ledger
from curate.records import Answer, Choice, Grid, Question, Reference, Tests, Truth, Verdict
from curate.resources import Resources
from curate.teachers.openai import Openai
from curate.teachers.replay import Replay
from curate.verdicts import Verdicts
from curate.verifiers.judge import Judge, reference_of, shown_of
from curate.verifiers.judging.reply import read_reply
from curate.verifiers.router import Router, verdict_key
from tests.curate.verifiers.judge_server import JudgeServer, compared, judging, says
from tests.curate.verifiers.rows import attempt


@pytest.fixture
async def server() -> AsyncIterator[JudgeServer]:
    async with judging() as running:
        yield running


@pytest.fixture
async def resources(tmp_path: Path) -> AsyncIterator[Resources]:
    async with Ledger(tmp_path / "ledger") as ledger, Calls(ledger, run="test") as calls:
        yield Resources(ledger, calls, Verdicts(ledger))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "NEVER_REACHED_S", 0.2)


def model(server: JudgeServer, **fields: Any) -> Openai:
    return Openai(**{"model": "m", "base_url": server.url, "price": {"input": 1.0, "output": 2.0}, **fields})


def asked(truth: Truth | str, problem: str = "What is it?") -> Question:
    truth = Answer(text=truth) if isinstance(truth, str) else truth
    return Question.of(problem=problem, domain="math", truth=truth, source="s", source_id="1")


async def judged(judge: Judge, question: Question, solution: str, resources: Resources) -> Verdict:
    return await judge.verify(question, attempt(solution), resources)


async def test_what_it_is_shown_and_what_it_says(server: JudgeServer, resources: Resources) -> None:
    judge = Judge(model=model(server))
    text = "<think>a secret thought \\boxed{7}</think>So the answer is \\boxed{one half}."
    verdict = await judged(judge, asked("one half", "Half of one?"), text, resources)
    assert (verdict.outcome, verdict.reason, verdict.verifier) == ("pass", "ok", "judge")
    assert verdict.evidence == {
        "reference": "one half", "answer": "one half", "found": "boxed", "votes": ["equal"], "why": "because",
        "model": "teacher-0001",
    }  # fmt: skip
    assert verdict.cost == pytest.approx(25e-6)
    (body,) = server.seen
    whole = json.dumps(body)
    assert "secret thought" not in whole
    assert "Half of one?" in body["messages"][1]["content"]
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["why", "verdict"]
    assert body["max_tokens"] == 4096
    wrong = await judged(judge, asked("one half"), "\\boxed{two}", resources)
    assert (wrong.outcome, wrong.reason) == ("fail", "judge_rejected")


async def test_the_same_final_answer_is_paid_for_once(server: JudgeServer, resources: Resources) -> None:
    judge = Judge(model=model(server))
    for text in ("Short: \\boxed{a}", "Long, long, long: \\boxed{a}", "Short: \\boxed{a}"):
        await judged(judge, asked("b"), text, resources)
    assert len(server.seen) == 1
    counts = resources.calls.of("judge")
    assert (counts.answered, counts.reused, resources.calls.of("answer").asked) == (1, 2, 0)
    assert resources.ledger.count("reply") == resources.ledger.count("paid") == 1


@pytest.mark.parametrize(
    "reply",
    [
        "", "equal", '{"verdict": "maybe"}', '{"verdict": true}', '{"why": "x"}', '{"verdict": "equal"} or not',
        '{"verdict": "equal"} {"verdict": "different"}', '{"verdict": "equal"', "[]", "null", '"equal"',
        '{"a": {"verdict": "equal"}}', "{" * 3000, '{"verdict": ["equal"]}', "x" * 30_000 + '{"verdict": "equal"}',
        "<think>{\"verdict\": \"equal\"}", "```json\n{\"verdict\": \"equal\"}\n```\nWait, different.",
    ],
)  # fmt: skip
async def test_what_is_no_verdict_is_unsure(reply: str, server: JudgeServer, resources: Resources) -> None:
    server.reply = lambda _: reply
    verdict = await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)
    assert (verdict.outcome, verdict.reason) == ("unsure", "unparsable"), verdict.evidence


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ('{"why": "same", "verdict": "equal"}', "equal"),
        ('```json\n{"verdict": "Different"}\n```', "different"),
        ('I compared them.\n\n{"why": "\\frac{1}{2} is \\(0.5\\) {ok}", "verdict": "equal"}\n', "equal"),
        ('<think>{"verdict": "different"}</think>{"verdict": "equal"}', "equal"),
        ('{"x": {"y": 1}} {"verdict": "unclear"}', "unclear"),
    ],
)
async def test_forms_of_a_verdict(reply: str, word: str, server: JudgeServer, resources: Resources) -> None:
    server.reply = lambda _: reply
    verdict = await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)
    assert verdict.evidence["votes"] == [word]
    assert verdict.outcome == {"equal": "pass", "different": "fail", "unclear": "unsure"}[word]
    if word == "unclear":
        assert verdict.reason == "judge_unclear"


def test_reading_is_quick_and_strict_about_its_form() -> None:
    assert read_reply('{"correct": true}', "correct").word == "equal"
    assert read_reply('{"correct": "true"}', "correct").word is None
    assert read_reply('{"correct": true}', "verdict").word is None


@pytest.mark.parametrize(("finish", "reason"), [("length", "truncated"), ("content_filter", "refused")])
async def test_cut_and_refused_replies(finish: str, reason: str, server: JudgeServer, resources: Resources) -> None:
    server.finish = finish
    verdict = await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)
    assert (verdict.outcome, verdict.reason) == ("unsure", reason)


async def test_errors_are_ours_and_tried_again(server: JudgeServer, resources: Resources) -> None:
    judge, row = Judge(model=model(server)), asked("a")
    server.status = [500] * 3
    verdict = await judged(judge, row, "\\boxed{a}", resources)
    assert (verdict.outcome, verdict.reason) == ("error", "infrastructure")
    assert verdict.cost is None
    assert (await judged(judge, row, "\\boxed{a}", resources)).outcome == "pass"


async def test_an_address_that_nobody_answers_is_an_error_and_stops_nothing(
    server: JudgeServer, resources: Resources
) -> None:
    dead = Judge(model=model(server, base_url="http://127.0.0.1:9/v1"))
    for text in ("\\boxed{a}", "\\boxed{b}"):
        verdict = await judged(dead, asked("a"), text, resources)
        assert (verdict.outcome, verdict.reason) == ("error", "infrastructure")
    assert (await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)).outcome == "pass"


async def test_a_refused_key_stops_the_run(server: JudgeServer, resources: Resources) -> None:
    server.status = [401]
    with pytest.raises(Stopped):
        await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)


async def test_a_slow_judge_is_waited_for_and_a_stuck_one_is_an_error(
    server: JudgeServer, resources: Resources
) -> None:
    server.delay_s = 0.4
    assert (await judged(Judge(model=model(server)), asked("a"), "\\boxed{a}", resources)).outcome == "pass"
    stuck = await judged(Judge(model=model(server, timeout_s=0.1)), asked("a"), "\\boxed{b}", resources)
    assert stuck.outcome == "error"


@pytest.mark.parametrize("taken", ["json_schema", "json_object", "none"])
async def test_the_reply_form_follows_the_server(taken: str, server: JudgeServer, resources: Resources) -> None:
    server.formats = {taken, "none"}
    judge = Judge(model=model(server))
    answers = [f"\\boxed{{{number}}}" for number in range(30)]
    verdicts = await Router(chains={"math": [judge]}).verify(asked("a"), attempt("\\boxed{a}"), resources, {})
    assert verdicts.verdict.outcome == "pass"
    import asyncio

    done = await asyncio.gather(*(judged(judge, asked("7"), text, resources) for text in answers))
    assert [one.outcome for one in done].count("pass") == 1
    assert {one.outcome for one in done} == {"pass", "fail"}
    assert server.asked[taken] == 31
    assert sum(server.asked.values()) <= 33  # what is not taken is found out once


async def test_a_row_that_is_refused_in_every_form_is_an_error(server: JudgeServer, resources: Resources) -> None:
    server.formats = set()
    judge = Judge(model=model(server))
    assert (await judged(judge, asked("a"), "\\boxed{a}", resources)).outcome == "error"
    server.formats = {"json_schema"}
    assert (await judged(judge, asked("a"), "\\boxed{b}", resources)).outcome == "fail"
    fixed = Judge(model=model(server), reply_form="text")
    assert (await judged(fixed, asked("a"), "\\boxed{c}", resources)).outcome == "error"


@pytest.mark.parametrize(
    ("replies", "outcome", "reason", "asked_for"),
    [
        (["equal", "equal", "different"], "pass", "ok", 2),
        (["equal", "different", "equal"], "pass", "ok", 3),
        (["different", "different", "equal"], "fail", "judge_rejected", 2),
        (["equal", "different", "unclear"], "unsure", "disagreement", 3),
        (["unclear", "unclear", "unclear"], "unsure", "judge_unclear", 3),
        (["x", "equal", "equal"], "pass", "ok", 3),
        (["x", "x", "equal"], "unsure", "disagreement", 3),
    ],
)
async def test_votes(
    replies: list[str], outcome: str, reason: str, asked_for: int, server: JudgeServer, resources: Resources
) -> None:
    server.reply = lambda text: says(replies[len(server.seen) - 1])
    judge = Judge(model=model(server, concurrency=1), votes=3)
    verdict = await judged(judge, asked("a"), "\\boxed{b}", resources)
    assert (verdict.outcome, verdict.reason) == (outcome, reason), verdict.evidence
    assert len(server.seen) == asked_for
    assert verdict.cost == pytest.approx(25e-6 * asked_for)


async def test_swapped_order_must_agree(server: JudgeServer, resources: Resources) -> None:
    judge = Judge(model=model(server), swap=True)
    assert (await judged(judge, asked("a"), "\\boxed{a}", resources)).outcome == "pass"
    first, second = server.users
    assert first.index("The reference:") < first.index("The answer:")
    assert second.index("The answer:") < second.index("The reference:")
    server.reply = lambda text: says(
        "equal" if text.index("The reference:") < text.index("The answer:") else "different"
    )
    verdict = await judged(judge, asked("a"), "\\boxed{b}", resources)
    assert (verdict.outcome, verdict.reason) == ("unsure", "judge_unclear")


async def test_the_openthoughts_preset_shows_the_solution_and_not_the_question(
    server: JudgeServer, resources: Resources
) -> None:
    server.reply = lambda text: json.dumps({"reasoning": "r", "correct": True})
    router = Router(preset="openthoughts").with_judge(model(server))
    text = "First two, then three, so \\boxed{5}."
    row = asked("7", "What is two and three?")
    judgement = await router.verify(row, attempt(text), resources, {})
    assert judgement.verdict.outcome == "pass"  # it believes the judge, whatever the rules would say
    (user,) = server.users
    assert "First two, then three" in user
    assert "What is two and three?" not in user
    assert [one.kind() for one in router.chain("code", "tests")] == ["code"]
    assert router.chain("physics", "answer") == []


def test_what_is_shown_of_a_solution() -> None:
    answer, free = Answer(text="x"), Reference(text="x")
    assert shown_of(answer, "no box.\n\nIn short, it is Paris.", whole=False) == (
        "In short, it is Paris.",
        "last_paragraph",
    )
    assert shown_of(free, "<think>no</think>One.\n\nTwo.", whole=False) == ("One.\n\nTwo.", "solution")
    assert shown_of(free, "One. \\boxed{Two}", whole=False) == ("Two", "boxed")
    assert shown_of(answer, "<think>never ends \\boxed{4}", whole=False) is None
    assert shown_of(answer, "so \\boxed{4}", whole=True) == ("so \\boxed{4}", "solution")
    assert reference_of(Choice(letter="B", options=("one", "two"))) == "B. two"
    assert reference_of(Choice(letter="C", options=("one",))) == "C"


async def test_what_is_not_asked_at_all(server: JudgeServer, resources: Resources) -> None:
    judge = Judge(model=model(server), max_chars=50)
    assert (await judged(judge, asked("a"), "<think>open", resources)).reason == "no_answer"
    long = await judged(judge, asked("a"), f"\\boxed{{{'9' * 51}}}", resources)
    assert (long.outcome, long.reason, long.evidence["screened"]) == (
        "unsure",
        "unparsable",
        "longer than 50 characters",
    )
    assert server.seen == []
    with pytest.raises(InputError, match="judge"):
        await judged(Judge(), asked("a"), "\\boxed{a}", resources)
    for truth in (Tests(cases="{}"), Grid(cells=((1,),))):
        judgement = await Router(chains={"math": [judge]}).verify(asked(truth), attempt("a"), resources, {})
        assert judgement.verdict.reason == "not_applicable"


def test_the_key_holds_model_prompt_votes_and_question(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("system: compare\nuser: '{% for part in parts %}{{ part.block }}{% endfor %}'\nreply: verdict\n")
    row, answer = asked("a"), attempt("\\boxed{a}")
    gpt = Openai(model="gpt", base_url="http://x/v1")

    def key(asks: Question = row, **fields: Any) -> str:
        return verdict_key(Judge(**{"model": gpt, **fields}), asks, answer)

    plain = key()
    others = [
        key(model=Openai(model="gpt-2", base_url="http://x/v1")),
        key(model=gpt.model_copy(update={"temperature": 0.0})),
        key(votes=3), key(swap=True), key(prompt=str(own)), key(question=False), key(sees="solution"),
        key(max_tokens=9), key(asked("b")), key(asked("a", "Another question?")),
    ]  # fmt: skip
    assert len({plain, *others}) == len(others) + 1
    assert key(model=Openai(model="gpt", base_url="http://y/v1")) == plain  # an address decides nothing
    version = Judge(model=gpt).verifier_version()
    assert version.startswith("1+openai/gpt+equivalence-")
    assert key(asked("a", "Another?"), question=False) == key(question=False)
    before = key(prompt=str(own))
    own.write_text(own.read_text().replace("compare", "compare well"))
    from curate.verifiers.judging.prompt import load

    load.cache_clear()
    assert key(prompt=str(own)) != before


async def test_recorded_judgements_can_be_replayed(tmp_path: Path, server: JudgeServer, resources: Resources) -> None:
    """Any teacher can be a judge: a recording answers a prompt that stands in its `problem` column."""
    from curate.verifiers.judging.prompt import Case, load, render

    system, user = render(load("equivalence"), Case("What is it?", "a", "b"), swapped=False)
    path = tmp_path / "judged.jsonl"
    path.write_text(json.dumps({"problem": f"{system}\n\n{user}", "solution": says("equal")}) + "\n")
    recorded = Replay(path=path, match="problem")
    await recorded.open(resources)
    judge = Judge(model=recorded)
    assert (await judged(judge, asked("a"), "\\boxed{b}", resources)).outcome == "pass"
    assert (await judged(judge, asked("a"), "\\boxed{c}", resources)).outcome == "error"


async def test_the_honest_server_is_one(server: JudgeServer, resources: Resources) -> None:
    await judged(Judge(model=model(server)), asked("a"), "\\boxed{b}", resources)
    assert compared(server.users[0]) == "different"
