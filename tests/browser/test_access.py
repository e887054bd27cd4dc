"""The portal for those who use a keyboard, a screen reader, a small screen, a dark room."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.pages.checks import faults_of, small_targets, walk_by_keyboard
from tests.support.pages.portal import join, send, write

pytestmark = pytest.mark.chromium

OpenPage = Callable[..., Page]
PUBLIC = ["/send", "/send/register", "/send/recover", "/send/terms", "/sign-in", "/sign-in?link=abc"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_has_names_landmarks_contrast_and_room(
    open_page: OpenPage, photos: list[Path], width: int, theme: str
) -> None:
    page = open_page(width=width, theme=theme)
    found: dict[str, list[str]] = {}

    def look(where: str) -> None:
        found[where] = [*faults_of(page), *small_targets(page)]

    for address in PUBLIC:
        page.goto(address)
        look(address)
    page.goto("/send/register")
    page.locator("#register").evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
    expect(page.locator("[data-focus]")).to_be_focused()
    look("register, with mistakes")
    join(page)
    look("/send/new")
    page.locator("#picker").set_input_files(photos[:1])
    look("uploading")
    page.locator("textarea[name=alt]").fill("Xalça")
    expect(page.locator("[data-file-state=done]")).to_have_count(1)
    write(page, "Bayram", "Mətn.")
    look("filled in")
    send(page)
    look("status")
    page.goto("/send")
    look("list")
    page.goto("/send/nothing")
    look("nothing here")
    assert {where: faults for where, faults in found.items() if faults} == {}


@pytest.mark.parametrize("language", ["az", "tr", "ru"])
def test_long_words_of_other_languages_fit_on_a_phone(open_page: OpenPage, language: str) -> None:
    page = open_page(language=language)
    found: dict[str, list[str]] = {}
    for address in PUBLIC:
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == language
        found[address] = faults_of(page)
    join(page)
    found["/send/new"] = faults_of(page)
    assert {where: faults for where, faults in found.items() if faults} == {}


def test_everything_can_be_done_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(width=1280)
    page.goto("/send/register")
    path = walk_by_keyboard(page, 6)
    assert path[0] == "Skip to the content"
    page.keyboard.press("Tab")
    page.locator("#name").focus()
    page.keyboard.type("Aygün")
    page.keyboard.press("Tab")
    page.keyboard.type("Germany")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.locator(".actions .button--main").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/send/code")
    page.locator(".actions .button--main").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/send/new")
    page.locator("#title").focus()
    for keys in ("Başlıq", "Mətn", "Azerb", "Azerb"):
        page.keyboard.type(keys)
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picker"
    page.locator("input[name=attribution][value=name]").focus()
    page.keyboard.press("Space")
    for name in ("people_shown", "rights"):
        page.locator(f"input[name={name}]").first.focus()
        page.keyboard.press("Space")
    page.locator("input[name=terms]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert "2020-09" in page.evaluate("document.activeElement.textContent")  # the terms themselves
    page.keyboard.press("Tab")
    assert "Send" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_url("**?sent")
    expect(page.locator("h1")).to_have_text("Başlıq")


def test_the_skip_link_leads_past_the_header(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/send")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_pages_work_without_scripts_but_for_files(open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/*.js", lambda route: route.abort())
    join(page)
    write(page, "Skriptsiz", "Mətn.")
    send(page)
    expect(page.locator("h1")).to_have_text("Skriptsiz")


def test_things_stand_still_for_those_who_ask_for_it(open_page: OpenPage) -> None:
    page = open_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto("/send")
    button = page.locator("a.button--main")
    assert button.evaluate("element => getComputedStyle(element).transitionDuration") in {"0s", ""}
