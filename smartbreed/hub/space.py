"""Settings of a Space, through the client; `smartbreed.hub.client` handles its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from smartbreed.core.errors import HubCallError
from smartbreed.hub.retry import hub_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def create_space(api: HfApi, space: str, *, private: bool) -> None:
    """Create a Gradio Space unless it exists; ``private`` is applied to an existing one, too."""
    with hub_errors(space):
        api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        if private:
            api.update_repo_settings(space, private=True, repo_type="space")


def set_environment(
    api: HfApi, space: str, *, variables: Mapping[str, str], secrets: Mapping[str, str]
) -> list[str]:
    """Set variables that differ, and all secrets, since those cannot be read back; return the names set."""
    with hub_errors(space):
        there = {key: variable.value for key, variable in api.get_space_variables(space).items()}
        changed = [key for key, value in variables.items() if there.get(key) != value]
        for key in changed:
            api.add_space_variable(space, key, variables[key])
        for key, value in secrets.items():
            api.add_space_secret(space, key, value)
    return [*changed, *secrets]


def set_hardware(api: HfApi, space: str, hardware: str) -> bool:
    """Request hardware; return False if the Space has it or has requested it already."""
    with hub_errors(space):
        runtime = api.get_space_runtime(space)
        if hardware in (runtime.requested_hardware, runtime.hardware):
            return False
        api.request_space_hardware(space, hardware)  # type: ignore[arg-type]  # any name it knows will do
    return True


def mount_bucket(api: HfApi, space: str, bucket: str, path: str) -> bool:
    """Mount a bucket and keep the mounts at other paths; return False if it is mounted already."""
    from huggingface_hub import Volume

    with hub_errors(space):
        others = api.get_space_runtime(space).volumes or []
        if any((one.type, one.source, one.mount_path) == ("bucket", bucket, path) for one in others):
            return False
        kept = [one for one in others if one.mount_path != path]
        api.set_space_volumes(space, [*kept, Volume(type="bucket", source=bucket, mount_path=path)])
    return True


def check_card(api: HfApi, text: str) -> None:
    """Let the Hub validate the front matter of a Space's README.md.

    Raises:
        HubCallError: ``refused`` with the Hub's complaint; other kinds as usual.
    """
    try:
        with hub_errors("README.md"):
            api._validate_yaml(text, repo_type="space")
    except HubCallError as error:
        if isinstance(error.__cause__, ValueError):  # how the client raises the Hub's complaints
            said = " ".join(str(error.__cause__).split())[:500]
            raise HubCallError("refused", f"The head of README.md is not valid: {said}") from None
        raise
