"""The scripts that make the reference files need libraries that the tests do not, so no test run imports them."""

collect_ignore_glob = ["make_*.py"]
