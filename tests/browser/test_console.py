"""Moderators at work in a real browser, by mouse, by keyboard and on a phone."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shared.events import Role
from tests.support.builders.submissions import sensitive, submission
from tests.support.pages.console import Console, open_console
from tests.support.processes import Server, start_nats, until

pytestmark = pytest.mark.chromium
PATIENCE_MS = 20_000
Work = Callable[..., Page]
RUNNING = re.compile(r"^[45]:\d\d$")
"""A countdown that the page's script has taken up."""
SCRIPT = "<script>document.title = 'caught'</script><img src=x onerror=\"document.title = 'caught'\">"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_nats(tmp_path_factory.mktemp("nats"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, broker: Server, mongo_server: Server
) -> Iterator[Console]:
    opened = open_console(tmp_path_factory.mktemp("home"), broker.url, mongo_server.url)
    yield opened
    opened.server.stop()


@pytest.fixture
def console(service: Console) -> Console:
    """The service with an empty queue."""
    service.clear()
    return service


@pytest.fixture
def work(chromium: Browser, console: Console) -> Iterator[Work]:
    """Opens the desk for somebody. What a page says on its console fails the test."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def opened(
        person: str = "leyla",
        role: Role = "moderator",
        *,
        width: int = 1280,
        language: str = "en",
        theme: str = "light",
        path: str = "",
        **scopes: tuple[str, ...],
    ) -> Page:
        context = chromium.new_context(
            base_url=console.url,
            viewport={"width": width, "height": 800},
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([console.cookie(person, role, **scopes)])  # type: ignore[list-item]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"/desk/moderation{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in said if "409" not in text and "422" not in text] == []


def state(console: Console, case_id: str) -> str:
    case = console.case(case_id)
    assert case is not None
    return str(case["state"])


def test_a_case_is_claimed_edited_and_approved_by_keyboard(console: Console, work: Work) -> None:
    photo = console.photo((140, 32, 40), "Nar bağı")
    event = submission(
        title="Nar bayramı", body=f"Göyçayda.\nZəng: +994 50 123 45 67\n{SCRIPT}", media=(photo,)
    )
    console.submit(event)
    page = work()

    expect(page.get_by_role("link", name="Nar bayramı")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nar bayramı")
    expect(page.locator("mark")).to_have_text("+994 50 123 45 67")
    expect(page.get_by_text("A telephone number")).to_be_visible()
    expect(page.locator(".desk-text")).to_contain_text(SCRIPT)
    expect(page.locator("[data-countdown]")).to_have_text(RUNNING)
    assert (
        page.locator(".media img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    )

    page.reload()
    expect(page.locator("#decision")).to_be_visible()
    page.goto("/desk/moderation")
    page.keyboard.press("m")
    expect(page.locator("[data-countdown]")).to_have_text(RUNNING)
    page.keyboard.press("x")
    page.get_by_label("Text", exact=True).fill("Göyçayda.")
    expect(page.locator("[data-diff-shown] del", has_text="Zəng")).to_be_visible()
    page.get_by_label("Title", exact=True).blur()
    page.get_by_label("Text", exact=True).blur()
    page.keyboard.press("a")
    page.wait_for_url("**done=**")

    case = console.case(event.subject_id)
    assert case is not None
    assert (case["state"], case["body"], len(case["approvals"])) == ("in_review", "Göyçayda.", 1)

    second = work("orxan", path=f"/cases/{event.subject_id}")
    expect(second.get_by_role("heading", name="Edited by a moderator")).to_be_visible()
    expect(second.locator("del", has_text="Zəng")).to_be_visible()
    second.get_by_role("button", name="Take this one").click()
    expect(second.locator("[data-countdown]")).to_have_text(RUNNING)
    second.keyboard.press("a")
    second.wait_for_url("**done=**")
    assert state(console, event.subject_id) == "approved"
    assert second.title() != "caught"


def test_a_rejection_needs_a_reason_and_leads_to_the_next(console: Console, work: Work) -> None:
    first, second = submission(title="Bir"), submission(title="İki")
    console.submit(first, second)
    page = work()
    page.get_by_role("button", name="Take the next one").click()
    expect(page.locator("[data-countdown]")).to_have_text(RUNNING)
    shown = page.get_by_role("heading", level=1).inner_text()

    page.keyboard.press("r")
    expect(page.locator("[name=reasons]").first).to_be_focused()
    page.locator("[name=reasons]").first.blur()
    page.keyboard.press("1")
    page.keyboard.press("r")
    page.wait_for_url("**done=**")

    other = "İki" if shown == "Bir" else "Bir"
    expect(page.get_by_role("heading", level=1)).to_have_text(other)
    decided = first if shown == "Bir" else second
    assert state(console, decided.subject_id) == "rejected"


def test_what_is_held_says_by_whom_and_until_when(console: Console, work: Work) -> None:
    event = submission(title="Tonqal")
    console.submit(event)
    holder = work("leyla", path=f"/cases/{event.subject_id}")
    holder.get_by_role("button", name="Take this one").click()
    expect(holder.locator("#decision")).to_be_visible()

    other = work("orxan", path=f"/cases/{event.subject_id}")

    expect(other.get_by_text("In someone's hands")).to_be_visible()
    expect(other.get_by_role("button", name="Approve")).to_have_count(0)
    holder.get_by_role("button", name="Give it back").click()
    holder.wait_for_url("**/desk/moderation")
    other.reload()
    expect(other.get_by_role("button", name="Take this one")).to_be_visible()


def test_a_lease_that_was_lost_is_said_and_what_was_written_stays(console: Console, work: Work) -> None:
    event = submission(title="Tonqal")
    console.submit(event)
    page = work("leyla", path=f"/cases/{event.subject_id}")
    page.get_by_role("button", name="Take this one").click()
    page.get_by_label("Note to the author").fill("Gözəl yazıdır")
    twin = work("leyla", path=f"/cases/{event.subject_id}")
    twin.get_by_role("button", name="Give it back").click()
    twin.wait_for_url("**/desk/moderation")

    page.get_by_role("button", name="Keep it longer").click()

    expect(page.get_by_text("no longer in your hands")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.get_by_label("Note to the author")).to_have_value("Gözəl yazıdır")
    page.get_by_role("button", name="Take it again").click()
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    expect(page.get_by_label("Note to the author")).to_have_value("Gözəl yazıdır")


def test_touching_pictures_are_blurred_until_somebody_chooses(console: Console, work: Work) -> None:
    event = sensitive(title="Uşaqlar", media=(console.photo((40, 80, 120), "Rəsm çəkən uşaqlar"),))
    console.submit(event)
    page = work(path=f"/cases/{event.subject_id}")

    image = page.locator(".media img")
    assert "blur" in image.evaluate("image => getComputedStyle(image).filter")
    page.keyboard.press("s")

    assert image.evaluate("image => getComputedStyle(image).filter") == "none"


def test_an_approved_case_is_taken_back_with_a_reason(console: Console, work: Work) -> None:
    event = submission(title="Səhv")
    console.submit(event)
    page = work(path=f"/cases/{event.subject_id}")
    page.get_by_role("button", name="Take this one").click()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**done=**")

    page.keyboard.press("d")
    page.get_by_role("link", name="Səhv").click()
    page.get_by_text("Take it back").click()
    page.get_by_label("Reason", exact=True).fill("Səhvən təsdiqlənib")
    page.get_by_role("button", name="Recall everywhere").click()

    expect(page.locator("[data-state=recalled]")).to_be_visible()
    assert state(console, event.subject_id) == "recalled"


def test_a_form_from_elsewhere_is_refused(console: Console, work: Work) -> None:
    event = submission()
    console.submit(event)
    page = work()

    answer = page.request.post("/desk/moderation/claims", form={"submission_id": event.subject_id})

    assert answer.status == 403
    assert state(console, event.subject_id) == "screened"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    ("language", "theme"), [("az", "light"), ("tr", "dark"), ("ru", "light"), ("en", "dark")]
)
def test_every_page_fits_and_speaks(
    console: Console, work: Work, width: int, language: str, theme: str
) -> None:
    event = submission(
        title="يوم التراث", body="في المدينة القديمة عرض الحرفيون أعمالهم.", language="ar", country="EG"
    )
    console.submit(event)
    page = work(width=width, language=language, theme=theme)
    for path in ("", "/decided", f"/cases/{event.subject_id}"):
        page.goto(f"/desk/moderation{path}")
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator(".desk-text")).to_have_attribute("dir", "rtl")
    page.locator(".actions .button--main").click()
    expect(page.locator("#decision")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        "[...document.querySelectorAll('.actions .button')].filter(b => b.offsetHeight && b.offsetHeight < 48).length"
    )
    assert small == 0


def test_new_submissions_appear_by_themselves_and_scopes_are_kept(console: Console, work: Work) -> None:
    page = work("leyla", languages=("ru",))
    expect(page.get_by_text("Nothing waits here")).to_be_visible()
    console.submit(submission(title="Azərbaycanca"), submission(title="По-русски", language="ru"))

    page.reload()

    expect(page.get_by_role("link", name="По-русски")).to_be_visible()
    expect(page.get_by_role("link", name="Azərbaycanca")).to_have_count(0)
    until(lambda: page.locator("[data-refresh]").count() > 0, seconds=5, what="renewal")
