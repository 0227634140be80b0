"""Walking through the steps: by keys, buttons, slider, links, by box, and by itself."""

import pytest

from autodiff import explain
from tests.browser.samples import chain, network, product
from viz.player import steps


@pytest.fixture(scope="module")
def player():
    return steps(product(), layout="builtin")


@pytest.fixture
def screen(open_page, player):
    return open_page(player)


def test_the_start_shows_what_was_given_and_nothing_else(screen):
    shown = screen.read()
    values = {box["words"][0]: box["value"] for box in shown["boxes"] if box["value"]}
    assert values == {"a": ["1.5"], "b": ["−3.0"], "c": ["?"], "+": ["?"], "y": ["?"]}
    assert all(box["gradient"] == [] for box in shown["boxes"])
    assert shown["at"] == 0
    assert shown["where"] == f"Start of {shown['steps']} steps"
    assert shown["sentence"][0].startswith("Nothing is computed yet")
    assert screen.page.is_disabled("#back")
    assert screen.page.is_enabled("#next")


def test_keys_go_forward_and_back(screen, player):
    there = screen.play()
    assert len(there) == len(player.steps) + 1
    for frame in there[-2::-1]:
        screen.press("ArrowLeft")
        now = screen.read()
        assert {**now, "address": ""} == {**frame, "address": ""}
    screen.press("ArrowLeft")
    assert screen.at == 0
    screen.press("End")
    assert {**screen.read(), "address": ""} == {**there[-1], "address": ""}
    screen.press("ArrowRight")
    assert screen.at == len(player.steps)
    screen.press("Home", "ArrowRight", "ArrowRight")
    assert {**screen.read(), "address": ""} == {**there[2], "address": ""}


def test_keys_with_a_modifier_are_left_to_the_browser(screen):
    screen.press("Control+ArrowRight", "Meta+ArrowRight", "Alt+End", "Control+End")
    assert screen.at == 0


@pytest.mark.parametrize(
    "control", ["#first", "#back", "#next", "#last", "#play", "#slider", "#predicting", "#zoomless"]
)
def test_keys_work_wherever_the_focus_is(screen, control):
    screen.seek(3)
    if control != "#zoomless":
        screen.page.focus(control)
    screen.press("ArrowRight")
    assert screen.at == 4
    screen.press("ArrowLeft", "ArrowLeft")
    assert screen.at == 2
    screen.press("End", "ArrowLeft")
    assert screen.at == len(screen.read()["steps"] * [0]) - 1
    screen.press("Home", "ArrowRight")
    assert screen.at == 1


def test_a_list_keeps_its_own_keys(screen):
    screen.seek(3)
    screen.page.focus("#by")
    screen.press("End")
    assert screen.at == 3


def test_buttons(screen, player):
    page = screen.page
    page.click("#next")
    page.click("#next")
    assert screen.at == 2
    page.click("#back")
    assert screen.at == 1
    page.click("#last")
    assert screen.at == len(player.steps)
    assert page.is_disabled("#next")
    assert page.is_disabled("#last")
    screen.press("ArrowLeft")  # the focus was on a button that cannot be pressed any more
    assert screen.at == len(player.steps) - 1
    page.click("#first")
    assert screen.at == 0
    assert page.is_disabled("#first")
    screen.press("ArrowRight")
    assert screen.at == 1


def test_space_on_a_button_presses_it_once(screen):
    screen.page.focus("#next")
    screen.press("Space")
    assert screen.at == 1
    assert screen.page.get_attribute("#play", "aria-pressed") == "false"


def test_the_slider_by_keys(screen, player):
    screen.page.focus("#slider")
    screen.press("ArrowUp")
    assert screen.at == 1
    screen.press("ArrowDown")
    assert screen.at == 0
    screen.press("End")
    assert screen.read()["where"].startswith(f"Step {len(player.steps)} of")
    screen.press("PageDown")
    assert screen.at < len(player.steps)


def test_the_slider_by_mouse(screen, player):
    box = screen.page.locator("#slider").bounding_box()
    middle = box["y"] + box["height"] / 2
    mouse = screen.page.mouse
    mouse.move(box["x"] + 8, middle)
    mouse.down()
    seen = set()
    for k in range(1, 41):
        mouse.move(box["x"] + 8 + k / 40 * (box["width"] - 16), middle)
        shown = screen.read()
        assert shown["where"].startswith(f"Step {shown['at']} of" if shown["at"] else "Start")
        seen.add(shown["at"])
    mouse.up()
    assert seen == set(range(len(player.steps) + 1))
    assert screen.at == len(player.steps)


