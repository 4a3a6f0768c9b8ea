"""The dashboard's page, in a browser."""
import json
import signal
import time

from selenium.webdriver.common.keys import Keys

from dashboard import SLOWLY, Dashboard
from harness import SP500, quotes, source, store as sink, until

TOKEN = "0123456789abcdef0123"

# Keys that a list could hold, none of which may be more than a text.
HOSTILE = ["<script>document.title='taken'</script>", "<img src=x onerror=alert(1)>",
           "\"'><b>bold</b>", "\u202eevil\u202c", "שלום", "{{7*7}}", "&lt;amp&amp;",
           "A" * 400, "javascript:alert(1)", "-", "⛰️"]


def finished(windrow, origin, sqlite, *faults):
    result = windrow("run", SP500, origin=origin(*faults), store=sqlite)
    assert result.status in (0, 3), result


def begin(start, origin, sqlite, *arguments, place=None, latency="60ms"):
    run = start("run", SP500, "--scale", 2, "--batch", 6, *arguments,
                origin=place or origin("--latency", latency), store=sqlite,
                env=SLOWLY)
    until(lambda: sqlite.count() > 10, "rows", 20)
    return run


def test_while_a_run_goes_on(page, start, origin, sqlite):
    """It moves by itself: figures, bar, nodes, charts; and it ends so."""
    run = begin(start, origin, sqlite)
    dashboard = Dashboard(start, sqlite)
    page.open(dashboard.url + "/")
    page.until("live", "#link")
    page.until("running", "#run-state")
    first = until(lambda: page.figure("stored"), "rows are counted")
    until(lambda: page.figure("stored") > first, "it moves by itself")
    assert page.figure("nodes") == 2
    page.until("node-2", "#nodes")
    page.until("waiting", "#flow")
    assert {"constituents", "quotes", "store", "symbols",
            "prices"} <= set(page.texts("#flow .name"))
    until(lambda: page.run("return document.querySelectorAll("
                           "'#rate path.series').length") == 2, "the rate")
    page.until("median", "#latency")
    assert " s" in page.figures()["time left"]
    assert page.run("return document.querySelector('#bar .ok')"
                    ".getBoundingClientRect().width") > 0
    page.until("all stored", "#run-state", 60)
    assert page.figure("stored") == 503
    assert run.wait(10).status == 0


def test_after_a_run(page, start, windrow, origin, sqlite):
    """From the ledger alone: failures open their examples, runs lead to
    runs, rows are found, a key is drawn."""
    for _ in range(3):
        finished(windrow, origin, sqlite, "--fault", "404@AAPL,MSFT")
    page.open(Dashboard(start, sqlite).url + "/")
    page.until("Run 3", "#run-title")
    page.until("some failed", "#run-state")
    assert (page.figure("stored"), page.figure("failed")) == (501, 2)
    page.until("not_found", "#failures")
    page.click("#failures summary")
    page.until("AAPL", "#failures ul")
    page.click("#runs a[href='#run=1']")
    page.until("Run 1", "#run-title")
    page.run("document.getElementById('find').value = ''")
    page.click("#find")
    page.press("brk")
    until(lambda: page.texts("#rows button") == ["BRK.B"], "it is found")
    page.click("#rows button")
    page.until("BRK.B", "#row-chart h3")
    until(lambda: "3 rows" in page.run(
        "return document.querySelector('#row-chart svg')"
        "?.getAttribute('aria-label') ?? ''"), "its chart")


def test_master_dies(page, start, origin, sqlite):
    """Within seconds the page says so; the ledger's counts stay; after resume
    it goes on by itself."""
    place = origin("--latency", "60ms")
    run = begin(start, origin, sqlite, place=place)
    page.open(Dashboard(start, sqlite).url + "/")
    page.until("node-1", "#nodes")
    run.signal(signal.SIGKILL)
    run.process.wait(10)
    killed = time.monotonic()
    page.until("is gone", "#notice", 5)
    print(f"figure: said {time.monotonic() - killed:.1f} s after the kill")
    page.until("windrow resume 1", "#notice", 10)
    page.until("open", "#run-state", 10)
    stored = page.figure("stored")
    assert stored > 0
    start("resume", 1, "--scale", 2, origin=place, store=sqlite, env=SLOWLY)
    page.until("running", "#run-state", 20)
    until(lambda: page.figure("stored") > stored, "it goes on", 15)
    assert page.text("#notice") == ""


