"""The pages about breeds, with the bundle that ships and with bundles that name other things."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support.gallery import fill, photographs

from smartbreed.breeds.catalogue import BREEDS, GROUPS
from smartbreed.breeds.facts import facts_of
from smartbreed.core.database import write
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.feedback.flags import FlagRequest
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.evaluation import FILE, evaluation_of
from smartbreed.review import decisions
from smartbreed.services import Services
from smartbreed.web.api.access import route_for
from smartbreed.web.components.sentences import percent
from smartbreed.web.pages.breeds.page import BreedPages
from smartbreed.web.pages.statistics.page import StatisticsPages

SCRIPT = "\"><script>alert('x')</script>{{7*7}}${x}"


class Page(HTMLParser):
    """What a page holds: text and links, and everything that could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.cards: list[str] = []
        self.head: dict[str, str] = {}
        self.selected: dict[str, str] = {}
        self.words: list[str] = []
        self._inside: list[str] = []
        self._select = ""
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, found: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in found}
        assert not [name for name in given if name.startswith("on")], "no inline handler"
        self._inside.append(tag)
        if tag == "a":
            self.links.append(given["href"])
            if "h3" in self._inside:
                self.cards.append(given["href"])
        elif tag == "script":
            self.scripts.append(given.get("src", "inline"))
        elif tag == "meta":
            self.head[given.get("name") or given.get("property", "")] = given.get("content", "")
        elif tag == "link":
            self.head[given["rel"]] = given["href"]
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given:
            self.selected[self._select] = given["value"]
        if tag in ("meta", "link", "input", "br"):
            self._inside.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "title" in self._inside:
            self.head["title"] = self.head.get("title", "") + data
        else:
            self.words.append(data)


class Site:
    """The pages of one model."""

    def __init__(self, services: Services) -> None:
        self.services = services
        routes = BreedPages(services).routes()
        self._client = TestClient(
            Starlette(routes=routes), base_url="http://pets.test", follow_redirects=False
        )

    def get(self, address: str) -> Any:
        return self._client.get(address)

    def page(self, address: str, status: int = 200) -> Page:
        answer = self.get(address)
        assert answer.status_code == status, address
        found = Page(answer.text)
        assert [Path(urlsplit(one).path).name for one in found.scripts] == ["forms.js", "breeds.js"]
        return found


