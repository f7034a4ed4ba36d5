"""Flags through the API are durable; explanations are pictures."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sqlite3
from pathlib import Path

import pytest
from gradio_client import handle_file
from PIL import Image
from support.processes import smartbreed


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


def test_an_explanation_is_a_picture(client, mcp, photo: Path, encode) -> None:
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
    long = photo.with_name("柴" * 83 + ".jpg")
    long.write_bytes(photo.read_bytes())
    path = Path(client.predict(handle_file(str(long)), 1, "", api_name="/explain"))
    assert path.name.startswith("柴")
    assert len(path.name.encode()) <= 255
    content = mcp("explain", photo=encode(photo)).content
    assert content[0].type == "image"
    with Image.open(io.BytesIO(base64.b64decode(content[0].data))) as picture:
        assert max(picture.size) == 320
