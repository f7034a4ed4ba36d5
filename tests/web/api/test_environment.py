"""What the environment says of networks keeps an app from starting, publishing or answering no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.processes import Server, environment, run


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"},
        {"ALL_PROXY": "socks5://127.0.0.1:9", "SSL_CERT_FILE": "/nowhere/ca.pem"},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_an_app_starts_and_publishes_to_its_own_hub(tmp_path: Path, changes: dict[str, str]) -> None:
    with Server(tmp_path / "app", **changes) as server:
        assert "Traceback" not in server.log()
    text = run(
        "-c",
        "from smartbreed.core.settings import load_settings\n"
        "from smartbreed.hub.connection import connect\n"
        "api = connect(load_settings())\n"
        "api.create_repo('a/b', repo_type='dataset')\n"
        "api.upload_file(path_or_fileobj=b'x', path_in_repo='x.txt', repo_id='a/b', repo_type='dataset')\n"
        "print(api.file_exists('a/b', 'x.txt', repo_type='dataset'))",
        env=environment(tmp_path, SMARTBREED_HUB="embedded", **changes),
    )
    assert text.stdout.split() == ["True"], text.stderr
