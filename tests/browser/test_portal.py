"""A volunteer with a phone: joins, sends, comes back, mends, withdraws."""

import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from shared.events import (
    CASE_CHANGED,
    DELIVERY_CHANGED,
    MODERATION_DECIDED,
    REACH_TOTALLED,
    CaseChanged,
    CaseState,
    DeliveryChanged,
    ModerationDecided,
    ReachFigure,
    ReachTotalled,
)
from tests.demo.drawn import video
from tests.support.pages.desk import Desk, fact
from tests.support.pages.portal import join, send, write

pytestmark = pytest.mark.chromium

OpenPage = Callable[..., Page]
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


def case(submission: str, state: CaseState, version: int) -> CaseChanged:
    return CaseChanged.model_validate(
        fact()
        | {
            "subject_id": submission,
            "version": version,
            "revision": 1,
            "state": state,
            "language": "az",
            "country": "AZ",
        }
    )


def decision(submission: str, verdict: str, version: int, **more: object) -> ModerationDecided:
    return ModerationDecided.model_validate(
        fact()
        | {
            "subject_id": submission,
            "version": version,
            "revision": 1,
            "decision_id": uuid4(),
            "verdict": verdict,
        }
        | {"author_id": "somebody"}
        | more
    )


def approval(submission: str, title: str, body: str) -> ModerationDecided:
    snapshot = {
        "submission_id": submission,
        "revision": 1,
        "title": title,
        "body": body,
        "language": "az",
        "country": "AZ",
        "attribution": {"mode": "anonymous"},
    }
    return decision(submission, "approve", 3, snapshot=snapshot)


def posted(submission: str) -> DeliveryChanged:
    return DeliveryChanged.model_validate(
        fact()
        | {"subject_id": f"d-{submission}", "version": 3, "submission_id": submission, "channel": "site"}
        | {"kind": "website", "language": "az", "revision": 1, "state": "posted", "country": "AZ"}
        | {"url": "https://example.org/az/bayram", "code": "abc", "target": "https://example.org/az/bayram"}
    )


def reached(submission: str) -> ReachTotalled:
    figure = ReachFigure(value=1234, source="short links", as_of=posted(submission).occurred_at)
    return ReachTotalled.model_validate(
        fact() | {"subject_id": submission, "version": 1, "totals": {"clicks": figure.model_dump()}}
    )


def test_two_photos_are_sent_from_a_phone_and_a_receipt_comes_at_once(
    phone: Page, photos: list[Path]
) -> None:
    join(phone)
    phone.locator("#picker").set_input_files(photos)
    bars = phone.locator("[data-files] progress")
    expect(bars).to_have_count(2)
    phone.locator("textarea[name=alt]").nth(0).fill("Xalça, ortasında ulduz")
    phone.locator("textarea[name=alt]").nth(1).fill("Qala divarı")
    write(phone, "Novruz bayramı", "Birinci sətir.\n\nİkinci sətir.")
    expect(phone.locator("[data-file-state=done]")).to_have_count(2)
    expect(phone.locator("[data-total]")).to_contain_text("2")
    send(phone)
    expect(phone.locator("h1")).to_have_text("Novruz bayramı")
    expect(phone.locator("#receipt")).to_have_text(re.compile(r"^[0-9A-Z]{5}-[0-9A-Z]{5}$"))
    expect(phone.locator("[data-state=received]")).to_be_visible()
    pictures = phone.locator(".media img")
    expect(pictures).to_have_count(2)
    assert pictures.nth(0).get_attribute("alt") == "Xalça, ortasında ulduz"
    pictures.nth(0).scroll_into_view_if_needed()
    expect(pictures.nth(0)).to_have_js_property("naturalWidth", 2600)


def test_a_short_video_is_sent_and_plays_on_its_authors_page(phone: Page, tmp_path: Path) -> None:
    video(tmp_path / "evening.mp4")
    join(phone)
    phone.locator("#picker").set_input_files(tmp_path / "evening.mp4")
    phone.locator("textarea[name=alt]").fill("Səhnədə hərəkət edən zolaq")
    write(phone, "Muğam axşamı", "İki saniyəlik video.")
    expect(phone.locator("[data-file-state=done]")).to_have_count(1)
    send(phone)
    expect(phone.locator("h1")).to_have_text("Muğam axşamı")
    shown = phone.locator(".media video")
    expect(shown).to_have_count(1)
    shown.evaluate("video => video.load()")
    expect(shown).to_have_js_property("videoWidth", 320)


