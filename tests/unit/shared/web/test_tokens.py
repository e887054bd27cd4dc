import re
from pathlib import Path

import pytest

import shared.web

STATIC = Path(shared.web.__file__).parent / "static"
LIGHT, DARK = re.split(r"@media \(prefers-color-scheme: dark\)", (STATIC / "tokens.css").read_text())


def colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", css))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


TEXT = [
    *(
        (text, ground)
        for text in ("text", "text-quiet", "accent")
        for ground in ("ground", "surface", "sunken")
    ),
    *((meaning, "surface") for meaning in ("calm", "caution", "danger")),
    *((meaning, f"{meaning}-ground") for meaning in ("accent", "calm", "caution", "danger")),
    ("text", "accent-ground"),
    ("text-quiet", "accent-ground"),
    ("on-accent", "accent"),
]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_stands_out_seven_to_one(theme: str, text: str, ground: str) -> None:
    colour = colours(theme)
    assert contrast(colour[text], colour[ground]) >= 7


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "surface"])
def test_edges_of_controls_stand_out(theme: str, ground: str) -> None:
    colour = colours(theme)
    assert contrast(colour["edge-strong"], colour[ground]) >= 4.5


@pytest.mark.parametrize("name", ["base.css", "components.css"])
def test_colours_come_from_the_tokens_and_sides_are_logical(name: str) -> None:
    css = (STATIC / name).read_text()
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", css) == []
    assert re.findall(r"(?:margin|padding|border)-(?:left|right)|(?<![\w-])(?:left|right)\s*:", css) == []
