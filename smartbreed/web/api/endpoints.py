"""The named Gradio endpoints: for ``gradio_client``, for JavaScript, and as MCP tools.

At every endpoint, a photo that cannot be used gives an answer, ``{"image": …, "error":
{"code": …, "message": …}}``, so that one bad file does not spoil a batch. A bad argument
is the caller's mistake and raises: the client gets an ``AppError`` with the message, an
MCP client gets a result with ``isError``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from smartbreed.core.files import shortened
from smartbreed.imaging.photo import encode_jpeg
from smartbreed.inference.results import Failure
from smartbreed.services import Services
from smartbreed.web.api.answers import breed_list, identify_all, open_photo, save_flag
from smartbreed.web.api.arguments import (
    FlagArguments,
    IdentifyArguments,
    check_flag,
    check_pet,
    check_photos,
    check_score,
    check_text,
)
from smartbreed.web.api.client import calling_client, calling_headers
from smartbreed.web.api.described import describe
from smartbreed.web.api.gate import Gate, gate_for
from smartbreed.web.api.intake import answering, guard
from smartbreed.web.api.photos import Given, receive

Json = dict[str, Any]


def add_endpoints(services: Services) -> None:
    """Add the endpoints, such as ``/identify`` and ``/flag``, to the Blocks.

    Call it once, inside ``with gr.Blocks()``.
    """
    blocks = gr.context.Context.root_block
    if blocks is None:
        raise RuntimeError("add_endpoints must be called inside `with gr.Blocks()`.")
    own: set[int] = set()
    for function in _endpoints(services, gate_for(services), blocks):
        event = gr.api(function, api_name=function.__name__, queue=False)
        fn = blocks.fns[event["id"]]
        own.add(fn._id)
        describe(fn, function.__name__, [name for name in function.__annotations__ if name != "return"])
    guard(blocks, own)


def _endpoints(services: Services, gate: Gate, blocks: gr.Blocks) -> list[Callable[..., Awaitable[Any]]]:
    default_top_k = services.settings.top_k

    async def given(value: Any) -> Given:
        return await receive(value, uploads=Path(get_upload_folder()), max_bytes=services.settings.max_bytes)

    @answering
    async def identify(
        photo: gr.FileData | str, whole: bool = False, top_k: int = default_top_k, score: float | None = None
    ) -> Json:
        """Name the breed of every cat and dog in one photo.

        Finds each pet, and returns its box, its likeliest breeds with calibrated
        probabilities, and a verdict: "breed" if one breed is likely enough, "group"
        if only its group of breeds is certain, else "unknown".

        Args:
            photo: A web address, a data URL or base64 of a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF.
            whole: Take the whole picture as the pet, as for a photo already cropped.
            top_k: How many breeds to list for each pet, from 1.
            score: Smallest detection score to accept, 0 to 1. Leave it out for the model's own.

        Returns:
            {"image", "sha256", "width", "height", "pets", "model", "milliseconds"}
            where a pet is {"box": pixels x0, y0, x1, y1; "score", "species", "verdict", "breeds", "group"}
            breeds and group are made of {"id", "name", "probability"}
            and a photo that cannot be used gives {"image", "error": {"code", "message"}}
        """
        options = IdentifyArguments(whole=whole, top_k=top_k, score=score).model_dump()
        item = await given(photo)
        if item.error:
            return Failure(item.name, item.error).as_dict()
        answer = await gate.run(services.identify, item.source, name=item.name, interface="client", **options)
        return answer.as_dict()

    @answering
    async def identify_many(
        photos: list[gr.FileData | str],
        whole: bool = False,
        top_k: int = default_top_k,
        score: float | None = None,
    ) -> list[Json]:
        """Name the breed of every cat and dog in several photos at once.

        Faster than one call for each photo. Answers come in the order of the photos.
        A photo that cannot be used does not affect the others.

        Args:
            photos: The photos, each a web address, a data URL or base64.
            whole: Take each whole picture as the pet instead of looking for pets in it.
            top_k: How many breeds to list for each pet, from 1.
            score: Smallest detection score to accept, 0 to 1. Leave it out for the model's own.

        Returns:
            A list with the answer of identify for each photo.
        """
        options = IdentifyArguments(whole=whole, top_k=top_k, score=score).model_dump()
        values = check_photos(photos, services.settings.max_photos)
        items = await asyncio.gather(*(given(value) for value in values))
        return await identify_all(services, gate, items, options, "client")

    @answering
    async def explain(
        photo: gr.FileData | str,
        pet: int = 1,
        breed: str = "",
        whole: bool = False,
        score: float | None = None,
    ) -> gr.FileData:
        """Show where in the photo the model saw a breed: the pet's crop under its Grad-CAM heat map.

        Bright areas are evidence for the breed. Ask for a second breed to compare
        the evidence for each.

        Args:
            photo: The photo: a web address, a data URL or base64.
            pet: Number of the pet in the answer of identify, from 1.
            breed: Id of the breed to explain, as breeds lists it. Leave it out for the first guess.
            whole: As it was for identify, so that the numbers mean the same pets.
            score: As it was for identify.

        Returns:
            a JPEG picture
            and for a photo that cannot be used {"image", "error": {"code", "message"}}
        """
        number, wanted = check_pet(pet), check_text(breed, "breed").strip()
        model = services.identifier  # keep this one: another model may replace it meanwhile
        if wanted:
            model.label_index(wanted)
        looked = check_flag(whole, "whole"), check_score(score)
        found = await gate.run(open_photo, services, await given(photo), *looked, model)
        if isinstance(found, Failure):
            return found.as_dict()  # type: ignore[return-value]
        picture, answer = found
        animal = answer.pet(number or 1)
        pixels = await gate.run(model.explain, picture, animal, wanted or None)
        name = f"{shortened(Path(picture.name).stem, 150) or 'photo'}-{wanted or animal.breeds[0].id}.jpg"
        path = save_bytes_to_cache(encode_jpeg(pixels), name, get_upload_folder())
        blocks.upload_file_set.add(path)  # so that gradio deletes it when it stops, like uploads
        meta = {"_type": "gradio.FileData"}
        return {"path": path, "orig_name": name, "mime_type": "image/jpeg", "meta": meta}  # type: ignore

    @answering
    async def flag(
        photo: gr.FileData | str,
        pet: int | None = None,
        verdict: str = "",
        label: str = "",
        label_text: str = "",
        consent: bool = False,
        whole: bool = False,
        score: float | None = None,
        box: list[float] | None = None,
        species: str = "",
    ) -> Json:
        """Say whether the model was right about a pet; the photo is kept to train the next model.

        Only with the consent of the photo's owner: it may be published as part
        of a dataset. Its metadata is removed first.

        Args:
            photo: The photo: a web address, a data URL or base64.
            pet: Number of the pet in the answer of identify, from 1. Leave it out for the photo as a whole.
            verdict: "correct", "wrong", "not_a_pet", "missed" (a pet in the photo was not found) or "unsure".
            label: The right breed when the verdict is "wrong": its id, name or an alias.
            label_text: The breed in your own words, when the list of breeds lacks it.
            consent: Must be true: the photo may be kept and published for training.
            whole: As it was for identify, so that the numbers mean the same pets.
            score: As it was for identify.
            box: Where a missed pet is: x0, y0, x1, y1 in pixels of the upright photo. Only with "missed".
            species: "cat" or "dog", of a missed pet whose breed you do not know.

        Returns:
            {"flag_id", "sample_id", "created", "receipt"}
            the receipt withdraws the flag, see withdraw
            created is false if the same was said before
            and a photo that cannot be used gives {"image", "error": {"code", "message"}}
        """
        said = FlagArguments(
            pet=pet, verdict=verdict, label=label, label_text=label_text, species=species, box=box,
            consent=consent, whole=whole, score=score,
        )  # fmt: skip
        item = await given(photo)
        saved = await gate.run(save_flag, services, item, said, calling_client(), calling_headers())
        return saved.as_dict() if isinstance(saved, Failure) else saved

    @answering
    async def withdraw(flag_id: str, receipt: str = "") -> Json:
        """Withdraw a flag: its photo is deleted now, and from the dataset when that is next published.

        Args:
            flag_id: As returned by flag.
            receipt: As returned by flag; its holder may withdraw the flag.

        Returns:
            {"flag_id", "withdrawn"}
        """
        named, shown = check_text(flag_id, "flag_id"), check_text(receipt, "receipt")
        await gate.run(services.flags.withdraw_with, named, shown)
        return {"flag_id": named, "withdrawn": True}

    @answering
    async def breeds() -> list[Json]:
        """List every breed this model can name, cats first.

        Returns:
            [{"id", "name", "aliases", "species", "group"}]
        """
        return breed_list(services.identifier.bundle)

    return [identify, identify_many, explain, flag, withdraw, breeds]
