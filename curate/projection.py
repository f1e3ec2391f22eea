"""Projection: requests, tokens, dollars and hours of what is still to be asked, each low, expected and high.

Pure arithmetic over what was seen (`Seen`, one for each teacher). What was measured goes before what is assumed, and
every projection says which of the two it stands on.
"""

import math
from dataclasses import dataclass, field

from pydantic import Field

from curate.calls.model import Call
from curate.calls.prices import price_of
from curate.records import Record
from curate.turns import Asking

ENOUGH = 10  # answers that a mean may be taken from
# Where nothing was measured. A token of English is about four bytes; a reasoning model's answer to a question of a
# contest takes thousands of tokens (OpenThoughts-114k: about 6,000 in the mean, the longest over 30,000).
BYTES_PER_TOKEN = (5.5, 4.0, 2.5)
OUTPUT_TOKENS = (800.0, 6000.0, 32_768.0)
TOKENS_PER_SECOND = (100.0, 30.0, 10.0)  # of one answer
READ_PER_SECOND = (20_000.0, 5_000.0, 1_000.0)  # tokens of one request to a model that writes nothing
PASS_RATE = 0.5  # of one sample, where rounds go on until one is verified


class Range(Record):
    """A projected amount."""

    low: float
    expected: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> "Range":
        """A known amount."""
        return cls(low=value, expected=value, high=value)

    def __add__(self, other: "Range") -> "Range":
        return Range(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)

    def __mul__(self, other: "Range | float") -> "Range":
        by = other if isinstance(other, Range) else Range.exactly(other)
        return Range(low=self.low * by.low, expected=self.expected * by.expected, high=self.high * by.high)

    def at_least(self, other: "Range") -> "Range":
        """The larger of both, end by end."""
        ends = ("low", "expected", "high")
        return Range(**{end: max(getattr(self, end), getattr(other, end)) for end in ends})


@dataclass
class Moments:
    """The mean of a measured amount, and how sure it is."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one value."""
        self.count += 1
        self.total += value
        self.squares += value * value

    def mean(self) -> Range | None:
        """The mean of all values, 95 % sure if these are a fair sample; None where there are too few."""
        if self.count < ENOUGH:
            return None
        mean = self.total / self.count
        variance = max(0.0, self.squares / self.count - mean * mean) * self.count / (self.count - 1)
        # Answers are skewed: a few long ones carry much of the sum, so small samples get more room than Student's t.
        off = 2 * (1 + 5 / self.count) * math.sqrt(variance / self.count)
        return Range(low=max(0.0, mean - off), expected=mean, high=mean + off)


@dataclass
class Seen:
    """What is known of one teacher's requests before they are sent."""

    call: Call | None = None  # one of them: who is asked, where, and for how much
    name: str = ""
    questions: int = 0  # that it can be asked, each content once
    servers: int = 1  # of own hardware
    recorded: int = 0  # questions with a recorded answer: nothing is sent
    text_bytes: int = 0  # of the requests, one sample each
    answered: int = 0  # requests with a stored reply
    paid: float = 0.0  # USD for these, as far as it is known
    output: Moments = field(default_factory=Moments)  # tokens of an answer
    input: Moments = field(default_factory=Moments)
    cost: Moments = field(default_factory=Moments)  # USD of an answer
    seconds: Moments = field(default_factory=Moments)


class TeacherPlan(Record):
    """What one teacher still takes."""

    teacher: str
    answered: int
    paid_usd: float
    requests: Range
    input_tokens: Range
    output_tokens: Range
    cost_usd: Range | None = Field(description="None: the price is not known.")
    hours: Range
    gpu_hours: Range | None = None
    basis: str


def project(seen: Seen, requests: Range) -> TeacherPlan:
    """What `requests` more requests to a teacher come to."""
    call = seen.call
    assert call is not None
    measured = seen.output.mean()
    output = measured or _assumed_output(call)
    per_input = seen.input.mean() or _assumed_input(seen)
    input_tokens, output_tokens = requests * per_input, requests * output
    hours = _hours(seen, requests, per_input, output).at_least(_allowed(call, requests, input_tokens + output_tokens))
    price = call.price or price_of(call.model, call.base_url)
    cost: Range | None = None
    gpu_hours: Range | None = None
    if price is not None and price.gpus is not None:
        gpu_hours = hours * float(price.gpus * seen.servers)
        cost = gpu_hours * (price.gpu_hour or 0.0)
    elif price is not None:
        paid = seen.cost.mean()
        per_token = price.worst(1_000_000, 0) / 1e6, price.worst(0, 1_000_000) / 1e6
        cost = requests * paid if paid else input_tokens * per_token[0] + output_tokens * per_token[1]
    return TeacherPlan(
        teacher=seen.name,
        answered=seen.answered,
        paid_usd=round(seen.paid, 6),
        requests=requests,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
        hours=hours,
        gpu_hours=gpu_hours,
        basis=f"measured on {seen.output.count} answers" if measured else "assumed: nothing was answered yet",
    )


def turns_called_for(asking: Asking, asked: list[int]) -> list[Range]:
    """For each turn of a question in rounds, the share of questions that come to it; `asked` are finished questions."""
    want, most = asking.want or 1, asking.most
    found = []
    for turn in range(most):
        if len(asked) >= ENOUGH:
            share = Moments()
            for one in asked:
                share.add(float(one > turn))
            mean = share.mean()
            assert mean is not None
            found.append(mean.model_copy(update={"high": min(1.0, mean.high)}))
        else:
            below = sum(math.comb(turn, passed) for passed in range(min(want, turn + 1))) * PASS_RATE**turn
            found.append(Range(low=float(turn < want), expected=below, high=1.0))
    return found


def _assumed_output(call: Call) -> Range:
    cap = OUTPUT_TOKENS[2] if call.max_tokens is None else call.max_tokens
    return Range(low=min(OUTPUT_TOKENS[0], cap), expected=min(OUTPUT_TOKENS[1], cap), high=float(cap))


def _assumed_input(seen: Seen) -> Range:
    size = seen.text_bytes / max(1, seen.questions)
    low, expected, high = (size / one + 12 for one in BYTES_PER_TOKEN)  # and what the chat template adds
    return Range(low=low, expected=expected, high=high)


def _hours(seen: Seen, requests: Range, read: Range, output: Range) -> Range:
    assert seen.call is not None
    seconds = seen.seconds.mean()
    if seconds is None and not output.high:
        fast, usual, slow = READ_PER_SECOND
        seconds = Range(low=read.low / fast, expected=read.expected / usual, high=read.high / slow)
    elif seconds is None:
        fast, usual, slow = TOKENS_PER_SECOND
        seconds = Range(low=output.low / fast, expected=output.expected / usual, high=output.high / slow)
    # The last answers of a run come one by one, and nothing is faster than one answer.
    return (requests * seconds * (1 / seen.call.concurrency)).at_least(seconds) * (1 / 3600)


def _allowed(call: Call, requests: Range, tokens: Range) -> Range:
    """The hours that the provider's rates make of it."""
    found = Range.exactly(0.0)
    if call.rates is not None and call.rates.requests_per_minute:
        found = found.at_least(requests * (1 / (60 * call.rates.requests_per_minute)))
    if call.rates is not None and call.rates.tokens_per_minute:
        found = found.at_least(tokens * (1 / (60 * call.rates.tokens_per_minute)))
    return found
