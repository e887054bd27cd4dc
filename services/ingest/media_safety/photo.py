"""The photo's way through the safety pass: pixels alone, turned upright, in sRGB, scaled, encoded anew.

Runs in the confined worker, between two open files.
"""

import io
import struct
import warnings
import zlib
from functools import partial
from importlib import import_module
from typing import BinaryIO, Final

from PIL import Image, ImageCms, ImageFile, ImageFilter, ImagePalette  # noqa: F401 - Pillow asks for them late

from services.ingest.media_safety.ancillary import Bare, bare
from services.ingest.media_safety.formats import Kind, webp_size
from services.ingest.media_safety.model import Clean, Made, MediaLimits, MediaRefused

FORMATS: Final = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heif": "HEIF"}
DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged material. Anything else is a mistake of ours and ends the worker."""


def photo_cleaner(kind: Kind) -> Clean:
    """What cleans photos of this kind, with its decoder loaded."""
    Image.preinit()
    import_module("PIL.ImageColor")
    if kind == "webp":
        import_module("PIL.WebPImagePlugin")
    if kind == "heif":
        import_module("pillow_heif").register_heif_opener(thumbnails=False, decode_threads=1)
    return partial(clean_photo, kind)


def clean_photo(kind: Kind, source: BinaryIO, target: BinaryIO, limits: MediaLimits) -> Made:
    """Write the clean photo to `target`. Raises `MediaRefused`."""
    stripped = bare(kind, source.read())
    _refuse_canvas(stripped, kind, limits)
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = _pixels_allowed(kind, limits)
    try:
        with Image.open(io.BytesIO(stripped.data), formats=[FORMATS[kind]]) as opened:
            picture = _upright(opened, kind, stripped, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise MediaRefused("media_bomb") from error
    except DECODER_ERRORS as error:
        raise MediaRefused(
            "media_truncated" if "truncated" in str(error).lower() else "media_undecodable"
        ) from error
    opaque = picture.mode == "RGB" and kind != "png"
    if isinstance(picture, ImageFile.ImageFile):
        picture = picture.copy()  # Pillow looks for the files of a picture that it opened, and there are none
    picture.info.clear()
    if opaque:
        picture.save(target, "JPEG", quality=90, optimize=True, progressive=True)
    else:
        picture.save(target, "PNG")
    return Made("image/jpeg" if opaque else "image/png", picture.width, picture.height)


def _pixels_allowed(kind: str, limits: MediaLimits) -> int:
    return {
        "jpeg": limits.jpeg_pixels,
        "png": limits.png_pixels,
        "webp": limits.webp_pixels,
        "heif": limits.heif_pixels,
    }[kind]


def _refuse_canvas(stripped: Bare, kind: Kind, limits: MediaLimits) -> None:
    """The WebP decoder allocates its canvas on opening, so its size is read from the header first."""
    if kind != "webp":
        return
    width, height = webp_size(stripped.data[:64])
    if width * height > limits.webp_pixels:
        raise MediaRefused("media_bomb")


def _upright(opened: Image.Image, kind: Kind, stripped: Bare, limits: MediaLimits) -> Image.Image:
    """The picture in sRGB, the right way up, within the long edge."""
    allowed = limits.progressive_pixels if stripped.progressive else _pixels_allowed(kind, limits)
    if opened.width * opened.height > allowed:
        raise MediaRefused("media_bomb")
    profile = opened.info.get("icc_profile") if kind == "heif" else stripped.profile
    edge = (limits.long_edge, limits.long_edge)
    opened.draft(None, edge)
    opened.load()
    picture = _eight_bit(opened)
    picture.thumbnail(edge, Image.Resampling.LANCZOS, reducing_gap=2.0)
    picture = _to_srgb(picture, profile)
    turned = _TURNS.get(stripped.orientation)
    return picture.transpose(turned) if turned is not None else picture


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what makes the picture upright."""


def _eight_bit(picture: Image.Image) -> Image.Image:
    """A mode that can be scaled and colour-managed: L, RGB, RGBA or CMYK."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    return picture if picture.mode in {"L", "RGB", "CMYK"} else picture.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours in sRGB, by the embedded profile where it can be read, as Pillow converts otherwise."""
    wanted = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                picture, embedded, ImageCms.createProfile("sRGB"), outputMode=wanted
            )
        except (ImageCms.PyCMSError, *DECODER_ERRORS):
            converted = None
        if converted is not None:
            return converted
    return picture if picture.mode == wanted else picture.convert(wanted)
