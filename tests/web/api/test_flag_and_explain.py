"""Flags through the API are durable; explanations are pictures."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from support.processes import smartbreed

from smartbreed.accounts.member_data import own_flags
from smartbreed.accounts.members import COOKIE
from smartbreed.core.settings import load_settings
from smartbreed.services import Services


def flags(server) -> list[sqlite3.Row]:
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM flags ORDER BY flagged_at").fetchall()
    database.close()
    return rows


def test_a_flag_is_a_row_and_a_file(client, curl, server, photos: list[Path]) -> None:
    photo = photos[1]
    answer = client.predict(handle_file(str(photo)), api_name="/identify")
    first, other = answer["pets"][0]["breeds"][:2]
    said = {"pet": 1, "verdict": "wrong", "label": other["name"], "consent": True}
    before = curl("api/health")[1]["flags"]["pending"]
    receipt = client.predict(handle_file(str(photo)), **said, api_name="/flag")
    assert receipt["created"] is True
    [row] = [row for row in flags(server) if row["id"] == receipt["flag_id"]]
    assert (row["verdict"], row["label"], row["predicted"]) == ("wrong", other["id"], first["id"])
    assert row["model_revision"] == answer["model"]["revision"]
    assert row["sample_id"] == receipt["sample_id"]
    blobs = [p for p in (server.home / "blobs").rglob("*") if p.is_file()]
    assert receipt["sample_id"] in {hashlib.sha256(p.read_bytes()).hexdigest() for p in blobs}
    assert curl("api/health")[1]["flags"]["pending"] == before + 1
    again = client.predict(handle_file(str(photo)), **said, api_name="/flag")
    assert again == {**receipt, "created": False}


@pytest.mark.parametrize("interface", ["client", "rest", "mcp", "command"])
def test_a_receipt_takes_a_flag_back(interface: str, client, curl, mcp, server, photos: list[Path]) -> None:
    said = {"pet": 1, "verdict": "not_a_pet", "consent": True}
    saved = client.predict(handle_file(str(photos[0])), **said, api_name="/flag")
    proof = {"flag_id": saved["flag_id"], "receipt": saved["receipt"]}

    def rest(**sent: str) -> tuple[int, dict]:
        return curl("api/withdraw", "-H", "Content-Type: application/json", "-d", json.dumps(sent))

    assert rest(**{**proof, "receipt": "0" * 32})[0] == 404
    assert rest(flag_id=saved["flag_id"])[0] == 422
    if interface == "client":
        assert client.predict(*proof.values(), api_name="/withdraw")["withdrawn"] is True
    elif interface == "rest":
        assert rest(**proof) == (200, {"flag_id": saved["flag_id"], "withdrawn": True})
    elif interface == "mcp":
        assert json.loads(mcp("withdraw", **proof).content[0].text)["withdrawn"] is True
    else:
        done = smartbreed(server.home.parent, "flags", "withdraw", *proof.values())
        assert (done.returncode, done.stdout.split()) == (0, [saved["flag_id"]]), done.stderr
    [row] = [row for row in flags(server) if row["id"] == saved["flag_id"]]
    assert row["state"] == "withdrawn"


def test_a_flag_through_mcp_and_for_the_photo_as_a_whole(mcp, server, photos: list[Path], encode) -> None:
    before = len(flags(server))
    arguments = {"photo": encode(photos[2]), "verdict": "unsure", "consent": True}
    one = json.loads(mcp("flag", **arguments, pet=1).content[0].text)
    whole = json.loads(mcp("flag", **arguments).content[0].text)
    assert one["created"]
    assert whole["created"]
    assert whole["sample_id"] == one["sample_id"]
    assert len(flags(server)) == before + 2


@pytest.fixture(scope="module")
def services(server) -> Iterator[Services]:
    """Another process on the server's home."""
    opened = Services(load_settings(home=server.home, hub="embedded"))
    yield opened
    opened.stop()


@pytest.mark.parametrize("interface", ["rest", "client"])
def test_a_flag_with_the_cookie_of_a_member_is_theirs(
    interface: str, curl, server, services: Services, photos: list[Path]
) -> None:
    said = {"pet": 1, "verdict": "wrong", "label": "Keeshond", "consent": True}

    def send(cookie: str) -> str:
        if interface == "rest":
            form = [f"-F{name}={json.dumps(value).strip(chr(34))}" for name, value in said.items()]
            cookies = ("-b", f"{COOKIE}={cookie}") if cookie else ()
            status, saved = curl("api/flag", "-F", f"photo=@{photos[0]}", *form, *cookies)
            assert status == 200, saved
        else:
            headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
            client = Client(server.url, verbose=False, headers=headers)
            saved = client.predict(handle_file(str(photos[0])), **said, api_name="/flag")
        return saved["flag_id"]

    visitors = send("")
    member, link = services.roster.create(f"{interface}@example.org")
    cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
    assert send(f"{cookie}x") == visitors, "a forged cookie is none"
    mine = send(cookie)
    assert mine != visitors
    assert send(cookie) == mine
    assert [own.flag.id for own in own_flags(services.flags.sessions, member.id)] == [mine]
    page = httpx.get(f"{server.url}account", cookies={COOKIE: cookie})
    assert "It is a Keeshond" in page.text
    services.delete_member(member.id)
    assert [row["id"] for row in flags(server) if row["id"] in (mine, visitors)] == [visitors]
    assert send(cookie) == visitors, "the account has gone"


def test_an_explanation_is_a_picture(client, mcp, photo: Path, encode, tmp_path: Path) -> None:
    answer = client.predict(handle_file(str(photo)), api_name="/identify")
    pet = answer["pets"][0]
    pictures = []
    for breed in ("", pet["breeds"][0]["id"], pet["breeds"][1]["id"]):
        path = Path(client.predict(handle_file(str(photo)), 1, breed, api_name="/explain"))
        assert path.suffix == ".jpg"
        with Image.open(path) as picture:
            assert max(picture.size) == 320
            pictures.append(picture.tobytes())
    assert pictures[0] == pictures[1] != pictures[2]
    long = tmp_path / ("柴" * 83 + ".jpg")
    long.write_bytes(photo.read_bytes())
    path = Path(client.predict(handle_file(str(long)), 1, "", api_name="/explain"))
    assert path.name.startswith("柴")
    assert len(path.name.encode()) <= 255
    content = mcp("explain", photo=encode(photo)).content
    assert content[0].type == "image"
    with Image.open(io.BytesIO(base64.b64decode(content[0].data))) as picture:
        assert max(picture.size) == 320
