"""The chat about breeds: answers come from the breed texts, with citations; a photo is identified.

It does not use `gr.ChatInterface`, whose history comes back from the browser with every event, so that each
of its twenty handlers would have to distrust it. Here the conversation is kept in the session on the server.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import gradio as gr

from smartbreed.assistant.answers import MOST, Answer, answer
from smartbreed.core.errors import SmartBreedError
from smartbreed.i18n import gettext, translated
from smartbreed.inference.results import Identification
from smartbreed.services import Services, explain_failure
from smartbreed.web.components import nav
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.sentences import found, sentence
from smartbreed.web.components.templates import Macros

MACROS = Macros("ask.html")
EXAMPLES = (
    "How do I tell a Norfolk from a Norwich Terrier?",
    "How much exercise does a Whippet need?",
    "Which dogs shed little?",
)
#: Maximum number of messages kept in a conversation.
_KEPT = 60

Messages = list[dict[str, Any]]


class AskPage:
    """The ask page; create it inside ``with blocks.route(…)``.

    Args:
        services: provides the model and the breed texts.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        gr.HTML(each_language(partial(nav.header, "ask", maintainers=services.maintainers.reachable)))
        gr.HTML(each_language(lambda: MACROS.intro(services.assistant.phrase is not None)))
        self.said = gr.State([])
        self.chat = gr.Chatbot(
            elem_id="ask-chat",
            show_label=False,
            label=gettext("Conversation"),
            height="min(50vh, 440px)",
            buttons=[],
            placeholder=each_language(lambda: MACROS.empty()),
        )
        self.question = gr.MultimodalTextbox(
            elem_id="ask-question",
            show_label=False,
            label=gettext("Your question"),
            placeholder=gettext("Ask about a breed"),
            sources=["upload"],
            file_types=["image"],
            file_count="single",
            max_plain_text_length=MOST,
            submit_btn=gettext("Ask"),
        )
        with gr.Row(elem_classes="sb-ask-examples"):
            self.examples = [
                gr.Button(text, elem_id=f"ask-example-{number}", size="sm")
                for number, text in enumerate(EXAMPLES, 1)
            ]
        self.clear = gr.Button(gettext("Clear"), elem_id="ask-clear", size="sm", visible=False)

    def load(self, blocks: gr.Blocks) -> None:
        """Attach the events."""
        shown = [self.said, self.chat, self.question, self.clear]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
        self.question.submit(self._ask, [self.question, self.said], shown, **hidden)
        for button in self.examples:
            button.click(self._example, [button, self.said], shown, **hidden)
        self.clear.click(self._clear, None, shown, **hidden)

    def _ask(self, message: dict[str, Any] | None, said: Messages) -> tuple[Any, ...]:
        try:
            self.services.switches.require("ask")
        except SmartBreedError as error:
            return self._shown([{"role": "assistant", "content": _plain(translated(error.message))}])
        text = str((message or {}).get("text") or "").strip()[:MOST]
        files = list((message or {}).get("files") or [])[:1]
        if not text and not files:
            return self._shown(said)
        more: Messages = []
        for path in files:
            more.append({"role": "user", "content": {"path": path, "alt_text": gettext("Your photo")}})
        if text:
            more.append({"role": "user", "content": text})
        replies = [self._identified(path) for path in files]
        if text:
            assistant = self.services.assistant
            replies.append(_markdown(answer(text, assistant.retriever, assistant.phrase)))
        more.append({"role": "assistant", "content": "\n\n".join(replies)})
        return self._shown([*said, *more][-_KEPT:])

    def _example(self, text: str, said: Messages) -> tuple[Any, ...]:
        return self._ask({"text": text}, said)

    def _clear(self) -> tuple[Any, ...]:
        return self._shown([])

    def _shown(self, said: Messages) -> tuple[Any, ...]:
        return said, said, None, gr.update(visible=bool(said))

    def _identified(self, path: str) -> str:
        try:
            seen = self.services.identify(path, interface="page")
        except Exception as error:
            return _plain(translated(explain_failure(error).message))
        if not isinstance(seen, Identification):
            return _plain(translated(seen.error.message))
        lines = [f"**{_plain(found(seen))}**"]
        for pet in seen.pets:
            line = f"- {_plain(sentence(pet))}"
            if pet.verdict == "breed" and pet.breeds:
                first = pet.breeds[0]
                line += (
                    f" [{_plain(gettext('About the %(breed)s', breed=first.name))}]({nav.breed(first.id)})"
                )
            lines.append(line)
        return "\n".join(lines)


def _markdown(reply: Answer) -> str:
    """Format an answer as Markdown, with links to the pages it comes from."""
    text = _plain(reply.text)
    if not reply.citations:
        return text
    links = {nav.breed(passage.breed): passage.title for passage in reversed(reply.citations)}
    cited = " · ".join(f"[{_plain(title)}]({address})" for address, title in reversed(links.items()))
    words = gettext("From")
    if reply.phrased:
        words = gettext("Phrased by a language model from")
    return f"{text}\n\n{words}: {cited}"


def _plain(text: str) -> str:
    """Escape a text so that nothing in it is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$&])", r"\\\1", text)
