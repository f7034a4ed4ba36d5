"""What the OpenAPI page says of the REST routes beyond what FastAPI reads from the code."""

from __future__ import annotations

from typing import Any

from smartbreed.feedback.tables import VERDICTS
from smartbreed.web.api import schemas
from smartbreed.web.api.arguments import MAX_TOP_K

TITLE = "SmartBreed REST API"
ABOUT = (
    "Every cat and dog in a photograph, found, cropped and named. A photo that cannot be used yields "
    '`{"image": …, "error": {"code", "message"}}` with a fitting status; a request that makes no sense '
    '`{"error": {"code", "message"}}`. Codes are stable, messages are for people.'
)
#: Methods each path takes.
METHODS = {
    "/api/identify": ("POST",),
    "/api/flag": ("POST",),
    "/api/breeds": ("GET", "HEAD"),
    "/api/withdraw": ("POST",),
    "/api/health": ("GET", "HEAD"),
    "/api/openapi.json": ("GET",),
    "/api/docs": ("GET",),
}

_WHOLE = {
    "description": "Take the whole picture as the pet instead of looking for pets in it.",
    "schema": {"type": "boolean", "default": False},
}
_TOP_K = {
    "description": "How many breeds to list for each pet. Left out: the server's own, normally 5.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K},
}
_SCORE = {
    "description": "Smallest score of a find. Left out: the model's own.",
    "schema": {"type": "number", "minimum": 0, "maximum": 1},
}
_ARGUMENTS = {"whole": _WHOLE, "top_k": _TOP_K, "score": _SCORE}
_FIELDS = {
    name: {"description": what["description"], **what["schema"]}  # type: ignore[dict-item]
    for name, what in _ARGUMENTS.items()
}
_FILE = {"type": "string", "format": "binary"}
_TEXT = {"type": "string", "description": "Base64, or a data URL."}


IDENTIFY: dict[str, Any] = {
    "summary": "Identify the pets of a photo",
    "parameters": [{"name": name, "in": "query", **what} for name, what in _ARGUMENTS.items()],
    "requestBody": {
        "required": True,
        "description": "One photo: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF. "
        "What the body says of whole, top_k and score goes before the query.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "photo": {**_FILE, "description": "The photo."},
                        "photos": {
                            "type": "array",
                            "items": _FILE,
                            "description": "Several; answered with a list.",
                        },
                        **_FIELDS,
                    },
                }
            },
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": _TEXT,
                        "images": {
                            "type": "array",
                            "items": _TEXT,
                            "description": "Several; answered with a list.",
                        },
                        **_FIELDS,
                    },
                }
            },
        },
    },
    "x-examples": [
        "curl -F photo=@rex.jpg {base}/api/identify",
        'curl -H "Content-Type: image/jpeg" --data-binary @rex.jpg "{base}/api/identify?top_k=3"',
        "echo '{\"image\": \"'$(base64 -w0 rex.jpg)'\"}' | "
        'curl -H "Content-Type: application/json" --data-binary @- {base}/api/identify',
        "curl -F photos=@rex.jpg -F photos=@tom.jpg {base}/api/identify",
    ],
}
IDENTIFY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": schemas.Identification | schemas.Several,
        "description": "What is in the photo; for several photos a list, in which each may have failed.",
    },
    400: {
        "model": schemas.PhotoFailure | schemas.RequestFailure,
        "description": "Nothing was sent, or it is not what the content type says.",
    },
    413: {"model": schemas.PhotoFailure, "description": "Too many bytes or too many pixels."},
    415: {"model": schemas.PhotoFailure, "description": "Not a picture of a known kind."},
    422: {
        "model": schemas.PhotoFailure | schemas.RequestFailure,
        "description": "The photo is damaged, or an argument makes no sense.",
    },
}
_SAID: dict[str, dict[str, Any]] = {
    "pet": {"description": "Number of the pet in the answer of identify, from 1. Left out: the whole photo.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 10_000}},
    "verdict": {"description": "What is said of it. `missed`: a pet in the photo was not found.",
                "schema": {"enum": list(VERDICTS)}},
    "label": {"description": "The right breed: its id, name or an alias.", "schema": {"type": "string"}},
    "label_text": {"description": "The breed in your own words, when the list of breeds lacks it.",
                   "schema": {"type": "string"}},
    "species": {"description": "Of a missed pet whose breed you do not know.",
                "schema": {"enum": ["cat", "dog"]}},
    "box": {"description": "Where a missed pet is: x0,y0,x1,y1 in pixels of the upright photo. "
            "Only with `missed`; in JSON a list.", "schema": {"type": "string"}},
    "consent": {"description": "Must be true: the photo may be kept and published for training.",
                "schema": {"type": "boolean", "default": False}},
    "whole": {**_WHOLE, "description": "As it was for identify, so that the numbers mean the same pets."},
    "score": {**_SCORE, "description": "As it was for identify."},
}  # fmt: skip
_SAID_FIELDS = {name: {"description": what["description"], **what["schema"]} for name, what in _SAID.items()}
FLAG: dict[str, Any] = {
    "summary": "Say whether the model was right",
    "parameters": [{"name": name, "in": "query", **what} for name, what in _SAID.items()],
    "requestBody": {
        "required": True,
        "description": "One photo, as for identify. What the body says goes before the query.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"photo": _FILE, **_SAID_FIELDS}}
            },
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "application/json": {
                "schema": {"type": "object", "properties": {"image": _TEXT, **_SAID_FIELDS}}
            },
        },
    },
    "x-examples": [
        "curl -F photo=@rex.jpg -F pet=1 -F verdict=wrong -F label=Pug -F consent=true {base}/api/flag",
        "curl -F photo=@rex.jpg -F verdict=missed -F box=61,40,402,366 -F species=dog "
        "-F consent=true {base}/api/flag",
    ],
}
FLAG_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": schemas.Receipt, "description": "It is on the disk."},
    **{status: answer for status, answer in IDENTIFY_RESPONSES.items() if status != 200},
}
BREEDS: dict[str, Any] = {
    "summary": "The breeds this model can name",
    "x-examples": ["curl {base}/api/breeds"],
}
WITHDRAW: dict[str, Any] = {
    "summary": "Take a flag back",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["flag_id", "receipt"],
                    "properties": {"flag_id": {"type": "string"}, "receipt": {"type": "string"}},
                }
            }
        },
    },
    "x-examples": [
        'curl -H "Content-Type: application/json" -d \'{"flag_id": "…", "receipt": "…"}\' {base}/api/withdraw'
    ],
}
HEALTH: dict[str, Any] = {
    "summary": "Whether the server is up",
    "x-examples": ["curl {base}/api/health"],
}
