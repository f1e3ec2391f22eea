"""The batch script of an array of servers: options for sbatch, the server's command, and the text of `job.py` itself.

One file is all that a cluster needs.
"""

import shlex
from importlib.resources import files

from curate.calls.serving.serve import Serve, Slurm

_MARK = "VERISTILL_JOB"
WARNING_S = 600  # before the time limit; see job.py
_HEAD = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
{gpus}#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@{warning}
{options}
# Serves {model} with {server}: sbatch THIS_FILE FOLDER
# Each server writes its endpoint into FOLDER while it answers. It must be one that the nodes share with whoever asks.
set -eu
endpoints=${{1:?the folder of endpoints}}
shift
{env}{setup}
command=(
{command}
)
exec python3 -I - --server {server} --model {model_word} --ready-s {ready_s:g} --endpoints "$endpoints" "$@" \\
    -- "${{command[@]}}" <<'{mark}'
"""


def batch_script(serve: Serve, model: str) -> str:
    """The text of the script; run it with `sbatch SCRIPT ENDPOINTS_FOLDER`. Raises ValueError without a `slurm:`."""
    if serve.slurm is None:
        raise ValueError("serve.slurm is not set")
    head = _HEAD.format(
        name=shlex.quote(f"veristill-{serve.mark(model)}"),
        last=serve.copies - 1,
        nodes=serve.slurm.nodes,
        gpus=_gpus(serve, serve.slurm),
        warning=WARNING_S,
        options="".join(f"#SBATCH {option}\n" for option in serve.slurm.options),
        model=" ".join(model.split()),
        model_word=shlex.quote(model),
        server=serve.server,
        env="".join(f"export {name}={shlex.quote(value)}\n" for name, value in serve.env.items()),
        setup=_shell(serve.slurm.setup),
        command="\n".join("    " + line for line in _lines(serve.launch(model))),
        ready_s=serve.ready_s,
        mark=_MARK,
    )
    return f"{head}{files(__package__).joinpath('job.py').read_text('utf-8')}{_MARK}\n"


def _gpus(serve: Serve, slurm: Slurm) -> str:
    named = any(option.startswith(("--gres", "--gpus", "-G")) for option in slurm.options)
    return "" if named or not serve.gpus else f"#SBATCH --gpus-per-node={serve.gpus}\n"


def _shell(setup: str | None) -> str:
    # A user's lines may use unset variables, as the files of many environments do.
    return f"set +u\n{setup.strip()}\nset -u\n" if setup and setup.strip() else ""


def _lines(command: list[str]) -> list[str]:
    """One line for each option with its value."""
    lines: list[str] = []
    for word in command:
        if lines and not word.startswith("-"):
            lines[-1] += " " + shlex.quote(word)
        else:
            lines.append(shlex.quote(word))
    return lines
