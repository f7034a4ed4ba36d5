"""What a card does behind the page: explanations, quick and slow, and flags that are not saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from smartbreed.breeds.facts import facts_of
from smartbreed.core.errors import StorageError, UnavailableError
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.inference.results import Guess
from smartbreed.services import Services
from smartbreed.web.components.sentences import likely
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.page import IdentifyPage
from smartbreed.web.pages.identify.pet_card import _more
from smartbreed.web.pages.identify.session import Options, Session, at_view, identify_uploads

PICTURE = gr.get_image("lion.jpg")


class Deeper:
    """Stands in for the slow explanations."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[Any] = []

    def explain(
        self, pixels: np.ndarray, index: int, method: str, progress: Callable[[float, str], None]
    ) -> np.ndarray:
        if self.error:
            raise self.error
        progress(0.5, "half way")
        self.asked.append((pixels.shape, pixels.dtype, index, method))
        return np.eye(7, dtype=np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> IdentifyPage:
    if not os.environ.get("SMARTBREED_MODEL") and not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model: set SMARTBREED_MODEL or put one into smartbreed/assets")
    services = Services(load_settings(home=tmp_path_factory.mktemp("home"), gallery=""))
    with gr.Blocks():
        return IdentifyPage(services)


@pytest.fixture(scope="module")
def session(page: IdentifyPage) -> Session:
    found, photo = identify_uploads(page.services, [(PICTURE, "lion.jpg")], Options(whole=True))
    return at_view(page.services, found, 0, photo)


def test_another_breed_is_explained_at_once(page: IdentifyPage, session: Session) -> None:
    card = page.cards[0]
    first, second = (guess.id for guess in session.pet(1).breeds[:2])
    crop, overlay = card._explain(session, first)[card.slider]
    updates = card._explain(session, second)
    assert np.array_equal(updates[card.slider][0], crop)
    assert not np.array_equal(updates[card.slider][1], overlay)
    assert session.pet(1).breeds[1].name in updates[card.caption]


def test_a_bar_explains_its_breed_and_nothing_else_does(page: IdentifyPage, session: Session) -> None:
    card, second = page.cards[0], session.pet(1).breeds[1]
    updates = card._explain_guess(session, gr.EventData(None, {"breed": second.id}))
    assert updates[card.breed] == second.id
    assert second.name in updates[card.caption]
    for wrong in ({}, {"breed": "<b>"}, {"breed": 7}):
        updates = card._explain_guess(session, gr.EventData(None, wrong))
        assert set(updates) == {card.caption}, "a sentence, and the picture stays"


def test_bars_of_less_than_one_percent_are_left_out() -> None:
    guesses = tuple(Guess(f"b{n}", f"B{n}", p) for n, p in enumerate((0.004, 0.994, 0.0049, 0.006)))
    assert [guess.id for guess in likely(guesses)] == ["b0", "b1", "b3"], "the first always stays"


def test_the_next_guesses_come_before_any_list(page: IdentifyPage, session: Session) -> None:
    form, pet = page.cards[0].form, session.pet(1)
    for verdict, offered in (("breed", pet.breeds[1:5]), ("unknown", pet.breeds[:4])):
        view = replace(session.view, answer=replace(session.answer, pets=(replace(pet, verdict=verdict),)))
        updates = form._chooser("wrong")(replace(session, views=(view,)), None)
        assert updates[form.guesses]["choices"] == [(guess.name, guess.id) for guess in offered]
    assert form._chooser("unsure")(session, None)[form.guesses]["visible"] is False


def test_a_deeper_explanation_gets_the_networks_own_input(page: IdentifyPage, session: Session) -> None:
    card, deeper = page.cards[0], Deeper()
    page.services.model.current.__dict__["deeper"] = deeper
    breed = session.pet(1).breeds[0]
    reported: list[Any] = []
    updates = card._explain_deeper(
        session, breed.id, "scorecam", progress=lambda fraction, desc: reported.append((fraction, desc))
    )
    size = page.services.identifier.classifier.config.input_size
    index = page.services.identifier.label_index(breed.id)
    assert deeper.asked == [((size, size, 3), np.uint8, index, "scorecam")]
    assert reported[-1] == (0.5, "half way")
    assert updates[card.slider][1].shape == updates[card.slider][0].shape
    assert "Score-CAM" in updates[card.caption]


def test_what_is_not_installed_is_said(page: IdentifyPage, session: Session) -> None:
    card = page.cards[0]
    page.services.model.current.__dict__["deeper"] = Deeper(
        UnavailableError("missing", "Install tensorflow for this.")
    )
    updates = card._explain_deeper(
        session, session.pet(1).breeds[0].id, "smoothgrad", progress=lambda fraction, desc: None
    )
    assert set(updates) == {card.caption}
    assert "Install tensorflow for this." in updates[card.caption]


def test_no_thanks_for_what_was_not_saved(
    page: IdentifyPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise StorageError("The disk is full; nothing was saved.")

    monkeypatch.setattr(page.services, "flag", full)
    form = page.cards[0].form
    updates = form._save(session, None, "unsure", None, "", True)
    assert set(updates) == {form.status}
    assert "The disk is full" in updates[form.status]


def test_a_photo_that_changed_or_went_is_not_flagged(
    page: IdentifyPage, session: Session, tmp_path: Path
) -> None:
    copy = tmp_path / "gone.jpg"
    copy.write_bytes(Path(PICTURE).read_bytes())
    found, photo = identify_uploads(page.services, [(str(copy), "gone.jpg")], Options(whole=True))
    found = at_view(page.services, found, 0, photo)
    form = page.cards[0].form
    other = Path(gr.get_image("tower.jpg")).read_bytes()
    for change in (lambda: copy.write_bytes(other), copy.unlink):
        change()
        updates = form._save(found, None, "unsure", None, "", True)
        assert "add it again" in updates[form.status]
        assert str(tmp_path) not in updates[form.status]
    assert page.services.flags.count() == 0


def test_only_a_named_breed_can_be_agreed_with(page: IdentifyPage, session: Session) -> None:
    from dataclasses import replace

    form = page.cards[0].form
    named = form.offer(replace(session.pet(1), verdict="breed"))
    unnamed = form.offer(replace(session.pet(1), verdict="group"))
    assert named[form.buttons["correct"]]["visible"] is True
    assert unnamed[form.buttons["correct"]]["visible"] is False


def test_the_card_says_what_the_breed_is_and_where_there_is_more(session: Session) -> None:
    guesses = Guess("pug", "Pug", 0.9), Guess("boxer", "Boxer", 0.05)
    pet = replace(session.pet(1), verdict="breed", breeds=guesses)
    facts = facts_of("pug")
    assert facts is not None
    shown = html.pet_text(pet, 1, **_more(pet))
    assert facts.summary in shown
    assert 'href="/breeds/pug" target="_blank" rel="noopener">More about the Pug</a>' in shown
    shown = html.pet_text(replace(pet, verdict="group"), 1, **_more(replace(pet, verdict="group")))
    assert 'href="/breeds/compare?a=pug&amp;b=boxer"' in shown
    assert "How the Pug and the Boxer differ" in shown
    assert facts.summary not in shown
    shown = html.pet_text(replace(pet, verdict="unknown"), 1, **_more(replace(pet, verdict="unknown")))
    assert "/breeds/" not in shown
    own = replace(pet, breeds=(Guess("my cat & co", "My <cat>", 0.9),))
    shown = html.pet_text(own, 1, **_more(own))
    assert 'href="/breeds/my%20cat%20%26%20co"' in shown
    assert "More about the My &lt;cat&gt;" in shown


def test_a_member_is_answered_while_the_database_is_not(
    page: IdentifyPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StorageError("The database does not answer.")

    monkeypatch.setattr(page.services.members, "of", refuse)
    settings = (5, page.settings.model_score(), True, False, None)
    shown = page._added([(PICTURE, "lion.jpg")], Session(), "gradcam", *settings)
    assert "This photo did not work" not in shown[page.status]
    assert len(shown[page.session].views) == 1
    assert shown[page.session].answer.pets
