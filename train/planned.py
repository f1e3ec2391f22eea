"""A plan as data: what a training run takes. `train.plan` makes it, `train.told` writes it down for people."""

from pydantic import Field

from curate.projection import Range
from curate.records import Record
from train.memory import Part


class Hours(Record):
    """What the machines are kept for."""

    mfu: tuple[float, float] = Field(description="Model FLOPs utilisation that is expected, low and high (shares).")
    why: str
    hours: Range
    gpu_hours: Range
    price_usd: Range | None = Field(None, description="None: the recipe names no price.")
    busy: tuple[tuple[float, float], ...] = Field(description="Hours if the MFU were so: pairs of share and hours.")


class Smallest(Record):
    """The fewest GPUs of a kind that hold the run; None: no number does."""

    gpu: str
    memory_gb: float
    as_it_is: int | None
    thrifty: int | None = Field(description="With fused loss and everything offloaded.")


class Held(Record):
    """Bytes that are held in one place, part by part, and whether there is room."""

    parts: tuple[Part, ...]
    size: float = Field(description="Bytes of all parts.")
    room_gb: float | None = Field(description="GB of 10^9 bytes; None: not known.")
    fits: bool | None = Field(description="None: the room is not known.")


class Rows(Record):
    """What is trained on."""

    lengths: str = Field(description="Where the lengths of rows are from.")
    measured: bool = Field(description="Whether they were measured on the dataset itself.")
    rows: int | None = Field(description="Of the dataset; None: not known.")
    row_tokens: Range = Field(description="Mean length of a row that is trained on.")
    cut_rows: float = Field(description="Share of rows that are longer than the cutoff.")
    cut_tokens: float = Field(description="Share of tokens behind the cutoff.")
    tokens: Range | None = Field(description="Of all epochs.")


class Steps(Record):
    """What an optimizer step is, and how many there are."""

    sequences: float = Field(description="Sequences of a step.")
    accumulate: int | None = Field(description="Micro-batches of a step; None: the batch cannot be split evenly.")
    rows: float = Field(description="Rows that a step sees.")
    rows_per_pack: float | None = Field(description="None without packing.")
    tokens: float = Field(description="Tokens of a step.")
    steps: int | None
    flops_per_token: float
    traffic: float | None = Field(description="Bytes that a GPU exchanges in a micro-step of ZeRO-3; None: other.")


class Plan(Record):
    """What a recipe's `train:` block takes. Sizes in bytes, lengths in tokens."""

    recipe: str
    words: str = Field(description="Who learns from what, on which machines.")
    student: str
    shape: str = Field(description="Where the student's shape was read.")
    parameters: int
    trained: int = Field(description="Parameters that are moved.")
    gpu: Held = Field(description="On each GPU at the peak; on the CPU, in each process.")
    host: Held = Field(description="In the memory of each machine.")
    disk: Held
    checkpoint: float = Field(description="Bytes of one checkpoint.")
    smallest: tuple[Smallest, ...]
    rows: Rows
    steps: Steps
    time: Hours | None = Field(description="None on the CPU, or where the number of rows is not known.")
    assumptions: tuple[str, ...]
    published: tuple[str, ...] = Field(description="What runs of students of this shape are said to have taken.")
    notes: tuple[str, ...]
