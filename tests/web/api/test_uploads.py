"""Uploads: only pictures are kept, nothing broken off stays, there is a quota; and sessions are bounded."""

from __future__ import annotations

import gc
import os
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import handle_file
from support.processes import Server

from smartbreed.core.errors import PhotoError, StorageError
from smartbreed.imaging.decoding import HEAD, decode, stand_in
from smartbreed.web.api.sessions import MOST_BYTES, BoundedHolder, LightSession
from smartbreed.web.api.upload_folder import UploadFolder

SECRET = b"<script>alert('51.5007 N')</script>"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("start", [b"", b"%PDF-1.7 ", b"<svg ", b"PK\3\4", b"\x00\x01", b"  <html>"])
def test_of_a_file_that_is_no_picture_nothing_is_kept(server, client, tmp_path, start: bytes) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(start + SECRET * 5000)
    answer = client.predict(handle_file(str(path)), api_name="/identify")
    assert answer["error"]["code"] == "unsupported_format"
    assert not [name for name, content in files(server.uploads).items() if SECRET in content]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7 x", b"<svg a", b"\0\0\0 ftypisom", b"hello", b"  <html>x"])
def test_what_stands_in_is_refused_for_the_same_reason(data: bytes) -> None:
    instead = stand_in(data[:HEAD])
    assert instead is not None
    if data:
        said = []
        for one in (data, instead):
            with pytest.raises(PhotoError) as error:
                decode(one, 10**6)
            said.append(error.value.message)
        assert said[0] == said[1]


def test_a_picture_arrives_as_it_was_sent(server, photos) -> None:
    """In pieces of any size, its head in several of them."""
    content = photos[0].read_bytes()
    form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a b.jpg"\r\n\r\n'
    body = form + content + b"\r\n--b--\r\n"

    def pieces() -> Any:
        yield from (body[i : i + 7] for i in range(0, 700, 7))
        yield body[700:]

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    [path] = httpx.post(server.url + "gradio_api/upload", content=pieces(), headers=kind).json()
    assert Path(path).read_bytes() == content
    assert Path(path).is_relative_to(server.uploads)


def test_an_upload_that_is_broken_off_leaves_nothing(server) -> None:
    before = files(server.uploads)
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n\xff\xd8\xff'
        one.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + form + b"x" * 400_000
        )
        for _ in range(600):  # until it is being written
            if files(server.uploads).keys() - before.keys():
                break
            time.sleep(0.1)
        else:
            raise AssertionError("nothing arrived")
    for _ in range(600):
        if files(server.uploads).keys() == before.keys():
            return
        time.sleep(0.1)
    raise AssertionError("the half of it is still there")


