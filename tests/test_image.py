"""The image of the Dockerfile, built and run as an engine would, in a clean Debian."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from support.clock import until
from support.image import Image, build, missing
from support.photos import blobs, jpeg
from support.processes import ROOT, Server, free_port

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(ROOT, tmp_path_factory.mktemp("image"))


class Container(Server):
    """A server in the image, its root read-only."""

    def __init__(self, folder: Path, image: Image, command: list[str], **changes: str) -> None:
        self.image = image
        super().__init__(folder, command=image.inside(command, read_only=True, **changes))

    @property
    def first(self) -> int:
        """Id of its first process, to which an engine sends its signals."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            os.kill(self.first, number)
        return self.process.wait(60)


def test_the_app_serves_without_rights_from_files_it_cannot_write(image: Image, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    with Container(tmp_path, image, image.command, GRADIO_SERVER_PORT=str(port)) as app:
        answer = httpx.post(
            f"{address}api/identify", files={"image": ("rex.jpg", jpeg(blobs(1)))}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert httpx.get(f"{address}offline/", timeout=60).status_code == 200
        status = Path(f"/proc/{app.first}/status").read_text()
        assert image.user != 0
        assert f"Uid:\t{image.user}\t{image.user}" in status
        # The check asks the port that the image exposes.
        check = [word.replace(":7860/", f":{port}/") for word in image.health]
        assert subprocess.run(image.inside(check, read_only=True), check=False).returncode == 0
        assert app.stop() == 0
    assert "Traceback" not in app.log()
    over = subprocess.run(image.inside(check, read_only=True), capture_output=True, check=False)
    assert over.returncode != 0, "the check finds an app that is gone"
    assert list(Path(f"{image.root}.volumes/data").iterdir()), "what it keeps lies in the volume"


def test_the_hub_of_compose_serves_from_the_same_image(image: Image, tmp_path: Path) -> None:
    command = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["hub"]["command"]
    port = str(free_port())
    words = [port if word == "7870" else str(word) for word in command]
    secrets = image.root / "run/secrets"
    secrets.mkdir(parents=True)
    file = secrets / "hub_tokens"
    file.write_text('{"name": "pets", "role": "write", "secret": "hf_long_secret"}\n')
    os.chown(file, image.user, image.user)  # as docs/deploy.md says
    file.chmod(0o400)
    hub = Container(tmp_path, image, words)
    until(lambda: listens(int(port)) or hub.process.poll() is not None)
    asking = {"Authorization": "Bearer hf_long_secret"}
    owner = httpx.get(f"http://127.0.0.1:{port}/api/whoami-v2", headers=asking, timeout=60)
    assert owner.json()["name"] == "pets", hub.log()
    hub.stop()
    assert "Traceback" not in hub.log()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_tensorflow_comes_only_if_asked_for(image: Image) -> None:
    done = subprocess.run(
        image.inside(["python", "-m", "pip", "list"]), capture_output=True, text=True, check=True
    )
    assert "ai-edge-litert" in done.stdout
    assert "tensorflow" not in done.stdout
