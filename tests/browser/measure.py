"""How long a step takes in the browser, and how large pages are: measured, not tested.

    python -m tests.browser.measure --operations 60 500 1600

A step is timed from the key press to the next picture on the screen.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from tests.browser.conftest import FLAGS
from tests.browser.samples import chain
from tests.browser.screen import Screen
from viz.player import steps

PRESS = """async (keys) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); }));
  const times = [];
  for (const key of keys) {
    await painted();
    const start = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const script = performance.now();
    document.body.getBoundingClientRect();
    await painted();
    times.push([script - start, performance.now() - start]);
  }
  return times;
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright  # doctest imports this file where there is no browser

    parser = argparse.ArgumentParser(description="Time the step player in Chromium.")
    parser.add_argument("--operations", type=int, nargs="+", default=[60, 500, 1600])
    options = parser.parse_args()
    program = shutil.which("chromium")
    print("operations   steps     KB  KB limit   build s  load ms  step ms: median / 95 % / worst (script)  Home  End")
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=program, args=FLAGS)
        for count in options.operations:
            began = time.perf_counter()
            player = steps(chain(count), layout="builtin", level="scalar", full=True)
            built = time.perf_counter() - began
            screen = Screen(browser, Path(folder) / "page.html", reduced_motion="no-preference")
            began = time.perf_counter()
            screen.show(player)
            loaded = 1000 * (time.perf_counter() - began)
            total = len(player.steps)
            walk = screen.page.evaluate(PRESS, ["ArrowRight"] * min(total, 200))
            screen.page.evaluate(PRESS, ["End"])
            ends = screen.page.evaluate(PRESS, ["Home", "End"] * 5)
            back = screen.page.evaluate(PRESS, ["ArrowLeft"] * min(total, 200))
            script, whole = zip(*walk, *back, strict=True)
            home, end = ([whole for _, whole in ends[k::2]] for k in (0, 1))
            size = len(player.html.encode())
            print(
                f"{count:10} {total:7} {size / 1000:6.0f} {60 + total:9} {built:9.1f} {loaded:8.0f}"
                f"  {statistics.median(whole):6.1f} / {sorted(whole)[int(0.95 * len(whole))]:.1f} / {max(whole):.1f}"
                f" ({statistics.median(script):.1f}) {statistics.median(home):8.0f} {statistics.median(end):5.0f}"
            )
            screen.close()
        browser.close()


if __name__ == "__main__":
    main()
