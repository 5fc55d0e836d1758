"""A page in a real browser, and everything that went wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1280, 900), (390, 844)
_WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
# what a maximum of two pixels hides: rounding of layouts
_TOLERANCE_PX = 1


@dataclass
class Opened:
    """A page, what it said on the console, and what it asked the network for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def require_quiet(self) -> None:
        """Fail if the page complained, asked the network for anything, or ran a script of somebody's data."""
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))] == []

    def require_no_sideways_scrolling(self) -> None:
        """Fail if the page is wider than the window."""
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window + _TOLERANCE_PX

    def require_accessible(self) -> None:
        """Fail on what axe-core calls a serious or critical violation of WCAG 2.2 AA."""
        serious = violations(self.page, {"runOnly": _WCAG_2_2_AA})
        assert serious == [], serious

    def texts(self, selector: str) -> list[str]:
        """Return the texts of elements, in the order of the page."""
        return self.page.locator(selector).all_inner_texts()


def violations(page: Page, options: Mapping[str, Any] | None = None) -> list[tuple[str, str, str]]:
    """Return what axe-core calls serious or critical: the rule, the element, and what is wrong with it."""
    from axe_playwright_python.sync_playwright import Axe

    # what passes is not wanted, and to describe it takes longer than to check it
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False, **(options or {})})
    return [
        (item["id"], node["html"][:160], node.get("failureSummary", ""))
        for item in found.response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]


Open = Callable[..., Opened]


def open_page(
    browser: Browser,
    path: Path | str,
    size: tuple[int, int] = DESKTOP,
    *,
    offline: bool = True,
    scheme: Literal["light", "dark"] = "light",
) -> Opened:
    """Open a file, or an address, in a window of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, offline=offline, color_scheme=scheme,
        reduced_motion="reduce",
    )  # fmt: skip
    opened = Opened(context.new_page())
    page = opened.page

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            opened.complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (opened.complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: opened.asked.append(request.url))
    page.goto(path.as_uri() if isinstance(path, Path) else path, wait_until="load")
    return opened
