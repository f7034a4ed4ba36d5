"""The model changes while a visitor looks at an answer: the page stays true to the model that gave it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from support.bundles import EMBEDDED, make_bundle, publish

from smartbreed.core.settings import Settings
from smartbreed.registry.watcher import Watcher
from smartbreed.services import Services
from smartbreed.web.components.breed_list import UNKNOWN_PREFIX, breed_choices, catalogue, other_choice
from smartbreed.web.pages.identify.page import IdentifyPage
from smartbreed.web.pages.identify.session import Options, Session, at_view, identify_uploads

PICTURE = gr.get_image("lion.jpg")
NEW = {"id": "lundehund", "name": "Norwegian Lundehund", "species": "dog", "group": ""}


def with_another_label(config: dict[str, Any]) -> None:
    """The breed that the old model names first becomes one the catalogue lacks."""
    labels = config["classifier"]["labels"]
    labels[0] = NEW


@pytest.fixture
def page(settings: Settings) -> IdentifyPage:
    with gr.Blocks():
        return IdentifyPage(Services(settings.model_copy(update={"gallery": ""})))


def session_of(page: IdentifyPage) -> Session:
    found, photo = identify_uploads(page.services, [(PICTURE, "lion.jpg")], Options(whole=True))
    return at_view(page.services, found, 0, photo)


def test_an_open_session_outlives_a_swap(page: IdentifyPage, settings: Settings, tmp_path: Path) -> None:
    card, services = page.cards[0], page.services
    before = session_of(page)
    first = before.pet(1).breeds[0]
    crop, heat = card._explain(before, first.id)[card.slider]
    publish(settings, make_bundle(tmp_path / "new", "7.1.0", turn=5, change=with_another_label))
    Watcher(services.model).check()
    assert services.identifier.bundle.version.version == "7.1.0"
    # The old answer: the same picture, the same names, from its own class maps and labels.
    again = card._explain(before, first.id)
    np.testing.assert_array_equal(again[card.slider][1], heat)
    assert first.name in again[card.caption]
    assert np.array_equal(again[card.slider][0], crop)
    shown = page._show(before, 0, "gradcam")
    assert EMBEDDED in shown[page.footer]
    assert "version 7.1.0 is in use now" in shown[page.footer]
    assert NEW["id"] not in [value for _, value in shown[card.breed]["choices"]]
    # What needs the network says that it is another one now.
    deeper = card._explain_deeper(before, first.id, "scorecam", progress=lambda *_, **__: None)
    assert "has changed since this answer" in deeper[card.caption]
    # A flag is about the model that was judged.
    receipt = services.flag(
        services.read(Path(PICTURE)), before.answer, number=1, verdict="wrong", label="pug", consent=True
    )
    assert receipt.created
    [flag] = services.flags.recent(1)
    assert flag.model_revision == before.answer.model.revision
    assert flag.predicted == first.id
    # Asked again, the new one answers.
    after = session_of(page)
    assert after.answer.model.version == "7.1.0"
    footer = page._show(after, 0, "gradcam")[page.footer]
    assert "7.1.0" in footer
    assert "in use now" not in footer


def test_the_threshold_is_that_of_the_model_in_use(
    page: IdentifyPage, settings: Settings, tmp_path: Path
) -> None:
    """A slider that was not moved is the model's own threshold, whatever the model is by now."""

    def strict(config: dict[str, Any]) -> None:
        config["detector"]["score"] = 0.8765

    panel, detector = page.settings, page.services.identifier.bundle.config.detector
    old = panel.score.value
    assert old == round(detector.score, 2)
    _, shown, opened = page.show_now()
    assert (shown, opened) == (old, old)
    publish(settings, make_bundle(tmp_path / "new", "7.1.0", detector=True, change=strict))
    Watcher(page.services.model).check()
    assert page.services.identifier.bundle.config.detector.score == 0.8765
    # A page that was opened before still shows the old value, and one that is opened now the new one.
    assert panel.options(5, old, False, False, opened).score is None
    assert panel.options(5, 0.88, False, False, opened).score == 0.88
    _, shown, opened = page.show_now()
    assert shown == opened == 0.88
    assert panel.options(5, shown, False, False, opened).score is None
    assert panel.options(5, old, False, False, opened).score == old
    # The session of a page that was open for long has expired.
    assert panel.options(5, 0.88, False, False, None).score is None
    assert panel.options(5, old, False, False, None).score == old


def test_a_breed_the_catalogue_lacks_can_be_named_and_flagged(
    page: IdentifyPage, settings: Settings, tmp_path: Path
) -> None:
    publish(settings, make_bundle(tmp_path / "new", "7.1.0", change=with_another_label))
    Watcher(page.services.model).check()
    session = session_of(page)
    card = page.cards[0]
    choices = {value: text for text, value in card.show(session, "gradcam")[card.breed]["choices"]}
    assert NEW["name"] in choices[NEW["id"]]
    offered = card.form._chooser("wrong")(session, None)[card.form.breed]["choices"]
    assert (NEW["name"], NEW["id"]) in offered
    learnt = [value for _, value in offered if not value.startswith(UNKNOWN_PREFIX)]
    assert len(learnt) == len(catalogue()) + 2
    assert offered[-1] == other_choice()
    said = page.services.flag(
        page.services.read(Path(PICTURE)),
        session.answer,
        number=1,
        verdict="wrong",
        label="norwegian lundehund",
        consent=True,
    )
    assert said.created
    [flag] = page.services.flags.recent(1)
    assert (flag.label, flag.species) == (NEW["id"], "dog")


def test_a_model_of_something_else_introduces_itself(settings: Settings, tmp_path: Path) -> None:
    def other(config: dict[str, Any]) -> None:
        config.update(name="Ten <things>", about="What is in a small picture.")
        config["classifier"]["labels"] = [{"id": f"thing_{n}", "name": f"Thing {n}"} for n in range(133)]

    folder = make_bundle(tmp_path / "other", "0.1.0", change=other)
    services = Services(settings.model_copy(update={"model": str(folder)}))
    assert services.introduction == ("Ten <things>", "What is in a small picture.")
    with gr.Blocks() as blocks:
        page = IdentifyPage(services)
    texts = [str(block.value) for block in blocks.blocks.values() if isinstance(block, gr.HTML)]
    assert any("Ten &lt;things&gt;" in text and "What is in a small picture." in text for text in texts)
    session = session_of(page)
    shown = page._show(session, 0, "gradcam")
    assert "The whole picture" in shown[page.status]
    assert "pet" not in shown[page.status]
    choices = breed_choices(catalogue(session.labels.breeds))
    assert len(choices) == 133, "no breeds of pets among them"
    card = page.cards[0]
    assert "Thing" in shown[card.text]
    said = services.flag(
        services.read(Path(PICTURE)), session.answer, number=1, verdict="wrong", label="Thing 7", consent=True
    )
    assert said.created
    [flag] = services.flags.recent(1)
    assert (flag.label, flag.species) == ("thing_7", None)
