// The rows that runs have stored: the latest of each key, with a search, and
// one key over time.
import { $, ask, count, empty, make, replace, table } from "./dom.js";
import { chart } from "./charts.js";

const SHOWN = 100;
let tables = null; // not known yet
let chosen = null; // the key of the chart
let asked = 0; // the newest question: an answer to an older one is late

const fullTime = (text) => {
  const time = Date.parse(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00").replace(/(\d)$/, (digit) => (/[Z+]/.test(text.slice(-7)) ? digit : `${digit}Z`)));
  return Number.isNaN(time) ? null : time;
};
const shownTime = (text) => {
  const time = fullTime(text);
  return time === null ? text : new Date(time).toISOString().slice(0, 19).replace("T", " ");
};

// Digits beyond the fourth decimal are noise in a column; the title has all.
function shownNumber(text) {
  const number = Number(text);
  return Number.isFinite(number) && text.length > 9 && Math.abs(number) >= 0.01 ? number.toFixed(4).replace(/\.?0+$/, "") : text;
}

function cellOf(column, value) {
  if (value === null) return make("span", { class: "muted" }, "–");
  if (column.source === "key") {
    return make("button", { class: "plain", type: "button", title: value, "data-focus": `key ${value}`, "aria-pressed": value === chosen, on: { click: () => choose(value) } }, value);
  }
  if (column.source === "time") return shownTime(value);
  return column.number ? make("span", { title: value }, shownNumber(value)) : value;
}

const nameOf = () => $("table").value || tables?.[0]?.table;

export async function showRows() {
  const name = nameOf();
  if (!name) return;
  const number = ++asked;
  const find = $("find").value.trim();
  try {
    const { columns, rows, more } = await ask(`/api/tables/${encodeURIComponent(name)}${find ? `?find=${encodeURIComponent(find)}` : ""}`);
    if (number !== asked) return;
    const notes = rows.length > SHOWN ? `the newest ${SHOWN} keys; search for others` : more ? "older rows were not looked at" : "";
    replace($("rows"), rows.length ? table(columns.map((column, i) => ({
      head: column.name, number: column.number, clip: column.source !== "time" && !column.number,
      cell: (row) => cellOf(column, row[i]),
    })), rows.slice(0, SHOWN), (row) => (row[columns.findIndex((column) => column.source === "key")] === chosen ? "on" : "")) : empty(find ? "No key has this in it." : "No rows yet."),
    notes ? empty(notes) : "");
    if (chosen === null && rows.length && !find) choose(rows[0][columns.findIndex((column) => column.source === "key")], false);
  } catch (error) {
    if (number === asked) replace($("rows"), empty(error.message));
  }
}

function summary(points) {
  const values = points.map(([, value]) => value);
  return `${count(points.length)} ${points.length === 1 ? "row" : "rows"}, least ${Math.min(...values)}, most ${Math.max(...values)}`;
}

export async function showChart() {
  const name = nameOf();
  if (!name || chosen === null) return;
  const key = chosen;
  const place = $("row-chart");
  try {
    const { columns, rows } = await ask(`/api/tables/${encodeURIComponent(name)}?key=${encodeURIComponent(key)}`);
    if (key !== chosen) return;
    const number = columns.findIndex((column) => column.number);
    const time = columns.findIndex((column) => column.source === "time");
    const points = rows.map((row) => [time < 0 ? null : fullTime(row[time] ?? ""), Number(row[number])])
      .filter(([at, value]) => at !== null && Number.isFinite(value)).reverse();
    if (number < 0 || !points.length) {
      place.replaceChildren(make("h3", {}, key), empty("Nothing to draw: a chart needs a number and a time."));
      return;
    }
    let drawing = place.querySelector(".drawing");
    if (!drawing || place.querySelector("h3").textContent !== key) {
      drawing = make("div", { class: "drawing" });
      place.replaceChildren(make("h3", {}, key), drawing);
    }
    chart(drawing, {
      label: `${columns[number].name} of ${key}: ${summary(points)}`, zero: false, format: (value) => String(Number(value.toPrecision(6))),
      series: [{ name: columns[number].name, class: "c-hay", points }],
    });
  } catch (error) {
    place.replaceChildren(make("h3", {}, key), empty(error.message));
  }
}

function choose(key, again = true) {
  if (key === null || key === undefined) return;
  chosen = key;
  showChart();
  if (again) showRows();
}

export async function showTables() {
  try {
    const { tables: found } = await ask("/api/tables");
    if (JSON.stringify(found) === JSON.stringify(tables)) return;
    const before = nameOf();
    tables = found;
    $("table").replaceChildren(...tables.map(({ table: name }) => make("option", { value: name }, name)));
    if (tables.some(({ table: name }) => name === before)) $("table").value = before;
    $("table").hidden = $("table-label").hidden = tables.length < 2;
    if (!tables.length) replace($("rows"), empty("No store of the last runs is known: there is none, or their pipelines can't be read here."));
    else await showRows();
  } catch (error) {
    replace($("rows"), empty(error.message));
  }
}

let typing;
$("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(showRows, 250);
});
$("table").addEventListener("change", () => {
  chosen = null;
  $("row-chart").replaceChildren();
  showRows();
});
