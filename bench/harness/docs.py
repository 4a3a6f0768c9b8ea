"""Tables and charts of a report, into pages of docs/ and into docs/bench/.

In the pages, what stands between `<!-- bench: NAME -->` and `<!-- /bench -->`
is replaced: NAME is `machine`, `goals`, or a suite. The text around is
people's. A suite that the report does not have keeps what it had; so do the
machine and the goals where only some of the suites were run.
"""
import re
import shutil

from harness import report as reports
from harness.bench import tell

PAGES = ("performance.md", "concurrency.md")


def write(report, folder, docs):
    """Status 0, or 2 where there is none of the pages."""
    texts = {page: (docs / page).read_text("utf-8")
             for page in PAGES if (docs / page).is_file()}
    if not texts:
        tell(f"windrow-bench: --docs: {docs / PAGES[0]}: no such file")
        return 2
    charts = docs / "bench"
    charts.mkdir(exist_ok=True)
    sections = {}
    if report["options"].get("whole"):
        sections = {"machine": f"{reports.when_text(report)}\n\n"
                    f"{reports.machine_text(report)}",
                    "goals": reports.goals_text(report)}
    for suite in report["suites"]:
        sections[suite["name"]] = reports.suite_text(suite, "bench/")
        for kind, *content in suite["blocks"]:
            if kind == "chart" and content[1]:
                shutil.copy(folder / f"{content[1]}.svg", charts)
        mark = f"<!-- bench: {suite['name']} -->"
        if not any(mark in text for text in texts.values()):
            tell(f"windrow-bench: no page of {docs} has a place for "
                 f"{suite['name']}: {mark} and <!-- /bench -->")
    for page, text in texts.items():
        (docs / page).write_text(filled(text, sections), "utf-8")
        print(f"written: {docs / page}")
    return 0


def filled(text, sections):
    """The page with these sections between their marks."""
    def fill(found):
        if found[1] not in sections:
            return found[0]
        return (f"<!-- bench: {found[1]} -->\n\n{sections[found[1]]}\n\n"
                "<!-- /bench -->")
    return re.sub(r"<!-- bench: (\w+) -->.*?<!-- /bench -->", fill, text,
                  flags=re.S)
