"""From placed boxes to a file: what is written on a box, colours and fonts, and the SVG, PNG, PDF, HTML and DOT."""
