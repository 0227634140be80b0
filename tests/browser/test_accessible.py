"""What assistive technology is told: names, roles, order, live regions; and axe finds nothing to mend."""

from importlib.resources import files

import pytest

from tests.browser.samples import arrays, network, neuron, product, training
from tests.browser.test_looks import DARK, PHONE, SCREENS, full_page, states
from viz import BUGS
from viz.player import steps


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core, as it comes with its Python package: nothing is fetched."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def violations(screen, axe):
    screen.page.evaluate(axe)
    found = screen.page.evaluate("""async () => {
      const { violations, incomplete, passes } = await axe.run(document, { resultTypes: ["violations", "incomplete"] });
      const told = (kind) => kind.map(({ id, help, nodes }) => [id, help, nodes.map(({ html }) => html.slice(0, 120)).slice(0, 3)]);
      return { violations: told(violations), incomplete: told(incomplete), passes: passes.length };
    }""")
    assert found["passes"] > 20  # it has looked
    return found["violations"]


@pytest.mark.parametrize("kind", ["light", "dark", "phone"])
def test_axe_finds_nothing(open_page, axe, kind):
    screen = open_page(full_page(), **SCREENS[kind])
    seen = []
    for state in states(screen):
        assert violations(screen, axe) == [], state
        seen.append(state)
    assert {"start", "middle", "predict", "wrong-answer", "end", "broken"} <= set(seen)
    assert screen.page.is_visible("#table")


@pytest.mark.parametrize("program", [arrays, network], ids=["arrays", "collapsed network"])
def test_axe_finds_nothing_in_other_graphs(open_page, axe, program):
    screen = open_page(steps(program(), layout="builtin"))
    for at in (7, 1000):
        screen.seek(min(at, screen.read()["steps"]))
        assert violations(screen, axe) == []


def test_axe_would_find_something(open_page, axe):
    screen = open_page(steps(product(), layout="builtin"))
    screen.page.evaluate(
        "document.getElementById('next').removeAttribute('aria-label'); document.getElementById('next').textContent = ''"
    )
    assert [found[0] for found in violations(screen, axe)] == ["button-name"]


# ── the tree ──
def tree(screen):
    """The accessibility tree as the browser gives it to assistive technology: role, name and description, in order."""
    session = screen.context.new_cdp_session(screen.page)
    nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}
    session.detach()
    said, stack = [], [next(iter(nodes))]
    while stack:
        node = nodes[stack.pop()]
        stack += [child for child in reversed(node.get("childIds", [])) if child in nodes]
        if not node.get("ignored"):
            said.append(tuple(node.get(key, {}).get("value", "") for key in ("role", "name", "description")))
    return said


def missing(said, wanted):
    """Which pairs of role and name do not come in this order."""
    rest = iter(said)
    return [pair for pair in wanted if not any((role, name) == pair for role, name, _ in rest)]


def test_the_tree(open_page):
    """Roles and names in the order of the page: what is seen first is told first."""
    screen = open_page(full_page())
    screen.seek(4)
    said = tree(screen)
    wanted = [
        ("heading", "Step by step: loss"),
        ("region", "Computation graph"),
        ("graphics-document", "Step by step: loss"),
        ("button", "leaf w, value 0.4, gradient not computed yet"),
        ("button", "constant, value 2.0"),
        ("region", "Walk through the steps"),
        ("button", "To the start"),
        ("button", "Step back"),
        ("button", "Play"),
        ("button", "Next step"),
        ("button", "To the end"),
        ("slider", "Step"),
        ("region", "This step"),
        ("status", ""),
        ("heading", "The program"),
        ("list", "The program"),
        ("region", "How to walk"),
        ("combobox", "Step by"),
        ("checkbox", "Predict first"),
        ("combobox", "Break it"),
    ]
    assert missing(said, wanted) == []
    roles = [role for role, _, _ in said]
    assert roles.count("button") == 5 + len(screen.read()["boxes"])
    assert not {"image", "img"} & set(roles)
    named = ("button", "slider", "combobox", "checkbox", "region", "textbox")
    assert all(name for role, name, _ in said if role in named)


