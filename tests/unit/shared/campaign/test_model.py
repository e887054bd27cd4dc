"""The campaign file: what it holds, and how a mistake in it is told."""

from pathlib import Path

import pytest

from shared.campaign.fields import text_in
from shared.campaign.model import MOST_CHARACTERS, Campaign, CampaignError, ChannelEntry, Limits
from shared.web.catalogues import translations

FILE = Path("my.yaml")
MINIMAL = """\
name: Example
languages: [az, en]
countries: [AZ, NO]
terms_version: "1"
channels:
  - {id: site, kind: website}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(CampaignError) as caught:
        Campaign.parse(text.encode(), FILE)
    return str(caught.value).splitlines()


def with_channels(*channels: str) -> str:
    return MINIMAL.partition("  - ")[0] + "".join(f"  - {channel}\n" for channel in channels)


def test_the_built_in_example_holds_the_reported_facts() -> None:
    campaign = Campaign.load(Path(__file__).parents[4] / "deploy" / "campaign.yaml")

    assert len(campaign.countries) == 67
    assert {"TR", "CA", "NL", "PL", "MD", "IT"} == set(campaign.coordinated)
    assert campaign.reported["members"].value == 28_000
    assert [channel.kind for channel in campaign.channels] == ["website"]
    assert len(campaign.reasons) == 10
    assert all(each.reviewers == 2 for each in campaign.classes)
    for text in (*(reason.text for reason in campaign.reasons), *(each.text for each in campaign.classes)):
        assert all(translations(tag).gettext(text["en"]) != text["en"] for tag in ("az", "tr", "ru"))


def test_norway_is_a_country_and_not_false() -> None:
    assert Campaign.parse(MINIMAL.encode(), FILE).countries == ("AZ", "NO")


@pytest.mark.parametrize(
    ("line", "wrong", "told"),
    [
        (2, "language: [az]", "my.yaml:2: unknown key 'language'; did you mean 'languages'?"),
        (2, "languages: [az, zz]", "my.yaml:2: languages.1: 'zz' is no language; write a BCP 47 tag"),
        (2, "languages: [en_US]", "my.yaml:2: languages.0: 'en_US' is not in canonical form; write 'en-US'"),
        (2, "languages: [az, az]", "my.yaml:2: 'az' is in languages twice; keep one"),
        (2, "languages: az", "my.yaml:2: languages: 'az' must be a list; write [az]"),
        (3, "countries: [XX]", "my.yaml:3: countries.0: 'XX' is no country"),
        (3, "countries: [AZE]", "my.yaml:3: countries.0: 'AZE' is no country"),
        (4, "terms_version: 1.0", "my.yaml:4: terms_version: 1.0 must be text; put it in quotes"),
        (4, "hashtags: ['#x']", "my.yaml:4: hashtags.0: '#x' is no hashtag"),
        (6, "  - {id: site, kind: websit}", "my.yaml:6: unknown kind 'websit'; did you mean 'website'?"),
        (
            6,
            "  - {id: a, kind: whatsapp_web}",
            "my.yaml:6: kind 'whatsapp_web' would need an unofficial client",
        ),
        (6, "  - {id: Site, kind: website}", "my.yaml:6: channels.0.id: 'Site' is no id"),
        (
            6,
            "  - {id: a, kind: website, bse_url: x}",
            "my.yaml:6: unknown key 'bse_url'; did you mean 'base_url'?",
        ),
        (
            6,
            "  - {id: a, kind: website, base_url: ftp://x}",
            "my.yaml:6: channels.0.base_url: 'ftp://x' is no base",
        ),
        (
            6,
            "  - {id: a, kind: telegram, chat: '@a'}",
            "my.yaml:6: a telegram channel needs credentials; add",
        ),
        (
            6,
            "  - {id: a, kind: webhook, credentials: {secret: 'env:S'}}",
            "my.yaml:6: a webhook channel needs base_url",
        ),
        (1, "name: [", "my.yaml:3: this is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_how_to_mend_it(line: int, wrong: str, told: str) -> None:
    lines = MINIMAL.splitlines()
    lines[line - 1] = wrong

    assert any(mistake.startswith(told) for mistake in mistakes("\n".join(lines))), mistakes("\n".join(lines))


def test_every_mistake_is_told_in_the_order_of_lines() -> None:
    found = mistakes(MINIMAL.replace("az, en", "az, zz").replace("AZ, NO", "AZ, Norway"))

    assert [int(mistake.split(":")[1]) for mistake in found] == [2, 3]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://",
            "https:///path",
            "https://exa mple.org",
            "https://example.org/a b",
            "https://example.org/",
        ),
        *(
            "https://[foo",
            "//[foo",
            "https://example.org:port",
            "https://example.org#x",
            "example.org",
            "https://..",
        ),
        *(
            "https://example.org\\n",
            "https://exam\\u200bple.org",
            "https://a:secret@example.org",
            "https://1.2.3",
        ),
        *("http://[::1", "https://example.org:99999", "https://-a.example"),
    ],
)
def test_an_address_that_nobody_could_call_is_told_with_its_line_and_without_its_secrets(url: str) -> None:
    channel = f'{{id: w, kind: webhook, base_url: "{url}", credentials: {{secret: "env:S"}}}}'

    [told] = mistakes(with_channels("{id: site, kind: website}", channel))

    assert told.startswith("my.yaml:7: channels.1.base_url: ")
    assert "write https://host/path" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    "url", ["http://localhost:8400", "http://[::1]:1/x", "https://bücher.example", "http://h_1:9/a?b=c"]
)
def test_an_address_that_can_be_called_is_taken(url: str) -> None:
    channel = f'{{id: w, kind: webhook, base_url: "{url}", credentials: {{secret: "env:S"}}}}'

    assert Campaign.parse(with_channels(channel).encode(), FILE).channels[0].base_url == url


def test_where_something_is_added_to_an_address_it_has_no_query() -> None:
    channel = "{id: t, kind: telegram, chat: '@a', base_url: 'https://h/?x', credentials: {token: 'env:T'}}"

    assert mistakes(with_channels(channel)) == [
        "my.yaml:6: the base_url of a telegram channel cannot have a ? in it; take it out from there on"
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("limits: {body: 010}", "'010' could be read in more than one way"),
        ("limits: {body: 0o10}", "'0o10' could be read in more than one way"),
        ("limits: {body: 0x10}", "'0x10' could be read in more than one way"),
        ("limits: {body: 1:30}", "limits.body: Input should be a valid integer"),
        ("limits: {body: .inf}", "limits.body: Input should be a finite number"),
        ("limits: {body: .nan}", "limits.body: Input should be a finite number"),
        (f"limits: {{video_bytes: {10**30}}}", "limits.video_bytes: Input should be less than"),
        (f"limits: {{video_bytes: {'9' * 5000}}}", "this value cannot be read"),
        ("about: !!int x", "this value cannot be read"),
        ("about: !!timestamp 2020-99-99", "this value cannot be read"),
        (f"about: {'[' * 30_000}", "this is nested more than 20 levels deep"),
        (f"about: {'{a: ' * 30}", "this is nested more than 20 levels deep"),
        ("about: &x [*x]", "this is nested more than 20 levels deep"),
        ("about: &x {<<: *x}", "this is nested more than 20 levels deep"),
        (
            f"about: [&a [{'1, ' * 99}], &b [{'*a, ' * 99}], [{'*b, ' * 99}]]",
            "this has more than 20000 values",
        ),
    ],
)
def test_what_yaml_takes_and_nobody_means_is_refused_with_its_line(line: str, told: str) -> None:
    [found] = mistakes(f"{MINIMAL}{line}")

    assert found.startswith(f"my.yaml:7: {told}"), found


@pytest.mark.parametrize(("given", "value"), [("0", 0), ("17", 17), ("+17", 17), ("'017'", 17)])
def test_a_plain_number_is_itself(given: str, value: int) -> None:
    assert Campaign.parse(f"{MINIMAL}limits: {{media: {given}}}".encode(), FILE).limits.media == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "my.yaml:1: 'channels' is missing in the file; add it"),
        ("- a\n", "my.yaml:1: this is not a campaign"),
        ("name: A\nname: B\n", "my.yaml:2: 'name' is given twice here; keep one of them"),
        ("name: A\n? [a]\n: b\n", "my.yaml:2: a key must be one word"),
    ],
)
def test_a_file_that_is_no_campaign_is_refused(text: str, told: str) -> None:
    assert mistakes(text)[0].startswith(told)


def test_a_file_in_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(CampaignError, match=r"my.yaml:2: this is not UTF-8"):
        Campaign.parse("name: A\nabout: K\u00f6n\u00fcll\u00fc".encode("latin-1"), FILE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"none.yaml:1: the campaign file cannot be read"):
        Campaign.load(tmp_path / "none.yaml")


def test_a_credential_written_into_the_file_is_refused_and_not_repeated() -> None:
    found = mistakes(with_channels("{id: t, kind: telegram, chat: '@a', credentials: {token: '123:secret'}}"))

    assert "my.yaml:6: channels.0.credentials.token: a credential must not stand in this file" in found[0]
    assert "secret" not in found[0]


def test_credentials_are_looked_up_in_the_environment_and_in_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_x\n")
    channel = (
        "{id: w, kind: webhook, base_url: 'http://h', credentials: {secret: 'file:secret', old: 'env:OLD'}}"
    )
    campaign = Campaign.parse(with_channels(channel).encode(), tmp_path / "my.yaml")

    found = campaign.secrets("w", {"OLD": "y"})

    assert {name: value.get_secret_value() for name, value in found.items()} == {
        "secret": "whsec_x",
        "old": "y",
    }


@pytest.mark.parametrize("where", ["env:ABSENT", "file:absent"])
def test_a_missing_credential_is_told_with_its_line(where: str) -> None:
    channel = f"{{id: w, kind: webhook, base_url: 'http://h', credentials: {{secret: '{where}'}}}}"
    campaign = Campaign.parse(with_channels("{id: site, kind: website}", channel).encode(), FILE)

    with pytest.raises(CampaignError, match=r"my.yaml:7: the .*(ABSENT|absent) is"):
        campaign.secrets("w", {})


X = "{{id: {id}, kind: x, credentials: {{key: 'env:{key}'}}{more}}}"


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        (["{id: a, kind: website}", "{id: a, kind: x}"], "'a' is in channels twice"),
        (["{id: a, kind: website}", "{id: b, kind: website}"], "are both the campaign's website"),
        (
            [X.format(id="a", key="K", more=""), X.format(id="b", key="K", more="")],
            "are one and the same account",
        ),
        (
            [X.format(id="a", key="K", more=""), X.format(id="b", key="L", more="")],
            "would carry identical text",
        ),
        (
            [
                "{id: a, kind: telegram, chat: '@a', credentials: {token: 'env:A'}}",
                "{id: b, kind: telegram, chat: '@a', credentials: {token: 'env:B'}}",
            ],
            "are one and the same account",
        ),
    ],
)
def test_accounts_that_would_say_the_same_twice_are_refused(channels: list[str], told: str) -> None:
    assert told in "\n".join(mistakes(with_channels(*channels)))


@pytest.mark.parametrize(
    "channels",
    [
        [
            X.format(id="a", key="K", more=", languages: [az]"),
            X.format(id="b", key="L", more=", languages: [en]"),
        ],
        [
            "{id: a, kind: telegram, chat: '@a', credentials: {token: 'env:A'}}",
            "{id: b, kind: telegram, chat: '@b', credentials: {token: 'env:A'}}",
        ],
        [
            "{id: a, kind: webhook, base_url: 'http://h/1', credentials: {secret: 'env:A'}}",
            "{id: b, kind: webhook, base_url: 'http://h/2', credentials: {secret: 'env:B'}}",
        ],
    ],
)
def test_accounts_with_audiences_of_their_own_stand_side_by_side(channels: list[str]) -> None:
    assert len(Campaign.parse(with_channels(*channels).encode(), FILE).channels) == 2


def test_a_channel_takes_its_languages_and_their_regions() -> None:
    channel = ChannelEntry(id="a", kind="website", languages=("sr", "pt-BR"))

    assert [channel.takes(tag) for tag in ("sr", "sr-Latn", "pt", "pt-BR")] == [True, True, False, True]
    assert ChannelEntry(id="a", kind="website").takes("ka")


def test_a_text_falls_back_to_a_language_that_is_there() -> None:
    assert text_in({"en": "a", "az": "b"}, "az-Latn") == "b"
    assert text_in({"ru": "c", "en": "a"}, "tr") == "a"
    assert text_in({"ru": "c"}, "tr") == "c"


def test_texts_that_would_not_fit_into_one_event_are_refused() -> None:
    largest = MOST_CHARACTERS - Limits(body=1).characters + 1

    assert Campaign.parse(f"{MINIMAL}limits: {{body: {largest}}}".encode(), FILE).limits.body == largest
    [told] = mistakes(f"{MINIMAL}limits: {{body: {largest + 1}}}")
    assert told.startswith("my.yaml:7: limits: the texts of a submission could have")
    assert str(MOST_CHARACTERS) in told
