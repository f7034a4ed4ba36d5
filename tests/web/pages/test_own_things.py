"""Served with a model of other things than pets, the pages speak of what it tells apart."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from support.bundles import make_bundle
from support.flags import flag
from support.processes import Server

from docs.messages import placeholders, sentences
from smartbreed.accounts.tables import Member, MemberFlag
from smartbreed.core.database import write
from smartbreed.core.errors import ReviewError
from smartbreed.core.settings import load_settings
from smartbreed.i18n import about_things, gettext, ngettext, of_things, script_sentences, speaking, translated
from smartbreed.i18n.things import PLURAL_TWINS, SCRIPT_TWINS, TWINS
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.account import dashboard
from smartbreed.web.pages.identify.page import IdentifyPage
from smartbreed.web.pages.review import cards
from smartbreed.web.pages.review.actions import groups_of
from smartbreed.web.pages.review.desk import Desk, fill, turn
from smartbreed.web.pages.review.page import ReviewPage
from smartbreed.web.pages.review.view import show
from smartbreed.web.pages.tour.page import TourPage
from smartbreed.web.pages.train.page import TrainPage

#: What is only said of pets; a path or an id is no word.
OF_PETS = re.compile(r"(?<![\w/#-])(breeds?|pets?|cats?|dogs?|famil(y|ies)|crossbreed)(?![\w-])", re.I)
TAG = re.compile(r"</?[a-z][^>]*>")
VALUE = re.compile(r"%\(\w+\)s|\{\w+\}")
#: Files whose sentences about pets have no twin, and why a model of things never says them.
ONLY_OF_PETS = {
    "assistant/": "the page is not for such a model", "quiz/": "the page is not for such a model",
    "web/pages/ask/": "the page is not for such a model", "web/templates/ask.html": "the same",
    "web/pages/quiz/": "the page is not for such a model", "web/templates/quiz/": "the same",
    "web/pages/switched_off.py": "it says why those two are not there",
    "breeds/catalogue.py": "families of breeds, which no thing is of",
    "training/": "the trainer chooses its words by the labels itself",
}  # fmt: skip
#: The same of single sentences.
ONLY_OF_PETS_SAID: dict[str, set[str | tuple[str, str]]] = {
    "what a detector finds, which looks for cats and dogs": {
        ("%(count)s pet found", "%(count)s pets found"), "No pet found", "No cat or dog found.",
        "{n} pets found.", "Loading the network that finds pets …", "Which pet was missed?",
        "Please show where the pet is: draw a box around it on the photo.", "Is it a dog or a cat?",
        "The missed pet is a", "Use the whole picture, without looking for pets first",
        "How sure to be that something is a pet", "Lower finds more pets, and more false alarms.",
        "A cat or dog: it is found in the photo and cut out first", "The pet that was found",
        "Learns the cat or dog in each photo; the whole photo where none is found.",
        "<b>every cat and dog</b> in it, each with its own card,",
        "<b>where the model looked</b>, for any breed you ask about,",
        'It knows <a class="sb-more-list" href="%(list)s">%(breeds)s breeds</a>, and can learn others from '
        "you.",
        "I looked for cats and dogs and found none. If there is one, perhaps small or half hidden, I "
        "can treat the whole picture as the pet.",
        "Drag the box or its corners if it does not fit the missed pet. Thin frames are pets that the model "
        "found; the detector learns from these too.",
        "This flag does not say where the missed pet is; draw a box around it, or reject it.",
        "This flag names no breed of the catalogue; say whether it is a dog or a cat, relabel it, introduce "
        "a new breed, or reject it.",
        "Only the box of a missed pet can be corrected.",
        "Only a breed can be the known answer of a missed pet; relabel it first.",
    },
    "a species, which no thing has": {
        "cat", "dog", "cats", "dogs", "Cat", "Dog", "A cat", "A dog", "a cat", "a dog", "Cats and dogs",
        "without colour I cannot tell the breed", "too small to tell the breed",
        "too dark to tell the breed", "too noisy to tell the breed", "too blurred to tell the breed",
        "%(animal)s, but no breed I know", "The whole picture, treated as one pet",
        "These photos do not show the same pet: %(names)s. Each has its own answer; choose a photo to see "
        "it.",
    },
    "families, which no thing is of": {
        "Family", "All families", "Mistakes between families of breeds",
        "Each row is a family of breeds, each column the family of the breed that was wrongly guessed. "
        "On the diagonal, both breeds are of the same family. Choose a number to see the breeds behind "
        "it.",
    },
    "the texts about breeds, and the page that answers from them": {
        "The texts about breeds are in English.", "Ask about breeds",
        "Ask about dogs and cats: answers come from the breed pages, and cite them.",
        "Questions are not answered here at the moment; see the breed pages instead.",
        "<b>Questions on the page Ask</b> are sent, with the matching breed texts, to Hugging Face, "
        "where the model %(assistant_model)s phrases the answer. Photos are not sent.",
    },
}  # fmt: skip


def of_flowers(config: dict[str, Any]) -> None:
    config.update(name="flowers", detector=None)
    config["classifier"]["labels"] = [{"id": f"flower_{n}", "name": f"Flower {n}"} for n in range(133)]
    config["classifier"]["labels"][131]["name"] = "Lady's mantle"


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("things") / "bundle", "1.0.0", change=of_flowers)


def test_twins_hold_the_same_values_and_stand_for_what_is_said() -> None:
    said = {one.text for one in sentences() if one.file != "smartbreed/i18n/things.py"}
    for pets, things in TWINS.items():
        assert pets in said, "nothing says that any more"
        assert placeholders(pets) == placeholders(things), things
        assert sorted(TAG.findall(pets)) == sorted(TAG.findall(things)), things
        assert not OF_PETS.search(TAG.sub("", re.sub(r"%\(\w+\)s", "", things))) or "animals" in things, (
            things
        )
    for pair, twins in PLURAL_TWINS.items():
        assert pair in said
        assert placeholders(pair[1]) == placeholders(twins[1])
    assert {one.text for one in sentences() if one.kind == "script"} >= set(SCRIPT_TWINS)


def test_whatever_is_said_of_pets_has_a_twin_or_a_reason_to_have_none() -> None:
    twins = {*TWINS.values(), *PLURAL_TWINS.values()}
    reasons = {text for texts in ONLY_OF_PETS_SAID.values() for text in texts}
    missing, used = set(), set()
    for one in sentences():
        texts = (one.text,) if isinstance(one.text, str) else one.text
        if one.text in twins or not any(OF_PETS.search(TAG.sub(" ", VALUE.sub("", text))) for text in texts):
            continue
        used.add(one.text)
        elsewhere = one.file.removeprefix("smartbreed/").startswith(tuple(ONLY_OF_PETS))
        if not elsewhere and one.text not in {*TWINS, *PLURAL_TWINS, *reasons}:
            missing.add((one.file, one.text))
    assert not missing, "give it a twin in smartbreed/i18n/things.yaml"
    assert not reasons - used, "nothing says that any more"


def test_a_twin_is_said_of_things_alone_in_every_language() -> None:
    assert not of_things()
    assert gettext("Wrong breed") == translated("Wrong breed") == "Wrong breed"
    assert script_sentences("en") == {}
    with about_things(True):
        assert gettext("Wrong breed") == translated("Wrong breed") == "Wrong answer"
        assert gettext("More about the %(breed)s", breed="Tulip") == "More about “Tulip”"
        assert ngettext("%(total)s breed it knows", "%(total)s breeds it knows", 3, total=3) == (
            "The 3 names it knows"
        )
        assert gettext("Save my answer") == "Save my answer"
        assert set(script_sentences("en")) == set(SCRIPT_TWINS)
        with speaking("de"):
            assert gettext("Wrong breed") == translated("Wrong breed") == "Falsche Antwort"
            assert set(script_sentences("de")) > set(SCRIPT_TWINS)
        with about_things(False):
            assert gettext("Wrong breed") == "Wrong breed"
    assert gettext("Wrong breed") == "Wrong breed"


def test_pages_about_breeds_alone_are_not_linked_to() -> None:
    with about_things(True):
        header = nav.header("identify", maintainers=False)
    assert 'data-page="breeds"' in header
    assert "What it knows" in header
    for key in nav.OF_PETS:
        assert f'data-page="{key}"' not in header
        assert f'data-page="{key}"' in nav.header("identify", maintainers=False)


def hidden(block: Any) -> bool:
    return block is not None and (getattr(block, "visible", True) is False or hidden(block.parent))


def read_by_people(blocks: gr.Blocks, *, opened: bool = False) -> Iterator[str]:
    """What the components of a page show from the start.

    Args:
        opened: also those within what is shown later, such as all that is for maintainers.
    """
    for block in blocks.blocks.values():
        if block.visible is False if opened else hidden(block):
            continue
        said = [getattr(block, name, None) for name in ("label", "info", "placeholder", "value")]
        for text in [*said, *(choice for choice, _ in getattr(block, "choices", None) or [])]:
            if isinstance(text, str):
                yield TAG.sub(" ", text)


def test_the_front_page_names_no_breed(tmp_path: Path, flowers: Path) -> None:
    services = Services(load_settings(home=tmp_path / "home", model=str(flowers)))
    assert services.of_things
    with about_things(services.of_things), gr.Blocks() as blocks:
        page = IdentifyPage(services)
    said = list(read_by_people(blocks))
    assert any("What is it?" in text for text in said)
    assert [text for text in said if OF_PETS.search(text)] == []
    assert page.missed.buttons["missed"].parent.parent.visible is False
    assert page.settings.whole.visible is False


@pytest.fixture
def services(tmp_path: Path, flowers: Path) -> Iterator[Services]:
    running = Services(load_settings(home=tmp_path / "home", model=str(flowers), salt="", database_url=""))
    with about_things(running.of_things):
        yield running
    running.stop()


@pytest.mark.parametrize("page", [ReviewPage, TrainPage, TourPage])
def test_maintainers_pages_name_no_breed(services: Services, page: type[Any]) -> None:
    with gr.Blocks() as blocks:
        page(services)
    said = list(read_by_people(blocks, opened=True))
    assert [text for text in said if OF_PETS.search(text)] == []
    assert page is not ReviewPage or {"New name", "Every name", "None of these"} <= set(said)


def flag_flower(services: Services, seed: int, **changes: Any) -> str:
    known = services.identifier.known.breeds
    values = {"predicted": "flower_1", "label": None, "species": None, "more_breeds": known}
    return str(flag(services.flags, seed, **(values | changes)))


def test_a_flower_is_reviewed_as_a_flower(services: Services) -> None:
    flag_flower(services, 1, label="flower_3")
    flag_flower(services, 2, verdict="not_a_pet")
    flag_flower(services, 3, label_text="Edelweiss")
    desk = fill(services.review, Desk(), Filters())
    assert len(desk.items) == 3
    for item in desk.items:
        assert desk.item == item
        shown = show(services, desk, as_list=False)
        said = [shown.words, shown.pictures, shown.progress, cards.accept_text(item)]
        assert not OF_PETS.search(TAG.sub(" ", " ".join(said)))
        names = [text for text, _ in shown.breeds]
        assert "Flower 7" in [name.partition(" ·")[0] for name in names]
        assert not any("Siamese" in name for name in names), "only what the model names is offered"
        desk = turn(services.review, desk, 1)
    listed = show(services, desk, as_list=True).listed
    assert "Flower 3" in listed
    assert not OF_PETS.search(TAG.sub(" ", listed))


def test_a_flower_is_called_as_the_model_calls_it(services: Services) -> None:
    flag_flower(services, 1, label="flower_131")
    desk = fill(services.review, Desk(), Filters())
    assert desk.item
    shown = show(services, desk, as_list=False)
    said = unescape(shown.words + shown.pictures + show(services, desk, as_list=True).listed)
    assert "It is a Lady's mantle" in said
    assert "Flower 131" not in said
    assert cards.accept_text(desk.item) == "Accept Lady's mantle"
    with gr.Blocks():
        page = ReviewPage(services)
    _, done = page._accept(desk, "me", "", None, False, "")
    assert "Accepted as Lady's mantle" in unescape(done)


def test_a_members_flags_of_flowers_name_no_pet(services: Services) -> None:
    flag_ids = [
        flag_flower(services, 1, predicted="flower_131", label="flower_3"),
        flag_flower(services, 2, verdict="not_a_pet"),
    ]
    with write(services.flags.sessions) as session:
        session.add(Member(id="m", email="a@b.c", name="Ada", created_at=dt.datetime.now(dt.UTC)))
        session.flush()
        session.add_all(MemberFlag(flag_id=one, member_id="m") for one in flag_ids)
    rows = dashboard.rows(services, "m")
    assert {row.said for row in rows} == {"It is a Flower 3", "It is none of these"}
    assert sorted(row.model for row in rows) == [
        "Flower 1, 70 %",
        "Lady's mantle, 70 %",
    ]
    assert gettext("No cat or dog found") == "Nothing found"


def test_a_flower_is_relabelled_and_a_new_one_introduced(services: Services) -> None:
    ids = [flag_flower(services, seed, label="flower_3") for seed in range(2)]
    known = services.identifier.known.breeds
    with pytest.raises(ReviewError):
        decisions.relabel("Flower 5", {})
    relabelled = decisions.relabel("Flower 5", {}, known=lambda: known)
    edelweiss = decisions.new_breed("Edelweiss", "", "", {}, things=True)
    (row,) = services.review.decide(ids[:1], relabelled, "me").decisions
    assert (row.decision, row.label) == ("relabel", "flower_5")
    (row,) = services.review.decide(ids[1:], edelweiss, "me").decisions
    assert (row.decision, row.label, row.species, row.group) == ("new_breed", "edelweiss", None, None)
    again = decisions.relabel("edelweiss", services.review.new_breeds())
    assert (again.decision, again.species) == ("new_breed", None)
    found = services.review.queue(Filters("decided", breed="flower_3"))
    assert {item.id for item in found} == set(ids), "a label that no catalogue has can be filtered by"
    assert services.review.queue(Filters("decided", breed="flower_132")) == [], "the model names it"
    with pytest.raises(ReviewError):
        services.review.queue(Filters("decided", breed="flower_999"))


def test_no_species_is_asked_of_a_flower(services: Services) -> None:
    with gr.Blocks():
        page = ReviewPage(services)
    name, _, species, group = page.acts.new_breed
    assert (name.visible, species.visible, group.visible) == (True, False, False)
    assert groups_of("dog")["visible"] is False
    with about_things(False), gr.Blocks():
        page = ReviewPage(services)
    assert [one.visible for one in page.acts.new_breed[2:]] == [True, True]


@pytest.mark.slow
@pytest.mark.browser
def test_every_page_is_of_things(flowers: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "server", SMARTBREED_MODEL=str(flowers)) as server:
        for path in (
            "", "breeds", "breeds?q=nothing", "breeds/flower_3", "breeds/none", "breeds/compare?a=none",
            "breeds/compare?a=flower_1&b=flower_2", "about", "privacy", "terms", "contact", "statistics",
            "review", "train", "tour", "teach", "account/sign-in", "nothing/here",
        ):  # fmt: skip
            page = httpx.get(server.url + path, headers={"accept": "text/html"}).text
            above = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
            words = TAG.sub(" ", above)
            assert [found[0] for found in OF_PETS.finditer(words)] == [], path
            assert "What your picture shows: named, and explained." in page
        for path in ("ask", "quiz"):
            answer = httpx.get(server.url + path, headers={"accept": "text/html"})
            assert answer.status_code == 404
            assert "This page is about cats and dogs" in answer.text
        german = httpx.get(server.url, headers={"accept": "text/html", "accept-language": "de"}).text
        assert "Falsche Antwort" in german
        assert "Falsche Rasse" not in german
