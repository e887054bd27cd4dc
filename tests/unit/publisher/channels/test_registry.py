import re
from pathlib import Path

import pytest

import services.publisher
from services.publisher.channels.registry import SPECS, build, spec_of
from services.publisher.channels.telegram.adapter import Telegram
from services.publisher.channels.webhook.adapter import Webhook
from services.publisher.channels.website.adapter import Website
from services.publisher.channels.website.site import Site
from shared.campaign.model import OWN_KINDS, Campaign, CampaignError
from shared.storage.media import MediaStore

PUBLISHER = Path(services.publisher.__file__).parent
CHANNELS = PUBLISHER / "channels"
ENVIRON = {"HOOK": "whsec_dGVzdA==", "TOKEN": "42:x"}
HEAD = """
name: Test
languages: [en]
countries: [AZ]
terms_version: "1"
channels:
  - {id: site, kind: website}
"""
HOOK = """  - {id: partners, kind: webhook, base_url: "https://example.org/hook", credentials: {secret: "env:HOOK"}}"""
CHAT = """  - {id: tg, kind: telegram, chat: "@example", credentials: {token: "env:TOKEN"}}"""


def channels(text: str, folder: Path, environ: dict[str, str] = ENVIRON) -> dict[str, object]:
    campaign = Campaign.parse(f"{HEAD}{text}\n".encode(), folder / "campaign.yaml")
    store = MediaStore(f"file://{folder}")
    return dict(build(campaign, store, Site(store, campaign, "http://localhost:8400"), environ))


async def test_each_channel_of_the_file_gets_its_adapter_in_order(tmp_path: Path) -> None:
    built = channels(f"{HOOK}\n{CHAT}", tmp_path)

    assert [(name, type(adapter)) for name, adapter in built.items()] == [
        ("site", Website),
        ("partners", Webhook),
        ("tg", Telegram),
    ]


async def test_a_chat_on_a_server_of_ones_own_may_be_written_to_faster(tmp_path: Path) -> None:
    adapter = channels(f"{CHAT[:-1]}, options: {{calls_per_second: 20}}}}", tmp_path)["tg"]

    assert isinstance(adapter, Telegram)
    assert adapter.capabilities.rate_per_second == 20


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("  - {id: tube, kind: youtube}", "'youtube' is not supported yet"),
        (f"{CHAT[:-1]}, options: {{colour: red}}}}", "unknown option 'colour'"),
        (f"{CHAT[:-1]}, options: {{video_bytes: many}}}}", "must be a number above 0"),
        (f"{CHAT[:-1]}, options: {{calls_per_second: true}}}}", "must be a number above 0"),
        (f"{CHAT[:-1]}, options: {{in_flight: 1000}}}}", "must be a number above 0 and at most 64"),
        (f"{CHAT[:-1]}, options: {{answer_seconds: 0}}}}", "must be a number above 0 and at most 70"),
        (HOOK.replace("HOOK", "UNSET"), "the environment variable UNSET is not set"),
        (HOOK.replace("HOOK", "TOKEN"), "whsec_"),
    ],
)
async def test_a_channel_that_cannot_work_is_refused_with_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(CampaignError, match=sentence) as refusal:
        channels(text, tmp_path)

    assert "42:x" not in str(refusal.value)


def test_every_kind_has_a_folder_and_every_folder_a_kind() -> None:
    folders = {each.parent.name for each in CHANNELS.glob("*/spec.py")}

    assert folders == set(SPECS)
    assert all(kind == spec.kind for kind, spec in SPECS.items())


def test_nothing_but_its_own_folder_asks_for_a_kind() -> None:
    asked = re.compile(rf"""kind\s*(?:==|!=|(?:not )?in\b)|["'](?:{"|".join(SPECS)})["']""")
    elsewhere = [
        f"{path.relative_to(PUBLISHER)}:{number}: {line.strip()}"
        for path in [*PUBLISHER.rglob("*.py"), *PUBLISHER.rglob("*.html")]
        if not any(path.is_relative_to(CHANNELS / kind) for kind in SPECS)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if asked.search(line)
    ]

    assert elsewhere == []


def test_the_website_carries_every_language_whatever_its_entry_says(tmp_path: Path) -> None:
    text = f"{HEAD.replace('kind: website', 'kind: website, languages: [en]')}"
    campaign = Campaign.parse(text.encode(), tmp_path / "campaign.yaml")

    entry = campaign.channel("site")
    assert (entry.languages, spec_of(entry).languages_of(entry)) == (("en",), None)


def test_only_what_can_be_put_in_the_place_of_something_is_replaced_there() -> None:
    assert {kind for kind, spec in SPECS.items() if spec.replaces_in_place} == {"website", "webhook"}
    assert {kind for kind, spec in SPECS.items() if not spec.is_social} == OWN_KINDS
