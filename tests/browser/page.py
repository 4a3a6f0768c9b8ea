"""A page in headless Chromium, driven by its own chromedriver."""
import os

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from harness import until

OPTIONS = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
           "--no-first-run", "--disable-extensions",
           "--disable-background-networking", "--disable-sync",
           "--no-proxy-server"]

# The least contrast of texts with what is behind them (WCAG 2.1, 1.4.3), as
# [ratio, text, colour, background] of each that is below its limit.
CONTRAST = r"""
const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.03928 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.99) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const found = [];
const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (all.nextNode()) {
  const element = all.currentNode.parentElement;
  const text = all.currentNode.textContent.trim();
  const box = element.getBoundingClientRect();
  if (!text || !box.width || element.closest("noscript, [hidden], title")) continue;
  const style = getComputedStyle(element);
  const inSvg = element instanceof SVGElement;
  const colour = parse(inSvg ? style.fill : style.color).slice(0, 3);
  let back = behind(element);
  const boxed = inSvg && element.parentElement.querySelector(".box");
  if (boxed) back = parse(getComputedStyle(boxed).fill).slice(0, 3);
  const [a, b] = [light(colour), light(back)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const large = parseFloat(style.fontSize) >= 24;
  if (ratio < (large ? 3 : 4.5)) found.push([ratio, text, colour, back]);
}
return found;
"""


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in OPTIONS + (["--no-sandbox"] if os.getuid() == 0 else []):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)

    def end(self):
        self.driver.quit()

    def begin(self):
        self.driver.delete_all_cookies()
        self.driver.get("about:blank")
        self.size(1200, 900)
        self.scheme("light")
        self.driver.get_log("browser")  # which forgets it
        self.accepted = []

    def accept(self, *texts):
        """Complaints that have one of these in them are meant to be."""
        self.accepted += texts

    def complaints(self):
        """What the console says: errors, and what the policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and not any(
                    text in entry["message"] for text in self.accepted)]

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 500})

    def scheme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})

    def open(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="body"):
        return self.run("return document.querySelector(arguments[0])"
                        "?.innerText ?? ''", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])]"
                        ".map((one) => one.innerText ?? one.textContent)",
                        selector)

    def until(self, text, selector="body", seconds=10):
        """Waits until the element says this."""
        try:
            return until(lambda: text in self.text(selector), text, seconds,
                         pause=0.1)
        except AssertionError:
            raise AssertionError(f"{selector} never said {text!r}; it says "
                                 f"{self.text(selector)!r}") from None

    def figures(self):
        return dict(self.run(
            "return [...document.querySelectorAll('#figures div')].map("
            "(one) => [one.firstChild.innerText, one.lastChild.innerText])"))

    def figure(self, name):
        """The number of one of the figures, without what is said beside."""
        digits = self.figures().get(name, "").split(" ")[0]
        return int("".join(c for c in digits if c.isdigit()) or 0)

    def click(self, selector):
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        """The element that has the focus: its id, or its text."""
        return self.run(
            "const one = document.activeElement; return one.id || "
            "one.getAttribute('aria-label') || one.innerText || one.tagName")

    def low_contrast(self):
        return self.run(CONTRAST)

    def is_wider_than_the_screen(self):
        return self.run("return document.documentElement.scrollWidth > "
                        "document.documentElement.clientWidth")
