"""Keep the pictures as they are drawn now: ``python -m tests.viz.golden [--look FOLDER]``.

Every picture becomes a small JSON of what is seen in it. With ``--look`` they are also written as PNG, to be looked
at before the change is committed.
"""

import argparse
import json
from pathlib import Path

from tests.viz.golden.pictures import PICTURES, drawn
from tests.viz.golden.structure import Seen

FOLDER = Path(__file__).parent


def kept(name):
    """The file that describes a picture."""
    return FOLDER / f"{name.replace(' ', '_')}.json"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.viz.golden", description=__doc__)
    parser.add_argument("--look", type=Path, metavar="FOLDER", help="write the pictures as PNG into this folder too")
    folder = parser.parse_args().look
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name in PICTURES:
        picture = drawn(name)
        kept(name).write_text(lines_of(Seen(picture).described()), encoding="utf-8")
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{name.replace(' ', '_')}.png")
        print(f"{name}: {picture!r}")


def lines_of(description):
    """A description as JSON with one box or arrow a line, so that a change is seen in a diff."""
    parts = []
    for key, value in description.items():
        if isinstance(value, list) and value and isinstance(value[0], dict | list):
            rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f'  "{key}": [\n{rows}\n  ]')
        else:
            parts.append(f'  "{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