def test_sending_waits_for_files_that_are_still_on_their_way(phone: Page, photos: list[Path]) -> None:
    join(phone)
    write(phone, "Gözləyən")
    link = phone.context.new_cdp_session(phone)
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 3_000_000}
    link.send("Network.emulateNetworkConditions", slow)
    phone.locator("#picker").set_input_files(photos[:1])
    phone.locator("textarea[name=alt]").fill("Xalça")
    phone.locator("[data-send]").click()
    expect(phone.locator("[data-send]")).to_have_attribute("aria-busy", "true")
    phone.wait_for_url(re.compile(r"\?sent"))
    expect(phone.locator(".media img")).to_have_count(1)


def test_an_upload_goes_on_where_it_stood_after_a_dropped_connection(
    phone: Page, photos: list[Path], desk: Desk
) -> None:
    join(phone)
    write(phone, "Qırılan xətt")
    link = phone.context.new_cdp_session(phone)
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1, "uploadThroughput": 400_000}
    link.send("Network.emulateNetworkConditions", slow)
    offsets: list[str] = []
    phone.on(
        "request",
        lambda request: (
            offsets.append(request.headers["upload-offset"]) if request.method == "PATCH" else None
        ),
    )
    phone.locator("#picker").set_input_files(photos[:1])
    phone.locator("textarea[name=alt]").fill("Xalça")
    bar = phone.locator("[data-files] progress")
    expect(bar).not_to_have_js_property("value", 0)
    desk.ingest.kill()
    expect(phone.locator("[data-file-state=waiting]")).to_have_count(1, timeout=60_000)
    link.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    desk.ingest.restart()
    expect(phone.locator("[data-file-state=done]")).to_have_count(1, timeout=45_000)
    assert len(offsets) >= 2
    send(phone)


def test_a_file_that_is_no_picture_is_refused_with_the_reason(phone: Page, tmp_path: Path) -> None:
    join(phone)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0" + b"not a photo" * 1000)
    phone.locator("#picker").set_input_files(broken)
    expect(phone.locator("[data-file-state=failed]")).to_have_count(1)
    expect(phone.locator("[data-why]")).to_be_visible()
    phone.locator("[data-remove]").click()
    expect(phone.locator("[data-file-state]")).to_have_count(0)
    write(phone, "Şəkilsiz", "Mətn.")
    send(phone)


def test_the_status_page_tells_by_itself_what_happens(phone: Page, desk: Desk) -> None:
    join(phone)
    write(phone, "Bayram", "Mətn.")
    submission = send(phone)
    desk.tell(CASE_CHANGED, case(submission, "in_review", 2))
    expect(phone.locator("[data-state=in_review]")).to_be_visible()
    desk.tell(MODERATION_DECIDED, approval(submission, "Bayram axşamı", "Mətn, redaktədən sonra."))
    desk.tell(DELIVERY_CHANGED, posted(submission))
    link = phone.get_by_role("link", name="https://example.org/az/bayram")
    expect(link).to_be_visible()
    expect(phone.locator("#life")).to_contain_text("Mətn, redaktədən sonra.")
    expect(phone.locator("#life")).to_contain_text("Nothing has been measured yet")
    desk.tell(REACH_TOTALLED, reached(submission))
    expect(phone.locator(".figure__value")).to_have_text("1,234")
    expect(phone.locator(".figure__source")).to_contain_text("short links")
    expect(phone.locator(".timeline [aria-current=step]")).to_have_count(0)


