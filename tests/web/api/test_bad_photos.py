"""A file that is no usable photo gets the same code at every interface, and leaves no trace."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from gradio_client import handle_file
from support.processes import MAX_BYTES

CASES = ("empty", "text", "truncated", "huge", "too_many_bytes", "tiny")


@pytest.fixture(autouse=True)
def _nothing_is_kept(server):
    before = server.files()
    yield
    assert server.files() == before


def code_of(answer: dict[str, Any]) -> str:
    assert set(answer) == {"image", "error"}
    assert set(answer["error"]) == {"code", "message"}
    message = answer["error"]["message"]
    assert message[0].isupper()
    assert "/" not in message.replace("image/…", ""), "no message holds a path"
    return str(answer["error"]["code"])


@pytest.mark.parametrize("case", CASES)
def test_client(client, bad_photos, case: str) -> None:
    bad = bad_photos[case]
    for endpoint in ("/identify", "/explain", "/flag"):
        assert code_of(client.predict(handle_file(str(bad.path)), api_name=endpoint)) == bad.code
    [answer] = client.predict([handle_file(str(bad.path))], api_name="/identify_many")
    assert code_of(answer) == bad.code


@pytest.mark.parametrize("case", CASES)
def test_rest(curl, bad_photos, encode, case: str) -> None:
    bad = bad_photos[case]
    status, answer = curl("api/identify", "-F", f"photo=@{bad.path}")
    assert (status, code_of(answer), answer["image"]) == (bad.status, bad.code, bad.path.name)
    status, answer = curl("api/identify", "-H", "Content-Type: image/jpeg", "--data-binary", f"@{bad.path}")
    assert (status, code_of(answer)) == (bad.status, bad.code)
    body = json.dumps({"image": encode(bad.path)}).encode()
    status, answer = curl(
        "api/identify", "-H", "Content-Type: application/json", "--data-binary", "@-", stdin=body
    )
    code = "no_photo" if case == "empty" else bad.code  # an empty text is no photo at all
    assert (status, code_of(answer)) == (bad.status, code)


@pytest.mark.parametrize("case", CASES)
def test_mcp(mcp, bad_photos, encode, case: str) -> None:
    bad = bad_photos[case]
    photo = "data:image/jpeg;base64," + encode(bad.path)
    result = mcp("identify", photo=photo)
    assert not result.isError
    assert code_of(json.loads(result.content[0].text)) == bad.code


def test_command_line(cli, bad_photos) -> None:
    bad = [bad_photos[case] for case in CASES]
    done = cli("identify", *(one.path for one in bad), "--json")
    assert done.returncode == 1
    assert [code_of(json.loads(line)) for line in done.stdout.splitlines()] == [one.code for one in bad]
    assert "Traceback" not in done.stderr
    assert cli("identify", bad[0].path).returncode == 1


def test_folders_and_missing_files_on_the_command_line(cli, tmp_path) -> None:
    assert cli("identify", tmp_path, "--json").returncode == 2, "nothing in the folder"
    done = cli("identify", tmp_path / "gone.jpg", "--json")
    assert done.returncode == 1
    assert code_of(json.loads(done.stdout)) == "not_found"


def test_no_photo(client, curl, mcp) -> None:
    for nothing in ("", None, 5, {}):
        answer = client.predict(nothing, api_name="/identify")
        assert code_of(answer) == "no_photo", nothing
    assert code_of(curl("api/identify", "-X", "POST")[1]) == "no_photo"
    assert code_of(curl("api/identify", "-F", "other=1")[1]) == "no_photo"
    assert code_of(json.loads(mcp("identify", photo="").content[0].text)) == "no_photo"


def test_bad_base64(client, curl, mcp) -> None:
    for text in ("not base64!", "data:image/jpeg;base64,ab!c", "../../etc/passwd#"):
        assert code_of(client.predict(text, api_name="/identify")) == "bad_base64"
        body = json.dumps({"image": text}).encode()
        status, answer = curl("api/identify", "--json", "@-", stdin=body)
        assert (status, code_of(answer)) == (400, "bad_base64")
        assert code_of(json.loads(mcp("identify", photo=text).content[0].text)) == "bad_base64"


def test_only_uploads_are_read(client, server, photo) -> None:
    """A caller can write any file dictionary: nothing outside the uploads is read, and all get one answer."""
    uploads = server.uploads
    secret = uploads.parent / "secret.jpg"
    secret.write_bytes(photo.read_bytes())
    (uploads / "link.jpg").symlink_to(secret)
    reported = set()
    for path in (
        str(secret),
        str(uploads / "gone.jpg"),
        f"{uploads}/../secret.jpg",
        str(uploads / "link.jpg"),
        "/etc/passwd",
        "app.py",
        "x\0y",
        "a" * 5000,
    ):
        data = [{"path": path, "orig_name": "x.jpg", "meta": {"_type": "gradio.FileData"}}, False, 5, None]
        answer = post(server.url + "gradio_api/run/identify", {"data": data})["data"][0]
        assert code_of(answer) == "not_found"
        reported.add(answer["error"]["message"])
    assert len(reported) == 1


def test_a_folder_among_the_uploads(server) -> None:
    data = [{"path": str(server.uploads), "meta": {"_type": "gradio.FileData"}}, False, 5, None]
    answer = post(server.url + "gradio_api/run/identify", {"data": data})["data"][0]
    assert code_of(answer) == "unreadable"


def test_addresses_of_this_machine_are_not_fetched(client, server, curl, mcp) -> None:
    for url in (
        server.url + "config",
        "http://localhost/x.jpg",
        "http://169.254.169.254/latest",
        "http://[::1]/",
    ):
        assert code_of(client.predict(handle_file(url), api_name="/identify")) == "not_found"
        assert code_of(json.loads(mcp("identify", photo=url).content[0].text)) == "not_found"
        status, answer = curl("api/identify", "--json", json.dumps({"image": url}))
        assert (status, code_of(answer)) == (404, "not_found")


def test_an_address_that_is_none_spoils_no_other_photo(server, photo) -> None:
    data = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()
    for url in ("http://[", "http://[::1", "http://\u2100.com/", "https://[bad]/gradio_api/file=x"):
        answer = httpx.post(server.url + "api/identify", json={"image": url}, timeout=60)
        assert (answer.status_code, code_of(answer.json())) == (404, "not_found"), url
        found = httpx.post(server.url + "api/identify", json={"images": [url, data]}, timeout=60).json()
        assert code_of(found["results"][0]) == "not_found"
        assert "pets" in found["results"][1]


def test_an_earlier_upload_may_be_named_by_its_address(client, server, mcp, photo) -> None:
    """As Gradio's MCP helper for uploads does."""
    import httpx

    path = httpx.post(server.url + "gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    result = mcp("identify", photo=f"{server.url}gradio_api/file={path}")
    assert json.loads(result.content[0].text)["pets"]


def test_far_too_large_uploads_are_refused_at_once(client, server, tmp_path) -> None:
    path = tmp_path / "enormous.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(3 * MAX_BYTES))
    with pytest.raises(Exception, match=r"413|exceeds|size"):
        client.predict(handle_file(str(path)), api_name="/identify")


def post(url: str, body: Any) -> Any:
    import httpx

    return httpx.post(url, json=body, timeout=30).json()
