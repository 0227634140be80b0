"""A page asks for nothing and runs nothing but its own script, whatever is written on it; and it works in a frame."""

import random
import runpy
from fractions import Fraction

import pytest

from autodiff import Value, scope, source_lines
from tests.browser.samples import neuron, product, training
from tests.browser.screen import Screen
from viz import BUGS
from viz.drawing.text import clean
from viz.player import steps

ALARM = "window.caught = (window.caught || 0) + 1"

PIECES = [
    f"<script>{ALARM}</script>", f"<img src=x onerror='{ALARM}'>", f'"><svg onload="{ALARM}">', "</script>", "</style>", "</svg>",
    "</title>", "<!--", "-->", "<![CDATA[", "]]>", "<script", "</SCRIPT >", f"javascript:{ALARM}", "&lt;b&gt;", "&#60;", "&amp;", "\\u003cscript>",
    "'", '"', "`", "${" + ALARM + "}", "{{svg}}", "{{script}}", "{{story}}", "\\", "\\x3c", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f", "\u200b",
    "\x00", "\x07", "\x1b[31m", "\x7f", "\ufeff", "\ufffe", "\ud800", "é́́́́́́", "👩‍🔬", "漢字", "עברית", "\n", "\t", "\r\n", "=", "#step=3", "%00", "data:text/html,<b>",
    f"<a href='javascript:{ALARM}'>x</a>", f"<iframe srcdoc='<script>parent.{ALARM}</script>'>", "<base href='http://example.com/'>",
    "<link rel=stylesheet href=http://example.com/x.css>", "<meta http-equiv=refresh content='0;url=http://example.com/'>", "<style>*{display:none}</style>",
    "@import url(http://example.com/);", "url(http://example.com/x.png)", "</textarea>", "<plaintext>", "<noscript>", "<template>", "__proto__", "constructor",
    "hasOwnProperty", "0", "-1", "null", "undefined", "NaN", "(", ")", "[object Object]", "%s", "{0}", "$&", "$1", "\\1",
]  # fmt: skip


def nasty(seed):
    rng = random.Random(seed)
    parts = [rng.choice(PIECES) for _ in range(rng.randint(1, 5))]
    return "".join(parts) * (1000 if seed % 40 == 39 else 1)


def labelled(labels):
    """A graph of as many nodes as there are labels, each of which also names a place."""
    value = None
    for k, label in enumerate(labels):
        with scope(label[:500] or "nowhere"):
            if k % 2 == 0 or value is None:
                leaf = Value(1.0 + k / 8, label=label)
                value = leaf if value is None else value * leaf
            else:
                value = value + 0.5
            value.label = label
    return value


def harmless(screen):
    page = screen.page
    assert page.evaluate("window.caught") is None
    assert page.evaluate("document.scripts.length") == 2  # the story, and the player
    inside = "script, img, iframe, object, embed, base, foreignObject, image, a, use, animate, template, plaintext, textarea, meta, link"
    assert (
        page.eval_on_selector_all(
            "body *", f"all => all.filter(e => e.matches({inside!r}) && !e.matches('body > script')).length"
        )
        == 0
    )
    handlers = (
        "all => all.filter(e => [...e.attributes].some(a => /^on|href|src|srcdoc|formaction/i.test(a.name))).length"
    )
    assert page.eval_on_selector_all("*", handlers) == 0
    assert page.evaluate("Object.prototype.polluted") is None


@pytest.mark.parametrize("batch", range(12))
def test_hostile_labels_and_scopes(open_page, batch):
    labels = [nasty(25 * batch + k) for k in range(25)]
    output = labelled(labels)
    bugs = list(BUGS)[batch % 5 :][:1]
    player = steps(output, layout="builtin", title=labels[0], level="scalar", full=True, bugs=bugs)
    screen = open_page(player)
    harmless(screen)
    total = len(player.steps)
    assert screen.read()["steps"] == total
    screen.page.evaluate("""() => { for (let k = 0; k < 200; k++)
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true })); }""")
    assert screen.at == total
    screen.page.check("#predicting")
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("Home", "ArrowRight")
    screen.page.click("#show")
    screen.page.uncheck("#predicting")
    screen.page.select_option("#bug", label=BUGS[bugs[0]].title)
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("End")
    harmless(screen)

    graph = player.view.graph
    titles = screen.page.eval_on_selector_all("#stage .node title", "all => all.map(e => e.textContent)")
    assert len(titles) == len(graph.boxes)
    for box, title in zip(graph.boxes, titles, strict=True):  # as text, letter by letter
        assert box.label in title
        assert not box.scope or f"in {box.scope}" in title
    assert screen.page.title() == " ".join(clean(labels[0]).split())
    shown = screen.page.inner_text("body")
    assert not any(c in shown for c in "\x00\x07\x1b\x7f\u202e\u2066\u2028\u2029")


