"""Makes the screenshots of README.md and of the landing page: ``python docs/pictures.py``.

It needs Playwright with the system's Chromium, as the browser tests do. Everything shown comes from a run of
the moment on generated companies: a ranking as the command line prints it, and the report of a night.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from dealwright import Desk
from dealwright.desk.server import stop_server
from dealwright.simulation.astra import AstraParams, generate_astra

IMAGES = Path(__file__).with_name("images")
LEAD = ("--set", "destination=Mars", "--set", "lead_source=Organic", "--set", "communication_method=Text")
TERMINAL = """<body style="margin:0;background:#10161d">
<pre style="margin:0;padding:18px 22px;width:max-content;
color:#e6edf3;font:15px/1.45 'DejaVu Sans Mono',Menlo,Consolas,monospace">{}</pre></body>"""


def main() -> None:
    """Make both."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("docs/pictures.py needs Chromium: install it, for example by `apt-get install chromium`")
    with tempfile.TemporaryDirectory() as work, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = Path(work) / "floor.html"
        page.write_text(TERMINAL.format(html.escape(rank(Path(work) / "home"))), encoding="utf-8")
        shoot(browser, page, "floor.png", "pre")
        run = Path(work) / "night"
        dealwright("plan", "--world", "barcelona", "--n", "800", "--seed", "1", "--out", str(run))
        shoot(browser, run / "report.html", "night.png")
        browser.close()


def rank(home: Path) -> str:
    """Return what ``dealwright rank`` prints for a lead of a generated agency."""
    agency = generate_astra(AstraParams(n_agents=12, n_assignments=600, effects="strong", seed=3))
    with Desk.open(home=home) as desk:
        desk.load(agency.history())
        desk.train()
    command = ("rank", *LEAD, "--top", "5")
    try:
        printed = dealwright(*command, home=home)
    finally:
        stop_server(home)
    return f"$ dealwright {' '.join(command)}\n{printed}"


def dealwright(*command: str, home: Path | None = None) -> str:
    """Run a command and return what it prints."""
    variables = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1"}
    if home is not None:
        variables |= {"DEALWRIGHT_HOME": str(home)}
        variables.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", "dealwright", *command],
        capture_output=True,
        text=True,
        check=True,
        env=variables,
    )
    return done.stdout


def shoot(browser: Browser, page: Path, name: str, element: str | None = None) -> None:
    """Write the first screen of a page, or one element of it, as a PNG."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.goto(page.as_uri())
    target = IMAGES / name
    if element is None:
        opened.screenshot(path=target)
    else:
        opened.locator(element).screenshot(path=target)
    opened.close()
    shrink(target)


def shrink(picture: Path) -> None:
    """Write a picture with 64 colours, a third of the bytes, where Pillow happens to be installed."""
    if find_spec("PIL") is not None:
        image = import_module("PIL.Image").open(picture)
        image.convert("RGB").quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    main()
