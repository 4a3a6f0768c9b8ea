// The pipeline as a graph: workers are boxes, the queues between them pills,
// each with what has gone through it.
import { count, rate, svg } from "./dom.js";

const WORKER = { width: 176, height: 66 };
const QUEUE = { width: 132, height: 42 };
const GAP = 44;
const LANE = 24;

const cut = (text, most) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

// How many workers are before each, at most; it has no cycle.
function levels(graph) {
  const producers = graph.queues.map((_, queue) =>
    graph.workers.flatMap((worker, i) => (worker.outputs.includes(queue) ? [i] : [])));
  const level = new Map();
  const of = (i) => {
    if (!level.has(i)) {
      const input = graph.workers[i].input;
      level.set(i, input < 0 ? 0 : 1 + Math.max(-1, ...producers[input].map(of)));
    }
    return level.get(i);
  };
  graph.workers.forEach((_, i) => of(i));
  return { level, producers };
}

// Nodes in layers: workers in the even ones, queues in the odd ones.
function layers(graph) {
  const { level, producers } = levels(graph);
  const rows = [];
  const put = (layer, node) => (rows[layer] ??= []).push(node);
  graph.workers.forEach((worker, i) => put(2 * level.get(i), { kind: "worker", index: i, size: WORKER }));
  graph.queues.forEach((queue, i) => {
    const before = producers[i].map((worker) => level.get(worker));
    put(2 * Math.max(0, ...before) + 1, { kind: "queue", index: i, size: QUEUE });
  });
  return rows.map((row) => row ?? []);
}

// Along: the direction of the flow; across: the other one.
function place(rows, upright) {
  const along = upright ? "height" : "width";
  const across = upright ? "width" : "height";
  const extent = (row) => row.reduce((sum, node) => sum + node.size[across] + LANE, -LANE);
  const most = Math.max(...rows.map(extent), 0);
  let at = 1;
  for (const row of rows) {
    let side = (most - extent(row)) / 2 + 1;
    const thick = Math.max(0, ...row.map((node) => node.size[along]));
    for (const node of row) {
      const inset = (thick - node.size[along]) / 2;
      Object.assign(node, upright ? { x: side, y: at + inset } : { x: at + inset, y: side });
      side += node.size[across] + LANE;
    }
    at += thick + (upright ? 26 : GAP);
  }
  const length = at - (upright ? 26 : GAP) + 1;
  return upright ? { width: most + 2, height: length } : { width: length, height: most + 2 };
}

function edge(from, to, upright, moving) {
  const [x1, y1] = upright ? [from.x + from.size.width / 2, from.y + from.size.height] : [from.x + from.size.width, from.y + from.size.height / 2];
  const [x2, y2] = upright ? [to.x + to.size.width / 2, to.y] : [to.x, to.y + to.size.height / 2];
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const path = upright ? `M${x1} ${y1}C${x1} ${my} ${x2} ${my} ${x2} ${y2}` : `M${x1} ${y1}C${mx} ${y1} ${mx} ${y2} ${x2} ${y2}`;
  return svg("path", { class: moving ? "edge moving" : "edge", d: path });
}

function box(node, name, title, lines, extra) {
  const { x, y, size: { width, height } } = node;
  const first = node.kind === "worker" ? 20 : 17;
  return svg("g", { class: `${node.kind} ${extra}` },
    svg("title", {}, title),
    svg("rect", { class: "box", x, y, width, height, rx: node.kind === "worker" ? 8 : height / 2 }),
    svg("text", { class: "name", x: x + width / 2, y: y + first, "text-anchor": "middle" }, cut(name, node.kind === "worker" ? 22 : 16)),
    lines.map((line, i) => svg("text", { class: line.class ?? "", x: x + width / 2, y: y + first + 17 * (i + 1), "text-anchor": "middle" }, cut(line.text, 28))));
}

function workerLines(worker, flow) {
  const lines = [];
  if (worker.kind === "source") {
    lines.push({ text: worker.class }, { class: "count", text: flow.open ? "reading the list" : "list read" });
  } else if (worker.kind === "sink") {
    lines.push({ text: `table ${worker.table}` });
    lines.push({ class: "count", text: flow.rows === null ? "stores rows" : `${count(flow.rows)} rows` });
  } else {
    lines.push({ class: "count", text: `${count(flow.done)} keys${flow.rate > 0 ? `, ${rate(flow.rate)}/s` : ""}` });
    lines.push(flow.failed ? { class: "lost", text: `${count(flow.failed)} failed` } : { text: `${worker.class}, none failed` });
  }
  return lines;
}

// graph: of /api/runs/N. flows: for each worker {done, failed, open, held,
// rate, rows}. Upright where it is too wide.
export function draw(element, graph, flows) {
  const upright = element.clientWidth < 640;
  const rows = layers(graph);
  const size = place(rows, upright);
  const nodes = rows.flat();
  const workers = new Map(nodes.filter((node) => node.kind === "worker").map((node) => [node.index, node]));
  const queues = new Map(nodes.filter((node) => node.kind === "queue").map((node) => [node.index, node]));
  const edges = graph.workers.flatMap((worker, i) => [
    ...worker.outputs.map((queue) => edge(workers.get(i), queues.get(queue), upright, flows[i].rate > 0 || (worker.kind === "source" && flows[i].open > 0))),
    worker.input >= 0 ? edge(queues.get(worker.input), workers.get(i), upright, flows[i].rate > 0 || flows[i].flowing) : null,
  ]);
  const waiting = (queue) => graph.workers.reduce((sum, worker, i) => sum + (worker.input === queue && worker.kind === "fetcher" ? flows[i].open : 0), 0);
  const drawn = nodes.map((node) => {
    if (node.kind === "worker") {
      const worker = graph.workers[node.index];
      const flow = flows[node.index];
      return box(node, worker.name, `${worker.name}: ${worker.class}`, workerLines(worker, flow), flow.rate > 0 || flow.held > 0 ? "busy" : "");
    }
    const queue = graph.queues[node.index];
    const sinkOnly = !graph.workers.some((worker) => worker.input === node.index && worker.kind === "fetcher");
    return box(node, queue.name, `${queue.name}: ${queue.description || "a queue"}`,
      [{ text: sinkOnly ? "in the commit" : `${count(waiting(node.index))} waiting` }], "");
  });
  const summary = graph.workers.map((worker, i) => `${worker.name}: ${workerLines(worker, flows[i]).map((line) => line.text).join(", ")}`).join("; ");
  element.replaceChildren(svg("svg", {
    width: size.width, viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": `The pipeline. ${summary}`,
  }, edges, drawn));
}
