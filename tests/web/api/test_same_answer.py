"""Whichever interface a photo comes through, the answer is the same JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gradio_client import handle_file


def same(answer: dict[str, Any]) -> dict[str, Any]:
    """What must not differ between interfaces."""
    return {key: value for key, value in answer.items() if key not in ("image", "milliseconds")}


@pytest.fixture(scope="module")
def expected(client, photo: Path) -> dict[str, Any]:
    """What the README shows."""
    return client.predict(handle_file(str(photo)), api_name="/identify")


def test_the_contract(expected, photo: Path) -> None:
    assert set(expected) == {"image", "sha256", "width", "height", "pets", "model", "milliseconds"}
    # Gradio's upload takes blanks and the like out of a name.
    assert Path(expected["image"]).suffix == ".jpg"
    assert expected["pets"], "this photograph shows a pet"
    for pet in expected["pets"]:
        assert set(pet) == {"box", "score", "species", "verdict", "breeds", "group"}
        assert len(pet["breeds"]) == 5
        assert pet["species"] in ("cat", "dog")
        assert pet["verdict"] in ("breed", "group", "unknown")
        assert all(set(guess) == {"id", "name", "probability"} for guess in [*pet["breeds"], pet["group"]])


def test_curl_in_all_forms(expected, curl, photo: Path, encode) -> None:
    text = encode(photo)
    forms = [
        ("-F", f"photo=@{photo}"),
        ("-H", "Content-Type: image/jpeg", "--data-binary", f"@{photo}"),
        ("-H", "Content-Type: application/octet-stream", "--data-binary", f"@{photo}"),
        ("--data-binary", f"@{photo}"),
        ("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: image/jpeg", "--data-binary", f"@{photo}"),
    ]
    for form in forms:
        status, answer = curl("api/identify", *form)
        assert (status, same(answer)) == (200, same(expected)), form
    for image in (text, "data:image/jpeg;base64," + text):
        body = json.dumps({"image": image}).encode()
        status, answer = curl(
            "api/identify", "-H", "Content-Type: application/json", "--data-binary", "@-", stdin=body
        )
        assert (status, same(answer)) == (200, same(expected))


def test_mcp(expected, mcp, photo: Path, encode) -> None:
    for image in (encode(photo), "data:image/jpeg;base64," + encode(photo)):
        result = mcp("identify", photo=image)
        assert not result.isError
        assert same(json.loads(result.content[0].text)) == same(expected)


def test_command_line(expected, cli, photo: Path) -> None:
    done = cli("identify", photo, "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert same(answer) == same(expected)
    assert answer["image"] == photo.name


def test_base64_and_data_urls_through_the_client(expected, client, photo: Path, encode) -> None:
    for image in (encode(photo), "data:image/jpeg;base64," + encode(photo)):
        assert same(client.predict(image, api_name="/identify")) == same(expected)


def test_arguments_mean_the_same(client, curl, mcp, cli, photo: Path, encode) -> None:
    first = client.predict(handle_file(str(photo)), True, 2, api_name="/identify")
    assert first["whole"] is True
    assert first["pets"][0]["box"] == [0, 0, first["width"], first["height"]]
    assert len(first["pets"][0]["breeds"]) == 2
    answers = [
        curl("api/identify?whole=true&top_k=2", "-F", f"photo=@{photo}")[1],
        curl("api/identify", "-F", f"photo=@{photo}", "-F", "whole=true", "-F", "top_k=2")[1],
        json.loads(mcp("identify", photo=encode(photo), whole=True, top_k=2).content[0].text),
        json.loads(cli("identify", photo, "--json", "--whole", "--top-k", "2").stdout),
    ]
    assert [same(answer) for answer in answers] == [same(first)] * len(answers)


def test_a_high_score_finds_nothing(client, curl, photo: Path) -> None:
    assert client.predict(handle_file(str(photo)), score=1.0, api_name="/identify")["pets"] == []
    assert curl("api/identify?score=1", "-F", f"photo=@{photo}")[1]["pets"] == []


def test_many(client, curl, mcp, cli, photos: list[Path], bad_photos, encode) -> None:
    paths = [photos[0], bad_photos["text"].path, photos[1]]
    many = client.predict([handle_file(str(path)) for path in paths], api_name="/identify_many")
    assert ["error" in answer for answer in many] == [False, True, False]
    singles = [client.predict(handle_file(str(path)), api_name="/identify") for path in paths]
    assert [same(answer) for answer in many] == [same(answer) for answer in singles]
    fields = [argument for path in paths for argument in ("-F", f"photos=@{path}")]
    status, answer = curl("api/identify", *fields)
    assert status == 200
    assert [one["image"] for one in answer["results"]] == [path.name for path in paths]
    assert [same(one) for one in answer["results"]] == [same(one) for one in singles]
    result = mcp("identify_many", photos=[encode(path) for path in paths])
    assert [same(one) for one in json.loads(result.content[0].text)] == [same(one) for one in singles]
    done = cli("identify", *paths, "--json")
    assert done.returncode == 1
    assert [same(json.loads(line)) for line in done.stdout.splitlines()] == [same(one) for one in singles]


def test_one_photo_in_a_list_stays_a_list(curl, photo: Path) -> None:
    assert len(curl("api/identify", "-F", f"photos=@{photo}")[1]["results"]) == 1


def test_breeds(client, curl, mcp, cli, expected) -> None:
    breeds = client.predict(api_name="/breeds")
    assert all(set(breed) == {"id", "name", "aliases", "species", "group"} for breed in breeds)
    assert {guess["id"] for guess in expected["pets"][0]["breeds"]} <= {breed["id"] for breed in breeds}
    assert curl("api/breeds") == (200, breeds)
    assert json.loads(mcp("breeds").content[0].text) == breeds
    assert [json.loads(line) for line in cli("breeds", "--json").stdout.splitlines()] == breeds


def test_every_parameter_is_described(client, mcp) -> None:
    page = client.view_api(return_format="dict")["named_endpoints"]
    assert {"/identify", "/identify_many", "/explain", "/flag", "/breeds"} <= set(page)
    for name in ("/identify", "/identify_many", "/explain", "/flag"):
        assert page[name]["description"]
        assert all(parameter["python_type"]["description"] for parameter in page[name]["parameters"])
    tools = {tool.name: tool for tool in mcp().tools}
    assert set(tools) >= {"identify", "identify_many", "explain", "flag", "breeds"}
    for name in ("identify", "identify_many", "explain", "flag", "breeds"):
        assert len(tools[name].description) > 40
        properties = tools[name].inputSchema["properties"]
        assert all(schema.get("description") for schema in properties.values()), name
