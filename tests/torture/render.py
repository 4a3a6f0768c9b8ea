"""Makes a table of a report: render.py REPORT [--into FILE].

Rows of the same fault and store are one: their counts are added, and of the
seconds the longest is shown. With --into, the table goes between the two
markers in FILE. The exit status is 1 if a count is not right.
"""
import argparse
import json
import pathlib
import sys

BEGIN = "<!-- torture: begin -->"
END = "<!-- torture: end -->"
SUMS = ("tried", "keys", "rows", "failed", "expected", "duplicates")
HEADS = ("fault", "store", "tried", "keys in", "rows out", "failures",
         "expected", "duplicates", "recovered in")


def is_right(row):
    return (row["rows"] + row["failed"] == row["keys"]
            and row["failed"] == row["expected"] and row["duplicates"] == 0)


def merge(lines):
    """One row for each fault and store, in the order of their first."""
    rows = {}
    for line in lines:
        row = rows.setdefault((line["fault"], line["store"]), {
            **line, **dict.fromkeys(SUMS, 0), "recover": None, "right": True})
        for name in SUMS:
            row[name] += line[name]
        if line["recover"] is not None:
            row["recover"] = max(row["recover"] or 0, line["recover"])
        row["right"] &= is_right(line)
    return list(rows.values())


def cell(row, name):
    if name == "recover":
        return "" if row[name] is None else f"{row[name]:.1f} s"
    value = row[name]
    return f"{value:,}" if isinstance(value, int) else value


def table(rows):
    lines = ["| " + " | ".join(HEADS) + " |",
             "|---|---|" + "---:|" * (len(HEADS) - 2)]
    for row in rows:
        cells = [cell(row, name)
                 for name in ("fault", "store", *SUMS, "recover")]
        wrong = "" if row["right"] else " **WRONG**"
        lines.append("| " + " | ".join(cells) + wrong + " |")
    return lines


def summary(rows):
    n_wrong = sum(not row["right"] for row in rows)
    total = {name: sum(row[name] for row in rows) for name in SUMS}
    return (f"{len(rows)} rows, {total['tried']:,} faults,"
            f" {total['keys']:,} keys in; {total['rows']:,} rows and"
            f" {total['failed']:,} failures out,"
            f" {total['duplicates']:,} duplicates; "
            + (f"**{n_wrong} rows are wrong**" if n_wrong
               else "all counts right") + ".")


def figures(lines):
    """The last value of each, in the order of their first."""
    values = {line["figure"]: line["value"] for line in lines}
    return [f"- {name}: {value}" for name, value in values.items()]


def render(lines):
    # Several tests report at once; the sort keeps the order within a file.
    lines = sorted(lines, key=lambda line: line.get("file", ""))
    faults = [line for line in lines if "fault" in line]
    rows = merge(faults)
    measured = figures([line for line in lines if "figure" in line])
    failed = [line["failed_test"] for line in lines if "failed_test" in line]
    text = [*table(rows), "", summary(rows)]
    if failed:
        text += ["", "**Tests that failed**, so that rows may be missing:", "",
                 *(f"- {test}" for test in failed)]
    if measured:
        text += ["", "Measured on the way:", "", *measured]
    right = not failed and all(row["right"] for row in rows)
    return "\n".join(text), right


def write_into(path, text):
    before, begin, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"render.py: {path} lacks {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--into", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.report.exists():
        sys.exit(f"render.py: nothing was reported in {arguments.report}")
    text, right = render([json.loads(line) for line in
                          arguments.report.read_text("utf-8").splitlines()])
    print(text)
    if arguments.into:
        write_into(arguments.into, text)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
