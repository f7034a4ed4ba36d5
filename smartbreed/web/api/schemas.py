"""Pydantic models of the REST API's JSON, and parts of its OpenAPI description that code cannot express."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from smartbreed.breeds.facts import BreedFacts
from smartbreed.core.errors import PHOTO_CODES
from smartbreed.inference.evaluation import LabelEvaluation


class Guess(BaseModel):
    """A breed, or a group of breeds, with its probability."""

    id: str = Field(description="Stable identifier.", examples=["border_terrier"])
    name: str = Field(description="The name people use today.", examples=["Border Terrier"])
    probability: float = Field(description="Calibrated, 0 to 1.", examples=[0.91])


class Pet(BaseModel):
    """One animal in a photo."""

    box: list[float] = Field(description="x0, y0, x1, y1 in pixels of the upright photo.")
    score: float = Field(description="How sure the detector is, 0 to 1; 1 when the whole picture was taken.")
    species: Literal["cat", "dog", ""] = Field(description="Empty when the model names other things.")
    verdict: Literal["breed", "group", "unknown"] = Field(
        description="What can be said: one breed, only its group, or neither."
    )
    breeds: list[Guess] = Field(description="The top_k likeliest breeds, likeliest first.")
    group: Guess = Field(description="The likeliest family of breeds.")
    reason: Literal["dark", "blurred", "noisy", "colourless", "small", "other"] | None = Field(
        default=None,
        description="Present where the picture, or another animal in it, is why no breed is said.",
    )


class Model(BaseModel):
    """The model that answered."""

    repo: str
    revision: str
    version: str


class Identification(BaseModel):
    """Everything found in one photo; `pets` is empty if no pet was found."""

    image: str = Field(description="The file's name, empty if unknown.", examples=["rex.jpg"])
    sha256: str = Field(description="Of the file as received, hexadecimal.")
    width: int = Field(description="Of the upright photo, pixels.")
    height: int = Field(description="Of the upright photo, pixels.")
    pets: list[Pet] = Field(description="Surest find first.")
    model: Model
    milliseconds: float = Field(description="Time spent on this photo.")
    whole: bool = Field(False, description="The whole picture was taken; left out when it was not.")
    combined: int = Field(1, description="Photos that this answer is the average of; left out when one.")


class Receipt(BaseModel):
    """A saved flag."""

    flag_id: str
    sample_id: str = Field(description="sha256 of the photo as it is kept.")
    created: bool = Field(description="False when the same was said before.")
    receipt: str = Field(description="Its holder may take the flag back, with `/api/withdraw`.")


class Error(BaseModel):
    """A stable code, and a message for people."""

    code: str = Field(
        description=f"Stable identifier; of a photo one of {', '.join(PHOTO_CODES)}.", examples=["truncated"]
    )
    message: str = Field(description="One sentence that says what to do.")


class PhotoFailure(BaseModel):
    """A photo that cannot be used."""

    image: str
    error: Error


class RequestFailure(BaseModel):
    """A request that cannot be answered."""

    error: Error


class Several(BaseModel):
    """Answers to several photos, in the order of the photos."""

    results: list[Identification | PhotoFailure]


class Breed(BaseModel):
    """A breed this model can name."""

    id: str = Field(examples=["boston_bull"])
    name: str = Field(examples=["Boston Terrier"])
    aliases: list[str]
    species: Literal["cat", "dog", ""]
    group: str


class Confusion(BaseModel):
    """Another breed, and the number of test pictures for which the two were confused."""

    id: str
    pictures: int


class BreedEvaluation(LabelEvaluation):
    """How well the model names a breed, on pictures it was not trained on."""

    version: str = Field(description="Of the model that was measured: the one that answers, or its ancestor.")
    date: dt.date | None = Field(description="When.")
    data: str = Field(description="What the pictures are.")
    taken_for: list[Confusion] = Field(description="What pictures of it were taken for, most first.")
    taken_as: list[Confusion] = Field(description="Pictures of which breeds were taken for it, most first.")


class BreedDetail(Breed):
    """A breed, its facts, and how well this model recognises it."""

    facts: BreedFacts | None = Field(description="Null for a breed without a text, such as a new breed.")
    evaluation: BreedEvaluation | None = Field(description="Null for a breed that was not measured.")


class Flags(BaseModel):
    """The number of visitors' flags."""

    pending: int = Field(description="Waiting to be reviewed or published.")


class Health(BaseModel):
    """The server is up and its model answers."""

    status: Literal["ok", "degraded"] = Field(description="degraded: the database does not answer.")
    version: str = Field(description="Of SmartBreed.")
    model: Model
    flags: Flags | None


class Withdrawal(BaseModel):
    """A flag to withdraw, with its receipt."""

    flag_id: str
    receipt: str = Field(description="As the flag was answered.")


class Withdrawn(BaseModel):
    """A withdrawn flag."""

    flag_id: str
    withdrawn: bool


#: Error responses of the routes that take photos.
PHOTO_FAILURES: dict[int | str, dict[str, Any]] = {
    400: {
        "model": PhotoFailure | RequestFailure,
        "description": "Nothing was sent, or it is not what the content type says.",
    },
    413: {"model": PhotoFailure, "description": "Too many bytes or too many pixels."},
    415: {"model": PhotoFailure, "description": "Not a picture of a known kind."},
    422: {
        "model": PhotoFailure | RequestFailure,
        "description": "The photo is damaged, or an argument is invalid.",
    },
}
_FILE = {"type": "string", "format": "binary"}
_TEXT = {"type": "string", "description": "Base64, or a data URL."}


def takes_json(content: type[BaseModel] | None, *examples: str, **more: Any) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route that reads a JSON body itself, up to its own length limit."""
    schema = content.model_json_schema() if content else {"type": "object"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, "x-examples": list(examples), **more}


def takes_photos(arguments: type[BaseModel], *examples: str, several: bool = False) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route that takes photos in every form, and ``arguments`` beside them."""
    fields = arguments.model_json_schema()["properties"]

    def form(one: str, many: str, schema: dict[str, Any]) -> dict[str, Any]:
        photos: dict[str, Any] = {one: {**schema, "description": "The photo."}}
        if several:
            photos[many] = {"type": "array", "items": schema, "description": "Several; answered with a list."}
        return {"schema": {"type": "object", "properties": photos | fields}}

    body = {
        "required": True,
        "description": "One photo: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF. "
        "Arguments in the body override those in the query.",
        "content": {
            "multipart/form-data": form("photo", "photos", _FILE),
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "application/json": form("image", "images", _TEXT),
        },
    }
    return {"requestBody": body, "x-examples": list(examples)}