def test_the_phases_are_marked_where_they_are(screen, player):
    parts = screen.page.eval_on_selector_all(
        "#phases span", "parts => parts.map(p => [p.dataset.name, Number(p.style.flexGrow)])"
    )
    forward = sum(step.kind == "forward" for step in player.steps)
    assert parts == [["forward", forward], ["backward", len(player.steps) - forward]]


# ── links ──
@pytest.mark.parametrize(
    ("link", "at"),
    [("#step=4", 4), ("#step=0", 0), ("#step=9999", None), ("#step=-3", 0), ("#step=", 0), ("#step=4.5", 0), ("#step=1e1", 0),
     ("#step=99999999999999999999", 0), ("#<img src=x onerror=alert(1)>", 0), ("#%00", 0), ("#step=4&step=5", 0), ("", 0)],
)  # fmt: skip
def test_links(screen, player, link, at):
    screen.show(player, link)
    assert screen.at == (len(player.steps) if at is None else at)


def test_the_address_follows(screen):
    before = screen.page.evaluate("history.length")
    screen.press("ArrowRight", "ArrowRight")
    screen.wait("location.hash === '#step=2'")
    screen.press("Home")
    screen.wait("location.hash === ''")
    assert screen.page.evaluate("history.length") == before  # steps do not fill the way back


def test_a_link_on_the_open_page(screen):
    screen.page.evaluate("location.hash = '#step=5'")
    screen.wait("document.getElementById('slider').value === '5'")
    assert screen.read()["where"].startswith("Step 5 of")
    screen.page.evaluate("location.hash = '#nonsense'")
    screen.wait("document.getElementById('slider').value === '0'")


# ── by box ──
def test_by_box(screen, player):
    turns = [step.turn for step in player.steps]
    ends = [k + 1 for k, turn in enumerate(turns) if turns[k + 1 : k + 2] != [turn]]
    assert len(ends) < len(turns)
    screen.page.select_option("#by", "node")
    screen.page.evaluate("document.activeElement.blur()")
    start = 0
    for end in ends:
        screen.press("ArrowRight")
        shown = screen.read()
        assert shown["at"] == end
        assert shown["sentence"] == [step.sentence for step in player.steps[start:end]]
        start = end
    for end in [*ends[-2::-1], 0]:
        screen.press("ArrowLeft")
        assert screen.at == end


def test_the_walk_at_first_is_as_asked(open_page):
    screen = open_page(steps(product(), layout="builtin", by="node"))
    assert screen.page.input_value("#by") == "node"


# ── boxes ──
def first_about(player, node):
    box = player.view.box_of[node]
    return next(
        k for k, step in enumerate(player.steps, 1) if step.box == box or any(c.box == box for c in step.changes)
    )


def test_a_click_on_a_box_goes_to_its_next_step(screen, player):
    told = explain(player.view.nodes[-1])
    a = next(node for node in player.view.nodes if node.label == "a")
    group = screen.page.locator("#stage .node").nth(player.view.box_of[a])
    forward = len(told.forward)
    about = [forward + 2 + k for k, step in enumerate(told.backward) if step.input is a]
    assert len(about) == 2
    for at in about:
        group.click()
        assert screen.at == at
    group.click()  # and, after the last one, the first
    assert screen.at == about[0]


def test_enter_and_space_on_a_box(screen, player):
    for key in ("Enter", "Space"):
        for node, box in player.view.box_of.items():
            screen.press("Home")
            screen.page.evaluate("k => document.querySelectorAll('#stage .node')[k].focus()", box)
            screen.press(key)
            assert screen.at == (first_about(player, node) if node.requires_grad else 0)
            assert screen.page.get_attribute("#play", "aria-pressed") == "false"


def test_one_stop_for_tab_and_arrows_between_boxes(screen, player):
    page = screen.page
    stops = "() => [...document.querySelectorAll('#stage .node')].map(g => g.tabIndex)"
    count = len(player.view.graph.boxes)
    assert page.evaluate(stops) == [0] + [-1] * (count - 1)
    screen.press("Tab")
    focused = "() => [...document.querySelectorAll('#stage .node')].indexOf(document.activeElement)"
    assert page.evaluate(focused) == 0
    for k in [*range(1, count), 0]:
        screen.press("ArrowDown")
        assert page.evaluate(focused) == k
        assert page.evaluate(stops) == [0 if i == k else -1 for i in range(count)]
    screen.press("ArrowUp")
    assert page.evaluate(focused) == count - 1
    assert screen.at == 0
    screen.press("Tab")
    assert page.evaluate(focused) == -1
    screen.press("Shift+Tab")
    assert page.evaluate(focused) == count - 1


