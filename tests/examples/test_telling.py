"""Paragraphs are broken anew, and tables are left alone."""

from examples.telling import WIDTH, part, tell


def test_a_paragraph_is_broken_anew_and_what_is_indented_is_not(capsys):
    tell(f"""
        A paragraph of {"many words " * 20}
        goes on.

          a = {1}   a table
          b = {2}   stays

        The end.""")
    lines = capsys.readouterr().out.split("\n")
    assert max(map(len, lines)) <= WIDTH
    assert len(lines[0]) > WIDTH - 12
    assert lines[-7:] == ["", "  a = 1   a table", "  b = 2   stays", "", "The end.", "", ""]


def test_a_part(capsys):
    part("Part 1. Less")
    assert capsys.readouterr().out == "Part 1. Less\n" + "─" * 12 + "\n"


def test_a_line_does_not_end_beside_an_operator(capsys):
    for length in range(1, WIDTH):
        tell(f"{'x' * length} w · x + b - c = (d × e) @ f")
        first = capsys.readouterr().out.split("\n")[0]
        assert first in ("x" * length, f"{'x' * length} w · x + b - c = (d × e) @ f")
