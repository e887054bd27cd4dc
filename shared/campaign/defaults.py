"""What a campaign file need not spell out: reason codes and sensitive classes, as they stand in `defaults.yaml`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.campaign import located_yaml

FILE: Final = Path(__file__).with_name("defaults.yaml")
_DEFAULTS: Final = located_yaml.read(FILE.read_bytes()).value

REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    code: {"en": text} for code, text in _DEFAULTS["reasons"].items()
}
"""Texts by code. Other languages are looked up in the catalogues where they are shown."""
CLASSES: Final[Sequence[Mapping[str, Any]]] = _DEFAULTS["classes"]
"""As entries of the campaign file."""


def texts() -> list[str]:
    """Every sentence that people read."""
    return [*_DEFAULTS["reasons"].values(), *(each["text"] for each in CLASSES)]
