"""Members' own models: two FastAPI apps, ``/teach`` and ``/m``, whose forms work without JavaScript."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import Depends, FastAPI
from PIL import Image
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from smartbreed.accounts.origin import public_origin
from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError
from smartbreed.i18n import gettext, mark, ngettext, translated
from smartbreed.imaging.photo import encode_jpeg
from smartbreed.inference.results import Failure
from smartbreed.services import Services
from smartbreed.teach.bundle import FEWEST
from smartbreed.teach.service import Added, Training
from smartbreed.teach.serving import Tried
from smartbreed.teach.tables import TeachModel
from smartbreed.web.api.body import read_body
from smartbreed.web.api.gate import gate_for
from smartbreed.web.components import nav, templates
from smartbreed.web.components.download import zip_answer
from smartbreed.web.pages.account.visit import Visit, dependencies, form_app

_ABOUT = mark(
    "Make a model of your own from a few photos: it learns your pets, or anything else, in seconds."
)
#: Side of a thumbnail in CSS pixels, and how long a browser may cache it, in seconds.
_THUMBNAIL, _KEPT_S = 176, 300
#: Maximum number of files and of fields in a form with photos, and maximum size of a field in bytes.
_FILES, _FIELDS, _FIELD_BYTES = 500, 20, 20_000
#: Photos shown per class; the others are shown on request.
_SHOWN = 18
#: The training curve: width, height, left and bottom margin, in pixels.
_WIDE, _HIGH, _LEFT, _FOOT = 560, 220, 66, 30


@dataclass(frozen=True)
class Sent:
    """A submitted form, which may contain files.

    Attributes:
        fields: its text fields.
        files: its files.
        most: size limit of a file, in bytes.
    """

    fields: dict[str, str]
    files: list[UploadFile] = field(default_factory=list)
    most: int = 0

    def photos(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each file.

        A file over the limit is read up to one byte beyond it, so that its size is refused later.
        """
        for file in self.files:
            yield file.filename or "", file.file.read(self.most + 1)

    def photo(self) -> tuple[str, bytes]:
        """Return name and content of the form's first photo.

        Raises:
            PhotoError: ``no_photo`` if there is none.
        """
        for one in self.photos():
            return one
        raise PhotoError("no_photo", "No photo was sent; choose one and try again.")