@pytest.mark.parametrize("batch", range(4))
def test_hostile_programs(open_page, tmp_path, batch):
    """Lines of a program are shown letter by letter, and only shown."""
    comments = [spoken(nasty(7 * k + batch)) for k in range(15)]
    lines = [f"    c = c * b  # {comment}" for comment in comments]
    file = tmp_path / "program.py"
    file.write_text("\n".join(["def program(a, b):", "    c = a + b", *lines, "    return c"]), encoding="utf-8")
    program = runpy.run_path(str(file))["program"]
    with source_lines():
        output = program(Value(2.0, label="a"), Value(3.0, label="b"))
    player = steps(output, layout="builtin")
    screen = open_page(player)
    screen.seek(5)
    harmless(screen)
    shown = screen.page.eval_on_selector_all("#lines li", "all => all.map(e => e.textContent)")
    for line, told in zip(lines, shown[1:], strict=True):
        wanted = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line.strip().expandtabs(4))
        assert told.strip().partition("  ")[2].rstrip("…")[:150] == wanted[:150].rstrip()


def spoken(text):
    """A text that can be a comment in a file."""
    text = text[:300].encode("utf-8", "replace").decode()
    return "".join(c for c in text if c not in "\n\r\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


def test_hostile_answers(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    screen.page.check("#predicting")
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    for k in range(40):
        screen.predict(nasty(k)[:500].replace("\ud800", ""))
    harmless(screen)


def test_hostile_links(open_page):
    player = steps(product(), layout="builtin")
    screen = open_page(player)
    for link in (
        f"#<img src=x onerror='{ALARM}'>",
        f"#step=javascript:{ALARM}",
        "#__proto__",
        "#step=__proto__",
        "?step=3#step=2",
    ):
        if link.startswith("#"):
            screen.show(player, link)
            harmless(screen)


# ── the promise of silence, and that a broken one would be heard ──
def test_everything_that_can_be_done_is_done_in_silence(open_page):
    """``open_page`` fails if a page has asked for anything or complained; here all of it is used."""
    player, _, _ = training()
    screen = open_page(player)
    screen.play()
    page = screen.page
    page.check("#predicting")
    page.click("#first")
    page.click("#next")
    screen.predict("nonsense")
    page.click("#show")
    page.uncheck("#predicting")
    for by in ("node", "edge"):
        page.select_option("#by", by)
        page.click("#first")
        page.click("#last")
    for title in [bug.title for bug in BUGS.values()]:
        page.select_option("#bug", label=title)
        page.click("#last")
        page.click("#back")
    page.set_viewport_size({"width": 390, "height": 800})
    page.hover("#stage .node")
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_thousand_moves_do_not_weary_the_browser(open_page):
    """Browsers refuse to change the address too often, and say so on the console."""
    screen = open_page(steps(neuron(), layout="builtin"))
    screen.page.evaluate("""() => { for (let k = 0; k < 1000; k++) document.body.dispatchEvent(
      new KeyboardEvent("keydown", { key: k % 40 < 20 ? "ArrowRight" : "ArrowLeft", bubbles: true, cancelable: true })); }""")
    assert screen.at == 0


SPOILT = {
    "a script of another": ("</body>", "<script>window.caught = 1</script></body>"),
    "a handler": ("<body>", '<body onload="window.caught = 1">'),
    "an image": ("</body>", '<img src="http://127.0.0.1:9/x.png"></body>'),
    "a style of another": ("</body>", "<style>body { color: red }</style></body>"),
    "a style in an attribute": ("<main>", '<main style="color: red">'),
    "a sheet": ("</body>", '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"></body>'),
    "a frame": ("</body>", '<iframe src="http://127.0.0.1:9/"></iframe></body>'),
    "another base": ("</body>", '<base href="http://127.0.0.1:9/"></body>'),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_does_not_belong_is_refused_and_heard(chromium, tmp_path, how):
    """If something got into a page after all, it would not run, and these tests would fail."""
    html = steps(product(), layout="builtin").html
    assert html.count(SPOILT[how][0]) == 1
    screen = Screen(chromium, tmp_path / "spoilt.html")
    screen.show(html.replace(*SPOILT[how]))
    screen.press("ArrowRight")
    assert screen.at == 1  # the page itself still works
    assert screen.page.evaluate("window.caught") is None
    screen.wait("true")
    assert any("Content Security Policy" in complaint for complaint in screen.complaints)
    assert screen.requests == [] or how in ("an image", "a sheet", "a frame")  # blocked ones may be reported as asked
    screen.close()


def test_no_other_page_may_send_a_form_or_speak_to_it(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    policy = screen.page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policy
    assert screen.page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert screen.page.evaluate("document.cookie") == ""


# ── in a notebook ──
def test_in_a_frame(open_page):
    """What a notebook shows: the page in a frame that may run its script, and nothing else."""
    player = steps(neuron(), layout="builtin")
    screen = open_page(f"<!doctype html><title>notebook</title><h1>A notebook</h1>{player._repr_html_()}")
    page = screen.page
    assert page.get_attribute("iframe", "sandbox") == "allow-scripts"
    (frame,) = [frame for frame in page.frames if frame is not page.main_frame]
    frame.wait_for_selector("#next:enabled")
    for k in range(1, 6):
        frame.click("#next")
        assert frame.input_value("#slider") == str(k)
    frame.press("#slider", "End")
    assert frame.input_value("#slider") == str(len(player.steps))
    words = frame.inner_text("#stage")
    assert "not" not in words.split()
    box = page.locator("iframe").bounding_box()
    assert box["height"] >= 500
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (
        frame.evaluate("() => { try { return parent.document.title } catch { return 'out of reach' } }")
        == "out of reach"
    )
    assert page.evaluate("location.hash") == ""


def test_two_in_one_notebook(open_page):
    players = [steps(product(), layout="builtin"), steps(neuron(), layout="builtin")]
    screen = open_page("<!doctype html><title>notebook</title>" + "".join(player._repr_html_() for player in players))
    first, second = screen.page.frames[1:]
    second.wait_for_selector("#next:enabled")
    first.click("#next")
    second.click("#last")
    assert first.input_value("#slider") == "1"
    assert second.input_value("#slider") == str(len(players[1].steps))


# ── odd numbers ──
def test_odd_numbers_are_legible(open_page):
    floats = [
        float("nan"),
        float("inf"),
        -float("inf"),
        -0.0,
        1e-300,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
        123456789.123456789,
    ]
    fractions = [Fraction(1, 3), Fraction(10**60 + 1, 7**50), Fraction(2**80), Fraction(-1, 10**9)]
    for odd in (floats, fractions):
        total = Value(odd[0], label="x0")
        for k, x in enumerate(odd[1:], 1):
            total = total + Value(x, label=f"x{k}")
        player = steps(total, layout="builtin")
        screen = open_page(player)
        screen.press("End")
        shown = screen.read()
        for node, box in player.view.box_of.items():
            if node.op is None:
                (words,) = shown["boxes"][box]["value"]
                assert 1 <= len(words) <= 14
                said = shown["boxes"][box]["label"].split("value ")[1].split(",")[0]
                assert said == repr(node.data) or Fraction(said) == node.data
        assert screen.page.evaluate("""() => [...document.querySelectorAll("#stage .node")].every((node) => {
          const box = node.querySelector(".box").getBoundingClientRect();
          return [...node.querySelectorAll("text")].every((text) => text.getBoundingClientRect().right <= box.right + 1); })""")
