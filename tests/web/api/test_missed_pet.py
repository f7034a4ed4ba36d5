"""A missed pet says where it is: the same checks and the same row through every interface."""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from support.processes import smartbreed

from smartbreed.core.errors import RequestError
from smartbreed.web.api.arguments import check_box

BAD_BOXES = [
    ([1, 2, 3], "box is four numbers"),
    ("left", "box is four numbers"),
    ([1, 2, 3, "nan"], "box is four numbers"),
    ([1, 2, 3, 1e999], "box is four numbers"),
    ([-50, 0, 40, 40], "not inside the photo"),
    ([0, 0, 40, 10_000], "not inside the photo"),
    ([10, 10, 12, 60], "at least 8 pixels"),
    ([60, 60, 10, 10], "at least 8 pixels"),
]


def row_of(server, flag_id: str) -> sqlite3.Row:
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        database.row_factory = sqlite3.Row
        return database.execute("SELECT * FROM flags WHERE id = ?", (flag_id,)).fetchone()


def count(server) -> int:
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        return int(database.execute("SELECT count(*) FROM flags").fetchone()[0])


def test_a_box_is_four_numbers_in_any_form() -> None:
    for value in ([1, 2.5, 30, 40], (1, 2.5, 30, 40), "1,2.5,30,40", "1, 2.5, 30, 40"):
        assert check_box(value) == (1.0, 2.5, 30.0, 40.0)
    for value in (None, "", []):
        assert check_box(value) is None
    for value in ("1,2,3", [True, 1, 2, 3], {"x0": 1}, 7, "1,2,3,inf"):
        with pytest.raises(RequestError, match="box is four numbers"):
            check_box(value)


def test_through_the_client_and_rest(client, curl, server, photos: list[Path]) -> None:
    photo = photos[0]
    answer = client.predict(handle_file(str(photo)), api_name="/identify")
    width, height = answer["width"], answer["height"]
    box = [4.0, 6.0, width - 4.0, height - 6.0]
    said = {"verdict": "missed", "consent": True, "box": box, "species": "dog"}
    receipt = client.predict(handle_file(str(photo)), **said, api_name="/flag")
    row = row_of(server, receipt["flag_id"])
    assert [row["x0"], row["y0"], row["x1"], row["y1"]] == box
    assert (row["verdict"], row["species"], row["label"], row["predicted"]) == ("missed", "dog", None, None)
    found = json.loads(row["found"])
    assert len(found) == len(answer["pets"]) > 0, "what was found beside it is kept for the detector"
    assert found[0][4] == answer["pets"][0]["species"]
    assert found[0][:4] == pytest.approx(answer["pets"][0]["box"], abs=0.1)

    fields = ["-F", f"photo=@{photo}", "-F", "verdict=missed", "-F", "consent=true"]
    text = ",".join(str(side) for side in (8, 8, width, height))
    status, receipt = curl("api/flag", *fields, "-F", f"box={text}", "-F", "label=Border Terrier")
    assert status == 200
    row = row_of(server, receipt["flag_id"])
    assert [row["x0"], row["y0"], row["x1"], row["y1"]] == [8, 8, width, height]
    assert (row["label"], row["species"]) == ("border_terrier", "dog")


@pytest.mark.parametrize(("box", "sentence"), BAD_BOXES)
def test_a_bad_box_is_a_sentence_and_no_row(client, curl, server, photo, box, sentence: str) -> None:
    before = count(server)
    if isinstance(box, str) or 1e999 not in box:  # JSON has no infinity
        with pytest.raises(AppError, match=sentence):
            client.predict(handle_file(str(photo)), verdict="missed", consent=True, box=box, api_name="/flag")
    text = box if isinstance(box, str) else ",".join(map(str, box))
    fields = ("-F", f"photo=@{photo}", "-F", "verdict=missed", "-F", "consent=true", "-F", f"box={text}")
    status, answer = curl("api/flag", *fields)
    assert (status, answer["error"]["code"]) == (422, "bad_box")
    assert sentence in answer["error"]["message"]
    assert count(server) == before


