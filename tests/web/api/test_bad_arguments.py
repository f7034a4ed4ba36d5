"""An argument that makes no sense is answered with one sentence, at every interface."""

from __future__ import annotations

import httpx
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from smartbreed.core.errors import RequestError
from smartbreed.web.api.arguments import check_flag, check_pet, check_score, check_text, check_top_k

IDENTIFY = [
    ({"top_k": 0}, "top_k is a whole number from 1"),
    ({"top_k": 2.5}, "top_k is a whole number from 1"),
    ({"top_k": "many"}, "top_k is a whole number from 1"),
    ({"score": -0.1}, "score is a number from 0 to 1"),
    ({"score": 7}, "score is a number from 0 to 1"),
    ({"score": "nan"}, "score is a number from 0 to 1"),
    ({"whole": "perhaps"}, "whole is true or false"),
]


@pytest.mark.parametrize(("arguments", "sentence"), IDENTIFY)
def test_identify(client, curl, photo, arguments: dict, sentence: str) -> None:
    for endpoint, value in (
        ("/identify", handle_file(str(photo))),
        ("/identify_many", [handle_file(str(photo))]),
    ):
        with pytest.raises(AppError, match=sentence):
            client.predict(value, **arguments, api_name=endpoint)
    [(name, value)] = arguments.items()
    status, answer = curl(f"api/identify?{name}={value}", "-F", f"photo=@{photo}")
    assert status == 422
    assert sentence in answer["error"]["message"]
    assert answer["error"]["code"] == f"bad_{name}"


def test_many_without_a_list(client) -> None:
    with pytest.raises(AppError, match="photos is a list"):
        client.predict("abc", api_name="/identify_many")


def test_a_session_that_is_no_text_harms_no_later_event(client, server) -> None:
    odd = {"Content-Type": "application/json"}
    call = server.url + "gradio_api/call/breeds"
    for _ in range(2):  # the log is looked at afterwards
        body = b'{"data": [], "session_hash": "\\ud800"}'
        event = httpx.post(call, content=body, headers=odd).json()["event_id"]
        httpx.get(f"{call}/{event}")
        assert client.predict(api_name="/breeds")


def test_too_many_photos(client, curl, photo) -> None:
    with pytest.raises(AppError, match="At most 32 photos"):
        client.predict([""] * 33, api_name="/identify_many")
    fields = [argument for _ in range(33) for argument in ("-F", f"photos=@{photo}")]
    status, answer = curl("api/identify", *fields)
    assert (status, answer["error"]["code"]) == (422, "too_many_photos")


def test_explain(client, mcp, photo, encode) -> None:
    upload = handle_file(str(photo))
    for arguments, sentence in [
        ({"pet": 77}, "Received: pet 77"),
        ({"pet": -1}, "Received: pet -1"),
        ({"pet": 1.5}, "pet is a whole number"),
        ({"breed": "unicorn"}, "no breed with the id 'unicorn'"),
        ({"breed": 5}, "breed is text"),
    ]:
        with pytest.raises(AppError, match=sentence):
            client.predict(upload, **arguments, api_name="/explain")
    result = mcp("explain", photo=encode(photo), pet=77)
    assert result.isError
    assert "Received: pet 77" in result.content[0].text
    assert not result.content[0].text.startswith("'")


def test_flag(client, server, photo) -> None:
    before = server.files()
    upload = handle_file(str(photo))
    for arguments, sentence in [
        ({"verdict": "correct"}, "Tick"),
        ({"verdict": "correct", "consent": "certainly"}, "consent is true or false"),
        ({"verdict": "splendid", "consent": True}, "A verdict is one of"),
        ({"verdict": "wrong", "consent": True}, "which breed"),
        ({"verdict": "wrong", "label": "unicorn", "consent": True}, "No breed of that name"),
        ({"verdict": "wrong", "label": 5, "consent": True}, "label is text"),
        ({"pet": 77, "verdict": "correct", "consent": True}, "Received: pet 77"),
        ({"verdict": "wrong", "label_text": "x" * 5000, "consent": True}, "too long"),
    ]:
        with pytest.raises(AppError, match=sentence):
            client.predict(upload, **{"pet": 1, **arguments}, api_name="/flag")
    assert server.files() == before


def test_wrong_number_of_arguments(server) -> None:
    for data in ([], [""], ["", False]):
        answer = httpx.post(server.url + "gradio_api/run/identify", json={"data": data}, timeout=30)
        assert "number is wrong" in answer.json()["error"]


def test_mcp_without_a_photo(mcp) -> None:
    assert mcp("identify").isError


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (check_top_k, None, None), (check_top_k, "", None), (check_top_k, "3", 3), (check_top_k, 3.0, 3),
        (check_top_k, 1000, 1000), (check_score, None, None), (check_score, "0.5", 0.5),
        (check_score, 0, 0.0), (check_score, 1, 1.0), (check_pet, "2", 2), (check_pet, None, None),
    ],
)  # fmt: skip
def test_good_values(check, value, expected) -> None:
    assert check(value) == expected


@pytest.mark.parametrize("value", [0, 1001, True, False, [], {}, "1e3.", float("inf"), float("nan"), 10**400])
def test_bad_top_k(value) -> None:
    with pytest.raises(RequestError, match="top_k is a whole number") as caught:
        check_top_k(value)
    assert len(caught.value.message) < 150


def test_yes_and_no() -> None:
    assert check_flag("TRUE", "whole") is True
    assert check_flag("off", "whole") is False
    assert check_flag(1, "whole") is True
    assert check_flag(None, "whole") is False
    assert check_text(None, "label") == ""
    with pytest.raises(RequestError):
        check_flag([1], "whole")
