"""The table of `docs/channels.md`, made from the adapters: `python -m services.publisher.channels.capability_table`."""

import sys
from typing import Final

from services.publisher.channels.port import Capabilities
from services.publisher.channels.registry import SPECS

_COLUMNS: Final = (
    "kind",
    "lookup",
    "repeatable",
    "read back",
    "remove",
    "figures",
    "text",
    "caption",
    "media",
)
_MORE: Final = ("AI label", "calls/s")


def table() -> str:
    """The table in Markdown."""
    header = (*_COLUMNS, *_MORE)
    lines = [
        header,
        tuple("---" for _ in header),
        *(_row(kind, spec.capabilities) for kind, spec in SPECS.items()),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(kind: str, can: Capabilities) -> tuple[str, ...]:
    return (
        kind,
        _yes(can.lookup),
        _yes(can.idempotent),
        _yes(can.read_back),
        _yes(can.remove),
        _yes(can.sample),
        _limit(can.text_units),
        _limit(can.media_text_units),
        _limit(can.max_media),
        "field" if can.ai_field else "in the text",
        _limit(can.rate_per_second),
    )


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell
    return "yes" if value else "no"


def _limit(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
