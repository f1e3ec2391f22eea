"""What one rank runs: LLaMA-Factory on the job's arguments, with a heartbeat at each step.

All ranks go on from the same checkpoint: the newest that every node has complete. A checkpoint gets its record once
every rank has saved. On request the ranks save at one common step and pause. Standard library here; torch, transformers
and llamafactory are imported where they run.
"""

import argparse
import faulthandler
import fcntl
import importlib
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import checkpoints, process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import checkpoints
    import process

_AGREE_S = 1800.0  # ranks import and read at different speeds before they meet
_BUILD_S = 1200.0  # no compiler is silent for so long
_BEAT_S = 0.5  # at most two heartbeats a second: the folder is a shared file system


class Rank:
    """The place of this process in the job, from what torch.distributed.run sets; a lone process is rank 0 of 1."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        env = os.environ
        self.folder, self.job = folder, job
        self.rank, self.world = int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1"))
        self.local = int(env.get("LOCAL_RANK", "0"))
        self.node = int(env.get("VERISTILL_NODE", env.get("GROUP_RANK", "0")))
        self.attempt = int(env.get("VERISTILL_ATTEMPT", "0"))
        self.output = folder / job.get("output", "output")
        self.state = folder / "state"
        self.wanted = checkpoints.Wanted.of(job)
        # One rank looks after each folder: its node's first, or the first of all where the folder is shared.
        self.keeper = self.rank == 0 if job.get("shared", True) else self.local == 0
        self._store: Any = None

    def store(self) -> Any:
        """The store at which the ranks met; None for a lone process."""
        if self._store is None and self.world > 1:
            torch: Any = importlib.import_module("torch.distributed")
            from datetime import timedelta

            where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            self._store = torch.TCPStore(*where, is_master=False, timeout=timedelta(seconds=_AGREE_S))
        return self._store

    def key(self, name: str) -> str:
        """A key of this attempt in the store."""
        return f"veristill/{self.attempt}/{name}"

    def agreed(self) -> Path | None:
        """The checkpoint to go on from: the newest that is complete on every node. What is newer is set aside."""
        mine = self._complete() if self.keeper else []
        store = self.store()
        common = max(mine, default=0) if store is None else self._meet(store, mine)
        if self.keeper:
            for path in checkpoints.listed(self.output):
                if checkpoints.step(path) > common:
                    checkpoints.set_aside(path, self.state, "not complete on every node", self.attempt)
            for path in checkpoints.stray_weights(self.output):
                checkpoints.set_aside(path, self.state, "weights without a checkpoint", self.attempt)
        if store is not None:
            ready = self.key(f"ready/{0 if self.job.get('shared', True) else self.node}")
            store.set(ready, "1") if self.keeper else store.get(ready)
        return self.output / f"checkpoint-{common}" if common else None

    def _complete(self) -> list[int]:
        """Steps of the complete checkpoints of this folder; what is newer is set aside. Raises checkpoints.Refused."""
        found = checkpoints.survey(self.output, self.wanted)
        checkpoints.refuse_weights_alone(found, self.wanted)
        for path, reason in found.partial:
            print(checkpoints.set_aside(path, self.state, reason, self.attempt), flush=True)
        whole = [path for path in checkpoints.listed(self.output) if checkpoints.fault(path, self.wanted) is None]
        return [checkpoints.step(path) for path in whole]

    def _meet(self, store: Any, mine: list[int]) -> int:
        if self.keeper:
            store.set(self.key(f"complete/{self.node}"), json.dumps(mine))
        if self.rank == 0:
            nodes = [0] if self.job.get("shared", True) else range(int(self.job["nodes"]))
            each = [set(json.loads(store.get(self.key(f"complete/{node}")))) for node in nodes]
            store.set(self.key("common"), str(max(set.intersection(*each), default=0)))
        return int(store.get(self.key("common")))


class Beat:
    """What happens at each event of the trainer; `callback` makes it one of transformers' callbacks."""

    def __init__(self, rank: Rank) -> None:
        self.rank = rank
        self.beats, self.told_at, self.stop_at = 0, 0.0, 0
        self.pausing = False
        self.facts: dict[str, Any] = {"step": None, "steps": None, "loss": None, "tokens": None, "saved": None}
        self.facts["saves"] = False  # from the step after which a checkpoint is written until it is recorded

    def tell(self, state: str, trainer: Any = None, *, now: bool = False) -> None:
        """A heartbeat. Only a node's first rank writes it; the others stop with it, as all wait for each other."""
        self.beats += 1
        if trainer is not None:
            self.facts |= {"step": trainer.global_step, "steps": trainer.max_steps}
            self.facts["tokens"] = getattr(trainer, "num_input_tokens_seen", None) or None
        if self.rank.local or not (now or time.monotonic() - self.told_at > _BEAT_S):
            return
        self.told_at = time.monotonic()
        where = {"node": self.rank.node, "rank": self.rank.rank, "host": socket.gethostname(), "pid": os.getpid()}
        told = {**where, "attempt": self.rank.attempt, "state": state, "beat": self.beats, "time": time.time()}
        try:
            process.write_state(self.rank.state / f"node-{self.rank.node}.json", {**told, **self.facts})
        except OSError as error:  # a full disk stops checkpoints, not the step that is being made
            print(f"heartbeat not written: {error}", file=sys.stderr, flush=True)

    def refuse(self, why: str) -> None:
        """End this rank, as one that must not begin: the supervisor reads why, and does not try again."""
        self.facts |= {"rc": 2, "why": why}
        self.tell("refused", now=True)
        self.barrier()  # every node has written it before the first one ends the others
        raise SystemExit(f"refused: {why}")

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.rank.world > 1:
            importlib.import_module("torch.distributed").barrier()

    def stops(self, step: int) -> bool:
        """Whether to pause after this step.

        The first rank decides at the end of step S that all pause at the end of S + 1: nobody can end S + 1 before it
        has taken part, so everyone reads the decision in time.
        """
        store = self.rank.store()
        if self.rank.rank == 0 and not self.stop_at:
            asked = process.read_state(self.rank.state / "stop.json")
            if asked.get("attempt") == self.rank.attempt:
                self.stop_at = step if store is None else step + 1
                if store is not None:
                    store.set(self.rank.key("stop"), str(self.stop_at))
        elif not self.stop_at and store.check([self.rank.key("stop")]):
            self.stop_at = int(store.get(self.rank.key("stop")))
        return bool(self.stop_at) and step >= self.stop_at

    def callback(self) -> Any:
        """As transformers wants it."""
        kind: Any = importlib.import_module("transformers").TrainerCallback
        beat = self

        def on_train_begin(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step > state.max_steps:
                beat.refuse(
                    f"the newest checkpoint is at step {state.global_step}, and the training now asked for ends "
                    f"at step {state.max_steps}: say more epochs, or begin a run of another name"
                )
            beat.tell("training", state, now=True)

        def on_step_end(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            if beat.stops(state.global_step) and state.global_step < state.max_steps:
                beat.pausing = control.should_save = control.should_training_stop = True
            beat.facts["saves"] = bool(control.should_save)  # a save is silent, and may take longer than any step
            beat.tell("training", state, now=beat.facts["saves"])

        def on_life(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            beat.tell("training", state)

        def on_log(self: Any, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            beat.facts["loss"] = (logs or {}).get("loss", beat.facts["loss"])
            beat.tell("training", state, now=True)

        def on_save(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            beat.saved(state)

        def on_train_end(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
            if beat.pausing:
                beat.barrier()
                beat.tell("paused", state, now=True)
                sys.exit(0)
            beat.tell("saving", state, now=True)

        events = (on_train_begin, on_step_end, on_log, on_save, on_train_end)
        methods = {one.__name__: one for one in events} | {"on_substep_end": on_life, "on_prediction_step": on_life}
        return type("Heartbeat", (kind,), methods)()

    def saved(self, trainer: Any) -> None:
        """Every rank has saved its part: write the checkpoint's record."""
        self.barrier()
        path = self.rank.output / f"checkpoint-{trainer.global_step}"
        if self.rank.keeper and path.is_dir():
            checkpoints.complete_zero(path, self.rank.wanted)
            checkpoints.record(path, self.rank.wanted)
        self.facts |= {"saved": trainer.global_step, "saves": False}
        self.tell("training", trainer, now=True)


def _hold(state: Path, node: int) -> Any:
    """A lock that lives as long as this process: the next attempt on this node waits for it."""
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / f"node-{node}.ranks").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # a file system without flock
        print("this file system has no locks: an earlier attempt is not waited for", file=sys.stderr)
    return lock


def _let_cpu_resume(torch: Any) -> None:
    """Transformers maps a resumed optimizer to `cpu:0`, a name that torch.load does not know; CUDA is not concerned."""
    if not torch.cuda.is_available():
        torch.serialization.register_package(
            5, lambda storage: None, lambda storage, where: storage if str(where).startswith("cpu") else None
        )


def _free_stale_builds() -> None:
    """A rank killed while torch compiled an operator leaves a lock file, for which all later ranks would wait.

    Whoever compiles writes files; a lock beside nothing but old files is nobody's.
    """
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "torch_extensions"
    for lock in [*Path(root).glob("*/lock"), *Path(root).glob("*/*/lock")]:
        try:
            newest = max(one.stat().st_mtime for one in lock.parent.iterdir())
            if time.time() - newest > _BUILD_S:
                lock.unlink()
        except OSError:  # another rank was faster
            continue


def main() -> int:
    """0 when training is complete or has paused; the state file tells which."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", required=True, type=Path)
    flags = parser.parse_args()
    process.end_with_parent()
    faulthandler.enable()
    folder = flags.job.absolute().parent
    job = json.loads(flags.job.read_text("utf-8"))
    rank = Rank(folder, job)
    lock = _hold(rank.state, rank.node)
    os.chdir(folder)
    beat = Beat(rank)
    beat.tell("starting", now=True)
    newest = rank.agreed()
    _free_stale_builds()
    _let_cpu_resume(importlib.import_module("torch"))
    args: Any = importlib.import_module("omegaconf").OmegaConf
    args = args.to_container(args.load(folder / job["args"]))
    if args.get("overwrite_output_dir"):
        raise SystemExit("overwrite_output_dir would throw the checkpoints away: remove it")
    if newest is not None:
        args["resume_from_checkpoint"] = str(newest)
        print(f"going on from {newest.name}", flush=True)
    beat.facts["from"] = checkpoints.step(newest) if newest else 0
    beat.tell("starting", now=True)
    importlib.import_module("llamafactory.train.tuner").run_exp(args=args, callbacks=[beat.callback()])
    beat.tell("done", now=True)
    lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
