"""Servers on a real Slurm: an array of `transformers serve`, one job cancelled in mid-run; crashes, leases, faults."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate.calls.serving.registry import registered
from curate.calls.serving.script import batch_script
from curate.calls.serving.serve import Serve, Slurm
from tests.compat.environments import NoPackages, environment
from tests.slurm import Cluster, missing_part
from tests.tiny.serve import tiny_model

pytestmark = pytest.mark.slow
VERISTILL = Path(sys.executable).with_name("veristill")
SCRIPTED = [sys.executable, str(Path(__file__).with_name("scripted.py"))]


@pytest.fixture(scope="module")
def cluster(missing: Callable[[str], None]) -> Iterator[Cluster]:
    if part := missing_part():
        missing(part)
    with Cluster() as running:
        yield running


def write_recipe(folder: Path, rows: int, teacher: dict[str, object]) -> Path:
    questions = [{"id": f"q{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(rows)]
    (folder / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    path = folder / "recipe.yaml"
    source = {"kind": "jsonl", "path": "q.jsonl", "domain": "math", "columns": {"id": "id", "answer": "answer"}}
    path.write_text(
        json.dumps({"name": "r", "sources": [source], "annotate": {"teacher": {"kind": "openai", **teacher}}})
    )
    return path


def start(path: Path, cluster: Cluster) -> "subprocess.Popen[str]":
    command = [str(VERISTILL), "--root", str(path.parent), "run", str(path)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=cluster.environment()
    )


def until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)


def endpoints(path: Path) -> Path:
    return next((path.parent / "runs" / "r" / "serving").glob("*/endpoints"), path.parent / "none")


def logs(path: Path) -> list[str]:
    return [log.read_text("utf-8", "replace") for log in sorted(endpoints(path).parent.glob("logs/*.log"))]


def queue(cluster: Cluster) -> list[str]:
    return cluster.run("squeue", "--noheader", "--array", "--format=%i", check=False).split()


def asked(log: str) -> int:
    return log.count("POST /v1/chat/completions")


def test_a_cancelled_job_does_not_end_the_run(cluster: Cluster, missing: Callable[[str], None], tmp_path: Path) -> None:
    try:
        python, model = tiny_model()
    except NoPackages as error:
        missing(f"packages from an index for transformers serve: {error}")
    serve = {
        "server": "transformers",
        "gpus": 0,
        "copies": 2,
        "command": [str(python.with_name("transformers"))],
        "env": {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        "slurm": {},
    }
    teacher = {"model": str(model), "serve": serve, "max_tokens": 12, "concurrency": 4, "timeout_s": 120}
    path = write_recipe(tmp_path, 40, teacher)
    process = start(path, cluster)
    until(lambda: len(registered(endpoints(path))) == 2)
    until(lambda: len(logs(path)) == 2 and all(asked(log) >= 2 for log in logs(path)))
    victim = next(one for one in registered(endpoints(path)) if one.job.endswith("_1"))
    cluster.run("scancel", victim.job)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    report = json.loads((tmp_path / "runs" / "r" / "report.json").read_text())
    assert report["totals"]["solve"]["answered"] == 40, out
    assert report["this_run"]["requests_sent"] <= 40 + 4  # what was in flight at the cancelled server, at most
    assert asked(logs(path)[0]) > asked(logs(path)[1]) >= 2
    assert registered(endpoints(path)) == ()
    until(lambda: queue(cluster) == [], 30)


def scripted(*args: str, copies: int = 1, **more: object) -> dict[str, object]:
    serve = {
        "command": SCRIPTED,
        "gpus": 0,
        "copies": copies,
        "args": args,
        "slurm": {"options": ["--time=10"]},
        **more,
    }
    return {"model": "no-model", "serve": serve, "concurrency": 2}


def test_a_killed_run_finds_its_jobs_again(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server has a key, which reaches the job through Slurm and stands in no file of the run."""
    monkeypatch.setenv("OWN_KEY", "a-key-that-nobody-guesses")
    path = write_recipe(tmp_path, 12, {**scripted("--slow=1"), "api_key_env": "OWN_KEY"})
    process = start(path, cluster)
    until(lambda: registered(endpoints(path)))
    time.sleep(1.0)
    process.kill()
    process.communicate()
    jobs = queue(cluster)
    assert len(jobs) == 1
    again = start(path, cluster)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0, out
    assert "taking over" in out
    assert "submitted" not in out
    assert "401" not in "".join(logs(path))
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"a-key-that-nobody" not in file.read_bytes(), file
    until(lambda: queue(cluster) == [], 30)


