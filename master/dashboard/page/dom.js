// Elements and numbers. Whatever comes from outside becomes a text node, never
// markup.

export const $ = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// A table of columns [{head, number, less, cell(row)}]; a cell is a text, an
// element, or null.
export function table(columns, rows, mark = () => "") {
  const classes = (column, more = "") =>
    [column.number ? "n" : "", column.less ? "less" : "", more].filter(Boolean).join(" ") || null;
  return make("table", {},
    make("thead", {}, make("tr", {}, columns.map((column) =>
      make("th", { scope: "col", class: classes(column) }, column.head)))),
    make("tbody", {}, rows.map((row) =>
      make("tr", { class: mark(row) || null }, columns.map((column) => {
        const cell = column.cell(row);
        const clip = column.clip ? "clip" : "";
        return make("td", { class: classes(column, clip), title: column.clip && typeof cell === "string" ? cell : null }, cell);
      })))));
}

// Puts `next` where the element's content was, and keeps focus and scrolling.
export function replace(element, ...next) {
  const focus = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const top = element.scrollTop;
  const left = element.scrollLeft;
  element.replaceChildren(...next);
  element.scrollTop = top;
  element.scrollLeft = left;
  if (focus) {
    [...element.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focus)?.focus({ preventScroll: true });
  }
}

export const empty = (text) => make("p", { class: "empty" }, text);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
export const count = (n) => whole.format(n).replaceAll(",", "\u202f");
export const rate = (n) => (n >= 100 ? count(n) : fine.format(n));

// Seconds for people.
export function span(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds === 0) return "0";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(seconds < 0.1 ? 2 : 3))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${String(Math.round(seconds / 60) % 60).padStart(2, "0")} min`;
  return `${Math.round(seconds / 86400)} days`;
}

export const bytes = (n) =>
  n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${Math.round(n / 1e3)} kB`;

// Microseconds since 1970 as UTC; today without its date.
export function when(microseconds) {
  if (!microseconds) return "";
  const text = new Date(microseconds / 1000).toISOString();
  const today = new Date().toISOString().slice(0, 10);
  return text.startsWith(today) ? text.slice(11, 19) : `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

export async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || `status ${answer.status}`);
  return body;
}
