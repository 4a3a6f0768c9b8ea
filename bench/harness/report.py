"""What was measured, written down: report.json, report.md, rounds.csv.

A report is a value that JSON can hold: {machine, options, seconds, suites:
[{name, title, about, blocks, goals, left_out, failed, rounds, others}]}. A
block is ["text", TEXT], ["table", HEADERS, ROWS] or ["chart", TITLE, NAME].
"""
import csv
import json

KINDS = {"<=": "at most", ">=": "at least"}


def write(report, folder):
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    (folder / "report.md").write_text(markdown(report))
    with open(folder / "rounds.csv", "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["suite", "table", "system", "round", "metric", "value"])
        for suite in report["suites"]:
            for table, systems in suite["rounds"].items():
                rows.writerows(
                    [suite["name"], table, system, number, metric, value]
                    for system, runs in systems.items()
                    for number, run in enumerate(runs, 1)
                    for metric, value in run.items())


def read(folder):
    """The report in this folder; OSError, ValueError."""
    return json.loads((folder / "report.json").read_text())


def markdown(report):
    """The whole report."""
    parts = ["# Windrow's benchmarks", when_text(report), machine_text(report),
             "## Goals", goals_text(report)]
    for suite in report["suites"]:
        parts += [f"## {suite['title']}", suite_text(suite)]
    return "\n\n".join(parts) + "\n"


def when_text(report):
    if report["options"]["quick"]:
        return (f"{report['when']}, quick, in {report['seconds']:.0f} s: "
                "rough figures.")
    again = f"; last in part at {report['again']}" if "again" in report else ""
    return (f"{report['when']}, in {report['seconds'] / 60:.0f} minutes"
            f"{again}.")


def machine_text(report):
    machine = report["machine"]
    text = (f"{machine['cpu']}, {machine['cores']} cores, "
            f"{machine['memory_gb']} GB, {machine['system']}, Linux "
            f"{machine['kernel']}. {report['cores_told']}")
    tools = [machine[name] for name in ("curl", "nginx", "go")
             if machine[name]] + [f"Python {machine['python']}"]
    return text + " " + ", ".join(tools) + "."


def goals_text(report):
    goals = [goal for suite in report["suites"] for goal in suite["goals"]]
    if not goals:
        return "None of the suites that ran has a goal."
    return table(["goal", "wanted", "measured", ""], [
        [goal["what"],
         f"{KINDS[goal['kind']]} {goal['wanted']:g}{goal['unit']}",
         goal["text"] if goal["value"] is not None else "not measured: "
         + goal["text"],
         {True: "met", False: "**not met**", None: ""}[goal["met"]]]
        for goal in goals])


def suite_text(suite, chart_folder=""):
    """A suite's section, without its title."""
    parts = [suite["about"]]
    for kind, *content in suite["blocks"]:
        if kind == "text":
            parts.append(content[0])
        elif kind == "table":
            parts.append(table(*content))
        elif kind == "chart" and content[1]:
            parts.append(f"![{content[0]}]({chart_folder}{content[1]}.svg)")
    parts += [f"Left out: {system}. {why}."
              for system, why in suite["left_out"].items()]
    parts += [f"**Failed**: {system}. {why}"
              for system, why in suite["failed"].items()]
    if suite["others"] >= 0.03:
        parts.append(f"Other processes, or the hypervisor, took "
                     f"{suite['others']:.0%} of the cores meanwhile: these "
                     "figures are rough.")
    return "\n\n".join(part.strip() for part in parts if part.strip())


def table(headers, rows):
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |"
                     for line in lines)
