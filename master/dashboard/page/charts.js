// Lines over time, drawn as SVG. A chart can be read by pointer, or, having the
// focus, with the arrow keys.
import { make, svg } from "./dom.js";

const HEIGHT = 170;
const LEFT = 46;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;

// The least round number of 1, 2, 5 times ten that is not less.
function roundUp(n) {
  if (!(n > 0)) return 1;
  const ten = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((step) => step * ten).find((step) => step >= n * 0.999999);
}

function limits(series, zero) {
  let least = Infinity;
  let most = -Infinity;
  for (const { points } of series) {
    for (const [, y] of points) {
      if (y === null) continue;
      least = Math.min(least, y);
      most = Math.max(most, y);
    }
  }
  if (!Number.isFinite(most)) return { least: 0, most: 1, step: 0.5 };
  if (zero) least = 0;
  const step = roundUp((most - least || Math.abs(most) / 10 || 1) / 3);
  return { least: Math.floor(least / step) * step, most: Math.ceil(most / step + 1e-9) * step || step, step };
}

function pathOf(points, x, y, close) {
  let path = "";
  let begun = null;
  let last = null;
  const end = () => {
    if (close && begun !== null) path += `L${last} ${HEIGHT - BOTTOM}L${begun} ${HEIGHT - BOTTOM}Z`;
    begun = null;
  };
  for (const [at, value] of points) {
    if (value === null) {
      end();
      continue;
    }
    const place = x(at).toFixed(1);
    path += `${begun === null ? "M" : "L"}${place} ${y(value).toFixed(1)}`;
    if (begun === null) begun = place;
    last = place;
  }
  end();
  return path;
}

function clock(ms, range) {
  const text = new Date(ms).toISOString();
  return range > 36 * 3600e3 ? text.slice(5, 10) : range > 20 * 60e3 ? text.slice(11, 16) : text.slice(11, 19);
}

function grid(scale, width, x, y, from, to, format) {
  const lines = [];
  for (let value = scale.least; value <= scale.most + scale.step / 1000; value += scale.step) {
    const place = y(value).toFixed(1);
    lines.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: place, y2: place }),
      svg("text", { x: LEFT - 6, y: +place + 4, "text-anchor": "end" }, format(value)));
  }
  for (let i = 0; i <= 3; i++) {
    const at = from + ((to - from) * i) / 3;
    lines.push(svg("text", { x: x(at).toFixed(1), y: HEIGHT - 5, "text-anchor": i === 0 ? "start" : i === 3 ? "end" : "middle" },
      clock(at, to - from)));
  }
  return lines;
}

// The points nearest to a time, as a line of text for each series.
function reading(series, at, format) {
  return series.map(({ name, points }) => {
    let best = null;
    for (const point of points) {
      if (best === null || Math.abs(point[0] - at) < Math.abs(best[0] - at)) best = point;
    }
    return best === null || best[1] === null ? `${name} –` : `${name} ${format(best[1])}`;
  });
}

// chart(ELEMENT, {label, series: [{name, class, area, points: [[ms, y|null]]}],
// format, zero}): draws it anew; a cursor that is there stays.
export function chart(element, { label, series, format, zero = true }) {
  const width = Math.max(260, element.clientWidth);
  const times = series.flatMap(({ points }) => points.map(([at]) => at));
  const from = Math.min(...times);
  const to = Math.max(...times, from + 1000);
  const scale = limits(series, zero);
  const x = (at) => LEFT + ((width - LEFT - RIGHT) * (at - from)) / (to - from);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (scale.most - value)) / (scale.most - scale.least);
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const time = make("span");
  const names = series.map((one) => make("span", { class: `key ${one.class}` }, make("span", {}, one.name)));
  let at = element.dataset.at ? Number(element.dataset.at) : null;

  const show = () => {
    const texts = at === null ? series.map((one) => {
      const last = one.points.findLast(([, value]) => value !== null);
      return last ? `${one.name} ${format(last[1])}` : one.name;
    }) : reading(series, at, format);
    texts.forEach((text, i) => { names[i].firstChild.textContent = text; });
    time.textContent = at === null ? "" : `${clock(at, 0)} UTC`;
    cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) {
      cursor.setAttribute("x1", x(at).toFixed(1));
      cursor.setAttribute("x2", x(at).toFixed(1));
      element.dataset.at = at;
    } else {
      delete element.dataset.at;
    }
  };
  const move = (next) => {
    at = next === null ? null : Math.min(to, Math.max(from, next));
    show();
  };
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", tabindex: 0, "data-focus": label, "aria-label": label,
    on: {
      pointermove: (event) => {
        const box = drawing.getBoundingClientRect();
        const place = ((event.clientX - box.left) / box.width) * width;
        move(from + ((to - from) * (place - LEFT)) / (width - LEFT - RIGHT));
      },
      pointerleave: () => {
        if (document.activeElement !== drawing) move(null);
      },
      blur: () => move(null),
      keydown: (event) => {
        const step = (to - from) / 60;
        if (event.key === "ArrowLeft") move((at ?? to) - step);
        else if (event.key === "ArrowRight") move((at ?? from) + step);
        else if (event.key === "Escape") move(null);
        else return;
        event.preventDefault();
      },
    },
  },
  ...grid(scale, width, x, y, from, to, format),
  ...series.flatMap((one) => [
    one.area ? svg("path", { class: `area ${one.class}`, d: pathOf(one.points, x, y, true) }) : null,
    svg("path", { class: `series ${one.class}`, d: pathOf(one.points, x, y, false) }),
    one.points.length < 3 ? one.points.filter(([, value]) => value !== null).map(([when, value]) =>
      svg("circle", { class: one.class, cx: x(when), cy: y(value), r: 3, fill: "currentColor" })) : null,
  ]),
  cursor);
  const focused = element.contains(document.activeElement);
  element.replaceChildren(make("figure", {}, drawing, make("figcaption", { "aria-live": "off" }, names, time)));
  if (focused) drawing.focus({ preventScroll: true });
  show();
}
