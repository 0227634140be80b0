"""How it looks: themes and contrast, narrow screens, motion, forced colours, paper; and pictures of it to look at."""

import pytest

from tests.browser.samples import arrays, network, neuron, product, training
from tests.browser.screen import contrast, rgb
from viz import BUGS
from viz.player import steps

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}

# Every text with its colour, and the colour right behind it: the box or header that it stands on, or the nearest ground.
GROUNDS = """() => {
  const found = [];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  for (const text of document.querySelectorAll("#stage text")) {
    if (!seen(text) || !text.textContent.trim()) continue;
    const at = text.getBoundingClientRect();
    const home = text.closest(".node") ?? document.getElementById("stage");
    const shapes = [document.querySelector("#stage .paper"), ...home.querySelectorAll("rect, .header")];
    const behind = shapes.filter((shape) => {
      const r = shape.getBoundingClientRect(), fill = getComputedStyle(shape).fill, x = (at.left + at.right) / 2, y = (at.top + at.bottom) / 2;
      return fill !== "none" && r.left <= x && x <= r.right && r.top <= y && y <= r.bottom;
    });
    found.push([text.textContent, getComputedStyle(text).fill, getComputedStyle(behind.at(-1)).fill]);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, script, style, noscript, :disabled") || !seen(element)) continue;
    let ground = element;
    while (ground && /, 0\\)$|transparent/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    found.push([walker.currentNode.data, getComputedStyle(element).color, getComputedStyle(ground ?? document.documentElement).backgroundColor]);
  }
  return found;
}"""

# Elements that stick out of the window, or out of what cuts them off, unless one can scroll to the rest.
CLIPPED = """() => {
  const found = [], seen = (e) => e.checkVisibility({ visibilityProperty: true });
  for (const element of document.querySelectorAll("body *")) {
    if (!seen(element) || element.closest("svg, option, script, style, noscript")) continue;
    const r = element.getBoundingClientRect();
    const scrolls = element.parentElement.closest("#stage, #lines, pre, .scrolls, #panel");
    if (!scrolls && (r.left < -0.5 || r.right > innerWidth + 0.5)) found.push(element.outerHTML.slice(0, 90));
    const style = getComputedStyle(element);
    if (["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1) found.push("cut: " + element.outerHTML.slice(0, 90));
  }
  for (const node of document.querySelectorAll("#stage .node")) {
    const box = node.querySelector(".box").getBoundingClientRect();
    for (const text of node.querySelectorAll("text")) {
      const r = text.getBoundingClientRect();
      if (seen(text) && text.textContent && (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 2 || r.bottom > box.bottom + 2))
        found.push("out of its box: " + text.textContent);
    }
  }
  return found;
}"""


def full_page():
    """Everything at once: program, training, bugs, predictions."""
    player, _, _ = training(rounds=1)
    return player


def states(screen):
    """The page in all its moods, by name."""
    page = screen.page
    yield "start"
    middle = screen.read()["steps"] // 3
    screen.seek(middle)
    yield "middle"
    page.check("#predicting")
    page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    if screen.read()["question"]:
        yield "predict"
        screen.predict("12345")
        yield "wrong-answer"
        page.click("#show")
        yield "shown"
    page.uncheck("#predicting")
    screen.press("End")
    yield "end"
    if page.is_visible("#bug"):
        page.select_option("#bug", label=BUGS["overwrite"].title)
        page.evaluate("document.activeElement.blur()")
        screen.press("End")
        yield "broken"


SAMPLES = {
    "training": full_page,
    "arrays": lambda: steps(arrays(), layout="builtin"),
    "network": lambda: steps(network(), layout="builtin"),
}
SCREENS = {"light": {}, "dark": DARK, "phone": PHONE, "phone-dark": PHONE | DARK}


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("training", "light"),
        ("training", "dark"),
        ("training", "phone"),
        ("arrays", "phone-dark"),
        ("network", "light"),
    ],
)
def test_text_can_be_read(open_page, screenshots, sample, kind):
    screen = open_page(SAMPLES[sample](), **SCREENS[kind])
    for state in states(screen):
        screen.shot(screenshots, f"{sample}-{kind}-{state}")
        for text, colour, ground in screen.page.evaluate(GROUNDS):
            assert contrast(colour, ground) >= 4.5, (state, text, colour, ground)
        assert screen.page.evaluate(CLIPPED) == [], state
        assert screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
        sizes = screen.page.evaluate("""() => [...document.querySelectorAll("#stage text")].map((text) =>
          parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)""")
        assert min(sizes) >= 10.99, state


