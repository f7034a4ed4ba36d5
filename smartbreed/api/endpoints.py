"""The named Gradio endpoints: for ``gradio_client``, for JavaScript, and as MCP tools.

A photo that cannot be used is an answer, ``{"image": …, "error": {"code": …,
"message": …}}``, at every endpoint, so that one bad file spoils no batch. A bad
argument is the caller's mistake and raises: the client gets an ``AppError`` with
the sentence, an MCP client a result with ``isError``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from smartbreed.api.arguments import check_flag, check_pet, check_score, check_text, check_top_k
from smartbreed.api.breeds import breed_list
from smartbreed.api.gate import Gate, gate_for
from smartbreed.api.intake import CallerError, guard
from smartbreed.api.photos import Given, receive
from smartbreed.errors import PhotoError
from smartbreed.images import Photo, encode_jpeg
from smartbreed.services import Services, explain_failure
from smartbreed.vision.results import Failure, Identification

Json = dict[str, Any]

#: What the API page says of each argument; MCP clients read the docstrings.
_PHOTO = "an uploaded file (handle_file), a web address, a data URL or base64"
_DESCRIPTIONS = {
    "photo": _PHOTO,
    "photos": f"a list; each is {_PHOTO}",
    "whole": "take the whole picture as the pet instead of looking for pets in it",
    "top_k": "how many breeds to list for each pet, from 1",
    "score": "smallest score of a find, 0 to 1; empty: the model's own",
    "pet": "number of the pet in the answer of /identify, from 1",
    "breed": "id of the breed to explain, as /breeds lists it; empty: the first guess",
    "verdict": "correct, wrong, not_a_pet or unsure",
    "label": "the right breed: its id, name or an alias",
    "label_text": "the breed in your own words, when the list lacks it",
    "consent": "must be true: the photo may be kept and published for training",
}


def add_endpoints(services: Services) -> None:
    """Add ``/identify``, ``/identify_many``, ``/explain``, ``/flag`` and ``/breeds`` to the Blocks being built.

    Call it inside ``with gr.Blocks()``, once.
    """
    blocks = gr.context.Context.root_block
    if blocks is None:
        raise RuntimeError("add_endpoints must be called inside `with gr.Blocks()`.")
    own: set[int] = set()
    for function in _endpoints(services, gate_for(services), blocks):
        event = gr.api(function, api_name=function.__name__, queue=False)
        fn = blocks.fns[event["id"]]
        own.add(fn._id)
        names = list(function.__annotations__)
        for name, component in zip(names, fn.inputs, strict=False):
            component.label = name
            component._api_info["additional_description"] = _DESCRIPTIONS[name]
        for component in fn.outputs:
            component.label = "answer"
    guard(blocks, own)


def _endpoints(
    services: Services, gate: Gate, blocks: gr.Blocks
) -> list[Callable[..., Awaitable[Any]]]:
    default_top_k = services.settings.top_k

    async def given(value: Any) -> Given:
        return await receive(
            value, uploads=Path(get_upload_folder()), max_bytes=services.settings.max_bytes
        )

    async def opened(value: Any, whole: bool, score: float | None) -> tuple[Photo, Identification] | Failure:
        return await gate.run(_open, services, await given(value), whole, score)

    @_answering
    async def identify(
        photo: gr.FileData | str, whole: bool = False, top_k: int = default_top_k, score: float | None = None
    ) -> Json:
        """Name the breed of every cat and dog in one photo.

        Finds each pet, and answers its box, its likeliest breeds with calibrated
        probabilities, and a verdict: "breed" when one breed is likely enough, "group"
        when only its family of breeds is certain, else "unknown".

        Args:
            photo: The photo: a web address, a data URL or base64 of a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF file.
            whole: Take the whole picture as the pet instead of looking for pets in it. For photos already cropped.
            top_k: How many breeds to list for each pet, from 1.
            score: Smallest score of a find, 0 to 1. Leave it out for the model's own.

        Returns:
            {"image", "sha256", "width", "height", "pets": [{"box": [x0, y0, x1, y1] in pixels, "score", "species", "verdict", "breeds": [{"id", "name", "probability"}], "group"}], "model", "milliseconds"}; {"image", "error": {"code", "message"}} for a photo that cannot be used.
        """
        options = {
            "whole": check_flag(whole, "whole"),
            "top_k": check_top_k(top_k),
            "score": check_score(score),
        }
        item = await given(photo)
        if item.error:
            return Failure(item.name, item.error).as_dict()
        answer = await gate.run(services.identify, item.source, name=item.name, **options)
        return answer.as_dict()

    @_answering
    async def identify_many(
        photos: list[gr.FileData | str],
        whole: bool = False,
        top_k: int = default_top_k,
        score: float | None = None,
    ) -> list[Json]:
        """Name the breed of every cat and dog in several photos at once.

        Faster than one call for each photo. Answers come in the order of the photos,
        and one that cannot be used does not spoil the others.

        Args:
            photos: The photos, each a web address, a data URL or base64.
            whole: Take each whole picture as the pet instead of looking for pets in it.
            top_k: How many breeds to list for each pet, from 1.
            score: Smallest score of a find, 0 to 1. Leave it out for the model's own.

        Returns:
            A list with, for each photo, what identify answers.
        """
        return await identify_all(services, gate, [await given(photo) for photo in _list(photos)], {
            "whole": check_flag(whole, "whole"),
            "top_k": check_top_k(top_k),
            "score": check_score(score),
        })

    @_answering
    async def explain(
        photo: gr.FileData | str,
        pet: int = 1,
        breed: str = "",
        whole: bool = False,
        score: float | None = None,
    ) -> gr.FileData:
        """Show where in the photo the model saw a breed: the pet's crop under its Grad-CAM heat map.

        Bright places spoke for the breed. Ask for a second breed to compare what
        speaks for either.

        Args:
            photo: The photo: a web address, a data URL or base64.
            pet: Number of the pet in the answer of identify, from 1.
            breed: Id of the breed to explain, as breeds lists it. Leave it out for the first guess.
            whole: As it was for identify, so that the numbers mean the same pets.
            score: As it was for identify.

        Returns:
            A JPEG picture; {"image", "error": {"code", "message"}} for a photo that cannot be used.
        """
        number, wanted = check_pet(pet), check_text(breed, "breed").strip()
        if wanted:
            services.identifier.label_index(wanted)
        found = await opened(photo, check_flag(whole, "whole"), check_score(score))
        if isinstance(found, Failure):
            return found.as_dict()  # type: ignore[return-value]
        picture, answer = found
        animal = services.pet_of(answer, number or 1)
        pixels = await gate.run(services.identifier.explain, picture, animal, wanted or None)
        name = f"{Path(picture.name).stem or 'photo'}-{wanted or animal.breeds[0].id}.jpg"
        path = save_bytes_to_cache(encode_jpeg(pixels), name, get_upload_folder())
        blocks.upload_file_set.add(path)  # so that it is deleted in time, as uploads are
        return {"path": path, "orig_name": name, "mime_type": "image/jpeg", "meta": {"_type": "gradio.FileData"}}  # type: ignore

    @_answering
    async def flag(
        photo: gr.FileData | str,
        pet: int | None = None,
        verdict: str = "",
        label: str = "",
        label_text: str = "",
        consent: bool = False,
        whole: bool = False,
        score: float | None = None,
    ) -> Json:
        """Say whether the model was right about a pet; the photo is kept to train the next model.

        Only with the consent of whoever owns the photo: it may be published as part
        of a dataset. Its metadata is removed first.

        Args:
            photo: The photo: a web address, a data URL or base64.
            pet: Number of the pet in the answer of identify, from 1. Leave it out for the photo as a whole.
            verdict: "correct", "wrong", "not_a_pet" or "unsure".
            label: The right breed when the verdict is "wrong": its id, name or an alias.
            label_text: The breed in your own words, when the list of breeds lacks it.
            consent: Must be true: the photo may be kept and published for training.
            whole: As it was for identify, so that the numbers mean the same pets.
            score: As it was for identify.

        Returns:
            {"flag_id", "sample_id", "created"}; created is false when the same was said before. {"image", "error": {"code", "message"}} for a photo that cannot be used.
        """
        said = {
            "number": check_pet(pet),
            "verdict": check_text(verdict, "verdict"),
            "label": check_text(label, "label"),
            "label_text": check_text(label_text, "label_text"),
            "consent": check_flag(consent, "consent"),
        }
        found = await opened(photo, check_flag(whole, "whole"), check_score(score))
        if isinstance(found, Failure):
            return found.as_dict()
        receipt = await gate.run(services.flag, *found, **said)
        return {"flag_id": receipt.flag_id, "sample_id": receipt.sample_id, "created": receipt.created}

    @_answering
    async def breeds() -> list[Json]:
        """List every breed this model can name, cats first.

        Returns:
            [{"id", "name", "aliases", "species", "group"}]
        """
        return breed_list(services.identifier)

    return [identify, identify_many, explain, flag, breeds]


async def identify_all(
    services: Services, gate: Gate, items: list[Given], options: dict[str, Any]
) -> list[Json]:
    """Identify the usable ones of ``items`` together and put every answer in its place."""
    usable = [(item.source, item.name) for item in items if item.error is None]
    found = iter(await gate.run(services.identify_many, usable, **options))
    return [
        (next(found) if item.error is None else Failure(item.name, item.error)).as_dict() for item in items
    ]


def _open(
    services: Services, item: Given, whole: bool, score: float | None
) -> tuple[Photo, Identification] | Failure:
    """The photo and what is in it, for endpoints that go on with one of its pets."""
    if item.error:
        return Failure(item.name, item.error)
    try:
        photo = services.read(item.source, item.name)
    except PhotoError as error:
        return Failure(item.name, error)
    return photo, services.identifier.identify(photo, whole=whole, score=score)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise CallerError("photos is a list, each entry one photo.", "bad_photos")


def _answering(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Turn what a function raises into a sentence for the caller."""

    @wraps(function)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            known = explain_failure(error)
            raise CallerError(known.message, known.code) from None

    return answer
