import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.pofile import write_po

from shared.web.catalogues import LANGUAGES, LOCALE, SPOKEN, own_name, read, spoken, translations
from shared.web.extraction import extract, is_translated, wanted

PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
Texts = str | tuple[str, ...] | list[str]


def forms(text: Texts) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


@pytest.fixture(scope="module")
def every() -> Catalog:
    return extract()


@pytest.mark.parametrize("language", SPOKEN)
def test_every_text_that_the_language_is_shown_in_is_in_its_catalogue_and_nothing_else(
    language: str, every: Catalog
) -> None:
    there = {(message.context, message.id) for message in wanted(language, every) if message.id}
    known = {(message.context, message.id) for message in read(language) if message.id}
    assert known == there


def test_a_catalogue_says_where_a_text_stands_without_the_line() -> None:
    for file in LOCALE.glob("*/*.po"):
        assert re.findall(r"^#: .*:\d+", file.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("language", SPOKEN)
def test_every_text_is_translated_in_every_plural_form(language: str) -> None:
    catalogue = read(language)
    lacking = [
        message.id
        for message in catalogue
        if message.id
        and (
            message.fuzzy
            or not is_translated(message.string or "")
            or (message.pluralizable and len(forms(message.string or "")) != catalogue.num_plurals)
        )
    ]
    assert lacking == []


@pytest.mark.parametrize("language", SPOKEN)
def test_placeholders_are_the_same_in_every_form(language: str) -> None:
    differing = [
        (message.id, form)
        for message in read(language)
        if message.id
        for form in forms(message.string or "")
        if placeholders(form) not in [placeholders(text) for text in forms(message.id)]
    ]
    assert differing == []


UPLOADING_IN_RUSSIAN = """JPEG, PNG, WebP, HEIF или видео; не больше %(most)s файлов. \
Они загружаются, пока вы пишете, и докачиваются после обрыва связи."""
UPLOADING = """JPEG, PNG, WebP, HEIF or video; at most %(most)s files. \
They go up while you write, and go on after a lost connection."""
BORROWED = {"de": {"Hashtags", "Feeds"}, "fr": {"E-mail"}, "ro": {"E-mail"}}
"""Words that the language writes as English does."""


@pytest.mark.parametrize("language", [tag for tag in SPOKEN if tag != "en"])
def test_no_text_was_left_in_english(language: str) -> None:
    left = [
        message.id
        for message in read(language)
        if message.id
        and message.context != "alphabet"
        and message.id not in BORROWED.get(language, ())
        and forms(message.string or "")[0] == forms(message.id)[0]
        and re.search("[a-z]{3}", PLACEHOLDER.sub("", forms(message.id)[0]))
    ]
    assert left == []


@pytest.mark.parametrize(
    ("language", "counts"),
    [("ru", {1: "1 пункт", 3: "3 пункта", 5: "5 пунктов", 21: "21 пункт"}), ("tr", {1: "1 şey", 5: "5 şey"})],
)
def test_plural_forms_follow_the_language(language: str, counts: dict[int, str]) -> None:
    speak = translations(language)
    one, many = "One thing is missing or needs fixing:", "%(num)s things are missing or need fixing:"
    for count, expected in counts.items():
        assert expected in speak.ngettext(one, many, count) % {"num": count}


def test_pages_are_offered_in_the_languages_with_whole_catalogues_by_their_own_names() -> None:
    assert list(LANGUAGES.items()) == [
        ("az", "Azərbaycanca"),
        ("en", "English"),
        ("tr", "Türkçe"),
        ("ru", "Русский"),
    ]


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("az", "Azərbaycanca"),
        ("de", "Deutsch"),
        ("ka", "ქართული"),
        ("ar", "العربية"),
        ("fr", "Français"),
        ("el", "Ελληνικά"),
        ("x-private", "x-private"),
        ("qaa-x-home", "qaa-x-home"),
    ],
)
def test_every_language_has_its_own_name_or_its_tag(language: str, name: str) -> None:
    assert own_name(language) == name


