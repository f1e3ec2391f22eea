"""`Seen` finds every id that came before, and stays small."""

from curate.sources.seen import Seen


def test_finds_what_came_before() -> None:
    seen = Seen()
    assert not any(seen.add(f"id-{n}") for n in range(20_000))
    assert all(seen.add(f"id-{n}") for n in range(20_000))
    assert not seen.add("id-20000")


def test_takes_any_text() -> None:
    seen = Seen()
    assert not seen.add("")
    assert not seen.add("\udc00")
    assert seen.add("")


def test_takes_at_most_22_bytes_an_id() -> None:
    seen = Seen()
    for count in range(1, 50_000):
        seen.add(str(count))
        assert seen.size_bytes() <= max(8 << 10, 22 * count)
