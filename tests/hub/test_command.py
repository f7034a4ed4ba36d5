"""``smartbreed hub serve``, used with the real client."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from huggingface_hub import HfApi


def test_the_command_serves_and_keeps_what_was_pushed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "smartbreed", "hub", "serve", "--port", str(port)]
    environment = {**os.environ, "SMARTBREED_HOME": str(tmp_path)}
    api = HfApi(endpoint=f"http://127.0.0.1:{port}", token="anything")
    for turn in range(2):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            if turn == 0:
                api.create_repo("me/flags", repo_type="dataset")
                api.upload_file(
                    path_or_fileobj=b"{}", path_in_repo="a.json", repo_id="me/flags", repo_type="dataset"
                )
            assert "a.json" in api.list_repo_files("me/flags", repo_type="dataset")
        finally:
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        assert "HF_ENDPOINT=" in said
        assert "Traceback" not in said
