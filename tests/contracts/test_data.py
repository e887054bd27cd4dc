"""`docs/data.md` says what the code says: every line of every service's table, and the periods of the campaign file.

`python -m tests.contracts.test_data` writes its table anew.
"""

import re
from pathlib import Path
from typing import Final

from services.ingest.retention.rules import KEPT as INGEST
from services.metrics.retention.rules import KEPT as METRICS
from services.moderation.retention.rules import KEPT as MODERATION
from services.publisher.retention.rules import KEPT as PUBLISHER
from shared.campaign.model import RetentionPeriods
from shared.retention.model import EVERYWHERE, KeptData

DOCUMENT: Final = Path(__file__).parents[2] / "docs/data.md"
TABLE: Final = re.compile(
    r"(?<=\| Where \| What \| Why \| Until \|\n\| --- \| --- \| --- \| --- \|\n)(\|.*\n)+"
)
KEPT: Final = (*INGEST, *MODERATION, *PUBLISHER, *METRICS, *EVERYWHERE)


def line_of(kept: KeptData) -> str:
    return f"| `{kept.place}` | {kept.what} | {kept.why} | {kept.until} |\n"


def test_the_table_of_what_is_kept_is_that_of_the_code() -> None:
    found = TABLE.search(DOCUMENT.read_text())

    assert found is not None
    assert found.group() == "".join(map(line_of, KEPT))


def test_the_periods_and_their_defaults_are_those_of_the_campaign_file() -> None:
    said = re.findall(r"^\| \w+ \| .* \| `(\w+)` \| (\d+)", DOCUMENT.read_text(), re.MULTILINE)

    assert {name: int(days) for name, days in said} == RetentionPeriods().model_dump()


if __name__ == "__main__":
    DOCUMENT.write_text(TABLE.sub(lambda _: "".join(map(line_of, KEPT)), DOCUMENT.read_text()))
