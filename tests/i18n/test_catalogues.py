"""The catalogues: nothing that a page says lacks a translation, and each has its placeholders and tags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes

from docs.messages import PACKAGE, ROOT, placeholders, sentences, updated
from smartbreed.core.errors import FlagError, PhotoError
from smartbreed.i18n import ENGLISH, LANGUAGES, gettext, language, negotiated, ngettext, speaking, translated
from smartbreed.i18n.sentences import catalogue
from smartbreed.imaging.photo import read_photo
from smartbreed.statistics.usage import INTERFACES
from smartbreed.web.components.templates import environment
from smartbreed.web.pages.statistics.view import UNITS

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
#: Documents for programmers, parts without words, and examples of what to type.
NO_WORDS = re.compile(r"docs\.html$|chart\.html$")
TAG = re.compile(r"</?[a-z][^>]*>")
READ = re.compile(r'\s(?:aria-label|alt|title|placeholder)="([^"]*)"')
WORD = re.compile(r"[A-Za-z]{2,}")
#: The same in every language, or no sentence.
NAMES = {"SmartBreed", "ms", "kg", "cm", "UTC", "API"}


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_has_a_translation(code: str) -> None:
    said = catalogue(code)
    missing, broken = [], []
    for one in sentences():
        key = one.text if isinstance(one.text, str) else one.text[0]
        entry = said.get(key)
        strings = [] if entry is None else [entry.string] if isinstance(entry.string, str) else entry.string
        if not strings or not all(strings):
            missing.append(f"{one.file}: {key}")
            continue
        source = one.text if isinstance(one.text, str) else one.text[1]
        for string in strings:
            if set(placeholders(string)) != set(placeholders(source)):
                broken.append(f"{key} → {string}")
            if sorted(TAG.findall(string)) != sorted(TAG.findall(source)):
                broken.append(f"{key} → {string}")
    assert not missing, "run `make messages` and translate:\n" + "\n".join(missing)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("code", OTHERS)
def test_the_catalogues_are_up_to_date(code: str) -> None:
    ids = [{str(one.id) for one in found if one.id} for found in (catalogue(code), updated(code))]
    assert ids[0] == ids[1], "run `make messages`"


def templates() -> Iterator[Path]:
    for path in sorted((PACKAGE / "web" / "templates").rglob("*.html")):
        name = path.relative_to(ROOT).as_posix()
        if not NO_WORDS.search(name):
            yield path


@pytest.mark.parametrize("path", list(templates()), ids=lambda path: path.name)
def test_no_template_says_anything_untranslated(path: Path) -> None:
    tree = environment().parse(path.read_text(encoding="utf-8"))
    markup = "".join(node.data for node in tree.find_all(nodes.TemplateData))
    markup = re.sub(r"<pre.*?</pre>", "", markup, flags=re.DOTALL)  # what is typed into a program
    texts = [*READ.findall(markup), *re.split(r"<[^>]*>?|[^<]*>", markup)]
    words = {word for text in texts for word in WORD.findall(re.sub(r"&#?\w+;", "", text))}
    assert words <= NAMES


def test_no_component_says_anything_untranslated() -> None:
    found = []
    for path in sorted((PACKAGE / "web").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if "/api/" in name:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("gr."):
                continue
            said = [one.value for one in node.keywords if one.arg in ("label", "info", "placeholder")]
            said += node.args[:1] if ast.unparse(node.func) == "gr.Button" else []
            found += [
                f"{name}: {one.value}"
                for one in said
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value
            ]
    assert not found


def test_the_units_of_measured_troubles_are_translated() -> None:
    """The page of statistics shows them as the trainer wrote them; it does not import the trainer."""
    text = (ROOT / "training/evaluation/robustness.py").read_text(encoding="utf-8")
    assert set(re.findall(r'Corruption\("\w+", "([^"]+)"', text)) == set(UNITS)
    with speaking("es"):
        assert {gettext(unit) for unit in UNITS}.isdisjoint(UNITS)
        assert [gettext(name) for name in INTERFACES.values()] == [
            "página web",
            "REST",
            "cliente de Python y MCP",
        ]


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        ("", "", "en"),
        ("", "de-DE,de;q=0.9,en;q=0.8", "de"),
        ("", "es-MX", "es"),
        ("", "fr-FR,fr;q=0.9,es;q=0.5,en;q=0.1", "es"),
        ("", "en;q=0.2,de;q=0.7", "de"),
        ("", "fr", "en"),
        ("", "EN-US", "en"),
        ("", "De-at", "de"),
        ("", "*;q=0.5, ;;q=, de;q=x", "en"),
        ("es", "de", "es"),
        ("xx", "de", "de"),
    ],
)
def test_the_language_of_a_request(chosen: str, accepted: str, expected: str) -> None:
    assert negotiated(chosen, accepted) == expected


def test_outside_of_pages_it_is_english() -> None:
    assert language() == ENGLISH
    with speaking("de"):
        assert gettext("Breeds") == "Rassen"
        assert ngettext("%(number)s day", "%(number)s days", 1) == "1 Tag"
        assert ngettext("%(number)s day", "%(number)s days", 3) == "3 Tage"
        assert gettext("No catalogue has this sentence.") == "No catalogue has this sentence."
        assert gettext("") == ""
    assert gettext("Breeds") == "Breeds"


def test_errors_stay_english_and_pages_translate_them() -> None:
    with pytest.raises(PhotoError) as small:
        read_photo(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with speaking("es"):
        assert translated(str(small.value)) != str(small.value)
        limit = FlagError(
            "limit", "At most 7 flags a day are accepted from one place; please go on tomorrow."
        )
        assert "como máximo 7 valoraciones" in translated(limit.message)
        assert limit.message.startswith("At most 7")
        assert translated("Nothing like a sentence of ours") == "Nothing like a sentence of ours"
