"""One Chromium for all tests here, pages in it, and the promise that every page of every test keeps."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.browser.screen import Screen

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items):
    """Where something is missing all that needs it is skipped, in one line for each file."""
    if not any(map(shutil.which, PROGRAMS)):
        reason = "no Chromium is installed: apt install chromium"
    elif not (find_spec("playwright") and find_spec("axe_playwright_python")):
        reason = 'playwright and axe are not installed: pip install "clearprop[browser]"'
    else:
        return
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def chromium():
    """A running Chromium; it ends when the last test of this folder has, for it holds the event loop until then."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        program = next(filter(None, map(shutil.which, PROGRAMS)))
        browser = running.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def tabs(chromium, tmp_path_factory):
    """The open tabs, by their options: a new one takes longer than a new page in it."""
    opened: dict[str, list[Screen]] = {}
    yield lambda number, options: _tab(
        chromium, tmp_path_factory, opened.setdefault(repr(options), []), number, options
    )
    for screens in opened.values():
        for screen in screens:
            screen.close()


def _tab(chromium, folders, screens, number, options):
    while len(screens) <= number:
        screens.append(Screen(chromium, folders.mktemp("tab") / "page.html", **options))
    return screens[number]


@pytest.fixture
def open_page(tabs):
    """``open_page(player, **options)`` shows a page; at the end no page may have asked for anything, or complained."""
    used: list[Screen] = []

    def show(player, link="", **options):
        screen = tabs(len(used), options)
        used.append(screen)
        screen.show(player, link)
        return screen

    yield show
    for screen in used:
        complaints, requests = screen.done()
        assert complaints == []
        assert requests == []


@pytest.fixture(scope="session")
def screenshots(request, tmp_path_factory) -> Path:
    """The folder that screenshots are kept in."""
    given = request.config.getoption("--screenshots") or os.environ.get("CLEARPROP_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
