#!/usr/bin/python3
"""Draws docs/demo.svg: a real run, recorded from a terminal.

    docs/capture/capture.py [BUILD_FOLDER] [SVG_FILE]

Starts windrow-origin with answers that take a while, runs the commands of
`session` in a pseudo terminal, keeps what they write and when, and draws it.
Nothing is drawn that a program did not write, but for the prompt and the
command behind it. A viewer that animates shows the run in its own time; any
other shows how it ended.

Of a terminal's language, just what these programs write is understood: text,
line feed, carriage return, and "erase to the end of the line".
"""
import html
import os
import pathlib
import pty
import select
import struct
import subprocess
import sys
import tempfile
import fcntl
import termios
import time

COLUMNS = 90
FONT_SIZE, CELL_WIDTH, LINE_HEIGHT, MARGIN = 14, 8.43, 19, 16
TYPED_SECONDS = 0.5  # a command stands there before its output comes
PAUSE_SECONDS = 6.0  # at the end, before it begins anew
FRAME_SECONDS = 0.1  # finer steps than this are not drawn

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ORIGIN_OPTIONS = ["--latency", "500ms", "--jitter", "1500ms"]


def session():
    """What is shown as typed, and what is run for it."""
    run = "windrow run sp500.yaml"
    look = "sqlite3 -box windrow.db 'SELECT * FROM prices LIMIT 4'"
    return [(run, run), (look, look)]


class Screen:
    """The lines of a terminal, as far as the programs use it."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def write(self, text):
        text = text.replace("\x1b[K", "\x00")
        for letter in text:
            line = self.lines[self.row]
            if letter == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif letter == "\r":
                self.column = 0
            elif letter == "\x00":
                self.lines[self.row] = line[:self.column]
            elif letter == "\x1b":
                raise ValueError("the capture knows no other escape sequences")
            else:
                self.lines[self.row] = (line[:self.column].ljust(self.column) +
                                        letter + line[self.column + 1:])
                self.column += 1


def record(command, folder, env):
    """Runs the command in a pseudo terminal: [(seconds, text), ...]."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, COLUMNS, 0, 0))
    began = time.monotonic()
    with subprocess.Popen(command, shell=True, cwd=folder, env=env, stdin=slave,
                          stdout=slave, stderr=slave) as process:
        os.close(slave)
        chunks, kept = [], b""
        while True:
            if not select.select([master], [], [], 60)[0]:
                process.kill()
                raise TimeoutError(f"{command}: silent for a minute")
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: the last writer has gone
                break
            kept += data
            # A sequence or a letter may be cut: draw up to the last whole one.
            cut = kept.rfind(b"\x1b", len(kept) - 3)
            whole = kept[:cut] if cut >= 0 and not kept.endswith(b"K") else kept
            try:
                text = whole.decode()
            except UnicodeDecodeError:
                continue
            kept = kept[len(whole):]
            chunks.append((time.monotonic() - began, text))
        if process.wait():
            raise RuntimeError(f"{command}: exit status {process.returncode}")
    os.close(master)
    return chunks


def play(sessions):
    """[(seconds, lines)] of the screen, over all commands."""
    screen, now, frames = Screen(), 0.0, []

    def keep(at):
        if frames and at - frames[-1][0] < FRAME_SECONDS:
            at = frames.pop()[0]
        frames.append((at, list(screen.lines)))

    for typed, chunks in sessions:
        screen.write(f"$ {typed}")
        keep(now)
        now += TYPED_SECONDS
        screen.write("\n")
        for at, text in chunks:
            screen.write(text)
            keep(now + at)
        now += chunks[-1][0] + FRAME_SECONDS
    screen.write("$ ")
    keep(now)
    return frames, now + PAUSE_SECONDS


def spans(frames, end):
    """{(row, text): [(from, to), ...]}: when each line is to be seen."""
    seen = {}
    for i, (at, lines) in enumerate(frames):
        until = frames[i + 1][0] if i + 1 < len(frames) else end
        for row, text in enumerate(lines):
            if not text.strip():
                continue
            times = seen.setdefault((row, text.rstrip()), [])
            if times and times[-1][1] == at:
                times[-1] = (times[-1][0], until)
            else:
                times.append((at, until))
    return seen


def draw(frames, end):
    rows = max(len(lines) for _, lines in frames)
    width = round(COLUMNS * CELL_WIDTH + 2 * MARGIN)
    height = rows * LINE_HEIGHT + 2 * MARGIN
    style, texts = [], []
    for n, ((row, text), times) in enumerate(spans(frames, end).items()):
        steps = ["0%{visibility:hidden}"]
        for begin, until in times:
            steps.append(f"{begin / end:.2%}{{visibility:visible}}")
            if until < end:
                steps.append(f"{until / end:.2%}{{visibility:hidden}}")
        style.append(f"@keyframes k{n}{{{''.join(steps)}}}"
                     f"#l{n}{{animation:k{n} {end:.2f}s step-end infinite}}")
        hidden = "" if times[-1][1] == end else ' visibility="hidden"'
        kind = ' class="typed"' if text.startswith("$") else ""
        indent = len(text) - len(text.lstrip())
        text = text.lstrip()
        texts.append(
            f'<text id="l{n}" x="{MARGIN + indent * CELL_WIDTH:.1f}" '
            f'y="{MARGIN + row * LINE_HEIGHT + FONT_SIZE}" '
            f'textLength="{len(text) * CELL_WIDTH:.1f}"{hidden}{kind}>'
            # Not every viewer keeps runs of spaces, but these all do.
            f'{html.escape(text).replace(" ", chr(0xa0))}</text>')
    newline = "\n"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" \
height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>A terminal: windrow run stores the prices of 503 companies</title>
<!-- drawn by docs/capture/capture.py from a recorded terminal -->
<style>
text{{font:{FONT_SIZE}px "DejaVu Sans Mono",Menlo,Consolas,monospace;\
fill:#d8dee9}}
.typed{{fill:#a3d977}}
@media (prefers-reduced-motion:no-preference){{
{newline.join(style)}
}}
</style>
<rect width="100%" height="100%" rx="8" fill="#1b2028"/>
{newline.join(texts)}
</svg>
"""


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                         REPOSITORY / "build/release").resolve()
    target = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else
                          REPOSITORY / "docs/demo.svg")
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [build / "windrow-origin", *ORIGIN_OPTIONS],
            stdout=subprocess.PIPE, text=True) as origin:
        try:
            url = origin.stdout.readline().split()[-1]
            (pathlib.Path(folder) / "sp500.yaml").write_bytes(
                (REPOSITORY / "pipelines/sp500.yaml").read_bytes())
            env = {"PATH": f"{build}:{os.environ['PATH']}", "LANG": "C.UTF-8",
                   "TERM": "xterm", "WIKIPEDIA_URL": url, "YAHOO_URL": url,
                   "YAHOO_RATE": "unlimited", "YAHOO_IN_FLIGHT": "unlimited"}
            recorded = [(typed, record(command, folder, env))
                        for typed, command in session()]
        finally:
            origin.terminate()
    target.write_text(draw(*play(recorded)))


if __name__ == "__main__":
    main()
