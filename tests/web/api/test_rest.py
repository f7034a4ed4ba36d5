"""What only REST has: methods, limits while the body streams, documentation."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import socket
import time
import zlib
from urllib.parse import quote

import httpx
import pytest
from support.processes import MAX_BYTES

from smartbreed.breeds.facts import facts_of
from smartbreed.web.api.access import ROUTES


def test_health(curl, client) -> None:
    status, health = curl("api/health")
    assert status == 200
    assert set(health) == {"status", "version", "model", "flags"}
    assert health["status"] == "ok"
    assert set(health["model"]) == {"repo", "revision", "version"}
    assert health["flags"]["pending"] >= 0


def test_methods_and_paths(server, curl) -> None:
    for path, method, status in [
        ("api/identify", "GET", 405),
        ("api/identify", "PUT", 405),
        ("api/breeds", "POST", 405),
        ("api/nothing", "GET", 404),
        ("api/identify/x", "POST", 404),
    ]:
        found, answer = curl(path, "-X", method)
        assert found == status, path
        assert answer["error"]["code"] in ("method_not_allowed", "no_such_page")
    assert httpx.get(server.url + "api/identify").headers["allow"] == "POST"
    assert httpx.head(server.url + "api/health").status_code == 200
    assert httpx.get(server.url + "api", follow_redirects=True).url.path == "/api/docs"
    assert httpx.get(server.url).status_code == 200  # the page is still there


def test_broken_bodies(curl) -> None:
    json_type = ("-H", "Content-Type: application/json")
    multipart = ("-H", "Content-Type: multipart/form-data; boundary=x")
    for arguments in [
        (*json_type, "-d", "{"),
        (*json_type, "-d", "[]"),
        (*json_type, "-d", '"text"'),
        (*json_type, "-d", '{"image": {"path": "/etc/passwd"}}'),
        (*json_type, "-d", "[" * 100_000),
        ("-H", "Content-Type: multipart/form-data", "-d", "x"),
        (*multipart, "-d", "nonsense"),
        (
            *multipart,
            "-d",
            '--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\nabc',
        ),
    ]:
        status, answer = curl("api/identify", *arguments)
        assert (status, answer["error"]["code"]) == (400, "bad_body"), arguments
    status, answer = curl("api/identify", *json_type, "-d", '{"images": "x"}')
    assert (status, answer["error"]["code"]) == (422, "bad_photos")


def test_a_file_name_is_only_a_name(curl, photo) -> None:
    status, answer = curl("api/identify", "-F", f"photo=@{photo};filename=../../etc/\x1b[31mrex.jpg")
    assert (status, answer["image"]) == (200, "[31mrex.jpg")


def form(*parts: tuple[str, bytes]) -> dict:
    opened = b"--b\r\nContent-Disposition: form-data; "
    lines = [opened + head.encode() + b"\r\n\r\n" + body for head, body in parts]
    return {
        "content": b"\r\n".join([*lines, b"--b--\r\n"]),
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    }


def test_a_photo_in_every_form_that_programs_send(server, photo) -> None:
    data = photo.read_bytes()
    lines = base64.encodebytes(data)
    url = "data:image/png;base64," + lines.decode()
    unchosen, chosen = ('name="photo"; filename=""', b""), ('name="photo"; filename="rex.png"', data)
    for name, sent in {
        "rex.png": form(('name="file"; filename="rex.png"', data)),
        "r\xe9x.png": form(("name=photo; filename=rex.png; filename*=UTF-8''r%C3%A9x.png", data)),
        "\xa3.png": form(("name=photo; filename*=iso-8859-1'en'%A3.png", data)),
        "old.png": form(("name=photo; filename=old.png; filename*=idna''x%ff.png", data)),
        "bad.png": form(("name=photo; filename=bad.png; filename*=undefined''x.png", data)),
        "half.png": form(("name=photo; filename=half.png; filename*=unicode_escape''%5Cud800.png", data)),
        "rex.png ": form(unchosen, chosen, unchosen),
        " ": form(("name=photo", url.encode())),
        "  ": form(("name=image", lines)),
        "   ": form(("name=photo", b"data:image/png," + quote(data).encode())),
        "    ": form(("name=photo", quote(url, safe=":;,").encode())),
        "b.png": form(('name="photo"; filename="b.png"\r\nContent-Transfer-Encoding: BASE64', lines)),
        "     ": {"data": {"photo": url}},
        "      ": {"content": url.encode(), "headers": {"Content-Type": "text/plain"}},
    }.items():
        answer = httpx.post(server.url + "api/identify", timeout=60, **sent)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["image"] == name.strip()
    for sent in (form(unchosen), {"data": {"photo": ""}}):
        answer = httpx.post(server.url + "api/identify", **sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_photo")
    two = {"data": {"photo": [url, url], "top_k": "nine"}}
    answer = httpx.post(server.url + "api/identify", **two)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_top_k")
    two["data"]["top_k"] = "1"
    assert len(httpx.post(server.url + "api/identify", timeout=60, **two).json()["results"]) == 2


def test_a_text_that_is_nearly_base64_is_read_once(server) -> None:
    """To try every way to divide the white space would not end within the time limit of a test."""
    for text in (b" " * 900_000 + b"\0", b"a\n" * 450_000 + b"\0", b"\n" * 900_000 + b"data"):
        answer = httpx.post(server.url + "api/identify", timeout=60, **form(("name=photo", text)))
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_format")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body(server, photo, coding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[coding]

    def ask(data: bytes, coding: str = coding) -> tuple[int, str]:
        headers = {"Content-Type": "image/png", "Content-Encoding": coding}
        answer = httpx.post(server.url + "api/identify", content=data, headers=headers, timeout=60)
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    assert ask(pack(photo.read_bytes())) == (200, "")
    assert ask(pack(bytes(40 * MAX_BYTES))) == (413, "too_many_bytes")
    assert ask(pack(photo.read_bytes())[:-20]) == (400, "bad_body")
    assert ask(photo.read_bytes()) == (400, "bad_body")
    assert ask(photo.read_bytes(), "br") == (415, "unsupported_encoding")


def test_head_wherever_get_answers(server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for route in ROUTES:
            path = re.sub(r"\{[a-z]+(:path)?\}", "x", route.path)
            if "GET" not in route.methods.split() or "HEAD" not in route.methods.split():
                continue
            got = client.get(path)
            asked = client.head(path)
            assert asked.status_code == got.status_code, path
            assert asked.content == b"", path
            assert asked.headers.get("content-type") == got.headers.get("content-type"), path


def test_an_announced_flood_is_refused_before_it_is_sent(server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/api/identify")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "too_many_bytes"
    connection.close()


def test_an_unannounced_flood_is_not_kept(curl, server, tmp_path) -> None:
    flood = tmp_path / "flood.jpg"
    flood.write_bytes(b"\xff\xd8\xff" + bytes(40 * MAX_BYTES))
    before = memory(server)
    for arguments in [
        ("-H", "Content-Type: image/jpeg", "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{flood}"),
        ("-H", "Transfer-Encoding: chunked", "-F", f"photo=@{flood}"),
        ("-F", f"photo=@{flood}"),
    ]:
        status, answer = curl("api/identify", *arguments)
        assert (status, answer["error"]["code"]) == (413, "too_many_bytes")
    assert memory(server) - before < 20 * MAX_BYTES


def memory(server) -> int:
    """Bytes the server holds."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.findall(r"VmRSS:\s*(\d+)", status.read())[0]) * 1024


