"""``python -m localhub`` where smartbreed cannot be imported, used with the real client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from huggingface_hub import HfApi
from support.embedded_hub import wait_for
from support.processes import free_port

ROOT = Path(__file__).parents[2]


def test_it_serves_where_smartbreed_cannot_be_imported(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "localhub").symlink_to(ROOT / "localhub")
    for name in ("smartbreed", "training"):
        (alone / f"{name}.py").write_text("raise ImportError('not installed')")
    settings = {**os.environ, "PYTHONPATH": str(alone)}
    python = [sys.executable, "-m"]
    assert subprocess.run([*python, "smartbreed"], cwd=alone, env=settings, capture_output=True).returncode
    helped = subprocess.run([*python, "localhub", "--help"], cwd=alone, env=settings, capture_output=True)
    assert b"HF_HUB_DISABLE_XET=1" in helped.stdout

    port = free_port()
    words = ["localhub", "--root", str(tmp_path / "hub"), "--port", str(port)]
    process = subprocess.Popen([*python, *words], cwd=alone, env=settings, stderr=subprocess.PIPE, text=True)
    try:
        api = HfApi(endpoint=f"http://127.0.0.1:{port}", token="anything")
        wait_for(lambda: process.poll() is not None or _answers(api), 60)
        api.create_repo("me/pets", repo_type="dataset")
        content = {"README.md": b"---\nlicense: mit\n---\n# Pets", "data/pet.bin": bytes(range(256)) * 50_000}
        for path, data in content.items():
            api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id="me/pets", repo_type="dataset")
        for path, data in content.items():
            got = api.hf_hub_download("me/pets", path, repo_type="dataset", local_dir=tmp_path / "got")
            assert Path(got).read_bytes() == data
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert "Traceback" not in said
    assert "HF_ENDPOINT=" in said


def test_an_option_that_makes_no_sense_is_a_sentence(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "localhub", "--root", str(tmp_path), "--host", "0.0.0.0"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, "without tokens" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def _answers(api: HfApi) -> bool:
    try:
        return bool(api.whoami())
    except Exception:
        return False