def test_what_must_be_mended_is_said_and_can_be_sent_again(
    phone: Page, desk: Desk, photos: list[Path]
) -> None:
    join(phone)
    phone.locator("#picker").set_input_files(photos[:1])
    phone.locator("textarea[name=alt]").fill("Xalça")
    write(phone, "Bayram", "Səhv mətn.")
    expect(phone.locator("[data-file-state=done]")).to_have_count(1)
    submission = send(phone)
    desk.tell(CASE_CHANGED, case(submission, "changes_requested", 2))
    wish = decision(
        submission, "request_changes", 3, reasons=["quality"], message="Daha böyük şəkil, zəhmət olmasa."
    )
    desk.tell(MODERATION_DECIDED, wish)
    expect(phone.locator("[data-state=changes_requested]")).to_be_visible()
    expect(phone.locator("#decision")).to_be_visible()
    phone.locator(".actions a.button--main").click()
    expect(phone.locator("main .notice--caution")).to_contain_text("Daha böyük şəkil")
    assert phone.locator("#body").input_value() == "Səhv mətn."
    assert phone.locator("textarea[name=alt]").input_value() == "Xalça"
    phone.locator("#body").fill("Düzgün mətn.")
    phone.locator("input[name=terms]").check()
    phone.locator("[data-send]").click()
    phone.wait_for_url(re.compile(r"\?sent"))
    expect(phone.locator("#sent")).to_contain_text("version 2")
    expect(phone.locator("main")).to_contain_text("Düzgün mətn.")
    expect(phone.locator("[data-state=received]")).to_be_visible()


def test_a_submission_is_withdrawn_for_good(phone: Page) -> None:
    join(phone)
    write(phone, "Geri", "Mətn.")
    send(phone)
    phone.locator("#withdraw summary").click()
    phone.locator("#withdraw button").click()
    expect(phone.locator("[data-state=withdrawn]")).to_be_visible()
    expect(phone.locator("#withdraw")).to_have_count(0)
    phone.goto("/send")
    expect(phone.locator("[data-item]")).to_contain_text("withdrawn")


def test_one_comes_back_on_another_device_with_the_code_and_gets_a_new_one(
    open_page: OpenPage, phone: Page
) -> None:
    code = join(phone)
    write(phone, "Köhnə telefondan", "Mətn.")
    send(phone)
    other = open_page()
    other.goto("/send/recover")
    other.locator("#recovery_code").fill(code.lower().replace("-", " "))
    other.locator(".actions .button--main").click()
    fresh = other.locator("#code").inner_text()
    assert fresh != code
    other.locator(".actions .button--main").click()
    expect(other.locator("[data-item]")).to_contain_text("Köhnə telefondan")
    stranger = open_page()
    stranger.goto("/send/recover")
    stranger.locator("#recovery_code").fill(code)
    stranger.locator(".actions .button--main").click()
    expect(stranger.locator(".notice--danger")).to_be_visible()


def test_nobody_sees_what_somebody_else_has_sent(open_page: OpenPage, phone: Page) -> None:
    join(phone)
    write(phone, "Mənim", "Mətn.")
    submission = send(phone)
    other = open_page()
    join(other, "Başqası")
    answer = other.goto(f"/send/{submission}")
    assert answer is not None
    assert answer.status == 404
    expect(other.locator("main")).not_to_contain_text("Mənim")


def test_what_is_missing_is_named_and_nothing_that_was_written_is_lost(phone: Page) -> None:
    join(phone)
    write(phone, "Başlıq", "Mətn.")
    phone.locator("#hashtags").evaluate("element => element.closest('details').open = true")
    phone.locator("#hashtags").fill("#bir $$$ #iki")
    phone.locator("[data-send]").click()
    errors = phone.locator("[data-focus]")
    expect(errors).to_be_focused()
    errors.get_by_role("link").click()
    expect(phone.locator("#hashtags")).to_have_attribute("aria-invalid", "true")
    assert phone.locator("#body").input_value() == "Mətn."
    phone.locator("#hashtags").fill("#bir #iki")
    send(phone)


def test_a_double_tap_is_one_submission(phone: Page) -> None:
    join(phone)
    write(phone, "İki dəfə", "Mətn.")
    phone.locator("[data-send]").dblclick()
    phone.wait_for_url(re.compile(r"\?sent"))
    phone.goto("/send")
    expect(phone.locator("[data-item]")).to_have_count(1)


