"""``python -m localhub`` where smartbreed cannot be imported, used with the real client."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from huggingface_hub import HfApi
from support.clock import until
from support.processes import ROOT, free_port, run, start


def test_it_serves_where_smartbreed_cannot_be_imported(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "localhub").symlink_to(ROOT / "localhub")
    for name in ("smartbreed", "training"):
        (alone / f"{name}.py").write_text("raise ImportError('not installed')")
    settings = {**os.environ, "PYTHONPATH": str(alone)}
    assert run("-m", "smartbreed", cwd=alone, env=settings).returncode
    helped = run("-m", "localhub", "--help", cwd=alone, env=settings)
    assert "HF_HUB_DISABLE_XET=1" in helped.stdout

    port = free_port()
    words = ["localhub", "--root", str(tmp_path / "hub"), "--port", str(port)]
    process = start("-m", *words, cwd=alone, env=settings, stdout=None)
    try:
        api = HfApi(endpoint=f"http://127.0.0.1:{port}", token="anything")
        until(lambda: process.poll() is not None or _answers(api), 60)
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
    done = run("-m", "localhub", "--root", tmp_path, "--host", "0.0.0.0")
    assert (done.returncode, "without tokens" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def _answers(api: HfApi) -> bool:
    try:
        return bool(api.whoami())
    except Exception:
        return False