@pytest.mark.parametrize(
    ("language", "speaks"), [("az-Arab", "az"), ("de-AT", "de"), ("xx", "en"), ("pt", "en"), ("en", "en")]
)
def test_a_language_without_words_borrows_its_parents_else_english(language: str, speaks: str) -> None:
    assert spoken(language) == speaks


@pytest.mark.parametrize(
    ("language", "english", "said"),
    [
        ("az", "received", "alındı"),
        ("az", "submissions as they came in", "daxil olan materiallar"),
        ("az", "Reject", "Rədd et"),
        ("az", "needs a person", "əməkdaş qərarı lazımdır"),
        ("az", "a person saw it there", "əməkdaş orada gördü"),
        ("az", "decided", "qərar verilənlər"),
        ("az", "Deliveries", "Göndərişlər"),
        ("az", "Whose work is it?", "Material kimə məxsusdur?"),
        ("az", "My own", "Mənimdir"),
        ("az", "People reached", "Əhatə olunan insanlar"),
        ("az", "some risk", "orta risk"),
        ("az", "more than %(count)s", "%(count)s-dən çox"),
        (
            "az",
            "{arrived} of {all} files have arrived. You can go on writing.",
            "Çatan fayllar: {arrived}/{all}. Yazmağa davam edə bilərsiniz.",
        ),
        ("az", "Audit trail", "Əməliyyat jurnalı"),
        (
            "az",
            "Describe this for people who can't see it",
            "Burada nə təsvir olunub? (görmə məhdudiyyətli insanlar üçün)",
        ),
        ("az", "Sensitive classes", "Həssas mövzular"),
        ("az", "Checked", "Yoxlanılıb:"),
        ("tr", "Consent", "Rıza"),
        ("tr", "Deliveries", "Gönderimler"),
        ("tr", "decided", "karar verilenler"),
        ("tr", "unknown to us", "bilinmiyor"),
        ("tr", "some risk", "orta risk"),
        ("tr", "Sensitive classes", "Hassas konular"),
        ("tr", "My own", "Bana ait"),
        ("tr", "Checked", "Son kontrol:"),
        ("tr", "Page not found", "Sayfa bulunamadı"),
        ("tr", "Do you work for the campaign?", "Kampanya ekibinden misiniz?"),
        ("ru", "It is there", "Публикация есть"),
        ("ru", "It is gone", "Публикации больше нет"),
        ("ru", "Its address, if it is there", "Адрес публикации, если она есть"),
        ("ru", "decided", "решённые"),
        ("ru", "Deliveries", "Отправки"),
        ("ru", "some risk", "средний риск"),
        ("ru", "Sensitive classes", "Деликатные темы"),
        ("ru", "Not at all", "Не указывать имя"),
        ("ru", "Submissions accepted", "Полученные материалы"),
        (
            "ru",
            UPLOADING,
            UPLOADING_IN_RUSSIAN,
        ),
        ("ru", "What you sent", "Мои материалы"),
        ("ru", "Checked", "Проверено:"),
        ("ru", "minors, their guardians agreed", "дети, с согласия родителей или опекунов"),
        ("ru", "Page not found", "Страница не найдена"),
        ("ru", "Grey", "Ч/б"),
        ("fr", "Page not found", "Page introuvable"),
        ("es", "Page not found", "Página no encontrada"),
        ("ro", "Page not found", "Pagina nu a fost găsită"),
        ("ar", "Page not found", "الصفحة غير موجودة"),
        ("he", "Page not found", "הדף לא נמצא"),
        ("fa", "Page not found", "صفحه پیدا نشد"),
    ],
)
def test_native_readers_words_stay(language: str, english: str, said: str) -> None:
    assert translations(language).gettext(english) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [("az", "Qərar verilənlər"), ("tr", "Karar verilenler"), ("ru", "Решённые"), ("en", "Decided")],
)
def test_the_list_of_what_was_decided_is_not_called_a_decision(language: str, said: str) -> None:
    assert translations(language).pgettext("list of cases", "Decided") == said
    assert translations(language).gettext("Decided") != said or language == "en"


