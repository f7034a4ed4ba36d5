"""REST answers, byte for byte, as they were recorded: status, headers that matter, body.

``RECORD=1 pytest tests/web/api/test_recorded.py`` writes ``recorded.json`` anew.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from support.processes import MAX_BYTES, Server

RECORDED = Path(__file__).with_name("recorded.json")
HEADERS = ("content-type", "allow", "location", "cache-control", "access-control-allow-origin")
JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}
#: What differs from run to run, from machine to machine or from model to model.
_NUMBERS, _TEXTS = (
    "milliseconds|pending|probability",
    "id|name|species|verdict|reason|flag_id|sample_id|sha256|receipt|repo",
)
_VARIES = re.compile(rf'("(?:{_NUMBERS})": )[\d.e-]+|("(?:{_TEXTS}|revision|version)": )"[^"]*"')
Case = tuple[str, str, str, dict[str, str], bytes]


def photo() -> bytes:
    """A grey picture, in which no model finds a pet."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(file, "png")
    return file.getvalue()


def form(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    heads = (b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (n.encode(), v) for n, v in parts)
    return b"".join(heads) + end


def cases() -> Iterator[Case]:
    """Name, method, path with query, headers, body."""
    picture = photo()
    text = base64.b64encode(picture).decode()
    in_form = ('name="photo"; filename="rex.png"', picture)
    large = ('name="photos"; filename="large.png"', bytes(MAX_BYTES + 1))

    def post(path: str, body: Any, headers: dict[str, str] | None = None, name: str = "") -> Case:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers if headers is not None else {} if isinstance(body, bytes) else JSON
        shown = (
            json.dumps({**body, "image": "…"} if "image" in body else body) if isinstance(body, dict) else ""
        )
        return (name or f"{path} {shown}".strip(), "POST", path, kind, sent)

    for path in (
        "identify",
        "flag",
        "withdraw",
        "breeds",
        "health",
        "nothing",
        "identify/x",
        "webhooks/model",
    ):
        for method in ("GET", "HEAD", "POST", "DELETE"):
            yield f"{method} {path}", method, f"api/{path}", {}, b""
    yield "GET api", "GET", "api", {}, b""
    yield "GET api/", "GET", "api/", {}, b""
    for method in ("GET", "POST"):
        for path in ("enter", "token", "leave", "nothing"):
            yield f"{method} maintainer/{path}", method, f"maintainer/{path}", {}, b""

    for query in ("", "whole=yes", "whole=maybe", "top_k=2", "top_k=", "top_k=0", "top_k=1.5",
                  "top_k=2&top_k=x", "score=0.5", "score=2", "score=nan", "score=x&top_k=x&whole=x",
                  "other=1"):  # fmt: skip
        yield post(f"api/identify?{query}", picture, name=f"bytes ?{query}")
    for options in ({}, {"whole": True}, {"whole": 3}, {"top_k": "2"}, {"top_k": [1]}, {"top_k": True},
                    {"score": None}, {"score": "high"}, {"score": 1e400}):  # fmt: skip
        yield post("api/identify", {"image": text, **options})
    yield post("api/identify?top_k=3", {"image": text, "top_k": 2})
    for images in ([], [text, text], [text, "%%%"], "x", [1], [text] * 100, None):
        yield post(
            "api/identify",
            {"images": images},
            name=f"images {str(images)[:5]}…{str(images)[-5:]} {len(images or ())}",
        )
    for image in (
        None,
        "",
        5,
        {"path": "/etc/passwd"},
        "data:image/png;base64," + text,
        "AAAA",
        "http://127.0.0.1/",
    ):
        yield post("api/identify", {"image": image}, name=f"image {str(image)[:40]}")
    for broken in (b"{", b"[]", b'"text"', b"5", b"\xff", b"[" * 50):
        yield post("api/identify", broken, JSON, f"json {broken[:20]!r}")
    yield post("api/identify", b"", name="no body")
    yield post("api/identify", b"", {"content-type": "image/jpeg"}, "empty picture")
    yield post("api/identify", b"letter", {"content-type": "text/plain"}, "text")
    yield post("api/identify", picture[:60], name="cut")
    yield post("api/identify", bytes(MAX_BYTES + 1), name="too long")
    yield post("api/identify", {"image": "A" * (4 * MAX_BYTES // 3 + 8)}, name="too long in JSON")
    yield post("api/identify", bytes(2 * MAX_BYTES), name="far too long")

    for name, parts in {
        "one": [in_form], "two": [in_form, in_form], "none": [('name="other"', b"x")],
        "text as photo": [('name="photo"', picture)], "options": [in_form, ('name="top_k"', b"2")],
        "bad option": [in_form, ('name="whole"', b"\xff")],
        "list of one": [('name="photos"; filename=a', picture)],
        "large": [in_form, large], "large alone": [large], "unnamed": [('filename="a"', picture)],
        "many": [in_form] * 100, "cut name": [('name="photo"; filename="../../r\x1bex.png"', picture)],
    }.items():  # fmt: skip
        yield post("api/identify", form(*parts), FORM, f"form {name}")
    yield post("api/identify", form(in_form, end=b""), FORM, "form without end")
    yield post("api/identify", form(in_form)[:90], FORM, "form cut")
    yield post("api/identify", b"nonsense", FORM, "form of nonsense")
    yield post("api/identify", b"x", {"content-type": "multipart/form-data"}, "form without boundary")
    yield post("api/identify?whole=x", form(in_form, end=b""), FORM, "form without end, bad query")
    yield post("api/identify?whole=x", b"", name="no body, bad query")

    flag = {"image": text, "verdict": "correct", "consent": True}
    for change in ({}, {"consent": False}, {"consent": "x"}, {"verdict": "fine"}, {"verdict": 5}, {"pet": 1},
                   {"pet": "x"}, {"pet": 1.5}, {"whole": True, "pet": 1}, {"whole": True, "pet": 7},
                   {"verdict": "wrong", "label": "no such breed"}, {"verdict": "wrong", "label": ["pug"]},
                   {"verdict": "missed", "box": [1, 2, 3]}, {"label_text": 3},
                   {"verdict": "missed", "box": "1,2,40,44", "species": "dog"},
                   {"verdict": "missed", "box": [1, 2, 400, 400], "species": "dog"}, {"species": "cow"},
                   {"image": None}, {"image": "AAAA"}, {"score": 3, "pet": "x"}):  # fmt: skip
        yield post("api/flag", {**flag, **change}, name=f"flag {json.dumps(change)[:60]}")
    yield post("api/flag", {**flag, "images": [text, text]}, name="flag of two")
    yield post("api/flag", {**flag, "images": []}, name="flag of none")
    yield post("api/flag?verdict=not_a_pet&consent=true&whole=1&pet=1", picture, name="flag by query")
    fields = [('name="verdict"', b"missed"), ('name="box"', b"1,2,30,40"), ('name="species"', b"cat")]
    yield post("api/flag", form(in_form, *fields, ('name="consent"', b"yes")), FORM, "flag by form")
    yield post("api/flag", form(in_form, *fields), FORM, "flag without consent")
    yield post("api/flag?box=x", picture, name="flag with a bad box")

    for sent in ({}, {"flag_id": 1, "receipt": "x"}, {"flag_id": "x"}, {"flag_id": "x", "receipt": "y"},
                 {"flag_id": "x", "receipt": "y", "more": 1}):  # fmt: skip
        yield post("api/withdraw", sent)
    for broken in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"flag_id": "' + b"x" * 2000):
        yield post("api/withdraw", broken, JSON, f"withdraw {broken[:20]!r} {len(broken)}")
    yield post(
        "api/withdraw",
        b'{"flag_id": "x", "receipt": "y"}',
        {"content-type": "text/plain"},
        "withdraw as text",
    )

    here = {"origin": "http://elsewhere.example", "sec-fetch-site": "cross-site"}
    for body, headers in (({"password": "wrong wrong"}, JSON), ({"password": 5}, JSON), ([], JSON), ({}, {}),
                          ({"password": "x" * 5000}, JSON), ({"password": "x"}, JSON | here)):  # fmt: skip
        yield post("maintainer/enter", body, headers, f"enter {str(body)[:30]} {len(headers)}")
    secret = {"x-webhook-secret": "a secret of tests"}
    model = {"repo": {"type": "model", "name": "a/b"}}
    for body, headers in ((model, {}), (model, {"x-webhook-secret": "x"}), (model, secret), ({}, secret),
                          ({"repo": "x" * 100_000}, secret), (b"{", secret)):  # fmt: skip
        yield post("api/webhooks/model", body, headers, f"webhook {str(body)[:40]} {list(headers.values())}")
    yield post("api/webhooks/dataset", model, secret, "webhook of the dataset")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("recorded"),
        SMARTBREED_MAINTAINER_PASSWORD="right right right", SMARTBREED_WEBHOOK_SECRET="a secret of tests",
    ) as running:  # fmt: skip
        yield running


def test_answers_are_what_was_recorded(own: Server) -> None:
    found: dict[str, list[Any]] = {}
    with httpx.Client(timeout=60) as client:
        for name, method, path, headers, body in cases():
            assert name not in found
            answer = client.request(method, own.url + path, headers=headers, content=body)
            kept = {
                key: answer.headers[key].replace(own.url, "/") for key in HEADERS if key in answer.headers
            }
            text = _VARIES.sub(lambda m: f'{m[1] or m[2]}"…"', answer.text)
            if path == "api/breeds" and answer.text and answer.status_code == 200:
                text = text[:30].partition('"id": ')[0]  # the rest is the model's
            found[name] = [answer.status_code, kept, text]
    if os.environ.get("RECORD"):
        lines = [
            f"{json.dumps(k, ensure_ascii=False)}: {json.dumps(v, ensure_ascii=False)}"
            for k, v in found.items()
        ]
        RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    assert "Traceback" not in own.log()
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert found.keys() == recorded.keys()
    assert {k: v for k, v in found.items() if v != recorded[k]} == {}
