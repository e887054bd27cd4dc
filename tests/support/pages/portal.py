"""What a volunteer does at the portal."""

import re

from playwright.sync_api import Page


def join(page: Page, name: str = "Aygün") -> str:
    """Become a volunteer; the recovery code."""
    page.goto("/send")
    page.locator("a.button--main").click()
    page.locator("#name").fill(name)
    page.locator("#country").select_option("TR")
    page.locator("input[name=languages][value=az]").check()
    page.locator(".actions .button--main").click()
    code = page.locator("#code").inner_text()
    page.locator(".actions .button--main").click()
    page.wait_for_url("**/send/new")
    return code


def write(page: Page, title: str, body: str = "", language: str = "az") -> None:
    """Fill in all that a submission needs but its files."""
    page.locator("#title").fill(title)
    page.locator("#body").fill(body)
    page.locator("#language").select_option(language)
    page.locator("#country").select_option("AZ")
    page.locator("input[name=attribution][value=name]").check()
    page.locator("input[name=people_shown][value=none]").check()
    page.locator("input[name=rights][value=own]").check()
    page.locator("input[name=terms]").check()


def send(page: Page) -> str:
    """Press Send; the submission's id."""
    page.locator("[data-send]").click()
    page.wait_for_url(re.compile(r"/send/[a-z2-7]{26}\?sent"))
    return page.url.rsplit("/", 1)[1].removesuffix("?sent")
