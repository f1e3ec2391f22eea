"""Pushes a folder to the Hugging Face hub as it stands on the disk: a published dataset, a trained model."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curate.errors import Failed, Prerequisite, RecipeError, Stopped
from curate.publish.publish import Publish

if TYPE_CHECKING:
    from huggingface_hub import HfApi


class Target(NamedTuple):
    """Where a folder goes. `where` names in errors what asked for it; `stale` are files of an earlier push that go."""

    repo: str
    kind: str  # dataset or model
    private: bool
    where: str
    stale: tuple[str, ...]


def push(folder: Path, publish: Publish, *, endpoint: str | None = None) -> str:
    """Upload `folder` to `publish.repo` in one commit and return its address; shards that an earlier push left go.

    The token is that of `HF_TOKEN` or of `hf auth login`. Raises Prerequisite without one, RecipeError for a public
    repository where the recipe says private, Stopped where the hub refuses or cannot be reached, else Failed.
    """
    assert publish.repo is not None
    # The configs' globs would read shards that only an earlier, larger push had.
    stale = ("*/train-*.parquet",)
    return upload(folder, Target(publish.repo, "dataset", publish.private, "publish", stale), endpoint=endpoint)


def upload(folder: Path, target: Target, *, endpoint: str | None = None) -> str:
    """Upload `folder` in one commit and return its address; raises what `push` raises."""
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    go_on = f"the {target.kind} is complete on the disk: run the same command again to push it"
    token = os.environ.get("HF_TOKEN") or get_token()
    if not token:
        raise Prerequisite(
            "pushing needs a token of the hub", where=f"{target.where}.repo {target.repo}", next="export HF_TOKEN=..."
        )
    try:
        return _upload(HfApi(endpoint=endpoint, token=token), folder, target)
    except HFValidationError as error:
        raise RecipeError(f"not a {target.kind} id: {error}", where=f"{target.where}.repo") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        what = f"the hub answered {status} for {target.repo}"
        if status in (401, 403, 408, 409, 429) or status >= 500:
            raise Stopped(what, where=f"{target.where}.push", next=go_on) from error
        raise Failed(what, where=f"{target.where}.push", next=go_on) from error
    except Exception as error:  # boundary to the hub's client: connections fail in its HTTP library's own ways
        if isinstance(error, RecipeError):
            raise
        raise Stopped(f"the push did not go through: {error}", where=f"{target.where}.push", next=go_on) from error


def _upload(api: "HfApi", folder: Path, target: Target) -> str:
    repo = target.repo
    api.create_repo(repo, repo_type=target.kind, private=target.private, exist_ok=True)
    # An existing repository keeps its visibility, whatever was asked for.
    if target.private and not api.repo_info(repo, repo_type=target.kind).private:
        raise RecipeError(
            f"{repo} is public on the hub, and the recipe says private",
            where=f"{target.where}.private",
            next="make the repository private, or say private: false",
        )
    api.upload_folder(
        repo_id=repo,
        repo_type=target.kind,
        folder_path=folder,
        commit_message="Publish with Veristill",
        delete_patterns=list(target.stale),
    )
    return f"{api.endpoint}/{'datasets/' if target.kind == 'dataset' else ''}{repo}"
