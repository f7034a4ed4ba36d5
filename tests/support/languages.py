"""What a page says, and which of our English sentences are left in it."""

from __future__ import annotations

import html
import json
import re

from smartbreed.i18n.sentences import catalogue

#: Sentences, not words that are the same in several languages.
LEAST = 14


def text_of(page: str) -> str:
    """What a page says, without its scripts; of gradio's pages what its components say."""
    if config := re.search(r"window\.gradio_config = (\{.*?\});</script>", page, re.DOTALL):
        said = [one["props"] for one in json.loads(config[1])["components"]]
        read = [one.get(name) for one in said for name in ("value", "label", "info", "placeholder")]
        read += [text for one in said for text, _ in one.get("choices") or []]
        page += " ".join(one for one in read if isinstance(one, str))
    page = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def english_in(text: str, code: str, least: int = LEAST) -> list[str]:
    """Sentences that another language has words for and that stand in a text in English."""
    english = [
        str(one.id)
        for one in catalogue(code)
        if isinstance(one.id, str) and one.string and one.string != one.id and "%" not in one.id
    ]
    return [one for one in english if len(one) >= least and f" {text_of(one)} " in f" {text} "]
