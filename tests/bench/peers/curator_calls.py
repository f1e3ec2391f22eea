"""Curator's own client, in an environment that holds Curator alone: asks every prompt once and stores every answer.

python curator_calls.py URL REQUESTS IN_FLIGHT       prints one JSON object
"""

import json
import os
import resource
import sys
import tempfile
import time


def main() -> None:
    """Ask, and print CPU seconds (without imports), wall seconds and the peak of memory."""
    url, requests, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="curator-") as home:
        ask(url, requests, in_flight, home)


def ask(url: str, requests: int, in_flight: int, home: str) -> None:
    """Ask every prompt; Curator keeps the answers under `home`."""
    os.environ.update(
        CURATOR_CACHE_DIR=home,
        TELEMETRY_ENABLED="0",
        CURATOR_VIEWER="0",
        CURATOR_DISABLE_RICH_DISPLAY="1",
        OPENAI_API_KEY="none",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        HF_HUB_OFFLINE="1",
    )
    import tiktoken

    # Its token counter downloads a vocabulary: here it counts words, which is cheaper than what users get.
    words = type("Words", (), {"encode": staticmethod(lambda text, **_: text.split())})()
    tiktoken.encoding_for_model = tiktoken.get_encoding = lambda *_: words
    from bespokelabs import curator  # type: ignore[import-not-found,unused-ignore]
    from datasets import Dataset

    limits = {
        "base_url": url,
        "max_requests_per_minute": 10_000_000,
        "max_tokens_per_minute": 10_000_000_000,
        "max_concurrent_requests": in_flight,
        "max_retries": 3,
    }
    rows = Dataset.from_dict({"prompt": [f"[{n}] What is 2 + 2? Reason step by step." for n in range(requests)]})

    class Asked(curator.LLM):  # type: ignore[misc,unused-ignore]
        def prompt(self, row: dict[str, str]) -> str:
            return row["prompt"]

        def parse(self, row: dict[str, str], response: str) -> dict[str, str]:
            return {"answer": response}

    asked = Asked(model_name="bench", backend="openai", backend_params=limits)
    cpu, wall = time.process_time(), time.monotonic()
    found = asked(rows)
    done = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    answers = getattr(found, "dataset", found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({**done, "rss_mb": peak, "answers": len(answers)}), flush=True)


if __name__ == "__main__":
    main()
