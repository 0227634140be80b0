"""What all tests share: CI may ask that nothing is skipped."""

from __future__ import annotations

import pytest


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run (CI installs all it needs)")
    parser.addoption("--slow", action="store_true", help="run the long tests too")
    parser.addoption("--screenshots", metavar="DIR", help="keep the screenshots of the browser tests in this folder")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        if slow:
            config.hook.pytest_deselected(items=slow)
            items[:] = [item for item in items if item not in slow]


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        for report in reporter.stats["skipped"]:
            print(f"\nskipped, which --no-skips forbids: {report.nodeid}: {report.longrepr}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
