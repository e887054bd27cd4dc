"""What a person with a screen reader, a keyboard or weak eyes would stumble over."""

from pathlib import Path

from playwright.sync_api import Page

HERE = Path(__file__).parent
FAULTS = (HERE / "faults.js").read_text()
SMALL = (HERE / "small.js").read_text()


def faults_of(page: Page) -> list[str]:
    """Everything found wrong with the page as it is shown now."""
    found: list[str] = page.evaluate(FAULTS)
    return found


def small_targets(page: Page) -> list[str]:
    """Controls that a thumb would miss."""
    found: list[str] = page.evaluate(SMALL)
    return found


def walk_by_keyboard(page: Page, steps: int) -> list[str]:
    """Where the focus goes with Tab, told by name. Raises `AssertionError` when it cannot be seen."""
    path: list[str] = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(
            """() => { const at = document.activeElement; const style = getComputedStyle(at);
              const name = at.getAttribute("aria-label") || at.labels?.[0]?.textContent || at.textContent || at.id;
              return [name.trim().slice(0, 40), at.matches(":focus-visible") && style.outlineStyle !== "none"]; }"""
        )
        assert visible, f"the focus on {name!r} cannot be seen"
        path.append(name)
    return path
