"""Line charts as SVG, readable on light and on dark ground."""
import math
from html import escape
from pathlib import Path

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .small { font-size: 11px; fill: #57606a } .head { font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 } .axis { stroke: #57606a; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
.s0 { stroke: #0969da } .s1 { stroke: #bc4c00 } .s2 { stroke: #1a7f37 } .s3 { stroke: #8250df }
.d0 { fill: #0969da } .d1 { fill: #bc4c00 } .d2 { fill: #1a7f37 } .d3 { fill: #8250df }
.range { stroke-width: 1.5; opacity: .55 } .ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b3 } .grid { stroke: #30363d } .axis { stroke: #9da7b3 } .ground { fill: #0d1117 }
  .s0 { stroke: #58a6ff } .s1 { stroke: #f0883e } .s2 { stroke: #3fb950 } .s3 { stroke: #bc8cff }
  .d0 { fill: #58a6ff } .d1 { fill: #f0883e } .d2 { fill: #3fb950 } .d3 { fill: #bc8cff }
}
"""
WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 50, 44
LEGEND = 18


class Panel:
    """One chart. `series`: name → [(x, y)] or [(x, y, lowest, highest)]. `log`: the x axis is logarithmic. `top`: of the y axis."""

    def __init__(self, title, x, y, series, log=False, top=None, width=WIDTH):
        self.title, self.x, self.y, self.series, self.log, self.width = title, x, y, series, log, width
        self.points = [point for points in series.values() for point in points]
        self.first = min(it[0] for it in self.points) if log else 0
        self.last = max(it[0] for it in self.points)
        self.top, self.step = scale(top or max(max(it[1:]) for it in self.points))

    def across(self, value):
        if self.log:
            begin, end, value = math.log10(self.first), math.log10(self.last), math.log10(value)
        else:
            begin, end = self.first, self.last
        return LEFT + (value - begin) / ((end - begin) or 1) * (self.width - LEFT - RIGHT)

    def up(self, value):
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)

    def ticks(self):
        if self.log:
            return [10**n for n in range(round(math.log10(self.first)), round(math.log10(self.last)) + 1)]
        _, step = scale(self.last)
        return [n * step for n in range(int(self.last / step) + 1)]

    def draw(self):
        out = [f'<text class="head" x="{LEFT}" y="16">{escape(self.title)}</text>']
        for n in range(round(self.top / self.step) + 1):
            y = self.up(n * self.step)
            out.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{self.width - RIGHT}" y2="{y:.1f}"/>')
            out.append(f'<text class="small" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(n * self.step)}</text>')
        floor = HEIGHT - BOTTOM
        out.append(f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{self.width - RIGHT}" y2="{floor}"/>')
        for tick in self.ticks():
            x = self.across(tick)
            out.append(f'<line class="axis" x1="{x:.1f}" y1="{floor}" x2="{x:.1f}" y2="{floor + 4}"/>')
            out.append(f'<text class="small" x="{x:.1f}" y="{floor + 17}" text-anchor="middle">{short(tick)}</text>')
        out.append(f'<text class="small" x="{(LEFT + self.width - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x)}</text>')
        out.append(f'<text class="small" x="4" y="{TOP - 12}">{escape(self.y)}</text>')
        for n, points in enumerate(self.series.values()):
            out += self.line(n % 4, points)
        return out

    def line(self, n, points):
        way = " ".join(f"{self.across(it[0]):.1f},{self.up(it[1]):.1f}" for it in points)
        out = [f'<polyline class="line s{n}" points="{way}"/>']
        if len(points) <= 12:
            for point in points:
                x, y = self.across(point[0]), self.up(point[1])
                if len(point) == 4:
                    out.append(f'<line class="range s{n}" x1="{x:.1f}" y1="{self.up(point[2]):.1f}" x2="{x:.1f}" y2="{self.up(point[3]):.1f}"/>')
                out.append(f'<circle class="d{n}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        return out


def scale(most):
    """A round number at or above it, and the step of about five ticks up to it."""
    if most <= 0:
        return 1, 1
    rough = most / 4
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * it for it in (1, 2, 2.5, 5, 10) if size * it >= rough * 0.999)
    return math.ceil(most / step - 1e-9) * step, step


def short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def write(path, title, panels, columns=3, note=""):
    """The panels in rows, with one legend for the names that they share."""
    columns = min(columns, len(panels))
    rows = [panels[n : n + columns] for n in range(0, len(panels), columns)]
    width = max(sum(panel.width for panel in row) for row in rows)
    head = 30 + (LEGEND if note else 0)
    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    legend = len(names) > 1
    height = head + len(rows) * HEIGHT + (LEGEND + 8 if legend else 4)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<text class="head" x="12" y="20" style="font-size:14px">{escape(title)}</text>',
    ]
    if note:
        out.append(f'<text class="small" x="12" y="{20 + LEGEND}">{escape(note)}</text>')
    for n, row in enumerate(rows):
        left = 0
        for panel in row:
            out += [f'<g transform="translate({left} {head + n * HEIGHT})">', *panel.draw(), "</g>"]
            left += panel.width
    left = 16
    for n, name in enumerate(names if legend else []):
        y = height - 12
        out.append(f'<line class="line s{n % 4}" x1="{left}" y1="{y - 4}" x2="{left + 20}" y2="{y - 4}"/>')
        out.append(f'<text class="small" x="{left + 26}" y="{y}">{escape(name)}</text>')
        left += 44 + 6.2 * len(name)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join([*out, "</svg>"]) + "\n")
