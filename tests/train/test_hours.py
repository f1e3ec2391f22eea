"""Hours and MFU: worked-out figures for a 32B student within 5 %."""

import pytest

from train.facts import facts
from train.hours import SEEN, Seen, flops_per_token, hours, mfu, mfu_range
from train.machines import kinds

STUDENT = facts("Qwen/Qwen2.5-32B-Instruct")

# Rows, GPUs, kind, hours taken, mean length; tokens (1e9), tokens a second and GPU, MFU, hours at 25 % and at 40 %.
WORKED_OUT = [
    (114_000, 32, "h100-80", 90, 6000, 2.05, 198, 0.042, 15.0, 9.4),
    (114_000, 32, "h100-80", 90, 7000, 2.39, 231, 0.049, 17.7, 11.1),
    (114_000, 32, "h100-80", 90, 9000, 3.08, 297, 0.065, 23.3, 14.6),
    (114_000, 384, "a100-64", 30, 6000, 2.05, 49, 0.033, 4.0, 2.5),
    (114_000, 384, "a100-64", 30, 7000, 2.39, 58, 0.039, 4.7, 2.9),
    (114_000, 384, "a100-64", 30, 9000, 3.08, 74, 0.051, 6.2, 3.9),
    (173_000, 384, "a100-64", 30, 6000, 3.11, 75, 0.050, 6.0, 3.8),
    (173_000, 384, "a100-64", 30, 7000, 3.63, 88, 0.059, 7.1, 4.4),
    (173_000, 384, "a100-64", 30, 9000, 4.67, 113, 0.078, 9.3, 5.8),
]


@pytest.mark.parametrize("row", WORKED_OUT, ids=[f"{row[0]}x{row[4]}-{row[2]}" for row in WORKED_OUT])
def test_the_worked_out_figures(row: tuple[int, int, str, float, int, float, float, float, float, float]) -> None:
    """Three epochs; E[s^2] / E[s] is 1.35 times the mean."""
    rows, gpus, gpu, took, mean, tokens, speed, share, quarter, forty = row
    made = rows * 3 * mean
    operations = made * flops_per_token(STUDENT, 1.35 * mean)
    peak = kinds()[gpu].tflops
    assert made / 1e9 == pytest.approx(tokens, rel=0.05)
    assert made / (took * 3600 * gpus) == pytest.approx(speed, rel=0.05)
    assert mfu(operations, gpus, peak, took) == pytest.approx(share, rel=0.05)
    assert hours(operations, gpus, peak, 0.25) == pytest.approx(quarter, rel=0.05)
    assert hours(operations, gpus, peak, 0.40) == pytest.approx(forty, rel=0.05)


def test_hours_and_mfu_are_each_other_s_inverse() -> None:
    assert mfu(1e21, 8, 989, hours(1e21, 8, 989, 0.3)) == pytest.approx(0.3)


def test_frozen_weights_need_no_gradient_of_their_own() -> None:
    full, few = flops_per_token(STUDENT, 9000), flops_per_token(STUDENT, 9000, moved=10**8)
    assert few < full
    assert flops_per_token(STUDENT, 9000, moved=STUDENT.parameters) == full


@pytest.mark.parametrize("run", SEEN, ids=[run.name for run in SEEN])
def test_the_published_runs_lie_inside_the_range_for_such_settings(run: Seen) -> None:
    operations = run.rows * run.epochs * 7000 * flops_per_token(STUDENT, 9450)
    share = mfu(operations, run.gpus, kinds()[run.gpu].tflops, run.hours)
    low, high = mfu_range(0.43, "all")
    assert low < share < high
