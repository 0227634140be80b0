"""A page in a browser, as a person has it before their eyes: what it shows, and keys to press."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

READ = """() => {
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const lower = (a, b) => a.getAttribute("y") - b.getAttribute("y");
  const texts = (root, selector) => [...root.querySelectorAll(selector)].filter(seen).sort(lower).map((text) => text.textContent);
  const $ = (id) => document.getElementById(id);
  return {
    boxes: [...document.querySelectorAll("#stage .node")].map((node) => ({
      value: texts(node, ".value"),
      gradient: texts(node, ".gradient").filter((text) => text !== "∇"),
      pending: texts(node, ".pending").join(" "),
      dots: texts(node, ".dots").join(""),
      words: texts(node, "text"),
      label: node.getAttribute("aria-label"),
      title: node.querySelector("title").textContent,
      heats: [...node.querySelectorAll(".heat")].map(seen),
      now: node.classList.contains("now"),
      wrong: node.classList.contains("wrong"),
    })),
    lit: [...document.querySelectorAll("#stage .arrowed.on")].map((arrow) => arrow.querySelector("title")?.textContent),
    turned: [...document.querySelectorAll("#stage .arrowed.back")].map((arrow) => arrow.querySelector("title")?.textContent),
    sentence: [...$("sentence").children].map((p) => p.textContent),
    rows: [...document.querySelectorAll("#arithmetic dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]),
    where: $("where").textContent,
    at: Number($("slider").value),
    steps: Number($("slider").max),
    valuetext: $("slider").getAttribute("aria-valuetext"),
    line: document.querySelector("#lines [aria-current]")?.textContent ?? null,
    question: seen($("question")) ? $("asked").textContent : null,
    verdict: $("verdict").textContent,
    table: [...document.querySelectorAll("#table tr")].filter(seen).map((row) => [...row.cells].map((cell) => cell.textContent)),
    address: location.hash,
  };
}"""

PLAY = """() => {
  const read = READ;
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  press("Home");
  const frames = [read()];
  while (frames.at(-1).at < frames.at(-1).steps) { press("ArrowRight"); frames.push(read()); }
  return JSON.stringify(frames);
}""".replace("READ", READ)


class Screen:
    """A tab. ``complaints`` are messages on its console and uncaught errors, ``requests`` what it asked for."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.file = file
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | options
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("popup", lambda popup: self.complaints.append(f"popup: {popup.url}"))
        self.context.on("request", self._requested)

    def _requested(self, request: Any) -> None:
        if request.url.partition("#")[0] != self.file.as_uri():
            self.requests.append(request.url)

    def show(self, player: Any, link: str = "") -> None:
        """Open the page of a player, or any HTML."""
        if isinstance(player, str):
            self.file.write_text(player, encoding="utf-8")
        else:
            player.save(self.file)
        self.page.goto("about:blank")  # another fragment of the same address would not load it anew
        self.page.goto(self.file.as_uri() + link)

    def done(self) -> tuple[list[str], list[str]]:
        """What it has complained of and asked for since it was last done."""
        self.page.goto("about:blank")  # what happens when one leaves counts too
        found = self.complaints[:], self.requests[:]
        self.complaints.clear()
        self.requests.clear()
        return found

    def close(self) -> None:
        self.context.close()

    # ── what is there ──
    def read(self) -> dict[str, Any]:
        """Everything that is shown now."""
        return self.page.evaluate(f"({READ})()")

    def play(self) -> list[dict[str, Any]]:
        """What is shown at the start, and after each → until the end."""
        return json.loads(self.page.evaluate(f"({PLAY})()"))

    @property
    def at(self) -> int:
        """How many steps are done."""
        return int(self.page.input_value("#slider"))

    def style(self, selector: str, name: str) -> str:
        """A computed style of the first element that fits."""
        return self.page.eval_on_selector(selector, "(element, name) => getComputedStyle(element)[name]", name)

    @property
    def focused(self) -> str:
        """The id of what has the focus, or else its tag or class."""
        return self.page.evaluate(
            "() => document.activeElement.id || document.activeElement.getAttribute('class') || document.activeElement.tagName"
        )

    def wait(self, condition: str) -> None:
        """Until a condition holds. (Playwright's own waiting evaluates text inside the page, which the page forbids.)"""
        end = time.monotonic() + 20
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(20)

    # ── what a person does ──
    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def seek(self, at: int) -> None:
        """Go to a step by the slider."""
        self.page.locator("#slider").fill(str(at))

    def predict(self, answer: str) -> str:
        """Type an answer; what is said to it."""
        self.page.fill("#answer", answer)
        self.page.press("#answer", "Enter")
        return self.page.inner_text("#verdict")

    def shot(self, folder: Path, name: str) -> None:
        """Keep a picture of it."""
        self.page.screenshot(path=folder / f"{name}.png")


def rgb(colour: str) -> tuple[float, ...]:
    """The channels of a computed colour; a colour that shines through is refused."""
    channels = [float(x) for x in re.findall(r"[\d.]+", colour)]
    assert len(channels) == 3 or channels[3] == 1, colour
    return tuple(channels[:3])


def contrast(a: str, b: str) -> float:
    """The contrast of two computed colours, 1 to 21. Source: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in rgb(colour))]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)