def _sent_with(services: Services, *, members: bool) -> Any:
    """Return the FastAPI dependency for a form with files, whose token has been checked.

    Args:
        members: True to reject visitors before their files are read.
    """
    asked, _ = dependencies(services)

    async def sent(request: Request, visit: Visit = asked) -> AsyncIterator[Sent]:
        kind, said = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data":
            yield Sent(await visit.form())
            return
        if members:
            visit.member()
        if said.get(b"charset", b"utf-8").lower() != b"utf-8":  # others may raise or yield lone surrogates
            raise RequestError("bad_form", "This is not one of our forms.", status=400)
        try:
            form = await request.form(max_files=_FILES, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
        except HTTPException:
            raise RequestError("bad_form", "This form cannot be read; send fewer files at once.") from None
        try:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            visit.check_token(fields.get("token", ""))
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            files = [file for file in files if file.filename or file.size]
            yield Sent(fields, files, services.settings.max_bytes)
        finally:
            await form.close()

    return Depends(sent)


def teach_app(services: Services) -> FastAPI:
    """Return the app for ``/teach``; an error becomes a page, or JSON for scripts, with its message."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        if _wants_json(request):
            return JSONResponse({"problem": translated(said.message)}, said.status)
        if (sign_in := visit.sign_in_first(said)) is not None:
            return sign_in
        if "/photo/" in request.url.path:
            return Response(said.message, said.status, {"Cache-Control": "no-store"}, "text/plain")
        return _page(visit, "message", said.status, path="teach", problem=said.message)

    app = form_app(services, refused)
    _add_lists(app, services)
    _add_model(app, services)
    _add_use(app, services)
    return app


def _add_lists(app: FastAPI, services: Services) -> None:
    """Add the routes that list a member's models and create a new one."""
    asked, formed = dependencies(services)
    teach = services.teach

    def show(visit: Visit, status: int = 200, **values: Any) -> Response:
        models = teach.models(visit.who.id) if visit.who else []
        finds_pets = services.identifier.detector is not None
        return _page(
            visit, "start", status, path="teach", models=models, most=services.settings.teach_models,
            finds_pets=finds_pets, **values,
        )  # fmt: skip

    @app.get("/teach")
    def start(visit: Visit = asked) -> Response:
        return show(visit)

    @app.post("/teach/new")
    def new(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = visit.member()
        try:
            row = teach.make(who.id, form.get("name", ""), form.get("subject", ""))
        except RequestError as error:
            return show(visit, error.status, problem=error.message)
        return visit.go(_at(row.id))


def _show(visit: Visit, model_id: str, status: int = 200, **values: Any) -> Response:
    """Return a model's page."""
    services, who = visit.services, visit.member()
    view = services.teach.model(who.id, model_id)
    training = services.teach.training(who.id, model_id)
    by_id = {photo.id: (photo, one) for one in view.classes for photo in one.photos}
    suspicious = [
        (by_id[one.photo][0], by_id[one.photo][1], one.likely)
        for one in (view.report.suspicious if view.report else [])
        if one.photo in by_id and by_id[one.photo][1].name == one.given
    ]
    settings = services.settings
    if training is not None and training.done and training.problem:
        values.setdefault("problem", training.problem)
    return _page(
        visit, "model", status, path=f"teach/model/{view.row.id}", title=view.row.name,
        view=view, model=view.row, report=view.report,
        suspicious=suspicious, class_of={key: one for key, (_, one) in by_id.items()},
        training=training if training is not None and not training.done else None,
        curve=_curve(view.report.steps) if view.report else None, shown=_SHOWN, fewest=FEWEST,
        limits=(settings.teach_classes, settings.teach_photos), at=_at(model_id), origin=_origin(visit),
        why_no_hub=services.teach.why_no_hub, **values,
    )  # fmt: skip


def _add_model(app: FastAPI, services: Services) -> None:
    """Add the routes for a model's classes, photos and training."""
    asked, formed = dependencies(services)
    sent = _sent_with(services, members=True)
    teach = services.teach

    @app.get("/teach/model/{model}")
    def show(model: str, visit: Visit = asked) -> Response:
        return _show(visit, model)

    @app.post("/teach/model/{model}/change")
    def change(model: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who, group = visit.member(), form.get("class", "")
        try:
            if "add" in form:
                teach.add_class(who.id, model, form["add"])
            elif "rename" in form:
                teach.rename_class(who.id, model, group, form["rename"])
            elif "remove-class" in form:
                teach.remove_class(who.id, model, form["remove-class"])
            elif "remove-photo" in form:
                teach.remove_photo(who.id, model, form["remove-photo"])
            elif "move" in form:
                teach.move_photo(who.id, model, form["move"], group)
            else:
                raise RequestError("bad_form", "This is not one of our forms.", status=400)
        except RequestError as error:
            return _show(visit, model, error.status, problem=error.message)
        return visit.go(f"{_at(model)}#{'checks' if form.get('from') == 'checks' else 'classes'}")

    @app.post("/teach/model/{model}/photos")
    def photos(request: Request, model: str, visit: Visit = asked, form: Sent = sent) -> Response:
        who, group = visit.member(), form.fields.get("class", "")
        try:
            if dataset := form.fields.get("dataset", "").strip():
                done = teach.add_dataset(who.id, model, dataset)
            elif not form.files:
                raise RequestError("no_photo", "No photo was sent; choose one and try again.")
            elif group:
                done = teach.add_photos(who.id, model, group, form.photos())
            else:
                done = teach.add_zip(who.id, model, form.files[0].file)
        except SmartBreedError as error:
            if _wants_json(request):
                raise
            return _show(visit, model, error.status, problem=error.message)
        if _wants_json(request):
            return JSONResponse({"added": done.added, "note": _said(done)})
        return _show(visit, model, note=_said(done))

    @app.get("/teach/model/{model}/photo/{photo}")
    def photo(model: str, photo: str, visit: Visit = asked) -> Response:
        data = teach.photo(visit.member().id, model, photo)
        with Image.open(BytesIO(data)) as picture:
            picture.draft("RGB", (_THUMBNAIL, _THUMBNAIL))
            picture.thumbnail((_THUMBNAIL * 2, _THUMBNAIL * 2))
            small = encode_jpeg(np.asarray(picture.convert("RGB")), 82)
        headers = {"Cache-Control": f"private, max-age={_KEPT_S}"}
        return Response(small, media_type="image/jpeg", headers=headers)

    @app.post("/teach/model/{model}/train")
    def train(model: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = visit.member()
        try:
            teach.train(who.id, model)
        except RequestError as error:
            return _show(visit, model, error.status, problem=error.message)
        return visit.go(f"{_at(model)}#train")

    @app.get("/teach/model/{model}/progress")
    def progress(model: str, visit: Visit = asked) -> Response:
        training = teach.training(visit.member().id, model)
        body = {"done": True} if training is None else _progress(training)
        return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _add_use(app: FastAPI, services: Services) -> None:
    """Add the routes for trying, downloading, publishing and deleting a model."""
    asked, formed = dependencies(services)
    sent = _sent_with(services, members=True)
    teach = services.teach

    @app.post("/teach/model/{model}/try")
    def try_out(model: str, visit: Visit = asked, form: Sent = sent) -> Response:
        row = teach.model(visit.member().id, model).row
        try:
            tried = teach.serving.try_out(row, *form.photo())
        except (PhotoError, RequestError) as error:
            return _show(visit, model, error.status, problem=error.message)
        return _show(visit, model, tried=_drawn(tried))

    @app.get("/teach/model/{model}/bundle")
    def bundle(model: str, visit: Visit = asked) -> Response:
        who = visit.member()
        return zip_answer(lambda file: teach.pack(who.id, model, file))

    @app.post("/teach/model/{model}/publish")
    def publish(model: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who, do = visit.member(), form.get("do", "")
        try:
            if do in ("serve", "stop"):
                address = form.get("address", "") if do == "serve" else ""
                if do == "serve" and not address.strip():
                    raise RequestError("bad_address", "Choose an address.")
                teach.publish(who.id, model, address)
            elif do == "hub":
                teach.publish_to_hub(who.id, model)
            elif do == "leave-hub":
                teach.take_from_hub(who.id, model)
            else:
                raise RequestError("bad_form", "This is not one of our forms.", status=400)
        except SmartBreedError as error:
            return _show(visit, model, error.status, problem=error.message)
        return visit.go(f"{_at(model)}#use")

    @app.post("/teach/model/{model}/delete")
    def delete(model: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        teach.delete(visit.member().id, model)
        return visit.go(f"{nav.root()}teach")


def served_app(services: Services) -> FastAPI:
    """Return the app for ``/m``: published models, open to everyone."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        if request.url.path.rstrip("/").endswith("/identify"):
            answer = (
                Failure("", said).as_dict() if isinstance(said, PhotoError) else {"error": said.as_dict()}
            )
            return JSONResponse(answer, said.status)
        path = request.url.path.lstrip("/")
        return _page(visit, "message", said.status, path=path, problem=said.message, own=False)

    app = form_app(services, refused)
    asked, _ = dependencies(services)
    sent, teach, gate = _sent_with(services, members=False), services.teach, gate_for(services)

    def show(visit: Visit, row: TeachModel, status: int = 200, **values: Any) -> Response:
        names = [one.name for one in teach.serving.identifier_of(row).known.breeds]
        return _page(
            visit, "served", status, path=f"m/{row.address}", title=row.name, model=row, names=names,
            origin=_origin(visit), **values,
        )  # fmt: skip

    @app.get("/m/{address}")
    def page(address: str, visit: Visit = asked) -> Response:
        return show(visit, teach.served(address))

    @app.post("/m/{address}")
    def identify(address: str, visit: Visit = asked, form: Sent = sent) -> Response:
        row = teach.served(address)
        try:
            tried = teach.serving.try_out(row, *form.photo())
        except PhotoError as error:
            return show(visit, row, error.status, problem=error.message)
        return show(visit, row, tried=_drawn(tried))

    @app.post("/m/{address}/identify")
    async def identify_json(request: Request, address: str) -> Response:
        row = await gate.run(teach.served, address)
        settings = services.settings
        body = await read_body(
            request, max_bytes=settings.max_bytes, max_photos=1, uploads=Path("/nonexistent")
        )
        if len(body.photos) != 1:
            raise RequestError("one_photo", f"Send one photo. Received: {len(body.photos)}.")
        item = body.photos[0]
        if item.error:
            raise item.error
        return JSONResponse(await gate.run(teach.serving.identify, row, item.name, item.source))

    return app


def _page(visit: Visit, template: str, status: int = 200, *, path: str, **values: Any) -> Response:
    """Return a page.

    Args:
        path: path below the root of a page that can be opened, for the language links; not that of a form.
    """
    return visit.plain(
        f"teach/{template}.html", status, key="teach", about=gettext(_ABOUT), path=path,
        **{"title": gettext("Teach"), "note": "", "tried": None, "own": True, **values},
    )  # fmt: skip


def _at(model_id: str) -> str:
    return f"{nav.root()}teach/model/{model_id}"


def _origin(visit: Visit) -> str:
    return public_origin(visit.services.settings.public_url) or public_origin(str(visit.request.base_url))


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def _said(done: Added) -> str:
    """Say in a few sentences what became of the photos."""
    lines = [ngettext("%(number)s photo was added.", "%(number)s photos were added.", done.added)]
    if done.already:
        lines.append(gettext("%(number)s were already there.", number=done.already))
    lines += [
        gettext("%(number)s could not be used: %(why)s", number=count, why=translated(sentence))
        for sentence, count in done.unusable.most_common(5)
    ]
    return " ".join(lines)


def _progress(training: Training) -> dict[str, Any]:
    """Return the progress of a training, for the page's script."""
    steps = list(training.steps)
    said = gettext("Looking at photo %(number)s of %(all)s", number=training.looked, all=training.photos)
    if steps:
        said = gettext("Step %(number)s", number=steps[-1].step)
    curve = _curve([(one.step, one.loss, one.learnt, one.held_back) for one in steps])
    html = templates.Macros("teach/parts.html").curve(curve) if curve else ""
    return {"done": training.done, "said": said, "curve": html}


def _curve(steps: Sequence[tuple[int, float, float, float | None]]) -> dict[str, Any] | None:
    """Compute the geometry of the training curve, in pixels; None for fewer than two steps."""
    if len(steps) < 2:
        return None
    last = steps[-1][0]

    def x(step: int) -> float:
        return _LEFT + (_WIDE - _LEFT - 12) * (step - 1) / max(last - 1, 1)

    def y(share: float) -> float:
        return 10 + (_HIGH - _FOOT - 10) * (1 - share)

    def line(values: list[tuple[int, float]]) -> str:
        return " ".join(f"{x(step):.1f},{y(share):.1f}" for step, share in values)

    return {
        "width": _WIDE, "height": _HIGH, "left": _LEFT, "last": last,
        "ticks": [(y(share), f"{share:.0%}") for share in (0.0, 0.5, 1.0)],
        "learnt": line([(step, learnt) for step, _, learnt, _ in steps]),
        "held_back": line([(step, held) for step, _, _, held in steps if held is not None]),
        "ends": (steps[-1][2], steps[-1][3]),
    }  # fmt: skip


def _drawn(tried: Tried) -> dict[str, Any]:
    """Return the result of a trial, with its pictures as JPEG."""
    return {
        "guesses": tried.guesses, "sure": tried.sure, "whole": tried.whole,
        "crop": encode_jpeg(tried.crop), "heat": encode_jpeg(tried.heat),
    }  # fmt: skip
