from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.pasted_links import LinkRefused, PastedLinks
from services.publisher.channels.port import Posted
from services.publisher.channels.telegram.links import MessageLink, RemoteId, locate, message_link
from services.publisher.channels.telegram.spec import SPEC
from shared.campaign.model import ChannelEntry
from shared.events import Media
from tests.support.builders.posts import snapshot

NAMED = MessageLink("@example", 123)
IN_A_THREAD = MessageLink("@example", 123, 5)
UNNAMED = MessageLink("-1001234567890", 123)
ENTRY = ChannelEntry(id="tg", kind="telegram", chat="@example")


def pasted(*links: str, pictures: int = 0, entry: ChannelEntry | None = ENTRY) -> PastedLinks:
    media = tuple(
        Media(sha256=f"{number:064x}", type="image/jpeg", bytes=1000, width=800, height=600)
        for number in range(pictures)
    )
    return PastedLinks(links, snapshot(media=media), entry)


@pytest.mark.parametrize(
    ("link", "meant"),
    [
        ("https://t.me/example/123", NAMED),
        ("http://t.me/example/123/", NAMED),
        ("t.me/example/123", NAMED),
        ("  HTTPS://T.ME/example/123\n", NAMED),
        ("https://t.me/example/123?single", NAMED),
        ("https://t.me/example/123?single&t=12#x", NAMED),
        ("https://t.me/example/123?thread=5", NAMED),
        ("https://t.me/s/example/123", NAMED),
        ("https://t.me/s/example/123?before=130", NAMED),
        ("https://example.t.me/123", NAMED),
        ("https://www.t.me/example/123", NAMED),
        ("https://telegram.me/example/123", NAMED),
        ("telegram.dog/example/123", NAMED),
        ("https://t.me:443/example/0123", NAMED),
        ("https://t.me/ex%61mple/123", NAMED),
        ("tg://resolve?domain=example&post=123&single", NAMED),
        ("tg:resolve?domain=example&post=123", NAMED),
        ("https://t.me/example/5/123", IN_A_THREAD),
        ("tg://resolve?domain=example&thread=5&post=123", IN_A_THREAD),
        ("https://t.me/c/1234567890/123", UNNAMED),
        ("t.me/c/1234567890/123?single", UNNAMED),
        ("https://t.me/c/1234567890/7/123", MessageLink("-1001234567890", 123, 7)),
        ("tg://privatepost?channel=1234567890&post=123&single", UNNAMED),
    ],
)
def test_every_public_form_of_a_link_leads_to_its_message(link: str, meant: MessageLink) -> None:
    assert message_link(link) == meant
    assert message_link(meant.url) == meant


@pytest.mark.parametrize(
    ("link", "code", "says"),
    [
        ("", "no_address", "no web address"),
        ("example 123", "no_address", "space"),
        ("//[foo", "no_address", "no web address"),
        ("https://t.me:x/example/1", "no_address", "port"),
        ("https://user@t.me/example/1", "no_address", "name or password"),
        ("https://t.me/example/1\u200b", "no_address", "invisible"),
        ("https://t.me@elsewhere.example/example/1", "no_address", "name or password"),
        ("https://elsewhere.example/t.me/example/123", "elsewhere", "t.me"),
        ("https://t.me.elsewhere.example/example/123", "elsewhere", "t.me"),
        ("https://web.telegram.org/a/#-1001234567890", "elsewhere", "Copy link"),
        ("https://t.me/example", "no_post", "no message"),
        ("https://t.me/example/", "no_post", "no message"),
        ("https://t.me/example/photo", "no_post", "no message"),
        ("https://t.me/example/0", "no_post", "no message"),
        ("https://t.me/example/-5", "no_post", "no message"),
        ("https://t.me/example/١٢", "no_post", "no message"),
        ("https://t.me/example/99999999999", "no_post", "no message"),
        (f"https://t.me/example/{2**31}", "no_post", "no message"),
        ("https://t.me/example/1/2/3", "no_post", "no message"),
        ("https://t.me/example/123?comment=7", "no_post", "comment"),
        ("tg://resolve?domain=example&post=123&comment=7", "no_post", "comment"),
        ("tg://resolve?domain=example", "no_post", "no message"),
        ("tg://settings", "no_post", "no message"),
        ("tg://[x", "no_post", "no message"),
        ("https://t.me/", "no_post", "no message"),
        ("https://t.me/c/1234567890", "no_post", "no message"),
        ("https://t.me/c/example/123", "no_post", "no message"),
        ("https://t.me/joinchat/123", "no_post", "no message"),
        ("https://t.me/+abcdef", "no_post", "no message"),
        ("https://t.me/s/s/1", "no_post", "no message"),
    ],
)
def test_what_leads_to_no_message_is_refused_with_what_is_missing(link: str, code: str, says: str) -> None:
    with pytest.raises(LinkRefused, match=says) as refused:
        message_link(link)

    assert refused.value.code == code


@given(st.text() | st.from_regex(r"(https?://)?(t\.me|tg:|telegram\.me)[/?:]\S{0,30}"))
def test_any_text_is_a_link_or_is_refused(text: str) -> None:
    with suppress(LinkRefused):
        assert message_link(message_link(text).url).message > 0


def test_an_album_is_told_by_the_links_of_all_its_messages() -> None:
    links = ("https://t.me/example/12?single", "t.me/example/11?single", "t.me/s/Example/13")

    assert SPEC.places(pasted(pictures=3).snapshot, ENTRY) == 3
    assert SPEC.locate(pasted(*links, pictures=3)) == Posted("@example/11,12,13", "https://t.me/example/11")


@pytest.mark.parametrize(
    ("links", "pictures", "code"),
    [
        (("t.me/example/11",), 3, "number"),
        (("t.me/example/11", "t.me/example/11?single"), 2, "number"),
        (("t.me/example/11", "t.me/example/12"), 1, "number"),
        (("t.me/example/11", "t.me/example/12"), 0, "number"),
        (("t.me/example/11", "t.me/other/12"), 2, "elsewhere"),
        (("t.me/other/11",), 1, "elsewhere"),
    ],
)
def test_too_few_too_many_or_strange_links_are_refused(
    links: tuple[str, ...], pictures: int, code: str
) -> None:
    with pytest.raises(LinkRefused) as refused:
        SPEC.locate(pasted(*links, pictures=pictures))

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("chat", "link", "remote_id"),
    [
        ("@Example", "t.me/example/7", "@Example/7"),
        ("-1001234567890", "t.me/c/1234567890/7", "-1001234567890/7"),
        ("-1001234567890", "t.me/example/7", "@example/7"),
        ("@example", "t.me/c/1234567890/7", "-1001234567890/7"),
    ],
)
def test_the_chat_is_the_channels_own_where_the_link_names_the_same(
    chat: str, link: str, remote_id: str
) -> None:
    entry = ENTRY.model_copy(update={"chat": chat})

    assert locate(pasted(link, entry=entry), 1).remote_id == remote_id
    assert str(RemoteId.parse(remote_id)) == remote_id


def test_a_channel_that_is_gone_from_the_file_still_reads_its_links() -> None:
    assert SPEC.locate(pasted("t.me/anything/7", entry=None)) == Posted(
        "@anything/7", "https://t.me/anything/7"
    )


@pytest.mark.parametrize(
    "text", ["d7k2m4p6q8s2v4x6z2b4d6f8h2", "@example/0", "example/7", "@example/7,x", ""]
)
def test_what_is_no_remote_id_is_none(text: str) -> None:
    assert RemoteId.parse(text) is None
