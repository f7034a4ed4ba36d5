"""How much memory a picture takes, read from its header before anything is decoded."""

from __future__ import annotations

from PIL.JpegImagePlugin import JpegImageFile

#: Memory a pixel takes while a photo is decoded and worked on, in bytes, by Pillow's name of the format:
#: the decoder's own buffers, Pillow's 4 bytes and our 3. Measured at 48 megapixels.
_BYTES_A_PIXEL = {"WEBP": 17, "AVIF": 11, "HEIF": 9}


def most_memory(max_pixels: int) -> int:
    """Most bytes of memory that one photo may take; decoders of some formats take twice what others do."""
    return max(128_000_000, 9 * max_pixels)


def memory_needed(kind: str, size: tuple[int, int]) -> int:
    """Bytes of memory that a picture takes at most while it is decoded and worked on."""
    return size[0] * size[1] * _BYTES_A_PIXEL.get(kind, 8)


def coefficients(image: JpegImageFile) -> int:
    """Bytes that libjpeg takes for a progressive JPEG, which it holds in full before it shows a pixel."""
    if not image.info.get("progressive"):
        return 0
    full = max(h for _, h, _, _ in image.layer) * max(v for _, _, v, _ in image.layer)
    planes = sum(h * v for _, h, v, _ in image.layer) / max(full, 1)
    return int(2 * planes * image.size[0] * image.size[1])


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas, read from the header.

    Raises:
        ValueError: there is none.
    """
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
    elif chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif chunk == b"VP8 " and len(data) >= 30:
        width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    else:
        raise ValueError("truncated WebP header" if len(data) < 30 else "no WebP header")
    return width, height
