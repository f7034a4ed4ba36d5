"""Models of one's own over HTTP: forms without a script, what is refused, and the JSON of a published one."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.languages import english_in, text_of
from support.photos import pattern
from support.teaching import Teacher, as_zip, classes

from smartbreed.accounts.members import COOKIE
from smartbreed.web.api.language import LanguageMiddleware
from smartbreed.web.pages.teach.page import served_app, teach_app

SCRIPT = "<script>alert(1)</script>{{7*7}}\"'>"
PASSWORD = "my two cats sing"


class Browser(TestClient):
    """A person in front of the pages; ``email``: who is signed in."""

    def __init__(self, site: Teacher, app: Any, email: str = "") -> None:
        super().__init__(app(site.services), base_url="http://pets.test", follow_redirects=False)
        if email:
            link = site.services.members._link("reset", site.services.roster.find(email))
            cookie = site.services.members.reset(link.partition("token=")[2], PASSWORD)
            self.cookies.set(COOKIE, cookie)

    def submit(self, page: str, to: str, files: Any = None, headers: Any = None, **fields: str) -> Any:
        """Send a form of a page."""
        token = re.findall(r'name="token" value="([^"]*)"', self.get(page).text)[0]
        return self.post(to, data={"token": token, **fields}, files=files, headers=headers)


def problem(answer: Any) -> str:
    found = re.findall(r'class="sb-problem" role="alert">(.*?)</p>', answer.text)
    return html.unescape(found[0]) if found else ""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teacher]:
    made = Teacher(tmp_path_factory.mktemp("home"), max_bytes=300_000, teach_models=3, teach_classes=5)
    made.model = made.trained(SCRIPT)
    made.at = f"/teach/model/{made.model}"
    yield made
    made.services.stop()


@pytest.fixture(scope="module")
def rosa(site: Teacher) -> Browser:
    return Browser(site, teach_app, "rosa@example.org")


def test_a_visitor_is_asked_to_sign_in(site: Teacher) -> None:
    visitor = Browser(site, teach_app)
    assert "Sign in to begin" in visitor.get("/teach").text
    assert visitor.get(site.at).headers["location"] == f"/account/sign-in?next={site.at}"
    answer = visitor.post(f"{site.at}/photos", files={"photos": pattern(1)})
    assert (answer.status_code, problem(answer)) == (401, "Please sign in first.")


def test_what_is_typed_is_text(site: Teacher, rosa: Browser) -> None:
    answer = rosa.submit("/teach", "/teach/new", name=SCRIPT, subject="whole")
    at = answer.headers["location"]
    assert rosa.submit(at, f"{at}/change", add=SCRIPT).status_code == 303
    group = site.teach.model(site.rosa, at.rpartition("/")[2]).classes[0].id
    rosa.submit(at, f"{at}/photos", {"photos": (f"{SCRIPT}.jpg", pattern(1))}, **{"class": group})
    for page in ("/teach", at, site.at):
        text = rosa.get(page).text
        assert "<script>alert" not in text
        assert "{{7*7}}" not in text.replace("&#123;", "{").replace("{{7*7}}&", "")
        assert html.unescape(text).count("<script>alert(1)</script>") >= 1
    for bad, why in (({"name": " ", "subject": "pet"}, "name"), ({"name": "A", "subject": "x"}, "Choose")):
        answer = rosa.submit("/teach", "/teach/new", **bad)
        assert answer.status_code == 422
        assert why in problem(answer)
    rosa.submit("/teach", "/teach/new", name="Third", subject="pet")
    assert "the most you can have" in rosa.get("/teach").text
    token = re.findall(r'name="token" value="([^"]*)"', rosa.get(site.at).text)[0]
    answer = rosa.post("/teach/new", data={"token": token, "name": "Fourth", "subject": "pet"})
    assert "the most you can have" in problem(answer)


@pytest.mark.parametrize("code", ["de", "es"])
def test_ones_models_in_the_language_of_their_page(site: Teacher, rosa: Browser, code: str) -> None:
    spoken = LanguageMiddleware(teach_app(site.services), site.services.settings, lambda: False)
    asking = TestClient(spoken, base_url="http://pets.test", headers={"accept-language": code})
    asking.cookies.update(rosa.cookies)
    if len(site.teach.models(site.rosa)) < 2:  # one that lacks everything
        site.teach.make(site.rosa, "Luna", "pet")
    pages = ["/teach", *(f"/teach/model/{row.id}" for row, *_ in site.teach.models(site.rosa))]
    for page in pages:
        text = text_of(asking.get(page).text)
        assert text, page
        assert english_in(text, code) == [], page


def test_photos_that_cannot_be_used(site: Teacher, rosa: Browser) -> None:
    group = site.teach.model(site.rosa, site.model).classes[0].id
    photos, wanted = f"{site.at}/photos", {"class": group}
    assert "No photo" in problem(rosa.submit(site.at, photos, **wanted))
    files = [("photos", ("a.jpg", classes()["Pet 1"][0])), ("photos", ("b.jpg", b"no picture")),
             ("photos", ("c.jpg", bytes(300_001)))]  # fmt: skip
    answer = rosa.submit(site.at, photos, files, **wanted)
    assert answer.status_code == 200
    for said in ("0 photos were added", "1 were already there", "at most 300,000"):
        assert said in answer.text
    said = rosa.submit(site.at, photos, files, {"Accept": "application/json"}, **wanted).json()
    assert said["added"] == 0
    for content in (b"", b"PK\x03\x04", as_zip({"..": [pattern(1)]}).getvalue()):
        answer = rosa.submit(site.at, photos, {"photos": ("a.zip", content)})
        assert answer.status_code == 422, content
        assert problem(answer)
        answer = rosa.submit(site.at, photos, {"photos": ("a.zip", content)}, {"Accept": "application/json"})
        assert answer.json()["problem"]
    token = re.findall(r'name="token" value="([^"]*)"', rosa.get(site.at).text)[0]
    for charset in ("undefined", "punycode", "utf-7", "unicode_escape", "no-such"):
        for value in (token, "+2AA-", "\\ud800"):
            answer = rosa.post(
                photos,
                content=f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{value}\r\n--b--\r\n',
                headers={"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"},
            )
            assert (answer.status_code, problem(answer)) == (400, "This is not one of our forms.")
    many = {f"Class {number}": [pattern(number)] for number in range(8)}
    answer = rosa.submit(site.at, photos, {"photos": ("a.zip", as_zip(many).getvalue())})
    assert "at most 5 classes" in problem(answer)
    answer = rosa.post(photos, data={"token": "0" * 64}, files={"photos": pattern(1)})
    assert (answer.status_code, problem(answer)[:9]) == (403, "This form")
    for one in site.teach.model(site.rosa, site.model).classes[2:]:
        site.teach.remove_class(site.rosa, site.model, one.id)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
@pytest.mark.parametrize("app", [teach_app, served_app])
def test_a_form_that_never_ends_is_not_read_on(site: Teacher, app: Any, kind: str) -> None:
    path = f"{site.at}/photos" if app is teach_app else "/m/some"
    received, answered = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        assert received < 100
        return {"type": "http.request", "body": b"token=" * 1000, "more_body": True}

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "server": ("pets.test", 80),
             "headers": [(b"host", b"pets.test"), (b"content-type", kind.encode())], "scheme": "http",
             "client": ("127.0.0.1", 1), "http_version": "1.1", "root_path": ""}  # fmt: skip
    asyncio.run(app(site.services)(scope, receive, send))
    assert answered[0]["status"] == 413
    assert b"please shorten it" in b"".join(message.get("body", b"") for message in answered)
    assert received == 4


def test_training_shows_its_curve_and_trying_its_answer(site: Teacher, rosa: Browser) -> None:
    assert rosa.submit(site.at, f"{site.at}/train").headers["location"] == f"{site.at}#train"
    site.teach._pool.submit(lambda: None).result()
    said = rosa.get(f"{site.at}/progress").json()
    assert said["done"]
    assert "<polyline" in said["curve"]
    text = rosa.get(site.at).text
    assert "named right by a model that had not seen them" in text
    answer = rosa.submit(site.at, f"{site.at}/try", {"photo": ("a.jpg", classes()["Pet 1"][1])})
    assert re.search(r'<h3 role="status">Pet 1</h3>', answer.text)
    assert answer.text.count("data:image/jpeg;base64,") == 2
    assert "No photo" in problem(rosa.submit(site.at, f"{site.at}/try"))
    assert problem(rosa.submit(site.at, f"{site.at}/try", {"photo": ("a.jpg", b"no")}))
    photo = site.teach.model(site.rosa, site.model).classes[0].photos[0].id
    answer = rosa.get(f"{site.at}/photo/{photo}")
    assert answer.content.startswith(b"\xff\xd8")
    assert answer.headers["cache-control"].startswith("private")
    assert rosa.get(f"{site.at}/photo/{'0' * 26}").status_code == 404


def test_the_answer_to_a_form_can_be_opened_in_another_language(site: Teacher, rosa: Browser) -> None:
    """The address of a form cannot: it takes nothing but the form."""

    def other_language(answer: Any) -> str:
        [there] = re.findall(r'href="([^"]+)[?]lang=es"', answer.text)
        return html.unescape(there)

    photo = {"photo": ("a.jpg", classes()["Pet 1"][1])}
    group = site.teach.model(site.rosa, site.model).classes[0].id
    for answer in (
        rosa.get(site.at), rosa.submit(site.at, f"{site.at}/try", photo),
        rosa.submit(site.at, f"{site.at}/try"),
        rosa.submit(site.at, f"{site.at}/photos", {"photos": ("a.jpg", b"no")}, **{"class": group}),
        rosa.submit(site.at, f"{site.at}/change"), rosa.submit(site.at, f"{site.at}/publish", do="nothing"),
    ):  # fmt: skip
        assert other_language(answer) == site.at
    for answer in (
        rosa.get("/teach"), rosa.submit(site.at, "/teach/new", name=" ", subject="pet"),
        rosa.submit(site.at, f"/teach/model/{'0' * 26}/train"), rosa.post(f"{site.at}/train"),
        rosa.get("/teach/new"),
    ):  # fmt: skip
        assert other_language(answer) == "/teach"
    assert rosa.get(f"{site.at}?lang=es").status_code == 200


def test_another_member_finds_nothing(site: Teacher) -> None:
    tom = Browser(site, teach_app, "tom@example.org")
    photo = site.teach.model(site.rosa, site.model).classes[0].photos[0].id
    for path in ("", "/progress", "/bundle", f"/photo/{photo}"):
        assert tom.get(f"{site.at}{path}").status_code == 404
    for path in ("/change", "/photos", "/train", "/try", "/publish", "/delete"):
        answer = tom.submit("/teach", f"{site.at}{path}", add="A", do="serve", address="toms")
        assert answer.status_code == 404, path
    assert site.teach.model(site.rosa, site.model).photos == 16


def test_a_published_model_answers_everyone_until_its_files_are_gone(site: Teacher, rosa: Browser) -> None:
    photo = classes()["Pet 2"][0]
    visitor = Browser(site, served_app)
    for name in ("my_pets", "..", "%2e%2e", "x" * 99):
        assert visitor.get(f"/m/{name}").status_code == 404
    assert "Back to your models" not in visitor.get("/m/my_pets").text, "a visitor has none"
    answer = visitor.post("/m/my_pets/identify", content=photo)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_model")
    assert "letters" in problem(rosa.submit(site.at, f"{site.at}/publish", do="serve", address="../x"))
    assert "Choose" in problem(rosa.submit(site.at, f"{site.at}/publish", do="serve", address=" "))
    assert rosa.submit(site.at, f"{site.at}/publish", do="serve", address="my_pets").status_code == 303
    assert "Pet 1, Pet 2" in visitor.get("/m/my_pets").text
    answer = visitor.submit("/m/my_pets", "/m/my_pets", {"photo": ("a.jpg", photo)})
    assert '<h3 role="status">Pet 2</h3>' in answer.text
    assert "No photo" in problem(visitor.submit("/m/my_pets", "/m/my_pets"))
    said = visitor.post("/m/my_pets/identify", content=photo, headers={"Content-Type": "image/jpeg"}).json()
    assert said["pets"][0]["breeds"][0]["name"] == "Pet 2"
    for sent in ({"images": []}, {"images": ["data:,", "data:,"]}):
        answer = visitor.post("/m/my_pets/identify", json=sent)
        assert answer.status_code == 422, sent
        assert answer.json()["error"]["code"] in ("one_photo", "too_many_photos")
    answer = visitor.post(
        "/m/my_pets/identify", content=b"no picture", headers={"Content-Type": "image/jpeg"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_format")
    number = site.teach.served("my_pets").bundle
    (site.teach.store.bundle(site.model, number) / "config.json").unlink()
    site.teach.serving._ready.clear()
    for answer in (visitor.get("/m/my_pets"), rosa.get(f"{site.at}/bundle")):
        assert answer.status_code == 410
        assert "can train it again" in problem(answer)
    assert visitor.post("/m/my_pets/identify", content=photo).json()["error"]["code"] == "gone"
