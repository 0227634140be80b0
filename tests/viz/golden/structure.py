"""What is seen in a drawing, read off its SVG: boxes, words, arrows and frames at their places."""

import re
from itertools import pairwise

from tests.viz.graphs import SVG, Drawing, along

NUMBER = r"-?[\d.]+(?:e-?\d+)?"


class Seen:
    """A drawing as a reader sees it, in pixels from its upper left corner.

    Attributes:
        width, height: of the drawing.
        boxes: for every box its classes, its rectangle (left, top, right, bottom) and its lines of text.
        arrows: for every arrow where it leads, as its hover text says, and its route.
        frames: rectangles around opened places.
        words: every line of text as (words, style, anchor, x, y), those outside of boxes too.
    """

    def __init__(self, picture):
        self.root = Drawing(picture).root
        self.width, self.height = (float(self.root.get(side)) for side in ("width", "height"))
        self.boxes, self.arrows, self.frames, self.words = [], [], [], []
        self._read(self.root, 0.0, 0.0)

    def _read(self, element, x, y):
        dx, dy = _shift(element)
        x, y = x + dx, y + dy
        classes = element.get("class", "").split()
        if "node" in classes:
            texts = [_line(text, x, y) for text in element.iter(f"{SVG}text")]
            rectangles = [_rectangle(e, x, y) for e in element.findall(f"{SVG}rect")]
            around = tuple(f(side) for f, side in zip((min, min, max, max), zip(*rectangles, strict=True), strict=True))
            self.boxes.append((classes, around, texts))
            self.words += texts
            return
        if {"arrowed", "loop"} & set(classes):
            path = next(e for e in element.iter(f"{SVG}path") if "edge" in e.get("class").split())
            tip = next(e for e in element.iter(f"{SVG}path") if "arrow" in e.get("class").split())
            self.arrows.append((element.find(f"{SVG}title").text, _points(path, x, y), _points(tip, x, y)[0]))
            return
        if "scope" in classes:
            self.frames.append(_rectangle(element, x, y))
        if element.tag == f"{SVG}text":
            self.words.append(_line(element, x, y))
        for child in element:
            self._read(child, x, y)

    def described(self):
        """What is kept of it: enough to notice that something has moved, changed its looks or gone."""
        return {
            "size": [round(self.width), round(self.height)],
            "look": self.root.get("class"),
            "boxes": [
                {"class": " ".join(classes), "at": _whole(place), "words": [words for words, *_ in texts]}
                for classes, place, texts in self.boxes
            ],
            "arrows": [
                {"leads": leads, "from": _whole(route[0]), "to": _whole(tip), "curves": len(route) // 3}
                for leads, route, tip in self.arrows
            ],
            "frames": [_whole(frame) for frame in self.frames],
            "beside": [words for words, *_ in self.words[sum(len(texts) for *_, texts in self.boxes) :]],
        }

    def lines(self):
        """Every arrow as a chain of points, the head included."""
        return [[*along(route), tip] for _, route, tip in self.arrows]


def differences(kept, now, tolerance=2):
    """What two descriptions do not have in common, in words; places may differ by ``tolerance`` pixels."""
    found = []
    for path, (a, b) in _pairs("", kept, now):
        close = isinstance(a, int | float) and isinstance(b, int | float) and abs(a - b) <= tolerance
        if a != b and not close:
            found.append(f"{path}: kept {a!r}, now {b!r}")
    return found


def _pairs(path, a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in {**a, **b}:
            yield from _pairs(f"{path}.{key}", a.get(key), b.get(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for k, pair in enumerate(zip(a, b, strict=True)):
            yield from _pairs(f"{path}[{k}]", *pair)
    else:
        yield path, (a, b)


def _whole(numbers):
    return [round(x) for x in numbers]


def _shift(element):
    numbers = re.findall(NUMBER, element.get("transform", "")) or ["0", "0"]
    return float(numbers[0]), float(numbers[1])


def _rectangle(element, x, y):
    left, top = x + float(element.get("x", 0)), y + float(element.get("y", 0))
    return left, top, left + float(element.get("width")), top + float(element.get("height"))


def _line(text, x, y):
    style = text.get("class").split()[0]
    return text.text or "", style, text.get("text-anchor", "start"), x + float(text.get("x")), y + float(text.get("y"))


def _points(path, x, y):
    numbers = [float(n) for n in re.findall(NUMBER, path.get("d"))]
    return [(x + a, y + b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]


def through(chain, rectangles, inset=1.0):
    """Which of the rectangles a chain of points passes through."""
    found = set()
    for (x, y), (u, v) in pairwise(chain):
        middle_x, middle_y = (x + u) / 2, (y + v) / 2
        for k, (left, top, right, bottom) in enumerate(rectangles):
            if left + inset < middle_x < right - inset and top + inset < middle_y < bottom - inset:
                found.add(k)
    return found
