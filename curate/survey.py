"""One pass over the questions of a run before they are asked: what each teacher will be asked, and what is known."""

from array import array
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.calls.model import Call, Reply
from curate.foreseen import Rewardable, text_bytes
from curate.kinds import Teacher
from curate.lengths import stored_answers
from curate.projection import OUTPUT_TOKENS, Moments, Range, Seen, TeacherPlan, project, turns_called_for
from curate.questions import questions_of
from curate.records import Question
from curate.resources import Resources
from curate.solve import Solved, Work, decide
from curate.turns import PART

_Who = tuple[int, ...]  # numbers of teachers
_Amounts = NDArray[np.float64]  # (teachers, 2): answers, and USD paid for them
_ALL_PARTS = 32  # parts of a question's samples that are all looked at: 8,192 requests, about a second
_SPREAD = 8  # of more, those that are looked at first


class Survey:
    """One pass over the questions: what each teacher can be asked, and what the ledger has of it."""

    def __init__(self, work: Work, resources: Resources, coming: NDArray[np.uint64]) -> None:
        """`coming` are requests that cleaning will send: what a teacher shares with it is asked once."""
        self.asking = work.asking
        self.example: Question | None = None
        self._coming = coming
        self.seen = [Seen(name=teacher.name(), servers=_servers(teacher)) for teacher in work.asking.teachers]
        # In rounds, by the numbers of the teachers that a question is for: the questions, the answers asked of each
        # finished one, and how many may be asked more.
        self.asks: Counter[_Who] = Counter()
        self.finished: defaultdict[_Who, list[int]] = defaultdict(list)
        self.open: Counter[_Who] = Counter()
        self.open_answered = [0 for _ in self.seen]
        self.judging = Moments()  # USD of judging an answer
        self.truths: Counter[tuple[str, str]] = Counter()  # of questions, by domain and truth type
        self._work, self._resources = work, resources
        self._asked = [array("Q") for _ in self.seen]
        self._counted: set[int] = set()
        self._shared: list[set[int]] = [set() for _ in self.seen]
        self._problems, self._bytes = 0, 0  # questions, and what their problems have
        self.spread = False  # whether there were too many samples to look at all answers
        self._estimated: _Amounts = np.zeros((len(self.seen), 2))  # of those that were not looked at

    def take(self, part: pa.Table, *, fresh: bool) -> None:
        """Take some questions; `fresh` where the ledger holds no answer at all."""
        questions = list(questions_of(part, tests=False))
        for question in questions:
            self.truths[question.domain, question.truth.type] += 1
            seen = question.untested()
            self.example = self.example or seen
            self._problems += 1
            self._bytes += len(question.problem.encode("utf-8", "replace"))
            self.asks[self._who(question)] += 1
            for number in self._who(question):
                call = self.asking.teachers[number].call(seen, 0, self._resources)
                if call is not None:
                    self._can_ask(number, self.asking.capped(call))
                    self._share(number, call, seen)
        if fresh:
            return
        parts = list(self.asking.parts())
        if len(parts) <= _ALL_PARTS:
            for samples in parts:
                self._look(questions, samples)
        else:
            self._estimated += self._spread(questions, parts)

    def _spread(self, questions: list[Question], parts: list[range | None]) -> _Amounts:
        """Look at some parts of very many samples; what those between them come to, by their neighbours.

        Answers come in the order of their samples, mostly: where two neighbours differ, the part between them is looked
        at too, so that the place where they end is found.
        """
        last = len(parts) - 1
        places = sorted({*np.linspace(0, last - 1, _SPREAD).astype(int).tolist(), last})
        took = {place: self._look(questions, parts[place]) for place in places}
        spans, between = list(pairwise(places)), np.zeros((len(self.seen), 2))
        while spans:
            low, high = spans.pop()
            if high - low < 2:
                continue
            if _alike(took[low], took[high], PART * len(questions)):
                between += (took[low] + took[high]) / 2 * (high - low - 1)
                continue
            middle = (low + high) // 2
            took[middle] = self._look(questions, parts[middle])
            spans += [(low, middle), (middle, high)]
        self.spread = True
        return between

    def _look(self, questions: list[Question], samples: range | None) -> _Amounts:
        """Count what the ledger has of a part of the samples: of each teacher the answers, and the USD paid."""
        before = self._amounts()
        answered = self._answers(questions, samples)
        if self.asking.want is not None or self._work.router.judges():
            decided = decide(questions, self._work, self._resources, samples)
            for question, solved, per_teacher in zip(questions, decided, answered, strict=True):
                self._decided(self._who(question), solved, per_teacher)
        return self._amounts() - before

    def _amounts(self) -> _Amounts:
        return np.array([[seen.answered, seen.paid] for seen in self.seen], dtype=np.float64).reshape(-1, 2)

    def _who(self, question: Question) -> _Who:
        return tuple(number for number, teacher in enumerate(self.asking.teachers) if teacher.asks(question))

    def _can_ask(self, number: int, call: Call) -> None:
        seen = self.seen[number]
        if not call.stored:
            seen.recorded += 1
            return
        seen.call = seen.call or call
        seen.text_bytes += text_bytes(call.body)
        self._asked[number].append(int(call.key[:16], 16))

    def _share(self, number: int, first: Call, question: Question) -> None:
        """Note which of a teacher's requests about a question cleaning sends: the first samples, if any."""
        call: Call | None = first
        for sample in range(1, self.asking.samples + 1):
            mark = np.uint64(int(call.key[:16], 16)) if call is not None else None
            at = np.searchsorted(self._coming, mark) if mark is not None and len(self._coming) else len(self._coming)
            if mark is None or at == len(self._coming) or self._coming[at] != mark:
                return
            self._shared[number].add(int(mark))
            call = self.asking.teachers[number].call(question, sample, self._resources)

    def rewardable(self) -> Rewardable:
        """The answers that there will be, recorded ones among them: nobody is asked for these, and each is scored."""
        assert self.example is not None
        plans = self.projected()
        answers = sum((one.requests + Range.exactly(float(one.answered)) for one in plans), Range.exactly(0.0))
        recorded = float(sum(seen.recorded for seen in self.seen))
        most = recorded * self.asking.samples
        rounds = self.asking.want is not None
        answers += Range(low=recorded if rounds else most, expected=most, high=most)
        total = sum(one.requests.expected for one in plans)
        expected = sum(one.output_tokens.expected for one in plans) / total if total else 0.0
        means = [seen.output.mean() for seen in self.seen]
        measured = [mean.expected for mean in means if mean is not None]
        size = expected or (sum(measured) / len(measured) if measured else OUTPUT_TOKENS[1])
        return Rewardable(self.example, answers, Range.exactly(size), self._bytes / self._problems)

    def projected(self) -> tuple[TeacherPlan, ...]:
        """What each teacher still takes."""
        pairs = zip(self.seen, self.requests(), strict=True)
        return tuple(project(seen, requests) for seen, requests in pairs if seen.call is not None)

    def _answers(self, questions: list[Question], samples: range | None) -> list[list[int]]:
        """Count the stored replies; how many each teacher gave to each question."""
        asked = [list(self.asking.requests(question, self._resources, samples)) for question in questions]
        pairs = [(one.teacher, one.call) for each in asked for one in each if one.call.stored]
        replies = stored_answers(pairs, self.asking.on_length, self._resources.calls)
        found = [[0 for _ in self.seen] for _ in questions]
        for place, each in enumerate(asked):
            for one in each:
                answer = replies.get(one.call.key) if one.call.stored else None
                came = [] if answer is None else [reply for reply in answer.replies if reply.status == "ok"]
                if came:
                    found[place][one.number] += 1
                    self._answered(self.seen[one.number], one.call.key, came)
        return found

    def _answered(self, seen: Seen, key: str, replies: list[Reply]) -> None:
        """Count one answer: what a cut one took when it was asked for again is paid for too."""
        if (mark := int(key[:16], 16)) in self._counted:
            return  # the same question stands twice in the sources: asked once
        self._counted.add(mark)
        seen.answered += 1
        seen.paid += sum(reply.cost or 0.0 for reply in replies)
        seen.seconds.add(sum(reply.seconds for reply in replies))
        costs = [reply.cost for reply in replies if reply.cost is not None]
        if len(costs) == len(replies):
            seen.cost.add(sum(costs))
        for name, moments in (("input", seen.input), ("output", seen.output)):
            if all(name in reply.usage for reply in replies):
                moments.add(sum(reply.usage[name] for reply in replies))

    def _decided(self, who: _Who, solved: Solved, answered: list[int]) -> None:
        for one in solved.decided:
            self.judging.add(one.verdict.cost or 0.0)
        if solved.pending:
            self.open[who] += 1
            self.open_answered = [sum(pair) for pair in zip(self.open_answered, answered, strict=True)]
        elif solved.asked:
            self.finished[who].append(solved.asked)

    def close(self, *, fresh: bool) -> None:
        """Count what stands twice in the sources once: it is asked once. Add what was not looked at."""
        for seen, (answered, paid) in zip(self.seen, self._estimated.tolist(), strict=True):
            seen.answered += round(answered)
            seen.paid += paid
        for seen, keys in zip(self.seen, self._asked, strict=True):
            seen.questions = len(np.unique(np.frombuffer(keys, dtype=np.uint64)))
            seen.text_bytes = round(seen.text_bytes * seen.questions / max(1, len(keys)))
        if fresh:
            self.open = self.asks

    def requests(self) -> list[Range]:
        """What is still to be asked of each teacher."""
        shared = [len(one) for one in self._shared]
        if self.asking.want is None:
            each = (seen.questions * self.asking.samples - seen.answered for seen in self.seen)
            return [Range.exactly(max(0, left - also)) for left, also in zip(each, shared, strict=True)]
        found = []
        for number in range(len(self.seen)):
            mine = sum((self._rounds(number, who) for who in self.asks if number in who), Range.exactly(0.0))
            done = Range.exactly(-float(self.open_answered[number] + shared[number]))
            found.append((mine + done).at_least(Range.exactly(0.0)))
        return found

    def _rounds(self, number: int, who: _Who) -> Range:
        """What one teacher of these is asked in all, in rounds, about questions that are for them and still open."""
        asking = self.asking._replace(teachers=tuple(self.asking.teachers[one] for one in who))
        shares = turns_called_for(asking, self.finished[who])
        each = sum(shares[who.index(number) :: len(who)], Range.exactly(0.0))
        mine = sum(count for others, count in self.asks.items() if number in others)
        once = self.seen[number].questions * self.asks[who] / mine  # what stands twice in the sources is asked once
        return each * min(float(self.open[who]), once)


def _alike(one: _Amounts, other: _Amounts, most: int) -> bool:
    """Whether two parts of at most `most` requests have about as many answers; none is like none alone."""
    counts, others = one[:, 0], other[:, 0]
    return bool(np.all(((counts > 0) == (others > 0)) & (np.abs(counts - others) <= most / 16)))


def _servers(teacher: Teacher) -> int:
    """How many servers of its own a teacher is asked on."""
    serve, addresses = getattr(teacher, "serve", None), getattr(teacher, "endpoints", ())
    folder = getattr(teacher, "endpoints_folder", None)
    registered = len(list(Path(folder).glob("*.json"))) if folder is not None else 0
    return serve.copies if serve is not None else max(1, len(addresses), registered)
