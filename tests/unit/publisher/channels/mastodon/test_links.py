import pytest

from services.publisher.channels.mastodon.spec import SPEC
from services.publisher.channels.pasted_links import LinkRefused, PastedLinks
from services.publisher.channels.port import Posted
from shared.campaign.model import ChannelEntry
from tests.support.builders.posts import snapshot

ENTRY = ChannelEntry(id="masto", kind="mastodon", base_url="https://masto.example")


def located(*links: str, entry: ChannelEntry | None = ENTRY) -> Posted:
    return SPEC.locate(PastedLinks(links, snapshot(), entry))


@pytest.mark.parametrize(
    "path",
    [
        "/@campaign/112233",
        "/@campaign@elsewhere.example/112233",
        "/@campaign/112233/",
        "/@campaign/112233/embed?x=1#2",
        "/@campaign/112233/favourites",
        "/users/campaign/statuses/112233",
        "/users/campaign/statuses/112233/activity",
        "/ap/users/9/statuses/112233",
        "/web/@campaign/112233",
        "/web/statuses/112233",
        "/deck/@campaign/112233",
        "/%40campaign/112233",
    ],
)
@pytest.mark.parametrize("start", ["https://masto.example", "http://MASTO.example:443", "masto.example"])
def test_every_public_form_of_a_link_leads_to_its_status(start: str, path: str) -> None:
    assert located(f" {start}{path}\n").remote_id == "112233"


@pytest.mark.parametrize(
    ("links", "code", "says"),
    [
        (("https://masto.example/@campaign",), "no_post", "no status"),
        (("https://masto.example/users/112233",), "no_post", "no status"),
        (("https://masto.example/tags/112233",), "no_post", "no status"),
        (("https://masto.example/@campaign/١٢",), "no_post", "no status"),
        (("https://masto.example/@campaign/" + "9" * 21,), "no_post", "no status"),
        (("https://elsewhere.example/@campaign/112233",), "elsewhere", "own server"),
        (("//[foo",), "no_address", "web address"),
        (("112233",), "no_address", "web address"),
        (("https://masto.example/@campaign/1", "https://masto.example/@campaign/2"), "number", "2 links"),
    ],
)
def test_what_leads_to_no_status_of_the_account_is_refused(
    links: tuple[str, ...], code: str, says: str
) -> None:
    with pytest.raises(LinkRefused, match=says) as refused:
        located(*links)

    assert refused.value.code == code


def test_a_channel_that_is_gone_from_the_file_still_reads_its_links() -> None:
    assert located("https://masto.example/@campaign/1", entry=None).remote_id == "1"
