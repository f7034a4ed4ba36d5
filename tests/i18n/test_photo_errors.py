"""Why a photo cannot be used, read in other languages: no English phrase or figure is left inside."""

from __future__ import annotations

import re

import pytest

from smartbreed.core.errors import PhotoError
from smartbreed.i18n import ENGLISH, LANGUAGES, speaking, translated
from smartbreed.imaging.photo import check_bytes, read_photo

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
NO_PHOTOS = {
    "a PDF document": b"%PDF-1.7",
    "a ZIP archive or an office document": b"PK\x03\x04",
    "an SVG drawing": b"<svg xmlns='x'/>",
    "an XML or SVG document": b"<?xml version='1.0'?>",
    "a web page": b"<!DOCTYPE html>",
    "a Photoshop document": b"8BPS\0\1",
    "an icon": b"\0\0\1\0",
    "a video": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    "not a picture of a known kind": b"just some text",
    "a camera raw file": b"FUJIFILMCCD-RAW 0201",
    "a camera raw file.": b"II*\0\x10\0\0\0CR\2\0".ljust(400, b"\0"),
}
ENGLISH_WORD = re.compile(
    r"\b(an?|the|this|looks|like|photo|picture|document|file|send|export|or|page)\b", re.I
)


def error_of(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(data)
    return caught.value.message


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("what", NO_PHOTOS)
def test_what_is_no_photo_is_named_in_the_language_of_the_page(what: str, code: str) -> None:
    message = error_of(NO_PHOTOS[what])
    assert what.rstrip(".") in message, "in English it stays"
    with speaking(code):
        said = translated(message)
    assert said != message
    assert [word for word in ENGLISH_WORD.findall(said) if (word, code) != ("a", "es")] == [], said


@pytest.mark.parametrize("code", OTHERS)
def test_figures_are_grouped_as_in_the_language_of_the_page(code: str) -> None:
    with pytest.raises(PhotoError) as caught:
        check_bytes(31_457_281, 31_457_280)
    message = caught.value.message
    assert translated(message) == message
    with speaking(code):
        said = translated(message)
    assert re.findall(r"\d[\d.,]*\d", said) == ["31.457.281", "31.457.280"]


@pytest.mark.parametrize("code", OTHERS)
def test_a_name_inside_an_error_stays_as_it_was_given(code: str) -> None:
    for name in ("Breeds", "Dogs", "1,2", "12,3456", "a,234"):
        with speaking(code):
            said = translated(f"There is already a class {name}.")
        assert said.endswith(f" {name}.")