def test_lines_and_signs_can_be_seen_in_both_themes(open_page):
    """What is no text needs a contrast of 3 to 1: the lit box, arrows, dots, the parts of the slider."""
    for options in ({}, DARK):
        screen = open_page(steps(product(), layout="builtin"), **options)
        paper = screen.style("#stage .paper", "fill")
        screen.seek(2)
        lit = [screen.style("#stage .now .box", "stroke"), screen.style("#stage .on .edge", "stroke")]
        screen.seek(8)
        back = [screen.style("#stage .back .edge", "stroke"), screen.style("#stage .reversed", "fill")]
        parts = [screen.style("#phases span", "borderTopColor"), screen.style("#phases .back", "borderTopColor")]
        for colour in [*lit, *back, *parts, screen.style("#stage .node .box", "stroke")]:
            assert contrast(colour, paper) >= 3


def test_nothing_is_said_by_colour_alone(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    screen.press("End")
    assert screen.style("#stage .back .edge", "strokeDasharray") != "none"
    assert screen.style("#phases .back", "borderTopStyle") != screen.style("#phases span", "borderTopStyle")
    assert float(screen.style("#stage .now .box", "strokeWidth")[:-2]) >= 2 * float(
        screen.style("#stage .node:not(.now, .output) .box", "strokeWidth").removesuffix("px")
    )


@pytest.mark.parametrize(("theme", "dark"), [("light", False), ("dark", True), ("print", False), ("auto", None)])
def test_themes(open_page, theme, dark):
    player = steps(product(), layout="builtin", theme=theme)
    for options in ({}, DARK):
        screen = open_page(player, **options)
        is_dark = bool(options) if dark is None else dark
        for ground in (screen.style("html", "backgroundColor"), screen.style("#stage .paper", "fill")):
            assert (sum(rgb(ground)) < 200) == is_dark
        assert screen.style("html", "colorScheme") == ("dark" if is_dark else "light")


@pytest.mark.parametrize("width", [320, 390, 640, 899, 1100, 1400])
def test_every_width(open_page, screenshots, width):
    screen = open_page(full_page(), viewport={"width": width, "height": 800})
    screen.seek(6)
    screen.shot(screenshots, f"width-{width}")
    assert screen.page.evaluate(CLIPPED) == []
    assert screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert screen.page.locator("#slider").bounding_box()["width"] >= 150


def test_the_slider_stays_where_it_is(open_page):
    """Nothing that is pressed again and again moves away from under the pointer."""
    screen = open_page(full_page())
    places = set()
    for at in range(screen.read()["steps"] + 1):
        screen.seek(at)
        box = screen.page.locator("#slider").bounding_box()
        button = screen.page.locator("#next").bounding_box()
        places.add((round(box["x"]), round(box["width"]), round(box["y"]), round(button["x"]), round(button["y"])))
    assert len(places) == 1


def test_a_phone_gets_the_graph_from_top_to_bottom(open_page):
    player = steps(neuron(), layout="builtin")
    wide, narrow = open_page(player), open_page(player, **PHONE)
    shape = "() => { const box = document.querySelector('#stage svg').getBoundingClientRect(); return box.width / box.height; }"
    assert wide.page.evaluate(shape) > 1.2
    assert narrow.page.evaluate(shape) < 1
    narrow.page.tap("#next")
    assert narrow.at == 1
    for button in ("#first", "#back", "#play", "#next", "#last"):
        box = narrow.page.locator(button).bounding_box()
        assert min(box["width"], box["height"]) >= 44
    node = narrow.page.locator("#stage .node").nth(1)
    node.tap()
    assert narrow.read()["boxes"][1]["now"]
    numbers = [(box["value"], box["gradient"]) for box in narrow.read()["boxes"]]
    wide.seek(narrow.at)
    assert [(box["value"], box["gradient"]) for box in wide.read()["boxes"]] == numbers


def test_turning_a_phone(open_page):
    screen = open_page(steps(neuron(), layout="builtin"), viewport={"width": 391, "height": 844})
    screen.press("End")
    there = screen.read()
    before = screen.page.inner_html("#stage")
    screen.page.set_viewport_size({"width": 844, "height": 391})
    screen.wait("document.querySelector('#stage svg').viewBox.baseVal.width > 500")
    assert screen.page.evaluate(CLIPPED) == []
    assert screen.read()["boxes"] == there["boxes"]
    screen.page.set_viewport_size({"width": 391, "height": 844})
    screen.wait("document.querySelector('#stage svg').viewBox.baseVal.width < 500")
    assert screen.page.inner_html("#stage") == before


def test_reduced_motion(open_page):
    still = open_page(steps(network(), layout="builtin", level="scalar", full=True, by="edge"))
    assert still.style("#stage .box", "transitionDuration") == "0s"
    still.page.evaluate(
        "window.asked = []; Element.prototype.scrollTo = function (to) { if (to) window.asked.push(to.behavior); }"
    )
    for _ in range(60):
        still.press("ArrowRight")
    assert set(still.page.evaluate("window.asked")) == {"instant"}
    assert still.page.evaluate("document.getAnimations().length") == 0
    moving = open_page(steps(neuron(), layout="builtin"), reduced_motion="no-preference")
    assert moving.style("#stage .box", "transitionDuration") != "0s"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours(open_page, screenshots, scheme):
    screen = open_page(full_page(), forced_colors="active", color_scheme=scheme)
    system = screen.page.evaluate("""() => { const probe = document.createElement("p"); document.body.append(probe);
      const colours = {}; for (const name of ["Canvas", "CanvasText", "Highlight"]) { probe.style.color = name; colours[name] = getComputedStyle(probe).color; }
      probe.remove(); return colours; }""")
    for state in states(screen):
        screen.shot(screenshots, f"forced-{scheme}-{state}")
        for text, colour, ground in screen.page.evaluate(GROUNDS):
            assert contrast(colour, ground) >= 4.5, (state, text, colour, ground)
        fills = screen.page.eval_on_selector_all(
            "#stage .box, #stage .header, #stage .paper", "all => [...new Set(all.map(e => getComputedStyle(e).fill))]"
        )
        assert fills == [system["Canvas"]]
        texts = screen.page.eval_on_selector_all(
            "#stage text", "all => [...new Set(all.map(e => getComputedStyle(e).fill))]"
        )
        assert texts == [system["CanvasText"]]
        if state != "start":
            assert screen.style("#stage .now .box", "stroke") == system["Highlight"]
    lines = screen.page.eval_on_selector_all(
        "#lines li", "all => all.map(e => [e.ariaCurrent, getComputedStyle(e).borderLeftColor])"
    )
    assert all(colour == system["Highlight" if current else "Canvas"] for current, colour in lines)


def test_paper(open_page, screenshots):
    screen = open_page(
        steps(network(), layout="builtin", level="scalar", full=True), color_scheme="dark", locale="en-US"
    )
    screen.press("End")
    screen.page.emulate_media(media="print")
    screen.shot(screenshots, "paper")
    for control in ("#next", "#slider", "#modes"):
        assert not screen.page.is_visible(control)
    assert screen.page.is_visible("#sentence")
    assert rgb(screen.style("html", "backgroundColor")) == (255, 255, 255)
    whole = screen.page.evaluate("""() => { const s = document.querySelector("#stage svg").getBoundingClientRect();
      return s.width <= innerWidth && s.height <= innerHeight && s.height > innerHeight / 2; }""")
    assert whole
    assert len(screen.page.pdf()) > 10_000


def test_a_picture_of_a_large_graph(open_page, screenshots):
    player = steps(network((4, 6, 6, 1)), layout="builtin", level="scalar", full=True)
    screen = open_page(player)
    screen.seek(len(player.steps) // 2)
    screen.shot(screenshots, "large")
    screen.page.click("#zoom")
    screen.shot(screenshots, "large-whole")


def test_long_rows_wrap(open_page):
    y = product()
    for k in range(3):
        y = y * y * 1e-3
        y.label = f"a_name_that_goes_on_and_on_and_on_{k}"
    screen = open_page(steps(y, layout="builtin"), **PHONE)
    for at in range(1, screen.read()["steps"] + 1, 3):
        screen.seek(at)
        assert screen.page.evaluate(CLIPPED) == []