def test_jobs_end_when_their_lease_runs_out(cluster: Cluster, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 60, scripted("--slow=1"))
    process = start(path, cluster)
    until(lambda: registered(endpoints(path)))
    process.kill()
    process.communicate()
    cluster.run("scancel", "--user=root")
    until(lambda: queue(cluster) == [], 30)
    place = endpoints(path).parent
    lease = ["--lease", str(place / "lease"), "--lease-s", "4"]
    (place / "lease").touch()
    output = f"--output={place}/logs/again-%a.log"
    cluster.run("sbatch", output, str(place / "serve.sbatch"), str(endpoints(path)), *lease)
    until(lambda: registered(endpoints(path)))
    until(lambda: queue(cluster) == [], 40)
    assert registered(endpoints(path)) == ()
    assert "the run has ended" in (place / "logs" / "again-0.log").read_text()


def test_a_warning_of_the_time_limit_queues_the_job_again(cluster: Cluster, tmp_path: Path) -> None:
    serve = Serve(command=tuple(SCRIPTED), gpus=0, slurm=Slurm(options=("--time=10",)))
    script, folder, lease = tmp_path / "serve.sbatch", tmp_path / "endpoints", tmp_path / "lease"
    script.write_text(batch_script(serve, "m"))
    lease.touch()
    output = f"--output={tmp_path}/log"
    job = cluster.run("sbatch", "--parsable", output, script, folder, "--lease", lease, "--drain-s", "4").strip()
    until(lambda: registered(folder))
    time.sleep(4.5)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    until(lambda: not registered(folder), 10)
    assert queue(cluster) == [f"{job}_0"]  # what is in flight has time to end
    until(lambda: "Restarts=1" in cluster.run("scontrol", "show", "job", job), 30)
    assert "queued again" in (tmp_path / "log").read_text()
    cluster.run("scancel", job)
    until(lambda: queue(cluster) == [], 30)


def test_sglang_over_two_nodes_has_a_rank_on_each(cluster: Cluster, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 4, scripted(server="sglang", slurm={"nodes": 2}))
    process = start(path, cluster)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out + "".join(logs(path))
    started = [line for line in logs(path)[0].splitlines() if line.startswith("arguments")]
    assert sorted("--node-rank 1" in line for line in started) == [False, True]
    assert all("--nnodes 2 --dist-init-addr 127.0.0.1:" in line for line in started)
    assert "Traceback" not in logs(path)[0]
    until(lambda: queue(cluster) == [], 40)


def test_jobs_that_do_not_come_to_answer_stop_the_run(cluster: Cluster, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 3, scripted("--die-early", copies=2))
    process = start(path, cluster)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 4, out
    assert "has ended" in out
    assert "sk-abcdefgh" not in out
    assert "no weights" in logs(path)[0]


def test_slurm_refuses_the_options(cluster: Cluster, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 3, scripted(slurm={"options": ["--partition=elsewhere"]}))
    process = start(path, cluster)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4, out
    assert "Slurm did not take the job" in out
    assert "invalid partition" in out


def test_an_interrupt_while_jobs_wait_in_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 3, scripted(slurm={"options": ["--begin=now+1hour"]}))
    process = start(path, cluster)
    until(lambda: queue(cluster))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 4, out
    assert queue(cluster) == []


JOINED = """#!{python}
import os, sys
import ray

ray.init(address=os.environ["RAY_ADDRESS"], logging_level="error")
nodes = [node for node in ray.nodes() if node["Alive"]]
print("joined", len(nodes), "nodes; own address", os.environ["VLLM_HOST_IP"], flush=True)
os.environ["WHO"] = str(len(nodes)) + "-nodes"
os.execv({python!r}, [{python!r}, {scripted!r}, *sys.argv[1:]])
"""


def test_one_server_over_two_nodes(cluster: Cluster, missing: Callable[[str], None], tmp_path: Path) -> None:
    """Ray is real; what stands in for vLLM, which needs GPUs, looks at the nodes that have joined and then answers."""
    try:
        python = environment("ray==2.51.1")
    except NoPackages as error:
        missing(f"packages from an index for Ray: {error}")
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(JOINED.format(python=str(python), scripted=SCRIPTED[1]))
    program.chmod(0o755)
    program.with_name("ray").symlink_to(python.with_name("ray"))
    teacher = scripted(command=[str(program)], slurm={"nodes": 2}, env={"RAY_DEDUP_LOGS": "0"})
    path = write_recipe(tmp_path, 4, teacher)
    process = start(path, cluster)
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out + "".join(logs(path))
    assert "joined 2 nodes" in logs(path)[0]
    assert "--pipeline-parallel-size 2" in logs(path)[0]
    until(lambda: queue(cluster) == [], 40)