def test_the_order_of_tab(screen, player):
    screen.show(player, "#step=2")
    seen = []
    for _ in range(10):
        screen.press("Tab")
        seen.append(screen.focused)
    assert seen[0].startswith("node")
    assert seen[1:] == ["first", "back", "play", "next", "last", "slider", "by", "predicting", "bug"]


# ── what is lit ──
def test_the_step_is_lit_and_arrows_turn(screen, player):
    frames = screen.play()
    graph = player.view.graph
    turned = []
    for step, frame in zip(player.steps, frames[1:], strict=True):
        assert [k for k, box in enumerate(frame["boxes"]) if box["now"]] == [step.box]
        names = [
            f"{graph.boxes[graph.edges[k].source].name} → {graph.boxes[graph.edges[k].target].name}"
            for k in step.arrows
        ]
        assert sorted(title.partition(",")[0] for title in frame["lit"]) == sorted(names)
        turned += names if step.kind == "backward" else []
        assert len(frame["turned"]) == len(turned)
    assert frames[-1]["turned"]


def test_a_reversed_arrow_ends_at_the_box_the_gradient_goes_to(screen, player):
    screen.press("End")
    tips = screen.page.evaluate("""() => [...document.querySelectorAll("#stage .arrowed.back")].map((arrow) => {
      const head = arrow.querySelector(".reversed").getBoundingClientRect(), line = arrow.querySelector(".edge");
      const start = line.getPointAtLength(0).matrixTransform(line.getScreenCTM());
      const drawn = getComputedStyle(arrow.querySelector(".arrow")).display;
      return [head.left - 1 <= start.x && start.x <= head.right + 1 && head.top - 1 <= start.y && start.y <= head.bottom + 1, drawn];
    })""")
    assert len(tips) == sum(step.kind == "backward" for step in player.steps)
    assert all(tip == [True, "none"] for tip in tips)


# ── by itself ──
def test_play_and_pause(open_page, player):
    screen = open_page(player)
    page = screen.page
    screen.press("Space")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    assert page.inner_text("#play") == "Pause"
    screen.wait("Number(document.getElementById('slider').value) >= 2")
    screen.press("Space")
    assert page.inner_text("#play") == "Play"
    stopped = screen.at
    screen.press("ArrowRight")
    assert screen.at == stopped + 1
    page.click("#play")
    screen.wait(f"Number(document.getElementById('slider').value) > {stopped + 1}")
    screen.press("ArrowLeft")  # whoever takes over is not overruled
    assert page.get_attribute("#play", "aria-pressed") == "false"


def test_play_stops_at_the_end_and_begins_again(open_page, player):
    screen = open_page(player, locale="en-GB")  # a page of its own, for its clock stays
    page = screen.page
    page.clock.install()
    page.reload()
    screen.press("Space")
    page.clock.run_for(1300 * (len(player.steps) + 1))
    assert screen.at == len(player.steps)
    assert page.get_attribute("#play", "aria-pressed") == "false"
    screen.press("Space")
    assert screen.at == 0
    assert page.get_attribute("#play", "aria-pressed") == "true"


# ── large graphs ──
def test_the_step_is_always_in_view(open_page):
    screen = open_page(steps(network(), layout="builtin", level="scalar", full=True, by="edge"))
    inside = """() => { const stage = document.getElementById("stage").getBoundingClientRect();
      const box = document.querySelector("#stage .now").getBoundingClientRect();
      return box.left >= stage.left - 1 && box.right <= stage.right + 1 && box.top >= stage.top - 1 && box.bottom <= stage.bottom + 1; }"""
    total = screen.read()["steps"]
    for at in [*range(1, total, 7), total, 1, total // 2]:
        screen.seek(at)
        assert screen.page.evaluate(inside), at
    screen.page.evaluate("document.activeElement.blur()")
    for _ in range(12):
        screen.press("ArrowRight")
        assert screen.page.evaluate(inside)


def test_zoom_shows_the_whole_graph(open_page):
    screen = open_page(steps(chain(60), layout="builtin", level="scalar", full=True))
    page = screen.page
    whole = "() => { const s = document.getElementById('stage'); return s.scrollWidth <= s.clientWidth + 1 && s.scrollHeight <= s.clientHeight + 1; }"
    assert page.is_visible("#zoom")
    assert not page.evaluate(whole)
    page.click("#zoom")
    assert page.get_attribute("#zoom", "aria-pressed") == "true"
    assert page.evaluate(whole)
    page.click("#zoom")
    assert not page.evaluate(whole)


def test_a_small_graph_needs_no_zoom(screen):
    assert not screen.page.is_visible("#zoom")