def test_text_that_would_be_a_script_is_only_shown(phone: Page) -> None:
    join(phone, name=HOSTILE[:90])
    write(phone, HOSTILE, f"{HOSTILE}\n\u202eabc\u202c", language="en")
    send(phone)
    expect(phone.locator("h1")).to_have_text(HOSTILE)
    expect(phone).not_to_have_title("taken")
    phone.goto("/send")
    expect(phone.locator(".item__title")).to_have_text(HOSTILE)
    expect(phone).not_to_have_title("taken")


def test_text_from_right_to_left_runs_so_in_a_page_from_left_to_right(phone: Page) -> None:
    join(phone)
    write(phone, "الإعلان العالمي لحقوق الإنسان", "يولد جميع الناس أحرارًا (1948).", language="ar")
    send(phone)
    heading = phone.locator("h1")
    expect(heading).to_have_attribute("dir", "rtl")
    expect(heading).to_have_attribute("lang", "ar")
    expect(phone.locator("html")).to_have_attribute("dir", "ltr")
    assert heading.evaluate("element => getComputedStyle(element).direction") == "rtl"


@pytest.mark.parametrize(("language", "word"), [("az", "Göndər"), ("tr", "Gönder"), ("ru", "Отправить")])
def test_the_page_changes_its_language_and_stays_where_it_was(phone: Page, language: str, word: str) -> None:
    phone.goto("/send/recover")
    phone.locator(".languages summary").click()
    phone.locator(f".languages a[lang={language}]").click()
    expect(phone.locator("html")).to_have_attribute("lang", language)
    expect(phone.locator("#recovery_code")).to_be_visible()
    phone.goto("/send")
    expect(phone.locator("html")).to_have_attribute("lang", language)
    expect(phone.locator(".nav")).to_contain_text(word)


def test_a_one_time_link_signs_staff_in_once(open_page: OpenPage, desk: Desk) -> None:
    secret = desk.staff_link("moderator")
    page = open_page(width=1280)
    page.goto(f"/sign-in?link={secret}&next=/send")
    page.locator("main .button--main").first.click()
    page.wait_for_url("**/send")
    expect(page.locator(".nav")).to_contain_text("Review")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in?ended")
    expect(page.locator(".notice--calm")).to_be_visible()
    again = open_page()
    again.goto(f"/sign-in?link={secret}")
    again.locator("main .button--main").first.click()
    expect(again.locator(".notice--danger")).to_be_visible()


def test_losing_the_connection_is_said(phone: Page) -> None:
    join(phone)
    phone.locator("#body").fill("Yarımçıq mətn")
    phone.context.set_offline(offline=True)
    expect(phone.locator("[data-offline]")).to_be_visible()
    phone.context.set_offline(offline=False)
    expect(phone.locator("[data-offline]")).to_be_hidden()
    assert phone.locator("#body").input_value() == "Yarımçıq mətn"


def test_times_are_in_the_language_of_the_page_even_where_the_browser_does_not_know_it(
    open_page: OpenPage,
) -> None:
    page = open_page(language="az")
    join(page)
    write(page, "Bayram", "Mətn.")
    send(page)
    moment = page.locator("#sent ~ .card time, .facts time").last
    expect(moment.locator(".when__exact")).not_to_contain_text("M1")
    expect(moment.locator(".when__ago")).to_contain_text("öncə")


@pytest.mark.parametrize("address", ["/sign-in", "/send/register", "/send/recover"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_other_site_can_sign_anybody_in(desk: Desk, address: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{desk.url}{address}", data={"token": "x", "name": "x"}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_who_follows_a_link_from_elsewhere_is_still_signed_in(phone: Page, desk: Desk) -> None:
    join(phone)
    write(phone, "Keçiddən", "Mətn.")
    submission = send(phone)
    elsewhere = f'<!doctype html><title>Chat</title><a href="{desk.url}/send/{submission}">a link</a>'
    phone.route("http://chat.example/", lambda route: route.fulfill(body=elsewhere, content_type="text/html"))
    phone.goto("http://chat.example/")
    phone.get_by_role("link").click()
    expect(phone.locator("h1")).to_have_text("Keçiddən")
