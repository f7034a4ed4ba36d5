"""``smartbreed ask``: answer questions about breeds."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ModelOption, ends_well, say, settings_with


def ask(
    question: Annotated[str, typer.Argument(help="Such as: How much exercise does a whippet need?")],
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Answer a question from the breed texts. The exit status is 1 if they contain no answer."""
    with ends_well():
        from smartbreed.assistant.answers import answer
        from smartbreed.assistant.service import Assistant
        from smartbreed.registry import open_bundle

        settings = settings_with(model=model)
        bundle = open_bundle(settings)
        assistant = Assistant(settings, lambda: bundle)
        reply = answer(question, assistant.retriever, assistant.phrase)
        if as_json:
            cited = [{"title": passage.title, "breed": passage.breed} for passage in reply.citations]
            print(json.dumps({"answer": reply.text, "citations": cited, "phrased": reply.phrased}))
        else:
            print(reply.text)
        for passage in () if as_json else reply.citations:
            say(f"from {passage.title}")
        if not reply.citations:
            raise typer.Exit(SOME_FAILED)
