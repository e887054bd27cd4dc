"""A volunteer looks at the own account, takes everything along, and leaves; the terms can be read by anybody."""

import json
import re
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.pages.checks import faults_of, small_targets
from tests.support.pages.portal import join, send, write

pytestmark = pytest.mark.chromium

OpenPage = Callable[..., Page]
LANGUAGES = ("az", "en", "tr", "ru")


def sent(page: Page, title: str) -> str:
    join(page, "Gülnar")
    write(page, title, "Mətn.")
    return send(page)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "theme"), [(360, "light"), (1280, "dark")])
def test_the_pages_are_in_order_in_every_language(
    open_page: OpenPage, language: str, width: int, theme: str
) -> None:
    page = open_page(width=width, language=language, theme=theme)
    page.goto("/send/terms")
    assert page.locator("article h2").count() == 4
    expect(page.locator("article [lang]")).to_have_attribute("lang", language)
    assert [*faults_of(page), *small_targets(page)] == []

    join(page)
    page.goto("/send/account")
    page.locator("#delete summary").click()
    assert [*faults_of(page), *small_targets(page)] == []
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0


def test_where_agreement_is_asked_the_terms_can_be_read_and_their_version_is_kept(phone: Page) -> None:
    join(phone)
    link = phone.locator("#consent a[href^='/send/terms/']")
    with phone.context.expect_page() as opened:
        link.click()
    expect(opened.value.locator("h1")).to_have_text("Terms")
    expect(opened.value.locator("header .quiet").first).to_contain_text("2020-09")
    write(phone, "Razılıq", "Mətn.")
    send(phone)
    expect(phone.locator("dl.facts a[href='/send/terms/2020-09']")).to_have_text("2020-09")


def test_terms_that_never_were_are_not_found(phone: Page) -> None:
    answer = phone.goto("/send/terms/1999-01")

    assert answer is not None
    assert answer.status == 404


def test_a_new_code_takes_the_place_of_the_old_one(phone: Page, open_page: OpenPage) -> None:
    old = join(phone, "Gülnar")
    phone.goto("/send/account")
    expect(phone.locator("dl.facts").first).to_contain_text("Gülnar")
    phone.locator("form[action='/send/account/recovery-code'] button").click()
    new = phone.locator("#code").inner_text()
    assert new != old
    phone.locator(".actions .button--main").click()
    expect(phone).to_have_url(re.compile(r"/send/account$"))

    other = open_page()
    for code, works in ((old, False), (new, True)):
        other.goto("/send/recover")
        other.locator("#recovery_code").fill(code)
        other.locator(".actions .button--main").click()
        if works:
            other.wait_for_url("**/send/code")
        else:
            expect(other.locator("#recovery_code")).to_have_attribute("aria-invalid", "true")


def test_everything_comes_as_one_file(phone: Page) -> None:
    submission = sent(phone, "Yadigar")
    phone.goto("/send/account")
    with phone.expect_download() as started:
        phone.locator("a[href='/send/account/export']").click()
    with zipfile.ZipFile(started.value.path()) as archive:
        [held] = json.loads(archive.read("submissions.json"))
        account = json.loads(archive.read("account.json"))
    assert (held["submission_id"], held["title"], account["name"]) == (submission, "Yadigar", "Gülnar")


def test_an_account_is_deleted_after_a_second_yes_and_the_page_shows_that_it_is(phone: Page) -> None:
    submission = sent(phone, "Vida")
    phone.goto("/send/account")
    phone.locator("#delete summary").click()
    phone.locator("#delete input[name=confirmed]").evaluate("box => box.required = false")
    phone.locator("#delete .button--danger").click()
    expect(phone.locator("#delete .field__error")).to_be_visible()
    assert faults_of(phone) == []

    phone.locator("#delete input[name=confirmed]").check()
    phone.locator("#delete .button--danger").click()
    expect(phone.locator("h1", has_text="Your account is deleted")).to_be_visible(timeout=60_000)
    phone.goto("/send/account")
    expect(phone.locator("h1")).to_have_text("Your account is deleted")
    assert [*faults_of(phone), *small_targets(phone)] == []
    phone.goto("/send")
    expect(phone.locator("a[href='/send/register']")).to_be_visible()
    phone.goto(f"/send/{submission}")
    expect(phone).to_have_url(re.compile(r"/send/recover\?next="))


def test_whose_session_has_ended_comes_back_with_the_code_to_where_they_were(
    phone: Page, open_page: OpenPage
) -> None:
    code = join(phone, "Gülnar")
    later = open_page()
    later.goto("/send/account")
    expect(later).to_have_url(re.compile(r"/send/recover\?next=%2Fsend%2Faccount$"))
    expect(later.locator("main .notice")).to_be_visible()
    assert [*faults_of(later), *small_targets(later)] == []
    later.locator("#recovery_code").fill(code)
    later.locator(".actions .button--main").click()
    later.wait_for_url("**/send/code?next=*")
    later.locator(".actions .button--main").click()
    expect(later).to_have_url(re.compile(r"/send/account$"))
    expect(later.locator("dl.facts").first).to_contain_text("Gülnar")
