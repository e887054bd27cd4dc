from pathlib import Path

from services.publisher.channels.capability_table import table

DOCUMENT = Path(__file__).parents[4] / "docs" / "channels.md"


def test_the_documented_capabilities_are_those_of_the_adapters() -> None:
    assert table() in DOCUMENT.read_text(), (
        "run `python -m services.publisher.channels.capability_table` and paste its table"
    )
