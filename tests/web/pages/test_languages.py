"""Pages in German and Spanish, and that the language of one visitor never reaches another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from support.languages import english_in, text_of
from support.processes import Server

from smartbreed.i18n import gettext, speaking

pytestmark = pytest.mark.browser  # for its server, which the tests of the pages share

PAGES = (
    "",
    "breeds",
    "breeds/pug",
    "breeds/compare?a=pug&b=boxer",
    "ask",
    "quiz",
    "statistics",
    "account/sign-in",
    "account/sign-up",
    "teach",
    "tour",
    "review",
    "train",
    "about",
    "privacy",
    "terms",
    "contact",
    "nothing/here",
)


@pytest.mark.parametrize("code", ["de", "es"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_speaks_the_language_of_its_visitor(server: Server, path: str, code: str) -> None:
    headers = {"accept": "text/html", "accept-language": f"{code}-XX,{code};q=0.9,en;q=0.5"}
    answer = httpx.get(server.url + path, headers=headers)
    assert answer.headers["content-language"] == code
    assert {"Accept-Language", "Cookie"} <= set(re.split(r",\s*", answer.headers["vary"]))
    assert re.search(rf'<html\s+lang="{code}"', answer.text)
    page = text_of(answer.text)
    assert english_in(page, code) == []
    with speaking(code):
        assert gettext("Privacy") in page
    again = httpx.get(server.url + path, headers={"accept": "text/html"})
    assert again.headers["content-language"] == "en"
    assert "Privacy" in text_of(again.text)


def test_a_choice_holds_and_programs_are_answered_in_english(server: Server) -> None:
    with httpx.Client(base_url=server.url, headers={"accept-language": "de"}) as browser:
        assert "Datenschutz" in browser.get("privacy").text
        assert "Privacidad" in browser.get("privacy?lang=es").text
        assert "Privacidad" in browser.get("privacy").text
        assert "Privacy" in text_of(browser.get("privacy?lang=en").text)
        assert "Privacy" in text_of(browser.get("privacy?lang=xx").text)
        answers = [browser.post("api/identify", headers={"accept-language": code}) for code in ("de", "en")]
        assert answers[0].json() == answers[1].json()
        assert answers[0].status_code >= 400
        assert "content-language" not in answers[0].headers


WORDS = {
    "de-DE": ("Welche Rasse ist das?", "Tier gefunden", "Meine Antwort speichern", "Danke!"),
    "es-ES": ("¿Qué raza es?", "mascota", "Guardar mi respuesta", "¡Gracias!"),
}


@pytest.mark.slow
@pytest.mark.parametrize("locale", WORDS)
def test_a_photo_from_upload_to_thanks(
    open_page: Callable[..., Any], locale: str, photos: list[Image.Image], tmp_path: Path
) -> None:
    question, found, save, thanks = WORDS[locale]
    photo = tmp_path / "pet.jpg"
    photos[0].save(photo)
    page = open_page(locale=locale, viewport={"width": 390, "height": 844})
    page.get_by_role("heading", name=question).wait_for()
    page.locator('#photo-input input[type="file"]').set_input_files(str(photo))
    page.locator("#pet-1 .sb-is").wait_for()
    assert found in page.locator("#status h2").inner_text()
    page.locator("#pet-1-not-a-pet").click()
    page.locator("#pet-1-consent input").check()
    page.get_by_role("button", name=save).first.click()
    page.locator("#pet-1-status").get_by_text(thanks).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    card = page.locator("#pet-1").inner_text()
    assert english_in(" ".join(card.split()), locale[:2]) == []
