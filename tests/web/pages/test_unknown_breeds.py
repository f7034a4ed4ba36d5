"""Common breeds that the model lacks: they can be said, and what is said of them is true."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from support.flags import flag

from smartbreed.breeds.catalogue import BREEDS, UNKNOWN, resolve
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.services import Services
from smartbreed.web.components.breed_list import unknown_choices
from smartbreed.web.pages.identify.page import IdentifyPage
from smartbreed.web.pages.identify.session import Options, at_view, identify_uploads


def test_none_of_them_is_a_breed_that_is_known() -> None:
    wanted = (
        "Dachshund",
        "Dalmatian",
        "English Bulldog",
        "Australian Shepherd",
        "Shiba Inu",
        "Domestic Shorthair",
    )
    assert set(wanted) < set(UNKNOWN)
    terms = [term.casefold() for breed in UNKNOWN.values() for term in (breed.name, *breed.aliases)]
    assert len(terms) == len(set(terms))
    ours = {term.casefold() for breed in BREEDS.values() for term in (breed.id, breed.name, *breed.aliases)}
    assert not ours & set(terms)
    assert [resolve(name) for name in wanted] == [None] * len(wanted)


def test_what_a_model_has_learnt_since_is_not_offered_as_unknown() -> None:
    assert "unknown:Dachshund" in [value for _, value in unknown_choices(BREEDS.values())]
    learnt = UNKNOWN["Dachshund"]
    assert "unknown:Dachshund" not in [value for _, value in unknown_choices([learnt])]


def test_a_breed_that_is_not_learnt_is_kept_in_words_and_counted(tmp_path: Path) -> None:
    if not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model in smartbreed/assets")
    services = Services(load_settings(home=tmp_path, hub="embedded", model="", gallery=""))
    with gr.Blocks():
        page = IdentifyPage(services)
    found, photo = identify_uploads(services, [(gr.get_image("lion.jpg"), "lion.jpg")], Options(whole=True))
    session, form = at_view(services, found, 0, photo), page.cards[0].form
    choices = form._chooser("wrong")(session, None)[form.breed]["choices"]
    text = next(text for text, value in choices if value == "unknown:Dachshund")
    assert "Sausage dog" in text, "found by its everyday names too"
    assert "yours would be" not in form._chosen("pug")[form.status]
    assert "your photo would be the first" in form._chosen("unknown:Dachshund")[form.status]
    for seed, (who, said) in enumerate((("ann", "dachshund"), ("bob", "Sausage Dog"), ("ann", "Dachshund"))):
        flag(services.flags, seed, who, label="", label_text=said)
    assert "2 people have taught it" in form._chosen("unknown:Dachshund")[form.status]
    thanks = form._save(session, {"consent": True, "token": "t" * 20}, "wrong", "unknown:Dachshund", "", True)
    assert "I have not learnt that one yet; 3 people have taught it." in thanks[form.status]
    kept = services.flags.recent(1)[0]
    assert (kept.label, kept.label_text, kept.verdict) == (None, "Dachshund", "wrong")
    typed = form._save(session, {"consent": True, "token": "u" * 20}, "wrong", "other", " Mudi ", True)
    assert "one person has taught it" in typed[form.status]
    services.flags.close()
