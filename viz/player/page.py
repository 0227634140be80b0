"""The page of the player: one HTML file that needs no other, makes no request, and runs one script, its own.

Whatever comes from a user is data: in the drawing it has passed the XML writer, in the page's JSON no character
can end the element, and the script writes it as text. The content security policy names the page's own styles and
script by their hashes, so nothing else runs, whatever a label says.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

from viz.drawing.lettering import PENDING
from viz.drawing.policy import policy_of
from viz.drawing.style import Theme
from viz.drawing.svg import arrow_of, svg_of
from viz.drawing.text import clean
from viz.layouts.builtin import MARGIN, Layout
from viz.player.breaking import Broken
from viz.player.mistakes import MISTAKES, quiz_of
from viz.player.program import Line
from viz.player.scene import Scene, Showing
from viz.story import NOTHING, Change, Step

_MOST_TITLES = 100  # arrows that say where they lead
_MOST_FINE = 40  # arrows that are drawn to a tenth of a pixel
_ROWS = ["operation", "numbers", "local derivative", "upstream × local", "running sum"]
_LETTERS = {"forward": "f", "seed": "s", "backward": "b", "update": "u", "restart": "r"}


def page_of(
    scene: Scene,
    steps: Sequence[Step],
    carries: Sequence[tuple[int, bool]],
    lines: Sequence[Line],
    line_of: Callable[[Step], int],
    broken: Sequence[Broken],
    *,
    title: str,
    theme: Theme,
    by: str,
    note: str,
    welcome: str,
) -> str:
    """The whole page as text.

    Args:
        scene: the drawing, and what its boxes show.
        steps: what happens.
        carries: for every box, how many paths its gradient comes over, and whether it has one.
        lines, line_of: the lines of the program, and which of them each step shows (-1: none).
        broken: the wrong backward passes that a reader may choose.
        title, theme: of the page.
        by: "edge" or "node", how it is walked at first.
        note: what a reader should know about the drawing.
        welcome: what is said before the first step.
    """
    faces = [replace(face, texts=[text for text in face.texts if text.style != "pending"]) for face in scene.faces]
    svg = svg_of(
        scene.graph, faces, scene.arrangement.layout, title=title, note="", theme=theme, around=scene.arrangement
    )
    svg = _slim(svg, len(scene.graph.edges))
    asked = [quiz_of(step) for step in steps]
    told = [
        _step(step, shows, line_of(step), _quiz(quiz))
        for step, shows, quiz in zip(steps, scene.shows, asked, strict=True)
    ]
    known = {_content(step): k for k, step in enumerate(told)}
    bugs = [
        [_shared(_step(*both, line_of(both[0]), 0), known) for both in zip(wrong.steps, shows, strict=True)]
        for wrong, shows in zip(broken, scene.others, strict=True)
    ]
    story = {
        "texts": _tabled([step for row in (told, *bugs) for step in row if len(step) > 2]),
        "boxes": [
            [list(showing.value) or None, showing.value_exact, paths, int(flows)]
            for showing, (paths, flows) in zip(scene.before, carries, strict=True)
        ],
        "steps": told,
        "program": lines,
        "mistakes": MISTAKES if any(asked) else {},
        "bugs": [
            {
                "title": wrong.bug.title,
                "what": wrong.bug.what,
                "why": wrong.bug.why,
                "fix": wrong.bug.fix,
                "code": wrong.bug.code,
                "shows": wrong.shows,
                "numerical": "finite difference"
                if wrong.bug.passes == 1
                else f"{wrong.bug.passes} × finite difference",
                "slip": next((k for k, step in enumerate(wrong.steps) if "✗" in step.sentence), None),
                "steps": told_wrong,
                "table": wrong.table,
            }
            for wrong, told_wrong in zip(broken, bugs, strict=True)
        ],
        "narrow": None if scene.narrow is None else _placed(scene.narrow),
        "arrows": [(edge.source, edge.target) for edge in scene.graph.edges],
        "margin": MARGIN,
        "rows": _ROWS,
        "pending": PENDING,
        "by": by,
        "welcome": welcome,
    }
    own = files("viz.player")
    css, script = (_unindented(own.joinpath(name).read_text("utf-8")) for name in ("player.css", "player.js"))
    css = _tight(css)
    styles = [css, *re.findall(r"<style>(.*?)</style>", svg, re.DOTALL)]
    return _filled(
        own.joinpath("page.html").read_text("utf-8"),
        {
            "title": escape(clean(title)),
            "theme": "light" if theme == "print" else theme,
            "policy": policy_of(styles, script),
            "css": css,
            "svg": svg,
            "note": escape(note),
            "story": _json(story),
            "script": script,
        },
    )


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with its places filled; what is filled in is not searched for places again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _unindented(source: str) -> str:
    """A script or a style sheet without indentation and lines of comment: a fifth of it."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _tight(css: str) -> str:
    """A style sheet without the spaces that only please the eye."""
    return re.sub(r" ?([{};]) ?", r"\1", css).replace(": ", ":").replace(";}", "}")