def test_a_box_goes_with_a_missed_pet_only(client, curl, photo) -> None:
    box = [1, 1, 60, 60]
    for said, sentence in [
        ({"verdict": "unsure", "box": box}, "A box goes with the verdict missed"),
        ({"verdict": "missed", "pet": 1, "box": box}, "A box goes with the verdict missed"),
        ({"verdict": "missed", "pet": 1}, "A missed pet is not in the answer"),
        ({"verdict": "missed", "box": box, "species": "horse"}, "A species is dog or cat"),
    ]:
        with pytest.raises(AppError, match=sentence):
            client.predict(handle_file(str(photo)), consent=True, **said, api_name="/flag")
    status, answer = curl("api/flag", "-F", f"photo=@{photo}", "-F", "verdict=missed", "-F", "box=1,1,60,60")
    assert (status, answer["error"]["code"]) == (422, "consent_required")


def test_rest_takes_flags_of_every_kind_and_one_photo(curl, photo, encode) -> None:
    query = "pet=1&verdict=unsure&consent=true"
    status, first = curl(f"api/flag?{query}", "-F", f"photo=@{photo}")
    assert (status, set(first)) == (200, {"flag_id", "sample_id", "created", "receipt"})
    body = json.dumps({"image": encode(photo)})
    assert curl(f"api/flag?{query}", "-H", "Content-Type: application/json", "-d", body)[1] == {
        **first, "created": False,
    }  # fmt: skip
    status, answer = curl("api/flag", "-F", f"photo=@{photo}", "-F", f"photo=@{photo}")
    assert (status, answer["error"]["code"]) == (422, "too_many_photos")
    assert curl("api/flag", "-X", "GET")[0] == 405


def test_a_photo_kept_smaller_than_it_came_keeps_its_boxes_in_place(photo: Path, tmp_path: Path) -> None:
    """A very large photo is decoded reduced; people say where a pet is in pixels of the full one."""
    from dataclasses import replace

    from smartbreed.core.database import read
    from smartbreed.core.settings import load_settings
    from smartbreed.feedback.tables import Flag
    from smartbreed.services import Services

    services = Services(load_settings(home=tmp_path, hub="embedded"))
    small = services.read(photo)
    large = replace(small, full=(2 * small.width, 2 * small.height))
    box = (20.0, 40.0, 2.0 * small.width - 20, 2.0 * small.height - 40)
    receipt = services.flag(
        large, services.identifier.identify(large), number=None, verdict="missed", box=box, consent=True
    )
    with read(services.flags.sessions) as session:
        flag = session.get(Flag, receipt.flag_id)
        assert flag is not None
        assert flag.box == tuple(side / 2 for side in box)
        assert (flag.photo_width, flag.photo_height) == (small.width, small.height)
        (found, *_) = flag.found_pets or ()
        assert found[0] == pytest.approx(services.identifier.identify(small).pets[0].box, abs=0.01)
    services.flags.close()


def test_on_the_command_line(server, photo, tmp_path: Path) -> None:
    command = partial(smartbreed, tmp_path, SMARTBREED_HUB="embedded")
    added = command(
        "flags", "add", str(photo), "--verdict", "missed", "--box", "4,4,90,90", "--consent", "--json"
    )
    assert added.returncode == 0, added.stderr
    flag = json.loads(added.stdout)["flag_id"]
    refused = command("flags", "add", str(photo), "--verdict", "missed", "--box", "4,4,9,9", "--consent")
    assert refused.returncode == 2
    assert "at least 8 pixels" in refused.stderr
    (row,) = map(json.loads, command("flags", "list", "--json").stdout.splitlines())
    assert (row["id"], row["box"], row["verdict"]) == (flag, [4, 4, 90, 90], "missed")
    assert "dog or a cat" in command("review", "accept", flag).stderr
    accepted = command("review", "accept", flag, "--species", "dog", "--box", "6,6,80,80", "--json")
    assert accepted.returncode == 0, accepted.stderr
    decision = json.loads(accepted.stdout)
    assert (decision["decision"], decision["species"], decision["box"]) == ("accept", "dog", [6, 6, 80, 80])