def test_old_files_go_and_what_the_page_shows_stays(tmp_path) -> None:
    folder = tmp_path / "uploads"
    hashed = folder / ("ab" * 32)
    for path in (
        hashed / "old.jpg",
        hashed / "new.jpg",
        folder / ("cd" * 32) / "shown.jpg",
        folder / "tmpabc",
        folder / "deep_links" / "xyz" / "state.json",
        folder / "theirs" / "old.jpg",  # GRADIO_TEMP_DIR may be a folder of other programs too
        folder / "notes.txt",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    shown = str(folder / ("cd" * 32) / "shown.jpg")
    uploads = UploadFolder(folder, 10_000, lambda: {shown})
    assert uploads.sweep() == 0
    time.sleep(0.05)  # a change of a file's status cannot be dated back, so the ages are short
    (hashed / "new.jpg").write_bytes(b"y")
    old = time.time() - (hashed / "old.jpg").stat().st_ctime
    assert uploads.sweep(age_s=old - 0.02, temporary_age_s=0.02) == 3
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {
        f"{'ab' * 32}/new.jpg", f"{'cd' * 32}/shown.jpg", "theirs/old.jpg", "notes.txt",
    }  # fmt: skip


def test_gradio_forgets_the_files_that_were_deleted(tmp_path: Path) -> None:
    folder = tmp_path / ("ab" * 32)
    folder.mkdir()
    old, kept = folder / "old.jpg", folder / "kept.jpg"
    for path in (old, kept):
        path.write_bytes(bytes(100))
    received, shown = {str(old), str(kept)}, {str(old), str(folder / "gone.jpg"), "\0"}
    uploads = UploadFolder(tmp_path, 10_000, lambda: {str(kept)}, lambda: [received, shown])
    time.sleep(0.05)
    assert uploads.sweep(age_s=0.02) == 1
    assert (received, shown) == ({str(kept)}, set())
    assert uploads.sweep(age_s=0.02) == 0
    assert received == {str(kept)}


def test_the_running_app_forgets_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads, and the pictures that components make: gradio has a set for each."""
    import gradio as gr

    from smartbreed.core.settings import load_settings
    from smartbreed.web.server import upload_folder

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with gr.Blocks() as blocks:
        image = gr.Image()
    path = tmp_path / "uploads" / ("ab" * 32) / "photo.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(100))
    blocks.upload_file_set.add(str(path))
    assert image.move_resource_to_block_cache(str(path)) == str(path)
    uploads = upload_folder(blocks, load_settings(home=tmp_path / "home"))
    assert uploads.sweep() == 0
    assert [len(paths) for paths in blocks.temp_file_sets] == [1, 1]
    path.unlink()  # as `check_space` does
    uploads.sweep()
    assert [len(paths) for paths in blocks.temp_file_sets] == [0, 0]


def test_a_full_folder_takes_no_more(tmp_path) -> None:
    folder = tmp_path / ("ab" * 32)
    folder.mkdir()
    (folder / "a.jpg").write_bytes(bytes(6_000))
    uploads = UploadFolder(tmp_path, 10_000)
    uploads.check_space()
    uploads.add(3_000)
    with pytest.raises(StorageError) as error:
        uploads.add(3_000)
    assert error.value.status == 507
    (folder / "b.jpg").write_bytes(bytes(6_000))
    with pytest.raises(StorageError):
        uploads.check_space()


def test_the_server_answers_507_when_its_uploads_are_full(tmp_path) -> None:
    with Server(tmp_path, SMARTBREED_MAX_UPLOADS="1000000") as server:
        kept = b"\xff\xd8\xff" + os.urandom(700_000)
        assert httpx.post(server.url + "gradio_api/upload", files={"files": kept}).status_code == 200
        answer = httpx.post(server.url + "gradio_api/upload", files={"files": kept})
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "storage"
        assert sum(content == kept for content in files(server.uploads).values()) == 1
        assert "Traceback" not in server.log()


class Held:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def test_sessions_are_small_and_bounded() -> None:
    import gradio as gr

    with gr.Blocks() as blocks:
        state = gr.State(None)
        for _ in range(300):
            gr.Textbox("x" * 100)
    holder = BoundedHolder()
    holder.set_blocks(blocks)
    holder.capacity = 50
    from gradio import state_holder

    usual, state_holder.SessionState = state_holder.SessionState, LightSession
    try:
        for number in range(80):
            holder[str(number)][state._id] = Held(MOST_BYTES // 20)
            holder.update(str(number))
        assert len(holder.session_data) == 20
        assert "79" in holder
        assert "0" not in holder
        assert isinstance(holder["79"][state._id], Held)
        for number in range(200):
            holder[f"empty {number}"]
        assert len(holder.session_data) <= 50
        assert len(holder["new"].config_values) == 0
        for session in holder.time_last_used:
            holder.time_last_used[session] = holder.time_last_used[session].replace(year=2000)
        holder.delete_all_expired_state()
        assert not holder.session_data
    finally:
        state_holder.SessionState = usual
    gc.collect()


def test_a_session_of_the_page_says_what_it_holds() -> None:
    from smartbreed.inference.results import Failure
    from smartbreed.web.pages.identify.session import Session, View

    failed = Failure("a", PhotoError("empty", "Empty."))
    session = Session(
        views=(View("a", "a", failed, np.zeros((10, 10, 3), np.uint8)),),
        crops=(np.zeros((20, 10, 3), np.uint8),),
    )
    assert session.nbytes == 300 + 600