def services_of(home: Path, model: Path | str = "") -> Services:
    return Services(load_settings(home=home, hub="embedded", watch=0, gallery="", model=str(model)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    services = services_of(tmp_path_factory.mktemp("home"))
    yield Site(services)
    services.flags.close()


def altered(folder: Path, change: Callable[[dict[str, Any]], None], *, evaluation: bool = True) -> Path:
    """The bundle that ships, with another ``config.json``."""
    folder.mkdir()
    for path in EMBEDDED_BUNDLE.iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    change(config)
    if not evaluation:
        del config["files"][FILE]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def ids(page: Page) -> list[str]:
    return [urlsplit(link).path.rsplit("/", 1)[1] for link in page.cards]


# ---------------------------------------------------------------- the list


def test_the_list_shows_every_breed_by_name(site: Site) -> None:
    page = site.page("/breeds")
    names = sorted(BREEDS.values(), key=lambda breed: breed.name.casefold())
    assert ids(page) == [breed.id for breed in names]
    assert "133 breeds it knows" in page.text
    assert page.head["title"] == "133 breeds it knows – SmartBreed"
    assert page.head["canonical"] == page.head["og:url"] == "http://pets.test/breeds"
    assert page.head["og:title"] == "133 breeds it knows"
    assert page.head["description"] == page.head["og:description"] != ""
    assert "Added by visitors" not in page.text


@pytest.mark.parametrize(("text", "first"), [
    ("westie", "west_highland_white_terrier"), ("Alsatian", "german_shepherd"), ("SIAMESE cat", "siamese"),
    ("bordr terier", "border_terrier"), ("löwchen", None),
])  # fmt: skip
def test_a_name_an_alias_or_a_misspelling_finds_a_breed(site: Site, text: str, first: str | None) -> None:
    found = ids(site.page(f"/breeds?{urlencode({'q': text})}"))
    assert found[:1] == ([first] if first else [])


choices = st.fixed_dictionaries(
    {},
    optional={
        "species": st.sampled_from(["cat", "dog", "", "horse"]),
        "group": st.sampled_from([*GROUPS, "nothing"]),
        "size": st.sampled_from(["toy", "small", "medium", "large", "giant", "huge"]),
        "coat": st.sampled_from(["hairless", "short", "medium", "long", "wet"]),
    },
)


@given(choices)
def test_filters_leave_what_fits(site: Site, asked: dict[str, str]) -> None:
    page = site.page(f"/breeds?{urlencode(asked)}")
    known = {
        "species": {breed.species for breed in BREEDS.values()},
        "group": set(GROUPS),
        "size": {"toy", "small", "medium", "large", "giant"},
        "coat": {"hairless", "short", "medium", "long"},
    }
    wanted = {name: value for name, value in asked.items() if value in known[name]}
    fits = set()
    for breed in BREEDS.values():
        facts = facts_of(breed.id)
        assert facts is not None
        has = {"species": breed.species, "group": breed.group, "size": facts.size, "coat": facts.coat.length}
        if all(has[name] == value for name, value in wanted.items()):
            fits.add(breed.id)
    assert set(ids(page)) == fits
    assert page.selected == wanted
    assert (f"{len(fits)} of 133 breeds" in page.text) == bool(wanted)
    assert ("Nothing found" in page.text) == (not fits)


@given(st.dictionaries(st.sampled_from(["q", "species", "group", "size", "coat", "a", "b", "x"]), st.text()))
def test_any_query_is_answered(site: Site, asked: dict[str, str]) -> None:
    query = urlencode({name: text.encode("utf-8", "replace") for name, text in asked.items()})
    page = site.page(f"/breeds?{query}")
    found = {breed.id for breed in site.services.breed_book.search(asked.get("q", "").strip()[:80])}
    if asked.get("q", "").strip():
        assert set(ids(page)) <= found
    site.page(f"/breeds/compare?{query}")


def test_nothing_found_says_so_and_leads_back(site: Site) -> None:
    page = site.page("/breeds?q=zzzzqqqq")
    assert "0 of 133 breeds" in page.text
    assert "Nothing found No breed that the model knows matches “zzzzqqqq”." in page.text
    assert page.links.count("/breeds") >= 2


# ---------------------------------------------------------------- one breed


@pytest.mark.parametrize("breed_id", BREEDS)
def test_every_breed_has_its_page(site: Site, breed_id: str) -> None:
    breed, facts = BREEDS[breed_id], facts_of(breed_id)
    assert facts is not None
    page = site.page(f"/breeds/{breed_id}")
    assert page.head["title"] == f"{breed.name} – SmartBreed"
    assert page.head["description"] == facts.summary
    assert page.head["canonical"] == f"http://pets.test/breeds/{breed_id}"
    for text in (facts.summary, facts.history, facts.coat.text, facts.exercise.text, *breed.aliases):
        assert text in page.text
    for alike in facts.look_alikes:
        assert f"/breeds/{alike.breed}" in page.links
        assert alike.tell_apart in page.text
        assert f"/breeds/compare?a={breed_id}&b={alike.breed}" in page.links
    assert "How well the model knows it" in page.text


def test_the_figures_are_the_bundles(site: Site) -> None:
    found = evaluation_of(load_bundle(EMBEDDED_BUNDLE))
    assert found is not None
    for breed_id, measured in found.labels.items():
        text = site.page(f"/breeds/{breed_id}").text
        right = found.confusion[breed_id].get(breed_id, 0)
        assert f"its first guess is right {right} of {measured.pictures} ·" in text
        for other, count in found.taken_for(breed_id)[:5]:
            assert f"{BREEDS[other].name} {count} of {measured.pictures} ·" in text
        assert ("So few pictures" in text) == (measured.pictures < 12)
    assert f"Measured on {found.pictures} test pictures of smartbreed/pets" in text
    assert "none of which it was trained on" in text


def test_every_link_leads_somewhere(site: Site) -> None:
    starts = ["/breeds", "/breeds/compare", *(f"/breeds/{breed_id}" for breed_id in BREEDS)]
    links = {urljoin(f"http://pets.test{start}", link) for start in starts for link in site.page(start).links}
    ours = {link for link in links if urlsplit(link).path.startswith("/breeds")}
    assert len(ours) > 400
    for link in ours:
        assert site.get(link).status_code == 200, link
    for link in links - ours:
        assert route_for(urlsplit(link).path) is not None, link


@pytest.mark.parametrize(("asked", "leads_to"), [
    ("westie", "west_highland_white_terrier"), ("Border%20Terrier", "border_terrier"),
    ("BOSTON-terrier", "boston_bull"),
])  # fmt: skip
def test_a_name_in_the_address_leads_to_the_breed(site: Site, asked: str, leads_to: str) -> None:
    answer = site.get(f"/breeds/{asked}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/breeds/{leads_to}")


def test_an_unknown_breed_is_not_found_and_near_names_are_offered(site: Site) -> None:
    page = site.page("/breeds/bordr_terier", 404)
    assert "No breed is called “bordr terier”" in page.text
    assert page.links.index("/breeds/border_terrier") < page.links.index("/breeds/border_collie")
    assert page.head["robots"] == "noindex"
    assert "canonical" not in page.head
    assert "Did you mean" not in site.page("/breeds/%2e%2e%5c%00zzzqqq", 404).text


def test_a_script_in_every_parameter_is_text(site: Site) -> None:
    parts = ("q", "species", "group", "size", "coat", "a", "b")
    query = urlencode(dict.fromkeys(parts, SCRIPT))
    for address, status in (
        (f"/breeds?{query}", 200),
        (f"/breeds/compare?{query}", 200),
        (f"/breeds/{quote(SCRIPT.replace('/', ''))}", 404),
    ):
        answer = site.get(address)
        assert answer.status_code == status
        page = Page(answer.text)
        assert [urlsplit(one).path for one in page.scripts] == ["/files/forms.js", "/files/breeds.js"]
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" not in answer.text


# ---------------------------------------------------------------- two breeds


def test_two_breeds_side_by_side(site: Site) -> None:
    page = site.page("/breeds/compare?a=norfolk_terrier&b=norwich_terrier")
    assert page.head["title"] == "Norfolk Terrier and Norwich Terrier compared – SmartBreed"
    assert page.selected == {"a": "norfolk_terrier", "b": "norwich_terrier"}
    assert page.head["canonical"].endswith("/breeds/compare?a=norfolk_terrier&b=norwich_terrier")
    for breed_id, other in (("norfolk_terrier", "norwich_terrier"), ("norwich_terrier", "norfolk_terrier")):
        facts = facts_of(breed_id)
        assert facts is not None
        (hint,) = [alike.tell_apart for alike in facts.look_alikes if alike.breed == other]
        assert hint in page.text
        assert facts.summary in page.text
    found = evaluation_of(load_bundle(EMBEDDED_BUNDLE))
    assert found is not None
    assert f"of {found.labels['norfolk_terrier'].pictures} test pictures of the Norfolk Terrier" in page.text


def test_a_cat_beside_a_dog(site: Site) -> None:
    text = site.page("/breeds/compare?a=siamese&b=boxer").text
    assert "never took one for the other" in text
    assert re.search(r"Height – 53–63 cm|Height – \d", text)


@pytest.mark.parametrize(("query", "said"), [
    ("a=pug", "Choose a breed"), ("", "Choose a breed"), ("a=pug&b=pug", "the same breed twice"),
    ("a=pug&b=carlin", "the same breed twice"), ("a=zzz&b=pug", "no breed called “zzz”"),
])  # fmt: skip
def test_a_comparison_that_cannot_be_made_says_why_and_keeps_the_choice(
    site: Site, query: str, said: str
) -> None:
    page = site.page(f"/breeds/compare?{query}")
    assert said in page.text
    assert "At a glance" not in page.text
    assert page.selected.get("a") == ("pug" if "a=pug" in query else None)


# ---------------------------------------------------------------- other addresses and other models


def test_under_a_prefix_every_link_has_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://example.org/pets/")
    for address in ("/breeds", "/breeds/pug", "/breeds/compare?a=pug&b=boxer", "/breeds/zzz"):
        page = Page(site.get(address).text)
        inner = [*page.links, *page.scripts, page.head["stylesheet"], page.head["icon"]]
        assert [link for link in inner if not link.startswith("/pets/")] == []
    assert page.links.count("/pets/breeds") >= 2
    assert site.get("/breeds/westie").headers["location"] == "/pets/breeds/west_highland_white_terrier"


def test_files_are_named_after_their_content(site: Site) -> None:
    page = site.page("/breeds")
    for address, kind in ((page.head["stylesheet"], "text/css"), (page.scripts[0], "text/javascript")):
        answer = site.get(address)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
        assert re.fullmatch(r"v=[0-9a-f]{12}", urlsplit(address).query)
    assert site.get("/files/style.css").status_code == 404
    assert site.get("/files/..%2f..%2fserver.py").status_code == 404


def test_only_the_content_of_its_address_is_kept_for_ever(site: Site) -> None:
    """During an update a page may ask a replica that has another version of its files."""
    address = site.page("/breeds").head["stylesheet"]
    path, query = urlsplit(address).path, urlsplit(address).query
    for asked in (path, f"{path}?v=", f"{path}?v=0123456789ab", f"{path}?{query}0", f"{path}?w=1"):
        answer = site.get(asked)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), asked
    assert site.get("/files/new.css?v=0123456789ab").headers["cache-control"] == "no-store"


def test_a_model_of_ones_own_has_pages_too(tmp_path: Path) -> None:
    def own(config: dict[str, Any]) -> None:
        for number, label in enumerate(config["classifier"]["labels"]):
            label.clear()
            label |= {"id": f"my cat, no. {number}", "name": f"My <b>cat</b> {number}" if number else ""}
        config |= {"name": "Our cats", "about": "Which of ours is it?", "metrics": {}}
        del config["files"]["replay.npz"]  # of other breeds

    services = services_of(tmp_path / "home", altered(tmp_path / "bundle", own))
    site = Site(services)
    page = site.page("/breeds")
    assert len(ids(page)) == 133
    assert page.selected == {}
    assert "Family" not in page.text
    assert page.head["title"].endswith("Our cats")
    page = site.page("/breeds/my%20cat%2C%20no.%201")
    assert "My <b>cat</b> 1" in page.text
    assert "There is no text about" in page.text
    assert "It has not been tested" in page.text
    assert "At a glance – –" in site.page("/breeds/compare?a=my+cat,+no.+1&b=my+cat,+no.+2").text
    assert ids(site.page("/breeds?q=cat+no+12"))[0].endswith("12")
    services.flags.close()


def test_a_breed_that_vanished_from_the_model(tmp_path: Path) -> None:
    def renamed(config: dict[str, Any]) -> None:
        (label,) = [one for one in config["classifier"]["labels"] if one["id"] == "border_terrier"]
        label |= {"id": "moor_terrier", "name": "Moor Terrier"}

    services = services_of(tmp_path / "home", altered(tmp_path / "bundle", renamed))
    site = Site(services)
    page = site.page("/breeds/border_terrier", 404)
    assert "This model does not know the Border Terrier" in page.text
    assert "/breeds/border_collie" in page.links
    assert "/breeds/border_terrier" not in site.page("/breeds/norfolk_terrier").links
    assert "The Norfolk is shorter" not in site.page("/breeds/norfolk_terrier").text
    assert "Moor Terrier" in site.page("/breeds?q=moor").text
    services.flags.close()


def test_figures_of_an_ancestor_say_whose_they_are(tmp_path: Path) -> None:
    version = load_bundle(EMBEDDED_BUNDLE).config.version
    newer = altered(tmp_path / "bundle", lambda config: config.update(version="99.0.1"))
    services = services_of(tmp_path / "home", newer)
    text = Site(services).page("/breeds/pug").text
    assert f"Measured with version {version}, from which 99.0.1 was made, on " in text
    services.flags.close()


def test_a_bundle_without_the_file_shows_what_its_metrics_have(tmp_path: Path) -> None:
    older = altered(tmp_path / "bundle", lambda config: None, evaluation=False)
    services = services_of(tmp_path / "home", older)
    text = Site(services).page("/breeds/border_terrier").text
    row = load_bundle(older).config.metrics["per_label"]["border_terrier"]
    right = round(row["recall"] * row["pictures"])
    assert f"its first guess is right {right} of {row['pictures']} ·" in text
    assert "Mistaken for" not in text
    services.flags.close()


def test_breeds_that_visitors_add(tmp_path: Path) -> None:
    services = services_of(tmp_path / "home")
    site = Site(services)
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        flag = services.flags.save(
            FlagRequest(
                pixels=pixels, box=(4, 4, 60, 44), pet_index=1, predicted="beagle", probability=0.5,
                species="dog", verdict="wrong", label_text="Mudi", model_revision="r1", consent=True,
                flagger_token=f"visitor {seed % 2}",
            )
        ).flag_id  # fmt: skip
        new = decisions.new_breed("Mudi", "dog", "shepherd", services.review.new_breeds())
        services.review.decide([flag], new, "a" * 64)
    page = site.page("/breeds")
    assert "Added by visitors" in page.text
    assert "Mudi Three photos by two people; two more are needed to learn it." in page.text
    assert "/breeds/mudi" not in page.links
    missing = site.page("/breeds/mudi", 404)
    assert "The model does not know the Mudi yet" in missing.text
    services.flags.close()


def test_pictures_of_a_breed_come_from_the_gallery(tmp_path: Path) -> None:
    services = services_of(tmp_path / "home")
    site = Site(services)
    assert "<img" not in site.get("/breeds/pug").text, "and without one there are none"
    pictures = photographs(tmp_path / "pictures", 5)
    fill(services, pictures)
    gallery, book = services.gallery, services.breed_book
    mistake = gallery.answered(1)[0]
    page = site.get(f"/breeds/{mistake.label}").text
    right, _, rest = page.partition('id="mistakes"')
    wrong, _, taken = rest.partition('id="taken"')
    named_right = gallery.answered(6, label=mistake.label, right=True)
    assert re.findall(r'<img src="([^"]+)"', right) == [f"/similar/{one.name}.jpg" for one in named_right]
    assert all(f"Right, {escape(percent(one.probability))} sure" in right for one in named_right)
    assert f'<img src="/similar/{mistake.name}.jpg"' in wrong
    said = f'It said <a href="/breeds/{mistake.said}">{book.breeds[mistake.said].name}</a>'
    assert said in wrong
    assert all(f"/similar/{one.name}.jpg" in taken for one in gallery.answered(6, said=mistake.label))
    other = site.get(f"/breeds/{mistake.said}").text.partition('id="taken"')[2]
    assert f'<img src="/similar/{mistake.name}.jpg"' in other
    assert Image.open(io.BytesIO(gallery.thumbnail(mistake.name))).size == (240, 240)
    # What another model said is not shown as this one's, until it has looked as well.
    with write(gallery.sessions) as session:
        session.execute(sa.update(GalleryPhoto).values(model="another"))
    assert "<img" not in site.get(f"/breeds/{mistake.label}").text
    gallery.refresh_all()
    assert f'<img src="/similar/{mistake.name}.jpg"' in site.get(f"/breeds/{mistake.label}").text
    services.flags.close()


def test_only_maintainers_read_how_to_get_pictures(tmp_path: Path) -> None:
    services = services_of(tmp_path / "home")
    routes = [*BreedPages(services).routes(), *StatisticsPages(services).routes()]
    pages = TestClient(Starlette(routes=routes), base_url="http://127.0.0.1", client=("127.0.0.1", 5000))
    for host, there in (("127.0.0.1", True), ("0.0.0.0", False)):
        services.maintainers.listening_on(host)
        for path in ("/breeds/pug", "/statistics"):
            assert ("smartbreed gallery build SOURCE" in pages.get(path).text) == there, (path, host)
    services.flags.close()
