"""Ask, the tour, the API docs and the pages at the foot, for a visitor."""

from __future__ import annotations

from net import Operation, Walk

from operations.common import COMMON, click, filled, submit
from operations.maintainers import VISITOR, wrong_password


#: The story has more to tell once a version has learnt from a photo.
def ask_with_photo(walk: Walk) -> None:
    walk.page.set_input_files("#ask-question input[type=file]", str(walk.stage.photos.one))
    walk.settle()
    walk.page.fill("#ask-question textarea", "How much exercise does a whippet need?")
    walk.page.click("#ask-question .submit-button")
    walk.page.locator('#ask-chat:has-text("pet found"):has-text("Whippet: exercise")').wait_for()


def ask_what_is_not_there(walk: Walk) -> None:
    walk.page.fill("#ask-question textarea", "What is the capital of France?")
    walk.page.keyboard.press("Enter")
    walk.page.locator('#ask-chat:has-text("I do not know.")').wait_for()


def choose_a_file(walk: Walk) -> None:
    with walk.page.expect_file_chooser():
        walk.page.get_by_label("Upload a file").click()


ASK = {
    **COMMON,
    **{
        f"ask-example-{number}: button": Operation(
            click(f"#ask-example-{number}", f'#ask-chat :text("{said}")')
        )
        for number, said in ((1, "Norwich"), (2, "flat-out sprints"), (3, "sheds"))
    },
    "ask-question: file": Operation(ask_with_photo),
    "ask-question: textarea": Operation(ask_what_is_not_there),
    "ask-question: button Upload a file": Operation(choose_a_file),
    "ask-question: button Submit": Operation(click("#ask-question .submit-button")),  # with nothing to ask
    "ask-chat: button ": Operation(click("#ask-chat .image-container button")),  # gradio's, around a photo
    "ask-clear: button": Operation(click("#ask-clear", ".sb-ask-empty"), last=True),
}


TOUR = {
    **COMMON,
    "story: summary sb-story": Operation(click("#story summary", "#story details ul"), slow=True),
}


def walk_visitor(walk: Walk) -> None:
    """The tour, the description of the API, and the maintainers' pages seen by a visitor."""
    for path, operations in (("ask", ASK), ("tour", TOUR), ("api/docs", {})):
        walk.open(path)
        walk.operate(operations)
        walk.follow_links()
    for path, holder in (("review", "review-gate"), ("train", "closed")):
        walk.open(path)
        walk.operate(
            {**VISITOR, f"{holder}: button sb-gate": Operation(wrong_password, refused=True, blocked=True)}
        )
        assert not walk.page.locator("#review:visible, #train:visible").count()


def walk_info(walk: Walk) -> None:
    """The pages at the foot of every page, and a message to the people who run the site."""
    for path in ("privacy", "terms"):
        walk.open(path)
        walk.operate({})
    walk.open("about")
    walk.follow_links()
    walk.open("contact?topic=privacy")
    fill_in = {
        f"sb-{name}: {kind}": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "x y"))
        for name, kind in {"text": "textarea", "email": "email"}.items()
    }
    wrong = filled(submit("Send the message", ".sb-problem"), text="Hello", email="a@b")
    send = filled(submit("Send the message", ".sb-sent"), text="Hello", email="a@b.example")
    walk.operate({
        "sb-topic: select": Operation(lambda walk: walk.page.select_option("#sb-topic", "idea")), **fill_in,
        "page: button sb-button": Operation(
            lambda walk: (wrong(walk), send(walk)), refused=True, blocked=True, last=True
        ),
    })  # fmt: skip