def _slim(svg: str, arrows: int) -> str:
    """The drawing without what the script writes anew at every step, and without the titles of very many arrows."""

    def heading(title: re.Match[str]) -> str:
        first, *rest = title[2].split("\n")
        return "\n".join([f"{title[1]}<title>{first}", *(line for line in rest if line.startswith("in "))]) + "</title>"

    slim = re.sub(r"(<desc>[^<]*?) Output: [^<]*</desc>", r"\1</desc>", svg, count=1)  # no results before their time
    slim = re.sub(r'(<g class="node[^>]*>)<title>([^<]*)</title>', heading, slim)
    if 'class="heat"' not in slim:
        slim = re.sub(r"\n\S+ \.hm?\d+ {.*}", "", slim)  # the colours of heat maps
    slim = re.sub(r"<style>.*?</style>", lambda style: _tight(style[0]), slim, count=1, flags=re.DOTALL)
    slim = slim.replace(' text-anchor="middle"', "")  # once for each box
    slim = re.sub(r'<g (class="node[^>]*) aria-label="[^"]*"', r'<g text-anchor="middle" \1', slim)
    if arrows > _MOST_FINE:
        slim = re.sub(r'<path d="([^"]*)" class="edge"', lambda d: f'<path d="{_coarse(d[1])}" class="edge"', slim)
    return slim if arrows <= _MOST_TITLES else re.sub(r'(<g class="arrowed[^>]*>)<title>[^<]*</title>', r"\1", slim)


def _coarse(path: str) -> str:
    """A path of curves in whole pixels, with plain lines where it runs straight along the page or down it."""
    numbers = [f"{float(number):.0f}" for number in re.findall(r"-?[\d.]+", path)]
    x, y = numbers[:2]
    written = [f"M{x} {y}"]
    for k in range(2, len(numbers), 6):
        curve = numbers[k : k + 6]
        if curve[1] == curve[3] == curve[5] == y:
            written.append(f"H{curve[4]}")
        elif curve[0] == curve[2] == curve[4] == x:
            written.append(f"V{curve[5]}")
        else:
            written.append(f"C{' '.join(curve)}")
        x, y = curve[4:]
    return "".join(written)


def _json(data: Any) -> str:
    """JSON in which no character can end a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode()


def _step(step: Step, shows: Sequence[Showing], line: int, quiz: Any) -> list[Any]:
    changes = [_change(*both) for both in zip(step.changes, shows, strict=True)]
    rows = [[_ROWS.index(what) if what in _ROWS else what, *texts] for what, *texts in step.rows]
    asks = step.asks if quiz else ""
    if quiz and repr(quiz[0]) == (changes[0][4] or changes[0][5]):
        quiz = [None, *quiz[1:]]  # the change has it in full
    return [_LETTERS[step.kind], step.turn, step.box, step.arrows, step.sentence, rows, changes, line, asks, quiz]


def _tabled(steps: Sequence[list[Any]]) -> list[str]:
    """The texts that stand in several steps, which refer to them by number from now on."""
    count = Counter(text for step in steps for text in (step[4], *(text for row in step[5] for text in row[1:])))
    table = {text: k for k, text in enumerate(text for text, n in count.items() if n > 1 and len(text) > 6)}
    for step in steps:
        step[4] = table.get(step[4], step[4])
        step[5] = [[row[0], *(table.get(text, text) for text in row[1:])] for row in step[5]]
    return list(table)


def _content(step: list[Any]) -> str:
    """What a step shows, wherever it stands and whatever is asked."""
    kind, _, *content = step[:8]
    return repr((kind, content))


def _shared(step: list[Any], known: Mapping[str, int]) -> Any:
    """A step of a broken pass: where the right pass has the same one, only which, and its turn."""
    same = known.get(_content(step))
    return step[:8] if same is None else [same, step[1]]


def _change(change: Change, shows: Showing) -> list[Any]:
    value: Any = 0 if change.data is NOTHING else list(shows.value) or None
    gradient: Any = 0 if change.gradient is NOTHING else list(shows.gradient)
    told = [change.box, value, gradient, change.arrived, shows.value_exact, shows.gradient_exact]
    return [*told, 1] if change.wrong else told


def _quiz(quiz: Any) -> Any:
    """Numbers to compare with what is typed: of the mistakes, six digits will do."""
    if not quiz:
        return 0
    mistakes = [(name, float(f"{wrong:.6g}")) for name, wrong in quiz.mistakes]
    return [quiz.answer, float(f"{quiz.tolerance:.2g}"), mistakes]


def _placed(layout: Layout) -> list[Any]:
    """A layout as the script needs it: size, corners, and the two paths of every arrow."""
    paths = [arrow_of(route) for route in layout.routes]
    return [
        round(layout.width + 2 * MARGIN, 1),
        round(layout.height + 2 * MARGIN, 1),
        [(round(x, 1), round(y, 1)) for x, y in layout.corners],
        [(_coarse(line), head) for line, head in paths] if len(paths) > _MOST_FINE else paths,
    ]
