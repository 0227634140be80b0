"""The frames of an animation: everything that is seen, each thing with the frames in which it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from html import escape
from math import ceil

from autodiff.explanation import BackwardStep
from viz.drawing.face import Face, Text
from viz.drawing.style import FONT, Theme
from viz.drawing.svg import Marks, arrow_of, element, heat_map
from viz.drawing.text import width
from viz.drawing.themed import Palette, themed
from viz.layouts.builtin import Layout, Point
from viz.player.scene import DOTS, NABLA, Scene, Showing, dots
from viz.story import NOTHING, Change, Step, Story, bracketed, leading, shown

MOST_FRAMES = 20

_HOLD = 4  # the last frame stays as long as so many others
_CAPTION = 62.0  # height of the space under the graph
_CELL, _BETWEEN = 10.0, 4.0  # of the row that shows how far it is

Frames = tuple[bool, ...]
"""In which frames something is seen."""


def frames_of(steps: Sequence[Step]) -> list[list[int]]:
    """Which steps each frame shows: single arrows, or single boxes, or runs of boxes, in at most 18 frames."""
    if len(steps) <= MOST_FRAMES - 2:
        return [[k] for k in range(len(steps))]
    turns: dict[int, list[int]] = {}
    for k, step in enumerate(steps):
        turns.setdefault(step.turn, []).append(k)
    groups = list(turns.values())
    size = ceil(len(groups) / (MOST_FRAMES - 3))  # forward and backward are cut by themselves
    frames = []
    for kinds in (("forward",), ("seed", "backward")):
        part = [group for group in groups if steps[group[0]].kind in kinds]
        frames += [[k for group in part[i : i + size] for k in group] for i in range(0, len(part), size)]
    return frames


class Film:
    """All that is seen, each thing with the frames in which it is."""

    def __init__(self, story: Story, scene: Scene, seconds: float) -> None:
        self.story, self.scene = story, scene
        self.frames = frames_of(story.steps)
        self.count = len(self.frames) + 2  # one before the first step, and one after the last
        self.seconds = round(seconds * (self.count - 1 + _HOLD), 2)
        self.frame_of = {k: f for f, steps in enumerate(self.frames, 1) for k in steps}
        self.classes: dict[Frames, str] = {}
        digest = sha256(repr((scene.graph.edges, [step.sentence for step in story.steps])).encode()).hexdigest()
        self.prefix = f"c{digest[:8]}"  # pages with several drawings share one space of names

    def stage(self) -> Layout:
        """The layout with room for what is said under the graph."""
        layout = self.scene.arrangement.layout
        wide = max(layout.width, max(width(words, 13) for words in self._captions()))
        return replace(layout, width=wide, height=layout.height + _CAPTION)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────
    def _during(self, start: int, end: int | None = None) -> str:
        """The class of what is seen from frame ``start`` to before frame ``end``, or to the last one."""
        end = self.count if end is None else end
        return self._seen(tuple(start <= k < end for k in range(self.count)))

    def _seen(self, frames: Frames) -> str:
        if all(frames):
            return ""
        return self.classes.setdefault(frames, f"{self.prefix}-{len(self.classes)}")

    def _css(self) -> str:
        """Each class is switched on and off at its times; the base style is that of the last frame."""
        share = 100 / (self.count - 1 + _HOLD)
        rules = []
        for frames, name in self.classes.items():
            base = "visible" if frames[-1] else "hidden"
            changes = [k for k in range(self.count) if k == 0 or frames[k] != frames[k - 1]]
            keys = [f"{k * share:.4g}% {{ visibility: {'visible' if frames[k] else 'hidden'}; }}" for k in changes]
            keys.append(f"100% {{ visibility: {'visible' if frames[-1] else 'hidden'}; }}")
            rules.append(
                f"{{root}} .{name} {{ visibility: {base}; animation: {name} {self.seconds:g}s step-end infinite; }}"
            )
            rules.append(f"@keyframes {name} {{ {' '.join(keys)} }}")
        rules.append("@media (prefers-reduced-motion: reduce) { {root} * { animation: none !important; } }")
        rules.append("@media print { {root} * { animation: none !important; } }")
        return "\n".join(rules) + "\n"

    # ── what is seen ─────────────────────────────────────────────────────────────────────────────────
    def still_faces(self) -> list[Face]:
        """The boxes with what never changes."""
        return [self._still(face, box.kind) for face, box in zip(self.scene.faces, self.scene.graph.boxes, strict=True)]

    def _still(self, face: Face, kind: str) -> Face:
        moving = {"gradient", "pending", DOTS} | ({"value"} if kind == "operation" else set())
        texts = [text for text in face.texts if text.style not in moving or text.words == NABLA]
        return replace(face, texts=texts, heats=[])

    def marks(self, theme: Theme) -> Marks:
        """Everything that moves, and when."""
        over = [*self._paths(), *self._outlines(), *self._numbers(), *self._words()]
        edges = {k: name for k in range(len(self.scene.graph.edges)) if (name := self._during_forward(k))}
        css = themed(theme, self._colours) + self._css()
        return Marks(edges=edges, css=css, over=over)

    def _colours(self, palette: Palette) -> Iterator[str]:
        yield f"{{root}} .on {{ fill: none; stroke: {palette['leaf-line']}; stroke-width: 4; }}"
        yield f"{{root}} .on.tip {{ fill: {palette['leaf-line']}; stroke: none; }}"
        yield f"{{root}} .to {{ fill: none; stroke: {palette['gradient']}; stroke-width: 4; stroke-dasharray: 7 4; }}"
        yield f"{{root}} .gone {{ fill: none; stroke: {palette['gradient']}; stroke-dasharray: 7 4; }}"
        yield f"{{root}} .tip.to, {{root}} .tip.gone {{ fill: {palette['gradient']}; stroke: none; }}"
        yield f"{{root}} .about {{ fill: none; stroke: {palette['leaf-line']}; stroke-width: 4; }}"
        yield f"{{root}} .about.returning {{ stroke: {palette['gradient']}; stroke-dasharray: 10 4; }}"
        yield f"{{root}} .told {{ font: 13px {FONT}; }}"
        yield f"{{root}} .{DOTS} {{ font-size: 12px; fill: {palette['gradient']}; }}"
        yield f"{{root}} .cell {{ fill: none; stroke: {palette['quiet']}; }}"
        yield f"{{root}} .past {{ fill: {palette['leaf-line']}; }}"
        yield f"{{root}} .past.returning {{ fill: {palette['gradient']}; }}"

    def _steps_over(self, arrow: int, kind: str) -> list[int]:
        """The frames in which steps of one kind go over an arrow."""
        steps = self.story.steps
        found = (self.frame_of[k] for k, step in enumerate(steps) if step.kind == kind and arrow in step.arrows)
        return sorted(set(found))

    def _during_forward(self, arrow: int) -> str:
        """An arrow points forward until a gradient goes back over it, and in the last frame, which stays."""
        back = self._steps_over(arrow, "backward")
        last = self.count - 1
        return self._seen(tuple(not back or k < back[0] or k == last for k in range(self.count)))

    def _paths(self) -> Iterator[str]:
        last = self.count - 1
        for arrow, route in enumerate(self.scene.arrangement.layout.routes):
            for f in self._steps_over(arrow, "forward"):
                yield from _arrow(route, "on", self._during(f, f + 1))
            for f in self._steps_over(arrow, "backward"):
                yield from _arrow(route[::-1], "to", self._during(f, f + 1))
                if f + 1 < last:
                    yield from _arrow(route[::-1], "gone", self._during(f + 1, last))

    def _outlines(self) -> Iterator[str]:
        """A line around the boxes that a frame is about."""
        for f, steps in enumerate(self.frames, 1):
            for box in dict.fromkeys(self.story.steps[k].box for k in steps):
                face, (x, y) = self.scene.faces[box], self.scene.arrangement.layout.corners[box]
                rounded = self.scene.graph.boxes[box].kind != "operation"
                returning = "" if self.story.steps[steps[0]].kind == "forward" else " returning"
                yield element(
                    "rect",
                    x=x - 4,
                    y=y - 4,
                    width=face.width + 8,
                    height=face.height + 8,
                    rx=min(face.height / 2, 18.0) if rounded else 3.0,
                    class_=f"about{returning} {self._during(f, f + 1)}",
                )

    def _numbers(self) -> Iterator[str]:
        """What each box shows in which frames."""
        for k, (face, box) in enumerate(zip(self.scene.faces, self.scene.graph.boxes, strict=True)):
            places = {style: [t for t in face.texts if t.style == style and t.words != NABLA] for style in
                      ("value", "gradient", "pending", DOTS)}  # fmt: skip
            if box.kind == "operation":
                yield from self._changing(k, places["value"], "value", ("?",))
            if box.carries:
                start = self._changes(k, "gradient")[0][0] if self._changes(k, "gradient") else self.count
                for text in places["pending"]:
                    yield self._text(k, text, text.words, 0, start)
                yield from self._changing(k, places["gradient"], "gradient", ())
            yield from self._heat_maps(k, face)
            paths = self.story.paths.get(k, 0)
            if places[DOTS]:
                arrivals = [(0, 0), *((f, change.arrived) for f, change, _ in self._changes(k, "gradient"))]
                for (f, arrived), until in zip(arrivals, [*(f for f, _ in arrivals[1:]), self.count], strict=True):
                    yield self._text(k, places[DOTS][0], dots(arrived, paths), f, until)

    def _heat_maps(self, box: int, face: Face) -> Iterator[str]:
        """The first map shows the numbers, the second their gradient, as it is when it is complete."""
        x, y = self.scene.arrangement.layout.corners[box]
        for heat, what in zip(face.heats, ("value", "gradient"), strict=False):
            changes = self._changes(box, what)
            start = changes[-1][0] if changes else 0
            yield element("g", heat_map(heat), transform=f"translate({x:.1f} {y:.1f})", class_=self._during(start))

    def _changes(self, box: int, what: str) -> list[tuple[int, Change, Showing]]:
        """The changes of one box: the frame, and what it shows from then on; of several in a frame the last."""
        found: dict[int, tuple[int, Change, Showing]] = {}
        for k, (step, shows) in enumerate(zip(self.story.steps, self.scene.shows, strict=True)):
            for change, showing in zip(step.changes, shows, strict=True):
                new = change.data if what == "value" else change.gradient
                if change.box == box and new is not NOTHING:
                    found[self.frame_of[k]] = (self.frame_of[k], change, showing)
        return list(found.values())

    def _changing(self, box: int, places: Sequence[Text], what: str, first: tuple[str, ...]) -> Iterator[str]:
        changes = self._changes(box, what)
        shown = [(0, first), *((f, getattr(showing, what)) for f, _, showing in changes)]
        for (f, texts), until in zip(shown, [*(f for f, _ in shown[1:]), self.count], strict=True):
            for place, words in zip(places, texts, strict=False):
                yield self._text(box, place, words, f, until)

    def _text(self, box: int, place: Text, words: str, start: int, end: int) -> str:
        if start >= end:
            return ""
        x, y = self.scene.arrangement.layout.corners[box]
        name = f"{place.style} {self._during(start, end)}".rstrip()
        return element("text", escape(words), x=x + place.x, y=y + place.y, class_=name, text_anchor=place.anchor)

    # ── under the graph ──────────────────────────────────────────────────────────────────────────────
    def _captions(self) -> list[str]:
        """What is said in each frame."""
        said = ["The numbers that are given"]
        for frame in self.frames:
            told = [_caption(step) for k in frame if (step := self.story.steps[k]).rows]
            said.append(";  ".join(told[:2]) + (" …" if len(told) > 2 else ""))
        return [*said, "Every gradient is complete."]

    def _words(self) -> Iterator[str]:
        top, apart = self.scene.arrangement.layout.height + 24, _CELL + _BETWEEN
        phases = ["forward", *("forward" if k == "forward" else "backward" for k in self._kinds()), "done"]
        for f, (said, phase) in enumerate(zip(self._captions(), phases, strict=True)):
            now = self._during(f, f + 1)
            yield element("text", escape(said), x=0.0, y=top, class_=f"told {now}")
            yield element("text", phase, x=self.count * apart + 8, y=top + 26, class_=f"told {now}")
            place = {"x": f * apart, "y": top + 16, "width": _CELL, "height": _CELL}
            yield element("rect", **place, class_="cell")
            returning = "" if phase == "forward" else " returning"
            yield element("rect", **place, class_=f"past{returning} {self._during(f)}".rstrip())

    def _kinds(self) -> list[str]:
        """What the steps of each frame are."""
        return [self.story.steps[frame[0]].kind for frame in self.frames]


def _caption(step: Step) -> str:
    """A step in one line."""
    told = step.told
    if step.kind == "forward":
        return "".join(step.rows[0][1:]) + " = " + "".join(step.rows[1][1:])
    if not isinstance(told, BackwardStep) or told.local is None:
        return "".join(step.rows[-1][1:])
    product = f"{leading(shown(told.upstream))} × {bracketed(shown(told.local))}"
    before = "" if told.before is None else f"{leading(shown(told.before))} + "
    path = f"  (use {told.path} of {told.paths})" if told.paths > 1 else ""
    total = shown(told.total)
    return f"∇{told.input_name} = {before}{product} = {total}{path}"


def _arrow(route: Sequence[Point], style: str, frames: str) -> Iterator[str]:
    line, head = arrow_of(route)
    yield element("path", d=line, class_=f"{style} {frames}".rstrip())
    yield element("path", d=head, class_=f"tip {style} {frames}".rstrip())
