"""People count, machines that look on their behalf don't."""

import pytest

from services.metrics.clicks.bot_filter import is_person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
PEOPLE = [
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [FBAN/FBIOS;FBAV/480.0]",
    "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36 Instagram 312.0.0.0",
    "Opera/9.80 (Android; Opera Mini/36.2/191.213; U; ru) Presto/2.12.423 Version/12.16",
]
MACHINES = [
    "TelegramBot (like TwitterBot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "Twitterbot/1.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "http.rb/5.2.0 (Mastodon/4.3.1; +https://mastodon.social/)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/130.0.0.0 Safari/537.36",
    "curl/8.10.1",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "",
    "   ",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_browser_counts(agent: str) -> None:
    assert is_person("GET", {"user-agent": agent})


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_does_not(agent: str) -> None:
    assert not is_person("GET", {"user-agent": agent})


def test_a_request_that_does_not_say_what_it_is_does_not_count() -> None:
    assert not is_person("GET", {})


def test_only_following_the_link_counts_not_asking_about_it() -> None:
    assert not is_person("HEAD", {"user-agent": FIREFOX})


@pytest.mark.parametrize(
    "header",
    [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-purpose", "Preview"),
        ("x-moz", "prefetch"),
    ],
)
def test_loading_ahead_does_not_count(header: tuple[str, str]) -> None:
    assert not is_person("GET", {"user-agent": FIREFOX, header[0]: header[1]})
