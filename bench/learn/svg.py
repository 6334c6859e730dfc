# SPDX-License-Identifier: MIT
"""A small SVG: shapes in pixels, text, and the axes' round numbers."""
import math
from xml.sax.saxutils import escape

INK, GREY, RULE = "#222222", "#5f6368", "#e3e5e8"


class Svg:
    """A picture on white; y points down."""

    def __init__(self, width, height, title):
        self._width, self._height = width, height
        self._shapes = [f"<title>{escape(title)}</title>",
                        f'<rect width="{width}" height="{height}" fill="white"/>']

    def line(self, x, y, to_x, to_y, stroke, width=1., dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" '
                            f'stroke="{stroke}" stroke-width="{width}"{dash}/>')

    def path(self, points, stroke, width, opacity=1.):
        self._shapes.append(f'<polyline points="{_places(points)}" fill="none" stroke="{stroke}" '
                            f'stroke-width="{width}" stroke-opacity="{opacity}" '
                            'stroke-linejoin="round" stroke-linecap="round"/>')

    def area(self, points, fill, opacity):
        self._shapes.append(f'<polygon points="{_places(points)}" fill="{fill}" '
                            f'fill-opacity="{opacity}"/>')

    def dot(self, x, y, radius, fill, opacity=1.):
        self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" '
                            f'fill-opacity="{opacity}"/>')

    def text(self, x, y, words, fill=INK, size=13, anchor="start", weight="normal"):
        self._shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" '
                            f'text-anchor="{anchor}" font-weight="{weight}">'
                            f'{escape(words)}</text>')

    def __str__(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" '
                f'height="{self._height}" viewBox="0 0 {self._width} {self._height}" '
                'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">\n'
                + "\n".join(self._shapes) + "\n</svg>\n")


def _places(points):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


class Scale:
    """Values from `low` to `high` onto pixels."""

    def __init__(self, low, high, begin, end):
        self.low, self.high, self._begin = low, high, begin
        self._factor = (end - begin) / (high - low)

    def __call__(self, value):
        return self._begin + (value - self.low) * self._factor

    def ticks(self, most):
        """At most `most` + 1 round numbers: multiples of 1, 2 or 5 times a power of ten."""
        least = (self.high - self.low) / most
        power = 10. ** math.floor(math.log10(least))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * .999999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * count for count in range(first, last + 1)]


def number(value):
    """12000 as 12k, and a minus as wide as a digit."""
    text = f"{value / 1000:g}k" if value and value % 1000 == 0 else f"{value:g}"
    return text.replace("-", "\u2212")
