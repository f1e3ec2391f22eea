"""`veristill train finish`: a plain model folder after training, pushed on request."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from recipes.cli.app import chosen
from recipes.cli.train.group import Json, Name, group

if TYPE_CHECKING:
    from train.finish import Finished


@group.command()
def finish(
    context: typer.Context,
    recipe: Name,
    step: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Make it of this checkpoint, not of the end of training.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="bfloat16, float16, float32; by default the student's own.")
    ] = None,
    push: Annotated[str | None, typer.Option(metavar="REPO", help="Upload it to this model repository.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Push to a public repository; else it is private.")] = False,
    json: Json = False,
) -> None:
    """Merge or gather the trained weights to a plain Hugging Face folder with a card, and say how to serve it.

    LoRA adapters are merged into the student, shards of ZeRO and FSDP put together; what was made is read back and
    compared with its configuration. A second call makes nothing again that is there.

    Example: veristill train finish my-student.yaml --push my-org/my-student
    """
    from recipes.cli import show
    from recipes.training import block_of, folder_of
    from train.finish import finish as make

    if dtype not in (None, "bfloat16", "float16", "float32"):
        raise typer.BadParameter("expected bfloat16, float16 or float32", param_hint="--dtype")
    from recipes.load import load

    read = load(recipe)
    root = chosen(context).root
    block, here = block_of(read, recipe), folder_of(root, read.name)
    done = make(block, here, root, step=step, dtype=dtype, repo=push)
    address = _push(done, push, public) if push else None
    facts: dict[str, Any] = {"folder": str(done.folder), **done.facts, "pushed": address, "serve": done.serve}
    if json:
        show.as_json(facts)
        return
    show.pairs({
        "model": f"{done.folder} ({facts['parameters']:,} parameters, {facts['dtype']}, {facts['bytes'] / 1e9:.3g} GB)",
        "of": f"step {done.step:,}" + ("" if done.made else ", made before"),
        **({"pushed": address} if address else {}),
        "serve": done.serve,
    })  # fmt: skip


def _push(done: "Finished", repo: str, public: bool) -> str:
    from train.after import push

    return push(done.folder, repo, private=not public)