def test_a_caller_who_hangs_up(server, curl) -> None:
    for body in (b"--x\r\nContent-Disposition: form-data; name=photo; filename=a\r\n\r\n", b"\xff\xd8\xff"):
        kind = b"multipart/form-data; boundary=x" if body[:2] == b"--" else b"image/jpeg"
        with socket.create_connection(("127.0.0.1", server.port)) as caller:
            caller.sendall(
                b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\nContent-Type: "
                + kind + b"\r\n\r\n" + body
            )  # fmt: skip
            time.sleep(0.2)
    assert curl("api/health")[0] == 200


def test_the_description(server, curl) -> None:
    status, page = curl("api/openapi.json")
    assert status == 200
    ours = {route.path for route in ROUTES if route.path.startswith(("/api/", "/maintainer/"))}
    assert set(page["paths"]) == ours - {"/api/openapi.json", "/api/docs", "/api/{path:path}"}
    identify = page["paths"]["/api/identify"]["post"]
    assert set(identify["requestBody"]["content"]) == {
        "multipart/form-data", "image/*", "application/octet-stream", "application/json",
    }  # fmt: skip
    assert {parameter["name"] for parameter in identify["parameters"]} == {"whole", "top_k", "score"}
    assert set(identify["responses"]) >= {"200", "400", "413", "415", "422"}
    # Every reference leads somewhere.
    names = set(page["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", json.dumps(page))) <= names


def test_the_page_needs_nothing_from_elsewhere(server) -> None:
    answer = httpx.get(server.url + "api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "POST" in answer.text
    assert "/api/identify" in answer.text
    assert f"curl -F photo=@rex.jpg {server.url}api/identify" in answer.text
    named = re.sub(r'<link rel="canonical"[^>]*>', "", answer.text)  # says the address, and fetches nothing
    assert not re.search(r"<(script|link|img|iframe)\b|url\(|@import", named)


def test_work_leaves_the_event_loop_free(server, photo) -> None:
    """While photos are looked at, other requests are answered."""
    from concurrent.futures import ThreadPoolExecutor

    def identify(_: int) -> int:
        files = [("photos", (f"{n}.jpg", photo.read_bytes())) for n in range(32)]
        return httpx.post(server.url + "api/identify", files=files, timeout=60).status_code

    with ThreadPoolExecutor(3) as pool:
        running = pool.map(identify, range(3))
        time.sleep(0.1)
        assert httpx.get(server.url + "api/breeds", timeout=30).status_code == 200
        assert list(running) == [200] * 3


def test_one_breed(curl) -> None:
    facts = facts_of("border_terrier")
    status, answer = curl("api/breeds/border_terrier")
    (listed,) = [breed for breed in curl("api/breeds")[1] if breed["id"] == "border_terrier"]
    assert status == 200
    assert {name: answer[name] for name in listed} == listed
    assert answer["facts"] == facts.model_dump(mode="json")
    measured = answer["evaluation"]
    missed = sum(one["pictures"] for one in measured["taken_for"])
    assert round(measured["recall"] * measured["pictures"]) == measured["pictures"] - missed
    assert {"version", "date", "data", "precision", "f1", "abstained", "confidence"} <= set(measured)
    assert curl("api/breeds/Border%20Terrier")[1] == answer
    status, answer = curl("api/breeds/bordr_terier")
    assert (status, answer["error"]["code"]) == (404, "unknown_breed")
    assert "Border Terrier (border_terrier)" in answer["error"]["message"]
