"""Pictures saved as ``.html``, in a real browser: they fit, scroll, follow the reader's colours, and run nothing."""

import pytest

from autodiff import Value
from tests.viz.graphs import network, neuron
from tests.viz.hostile_labels import hostile_labels
from viz import draw
from viz.drawing.style import PALETTES

DESK, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def shown(chromium, tmp_path):
    """``shown(picture, **options)`` opens it as a page; at the end it has asked for nothing and complained of nothing."""
    contexts, complaints, requests = [], [], []

    def show(picture, **options):
        path = picture.save(tmp_path / "picture.html")
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        requests.remove(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []
    assert requests == []


def geometry(page):
    return page.evaluate(
        """() => {
            const svg = document.querySelector("svg"), main = document.querySelector("main")
            return {
                text: 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
                wide: svg.getBoundingClientRect().width, tall: svg.getBoundingClientRect().height,
                scrolls: main.scrollWidth - main.clientWidth,
                overflow: document.documentElement.scrollWidth - innerWidth,
            }
        }"""
    )


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("make", [neuron, network])
def test_text_is_never_too_small_and_the_window_never_too_narrow(shown, size, make):
    page = shown(draw(make(), layout="builtin", level="scalar"), viewport=size)
    first = geometry(page)
    assert first["text"] >= 10.9
    assert first["overflow"] <= 0
    assert (first["scrolls"] > 0) == (size is PHONE)
    page.get_by_role("checkbox", name="fit the window").press("Space")
    fitted = geometry(page)
    assert fitted["wide"] <= size["width"]
    assert fitted["tall"] <= size["height"]
    assert fitted["scrolls"] <= 0


def test_a_wide_picture_is_scrolled_by_keys(shown):
    page = shown(draw(network(), layout="builtin", direction="LR", level="scalar"), viewport=PHONE)
    page.locator("main").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(100):  # asked from outside: inside, the page's own policy forbids what a wait needs
        if page.evaluate("document.querySelector('main').scrollLeft"):
            break
        page.wait_for_timeout(50)
    assert page.evaluate("document.querySelector('main').scrollLeft") > 0


@pytest.mark.parametrize(
    ("theme", "scheme", "palette"), [("auto", "light", "light"), ("auto", "dark", "dark"), ("dark", "light", "dark")]
)
def test_the_page_has_one_ground(shown, theme, scheme, palette):
    page = shown(draw(neuron(), layout="builtin", theme=theme), color_scheme=scheme)
    red, green, blue = bytes.fromhex(PALETTES[palette]["paper"][1:])
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == f"rgb({red}, {green}, {blue})"
    assert page.evaluate("getComputedStyle(document.querySelector('.paper')).fill") == f"rgb({red}, {green}, {blue})"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == palette


def test_all_digits_are_there_on_hover(shown):
    page = shown(draw(Value(0.1, label="x") * 3.0, layout="builtin"))
    assert "0.30000000000000004" in page.locator("g.operation > title").text_content()


@pytest.mark.parametrize("seed", range(3))
def test_hostile_labels_do_nothing(shown, seed):
    labels = hostile_labels(250, seed)
    page = shown(
        draw([Value(1.0, label=label) * 2.0 for label in labels], layout="builtin", full=True, title=labels[0])
    )
    assert page.locator("g.node").count() == 750
    assert page.locator("script, iframe, img, image, a, link, object, embed, foreignObject, use").count() == 0
    assert page.locator("style").count() == 2