def test_dashboard_dies(page, start, windrow, origin, sqlite):
    """The page says that, too, and finds the next one at the same place."""
    finished(windrow, origin, sqlite)
    dashboard = Dashboard(start, sqlite)
    page.accept("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED",
                "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    page.open(dashboard.url + "/")
    page.until("live", "#link")
    dashboard.process.signal(signal.SIGKILL)
    page.until("does not answer", "#link")
    Dashboard(start, sqlite, place=f"127.0.0.1:{dashboard.port}")
    page.until("live", "#link", 15)


def test_hostile_names(page, start, windrow, origin, pipeline, sqlite):
    """Keys, names and details are texts wherever they stand, and none of them
    makes the page wider than the screen."""
    made = pipeline(
        source("values", input_values=HOSTILE),
        quotes(name="quotes"), sink(), name="hostile")
    place = origin()
    finished_run = windrow("run", made, "--name", "<b>bold</b>",
                           origin=place, store=sqlite)
    assert finished_run.status in (0, 3), finished_run
    for i, key in enumerate(HOSTILE):
        quoted = key.replace("'", "''")
        sqlite.execute("INSERT INTO prices (symbol, price, extracted_time) "
                       f"VALUES ('{quoted}', '{i + 1}.5', "
                       "'2026-11-28T10:00:00.000000Z')")
    page.size(360, 740)
    page.open(Dashboard(start, sqlite, env=place.settings()).url + "/")
    page.until("<b>bold</b>", "#run-title")
    until(lambda: len(page.texts("#rows button")) >= len(HOSTILE), "all keys")
    shown = set(page.run("return [...document.querySelectorAll('#rows button')]"
                         ".map((one) => one.textContent)"))
    assert set(HOSTILE) <= shown
    for i in range(page.run("return document.querySelectorAll('#rows button')"
                            ".length")):
        page.run("document.querySelectorAll('#rows button')[arguments[0]]"
                 ".click()", i)
    for summary in range(len(page.texts("#failures summary"))):
        page.run("document.querySelectorAll('#failures summary')"
                 "[arguments[0]].click()", summary)
    time.sleep(1)
    assert page.run("return document.querySelectorAll('main img, main b > b, "
                    "main script, main i:not(:empty)').length") == 0
    assert "taken" not in page.driver.title
    assert not page.is_wider_than_the_screen()


def test_keyboard_alone(page, start, windrow, origin, sqlite):
    """All that can be clicked can be reached and used, in the order of the
    page, and it shows where one is."""
    finished(windrow, origin, sqlite, "--fault", "404@AAPL")
    finished(windrow, origin, sqlite, "--fault", "404@AAPL")
    page.open(Dashboard(start, sqlite).url + "/")
    page.until("not_found", "#failures")
    until(lambda: page.texts("#rows button"), "rows")
    page.press(Keys.TAB)
    assert page.focused() == "Skip to the run"
    page.run("const asked = window.fetch; window.fetch = async (...what) => {"
             "await new Promise((later) => setTimeout(later, 500));"
             "return asked(...what); };")
    page.press(Keys.ENTER)
    assert page.focused() == "main"
    page.press(Keys.TAB)
    time.sleep(1.2)  # what comes late does not take the focus away
    assert page.focused().startswith("Keys that ended")
    page.press(Keys.ARROW_LEFT)
    page.until("UTC", "#rate figcaption")
    seen = []
    for _ in range(400):
        page.press(Keys.TAB)
        seen.append(page.focused())
        assert page.run("return getComputedStyle(document.activeElement)"
                        ".outlineStyle") != "none", seen[-1]
        if seen[-1].startswith("not_found"):
            page.press(Keys.ENTER)
            page.until("AAPL", "#failures ul")
        elif seen[-1] == "find":
            page.press("brk")
            until(lambda: page.texts("#rows button") == ["BRK.B"], "found")
        elif seen[-1] == "BRK.B":
            page.press(Keys.ENTER)
            page.until("BRK.B", "#row-chart h3")
        elif seen[-1] == "1":
            page.press(Keys.ENTER)
            break
    page.until("Run 1", "#run-title")
    assert page.focused() == "main"


def test_widths_and_schemes(page, start, origin, sqlite):
    """Nothing to the side of the screen, and texts that can be read: WCAG AA,
    with all there is to show on the page."""
    place = origin("--latency", "60ms", "--fault", "404@MMM,ABT",
                   "--fault", "429-retry-after@ADBE:2", "--retry-after", "9")
    begin(start, origin, sqlite, place=place)
    page.open(Dashboard(start, sqlite).url + "/")
    page.until("not_found", "#failures", 20)
    page.until("node-2", "#nodes")
    page.until("price", "#row-chart")
    page.until("stored", "#rate figcaption")
    page.until("127.0.0.1", "#hosts")
    for width in (360, 768, 1200):
        for scheme in ("light", "dark"):
            page.size(width, 800)
            page.scheme(scheme)
            time.sleep(0.3)
            assert not page.is_wider_than_the_screen(), width
            assert page.low_contrast() == [], (width, scheme)


def test_token(page, start, windrow, origin, sqlite):
    """Off loopback: nothing without it; one visit with it is enough, and it
    does not stay in the address."""
    finished(windrow, origin, sqlite)
    dashboard = Dashboard(start, sqlite, place="0.0.0.0:0",
                          env={"WINDROW_DASHBOARD_TOKEN": TOKEN})
    url = f"http://127.0.0.1:{dashboard.port}/"
    page.accept("401")
    page.open(url)
    page.until("a token is needed")
    page.open(f"{url}?token={TOKEN}")
    page.until("all stored", "#run-state")
    assert page.driver.current_url == url
    page.open(url)
    page.until("live", "#link")
    assert TOKEN not in page.run("return document.cookie")


def test_policy_holds(page, start, windrow, origin, sqlite):
    """What the page would have to be tricked into does not work there."""
    finished(windrow, origin, sqlite)
    page.accept("Content Security Policy", "Content-Security-Policy")
    page.open(Dashboard(start, sqlite).url + "/")
    page.until("all stored", "#run-state")
    page.run("const one = document.createElement('script');"
             "one.textContent = 'document.title = \"taken\"';"
             "document.body.append(one);"
             "document.body.setAttribute('style', 'color: red');")
    assert page.driver.title != "taken"
    assert page.run("return getComputedStyle(document.body).color"
                    ) != "rgb(255, 0, 0)"
    refused = [entry for entry in page.driver.get_log("browser")
               if "Content Security Policy" in entry["message"]]
    assert len(refused) >= 1, json.dumps(refused)
