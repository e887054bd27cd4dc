"""Pictures and a video, drawn on the spot: every one different, so that nothing passes for a duplicate."""

import colorsys
import io
import random
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageDraw

SIZE: Final = (960, 640)
FRAMES: Final = 50
RATE: Final = 25


def photo(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG with a woven pattern in a few related colours, and a camera's metadata to be taken off."""
    dice = random.Random(seed)
    thread = [
        _colour(dice.random() * 0.12 + (seed * 0.381966) % 1, shade) for shade in (0.35, 0.5, 0.65, 0.8, 0.92)
    ]
    picture = Image.new("RGB", size, thread[0])
    draw = ImageDraw.Draw(picture)
    step = dice.choice([40, 80, 160])
    half = step // 2
    rule = dice.choice([3, 4, 5])
    for column, x in enumerate(range(0, size[0], step)):
        for row, y in enumerate(range(0, size[1], step)):
            outer, inner = (
                thread[(column + row) % rule],
                thread[(column * 2 + row * row + seed) % len(thread)],
            )
            draw.polygon(
                [(x + half, y), (x + step, y + half), (x + half, y + step), (x, y + half)], fill=outer
            )
            draw.ellipse(
                [x + half // 2, y + half // 2, x + step - half // 2, y + step - half // 2], fill=inner
            )
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x9003] = "Example", f"Camera {seed}", "2026:05:04 09:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (40.0, 22.0, 30.0), 3: "E", 4: (49.0, 50.0, 0.0)})
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85, exif=exif)
    return buffer.getvalue()


def _colour(hue: float, shade: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, shade, 0.42)
    return int(red * 255), int(green * 255), int(blue * 255)


def video(path: Path, seed: int = 0) -> bytes:
    """Two seconds of a moving bar with a tone, as MP4. Another seed is another colour and tone."""
    dice = random.Random(seed)
    colour = (220, 180, 60) if seed == 0 else tuple(dice.randrange(90, 250) for _ in range(3))
    tone = 440 if seed == 0 else dice.randrange(220, 880)
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["location"] = "+40.3750+049.8333/"
        pictures = container.add_stream("libx264", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 240, "yuv420p"
        sound = container.add_stream("aac", rate=48_000)
        for number in range(FRAMES):
            image = np.full((240, 320, 3), 60, dtype=np.uint8)
            image[:, number * 6 : number * 6 + 20] = colour
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(pictures.encode())
        samples = np.arange(48_000 * FRAMES // RATE)
        wave = (0.2 * np.sin(samples * 2 * np.pi * tone / 48_000)).astype(np.float32)
        for start in range(0, len(wave), 1024):
            piece = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 48_000, start, Fraction(1, 48_000)
            container.mux(sound.encode(piece))
        container.mux(sound.encode())
    return path.read_bytes()