def test_a_picture_has_one_name_in_azerbaijani() -> None:
    texts = " ".join(form for message in read("az") for form in forms(message.string or ""))

    assert "foto" in texts
    assert "şəkil" not in texts.lower()


@pytest.mark.parametrize("word", [r"\bmend", r"\bAsked\b", r"\bMachine\b", "cannot see it", "Give it up"])
def test_english_says_it_in_the_words_of_native_readers(word: str) -> None:
    texts = [form for message in read("en") for form in forms(message.string or "")]

    assert [text for text in texts if re.search(word, text, re.IGNORECASE if "mend" in word else 0)] == []


ROOT = Path(__file__).parents[4]
IN_ITALIAN = """
import asyncio
import json
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response

from services.publisher.channels.website.pages import Masthead, SitePages
from services.publisher.rendering.text import caption
from shared.campaign.defaults import REASONS
from shared.events import AiUse, Attribution, Snapshot
from shared.web import LANGUAGES, Pages

pages = Pages("ingest", Path("services/ingest/web"), "/send", reasons=REASONS)
app = FastAPI()


@app.get("/reason")
async def reason(request: Request) -> Response:
    return pages.render(request, "reason.html")


async def asked() -> str:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.get("/reason", headers={"Accept-Language": "it-CH, en;q=0.5"})).text


site = SitePages(Masthead({"it": "Parola"}, None, "https://example.org", ("it",)))
snapshot = Snapshot(
    submission_id="s", revision=1, title="Ciao", body="Testo.", language="it", country="IT",
    attribution=Attribution(mode="name", text="Lia"), ai=AiUse(made=True),
)
post = caption(snapshot, "https://example.org/r/x", limit=500, measure=len).text
print(json.dumps([LANGUAGES, asyncio.run(asked()), site.missing(["it", "az"]).decode(), post]))
"""


def test_to_add_a_language_is_to_add_its_catalogue_and_nothing_else(tmp_path: Path, every: Catalog) -> None:
    for package in ("shared", "services"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    reason = '{% extends "base.html" %}{% import "components.html" as ui with context %}'
    reason += (
        "{% block content %}{{ ui.reason('off_topic') }} {{ named_countries(['AZ', 'DE']) }}{% endblock %}"
    )
    (tmp_path / "services/ingest/web/reason.html").write_text(reason)
    italian = Catalog(locale="it")
    for message in every:
        if message.id:
            string = tuple(f"«{text}»" for text in forms(message.id))
            italian.add(message.id, string if message.pluralizable else string[0], context=message.context)
    italian.get("English", "name of this language").string = "Italiano"  # type: ignore[union-attr] # it is there
    folder = tmp_path / "shared/web/locale/it"
    folder.mkdir()
    with (folder / "messages.po").open("wb") as file:
        write_po(file, italian)

    said = subprocess.run(
        [sys.executable, "-c", IN_ITALIAN],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )

    languages, page, missing, post = json.loads(said.stdout)
    assert languages == {
        "az": "Azərbaycanca",
        "en": "English",
        "it": "Italiano",
        "tr": "Türkçe",
        "ru": "Русский",
    }
    assert '<html lang="it"' in page
    assert "«Not about the campaign&#39;s subject»" in page
    assert page.index("Azerbaigian") < page.index("Germania")
    assert "Italiano" in page
    assert "«Page not found»" in missing
    assert "«Languages»" in missing
    assert "Səhifə tapılmadı" in missing
    assert post.splitlines()[-4:-2] == ["«Made with AI»", "«By Lia»"]
