"""Charts by gnuplot: SVG for pages, PNG for all else."""
import math
import re
import subprocess

from harness import tools

OURS, THEIRS = "#2a78b5", "#a9b4bd"  # bars: Windrow's, and the others'
COLOURS = [OURS, "#d9822b", "#3c9d5b", "#a05195", "#8c6d46", "#c94c4c",
           "#5f7d8c", "#b8a032"]
TICS = 5  # about so many along an axis

COMMON = """\
set terminal {terminal}
set output "{output}"
set title "{title}" noenhanced
set border 3 lc "#777777"
set tics nomirror
set grid {grid} lc "#dddddd" lt 1
"""

BARS = """\
unset key
set style fill solid 1
set xrange [0:{most}]
set yrange [{last}:-0.6]
set xlabel "{unit}" noenhanced
set xtics ({tics})
set ytics ({names}) noenhanced
set ytics scale 0
$data << EOD
{rows}
EOD
plot $data using ($2/2):1:($2/2):(0.32):5 with boxxyerror lc rgb variable, \\
     $data using 2:1:3:4 with xerrorbars pt 0 lw 1.5 lc "#333333", \\
     $data using 4:1:6 with labels left offset 1,0
"""

LINES = """\
set key outside right top Left reverse
set style data linespoints
set xlabel "{xlabel}" noenhanced
set ylabel "{ylabel}" noenhanced
set yrange [0:{most}]
set xtics ({xtics})
set ytics ({tics})
{log}
{blocks}
plot {plots}
"""

TERMINALS = {
    "svg": 'svg size {width},{height} font "sans,13" background "#ffffff"',
    "png": 'pngcairo size {width},{height} font "sans,11"'}


def file_name(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def clean(text):
    return str(text).replace('"', "'").replace("\\", "/")


def draw(body, folder, title, grid, height):
    """Both files of a chart; its name. None without gnuplot."""
    try:
        gnuplot = tools.program("gnuplot")
    except tools.Missing:
        return None
    name = file_name(title)
    for kind, terminal in TERMINALS.items():
        script = COMMON.format(
            terminal=terminal.format(width=860, height=height),
            output=folder / f"{name}.{kind}", title=clean(title),
            grid=grid) + body
        done = subprocess.run([gnuplot], input=script, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gnuplot: {done.stderr}\n{script}")
    return name


def tics(most):
    """From 0 to `most` by a round step, each with its label."""
    step = 10 ** math.floor(math.log10(most / TICS)) if most > 0 else 1
    step *= next(times for times in (1, 2, 5, 10)
                 if most / (step * times) <= TICS + 1)
    return labels(i * step for i in range(int(most / step) + 1))


def labels(values):
    return ", ".join(f'"{value:,.10g}" {value:.9g}' for value in values)


def bars(folder, title, unit, values):
    """A bar for each (name, low, median, high, text) of `values`; Windrow's
    stand out, where there are others."""
    def colour(name):
        ours = name.startswith("Windrow") or not any(
            value[0].startswith("Windrow") for value in values)
        return int((OURS if ours else THEIRS)[1:], 16)

    rows = "\n".join(
        f'{i} {median:.9g} {low:.9g} {high:.9g} {colour(name)} '
        f'"{clean(text)}"'
        for i, (name, low, median, high, text) in enumerate(values))
    names = ", ".join(f'"{clean(value[0])}" {i}'
                      for i, value in enumerate(values))
    most = max(value[3] for value in values)
    return draw(BARS.format(last=len(values) - 0.4, unit=clean(unit),
                            most=f"{most * 1.15 or 1:.9g}", tics=tics(most),
                            names=names, rows=rows),
                folder, title, "x", 110 + 42 * len(values))


def lines(folder, title, xlabel, ylabel, series, logx=False):
    """A line for each name of `series`, through its points (x, y)."""
    blocks, plots = [], []
    for i, (name, points) in enumerate(series.items()):
        rows = "\n".join(f"{x:.9g} {y:.9g}" for x, y in points)
        blocks.append(f"$data{i} << EOD\n{rows}\nEOD")
        plots.append(f'$data{i} title "{clean(name)}" lw 2 pt 7 '
                     f'lc rgb "{COLOURS[i % len(COLOURS)]}"')
    xs = sorted({x for points in series.values() for x, _ in points})
    most = max(y for points in series.values() for _, y in points)
    return draw(LINES.format(
        xlabel=clean(xlabel), ylabel=clean(ylabel),
        most=f"{most * 1.05 or 1:.9g}", tics=tics(most), xtics=labels(xs),
        log="set logscale x" if logx else "", blocks="\n".join(blocks),
        plots=", ".join(plots)), folder, title, "x y", 420)