def test_no_result_is_told_before_its_time(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    assert not any("9.0" in text for part in tree(screen) for text in part)


def test_every_box_says_what_it_shows(open_page):
    player = steps(neuron(), layout="builtin")
    screen = open_page(player)
    for at in (0, 5, len(player.steps)):
        screen.seek(at)
        shown = screen.read()
        said = [name for role, name, _ in tree(screen) if role == "button"]
        for box in shown["boxes"]:
            assert box["label"] in said
            assert all(value != "?" or "value not computed yet" in box["label"] for value in box["value"])


def test_boxes_are_told_in_the_order_of_computation(open_page):
    player = steps(neuron(), layout="builtin")
    screen = open_page(player)
    graph = player.view.graph
    assert all(edge.source < edge.target for edge in graph.edges)
    screen.press("End")
    buttons = [name for role, name, _ in tree(screen) if role == "button"]
    assert buttons[: len(graph.boxes)] == [box["label"] for box in screen.read()["boxes"]]


def test_the_sentence_is_live(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    page = screen.page
    assert page.get_attribute("#sentence", "role") == "status"
    assert page.get_attribute("#sentence", "aria-live") == "polite"
    assert page.get_attribute("#sentence", "aria-atomic") == "true"
    assert page.get_attribute("#verdict", "aria-live") == "polite"
    page.evaluate("""() => { window.told = []; for (const id of ["sentence", "verdict"])
      new MutationObserver(() => window.told.push(document.getElementById(id).innerText))
        .observe(document.getElementById(id), { childList: true, characterData: true, subtree: true }); }""")
    screen.press("ArrowRight")
    assert page.evaluate("window.told.filter(Boolean)") == [screen.read()["sentence"][0]]  # once, not twice
    page.check("#predicting")
    page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    screen.predict("999")
    assert page.evaluate("window.told.at(-1)") == "Not that. Try again, or let it be shown."


def test_the_slider_says_where_it_is(open_page):
    player, _, _ = training()
    screen = open_page(player)
    slider = screen.page.locator("#slider")
    assert slider.get_attribute("aria-valuetext").startswith("Start")
    for at in (1, len(player.steps) // 2, len(player.steps)):
        screen.seek(at)
        said = slider.get_attribute("aria-valuetext")
        assert said.startswith(f"Step {at} of {len(player.steps)}, round ")
        assert player.steps[at - 1].sentence in said


def test_the_question_is_labelled_and_its_verdict_belongs_to_it(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    screen.page.check("#predicting")
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("ArrowRight")
    assert (
        missing(
            tree(screen), [("textbox", "What is c? (Two digits are enough.)"), ("button", "Check"), ("button", "Show")]
        )
        == []
    )
    assert screen.page.get_attribute("#answer", "aria-describedby") == "verdict"


def test_the_table_of_a_broken_pass(open_page):
    screen = open_page(steps(product(), layout="builtin"))
    screen.page.select_option("#bug", label=BUGS["overwrite"].title)
    screen.page.evaluate("document.activeElement.blur()")
    screen.press("End")
    said = tree(screen)
    heads = [("columnheader", "gradient of"), ("columnheader", "finite difference")]
    assert (
        missing(said, [*heads, ("rowheader", "a"), ("gridcell", "✗ 18.0")]) == []
        or missing(said, [*heads, ("rowheader", "a"), ("cell", "✗ 18.0")]) == []
    )
    assert any(role == "button" and name.startswith("leaf a,") and name.endswith(", wrong") for role, name, _ in said)
    screen.page.focus("#table")  # it can be scrolled by keys


def test_the_program_says_which_line_it_is_at(open_page):
    screen = open_page(full_page())
    screen.seek(2)
    assert screen.page.locator("#lines [aria-current=step]").count() == 1


def test_the_focus_can_be_seen(open_page):
    screen = open_page(steps(product(), layout="builtin"), **DARK)
    screen.page.evaluate("document.activeElement.blur()")
    for _ in range(8):
        screen.press("Tab")
        where = screen.page.evaluate("""() => { const e = document.activeElement, box = e.querySelector(".box");
          const style = getComputedStyle(e); return box ? getComputedStyle(box).strokeWidth : style.outlineStyle + style.outlineWidth; }""")
        assert where in ("4px", "solid3px"), screen.focused


def test_the_page_has_a_language_and_a_title(open_page):
    screen = open_page(steps(product(), layout="builtin"), **PHONE)
    assert screen.page.get_attribute("html", "lang") == "en"
    assert screen.page.title() == "Step by step: y"
    assert "width=device-width" in screen.page.get_attribute("meta[name=viewport]", "content")
    assert "user-scalable" not in screen.page.get_attribute("meta[name=viewport]", "content")


def test_without_a_script_the_finished_graph_is_there(open_page):
    screen = open_page(steps(product(), layout="builtin"), java_script_enabled=False)
    said = screen.page.inner_text("noscript")
    assert "JavaScript" in said
    assert "9.0" in screen.page.text_content("#stage")
