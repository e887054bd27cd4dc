"""Who follows a short link: a person, or a machine that looks on somebody's behalf. Pure.

Only people are counted. What is asked here is looked at and forgotten: neither address nor browser is kept.

Not counted are:

* any method but GET (mail and chat programs try a link with HEAD);
* a browser that loads ahead (`Sec-Purpose`, `Purpose`, `X-Purpose` or `X-Moz` naming prefetch, prerender or preview);
* programs that fetch previews for messengers and networks, crawlers of search engines, and libraries that fetch
  pages, by the words in their names listed below;
* a request that says nothing of what it is, as every browser does.

A machine that calls itself a browser is counted: it cannot be told apart without keeping data about people.
"""

import re
from collections.abc import Mapping
from typing import Final

PREVIEWS: Final = (
    "facebookexternalhit",
    "facebookcatalog",
    "meta-externalagent",
    "meta-externalfetcher",
    "whatsapp",
    "telegrambot",
    "twitterbot",
    "slackbot",
    "slack-imgproxy",
    "discordbot",
    "linkedinbot",
    "skypeuripreview",
    "microsoftpreview",
    "teamsbot",
    "vkshare",
    "odklbot",
    "pinterest",
    "redditbot",
    "tumblr",
    "viber",
    "line-poker",
    "snapchat",
    "signal-desktop-preview",
    "mastodon",
    "pleroma",
    "misskey",
    "akkoma",
    "lemmy",
    "cardyb",
    "bluesky",
    "iframely",
    "embedly",
    "google-pagerenderer",
    "googlemessages",
    "applebot",
    "bingpreview",
    "outbrain",
    "flipboard",
    "nuzzel",
    "quora link preview",
    "bitlybot",
    "w3c_validator",
    "synapse",
)
"""Programs that fetch a link to show what is behind it."""

CRAWLERS: Final = (
    "bot",
    "crawl",
    "spider",
    "slurp",
    "archive",
    "scan",
    "monitor",
    "uptime",
    "lighthouse",
    "headless",
    "preview",
    "feedfetcher",
    "feedly",
    "mediapartners",
    "google-inspectiontool",
    "google-read-aloud",
    "yandeximages",
    "baidu",
    "ahrefs",
    "semrush",
)
"""Words by which crawlers, watchers and feed readers name themselves."""

LIBRARIES: Final = (
    "curl/",
    "wget/",
    "python-requests",
    "python-urllib",
    "python-httpx",
    "aiohttp",
    "okhttp",
    "go-http-client",
    "java/",
    "apache-httpclient",
    "libwww-perl",
    "node-fetch",
    "undici",
    "axios",
    "ruby",
    "php/",
    "guzzle",
    "scrapy",
    "postmanruntime",
    "insomnia",
)
"""Programs and libraries that fetch pages without showing them to anybody."""

AHEAD: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_MACHINE: Final = re.compile("|".join(re.escape(word) for word in (*PREVIEWS, *CRAWLERS, *LIBRARIES)))
# Phones and browsers whose names contain one of the words.
_PEOPLE: Final = re.compile(r"cubot|dalvik/\S+ \(linux; u; android [^)]*cubot")


def is_person(method: str, headers: Mapping[str, str]) -> bool:
    """Whether following the link counts. `headers` by lower-case name."""
    if method != "GET":
        return False
    if any(re.search("prefetch|prerender|preview", headers.get(name, "").lower()) for name in AHEAD):
        return False
    agent = headers.get("user-agent", "").strip().lower()
    if not agent:
        return False
    return _MACHINE.search(_PEOPLE.sub("", agent)) is None
