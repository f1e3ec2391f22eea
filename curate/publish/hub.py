"""Pushes a published folder to the Hugging Face hub, as it stands on the disk."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import Failed, Prerequisite, RecipeError, Stopped
from curate.publish.publish import Publish

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_GO_ON = "the dataset is complete on the disk: run the same command again to push it"


def push(folder: Path, publish: Publish, *, endpoint: str | None = None) -> str:
    """Upload `folder` to `publish.repo` in one commit and return its address; shards that an earlier push left go.

    The token is that of `HF_TOKEN` or of `hf auth login`. Raises Prerequisite without one, RecipeError for a public
    repository where the recipe says private, Stopped where the hub refuses or cannot be reached, else Failed.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    assert publish.repo is not None
    token = os.environ.get("HF_TOKEN") or get_token()
    if not token:
        raise Prerequisite(
            "pushing needs a token of the hub", where=f"publish.repo {publish.repo}", next="export HF_TOKEN=..."
        )
    try:
        return _upload(HfApi(endpoint=endpoint, token=token), folder, publish)
    except HFValidationError as error:
        raise RecipeError(f"not a dataset id: {error}", where="publish.repo") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        what = f"the hub answered {status} for {publish.repo}"
        if status in (401, 403, 408, 409, 429) or status >= 500:
            raise Stopped(what, where="publish.push", next=_GO_ON) from error
        raise Failed(what, where="publish.push", next=_GO_ON) from error
    except Exception as error:  # boundary to the hub's client: connections fail in its HTTP library's own ways
        if isinstance(error, RecipeError):
            raise
        raise Stopped(f"the push did not go through: {error}", where="publish.push", next=_GO_ON) from error


def _upload(api: "HfApi", folder: Path, publish: Publish) -> str:
    repo = publish.repo or ""
    api.create_repo(repo, repo_type="dataset", private=publish.private, exist_ok=True)
    # An existing repository keeps its visibility, whatever was asked for.
    if publish.private and not api.dataset_info(repo).private:
        raise RecipeError(
            f"{repo} is public on the hub, and the recipe says private",
            where="publish.private",
            next="make the repository private, or say private: false",
        )
    api.upload_folder(
        repo_id=repo,
        repo_type="dataset",
        folder_path=folder,
        commit_message="Publish with Veristill",
        # The configs' globs would read shards that only an earlier, larger push had.
        delete_patterns=["*/train-*.parquet"],
    )
    return f"{api.endpoint}/datasets/{repo}"
