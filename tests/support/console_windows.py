"""A browser window of somebody who is signed in at the console."""

from __future__ import annotations

from typing import Literal

from browsing import Opened, open_page
from playwright.sync_api import Browser, Page, expect
from serving import Serving

WIDE, PHONE = (1440, 900), (390, 844)


class Window:
    """A window, its page, and what went wrong in it."""

    def __init__(
        self,
        browser: Browser,
        service: Serving,
        role: str,
        size: tuple[int, int] = WIDE,
        scheme: Literal["light", "dark"] = "light",
    ) -> None:
        self.service = service
        self.opened: Opened = open_page(
            browser, f"{service.url}/auth/sign-in", size, offline=False, scheme=scheme
        )
        self.page: Page = self.opened.page
        self.page.fill("input[name=key]", service.keys[role])
        self.page.click("main button")
        self.page.wait_for_url(lambda url: "/auth/" not in url)

    def go(self, path: str) -> Page:
        """Open a page of the console."""
        self.page.goto(self.service.url + path)
        return self.page

    def close(self) -> None:
        """Close the window."""
        self.page.context.close()


def live(page: Page) -> None:
    """Wait until a page follows what happens."""
    expect(page.locator(".live")).to_have_attribute("data-state", "live", timeout=10_000)
