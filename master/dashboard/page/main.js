// The page: what the server tells of living runs each second (server-sent
// events), and what the ledger says, asked for now and then.
import { $, ask, setText, span } from "./dom.js";
import { chart } from "./charts.js";
import { draw } from "./graph.js";
import { showFailures, showHosts, showNodes, showRun, showRuns } from "./panels.js";
import { showChart, showRows, showTables } from "./rows.js";

const KEPT = 600; // samples of a run
const RECENT = 10; // of them, for the pace
const SMOOTH = 5; // seconds that a rate is taken over: batches end by leaps

let runs = [];
let asked = false; // the ledger has answered once
let lost = false; // the dashboard does not answer
let detail = null; // of the run that is shown: /api/runs/N
let told = null; // the last status
const samples = new Map(); // by run: [at, stored/s, failed/s, p50, p95, in flight]
const earlier = new Map(); // by run: the last statuses of its master, for rates
let wanted = Number(new URLSearchParams(location.hash.slice(1)).get("run")) || null;

const living = (run) => told?.masters.find((master) => master.run === run) ?? null;
const goesOn = (master) => master && !lost && !master.gone && !master.silent && ["running", "pausing"].includes(master.status.state);

// What the address names; else the run that goes on, or the newest.
function chosen() {
  if (wanted && (runs.some(({ run }) => run === wanted) || living(wanted))) return wanted;
  return told?.masters.filter(goesOn).at(-1)?.run ?? runs[0]?.run ?? told?.masters.at(-1)?.run ?? null;
}

// ---- numbers

function keepSamples(status) {
  for (const [run, list] of Object.entries(status.samples ?? {})) samples.set(Number(run), list);
  for (const { run, sample, gone } of status.masters) {
    const list = samples.get(run) ?? [];
    if (sample && !gone && list.at(-1)?.[0] !== sample[0]) list.push(sample);
    samples.set(run, list.slice(-KEPT));
  }
}

function pace(run) {
  const recent = (samples.get(run) ?? []).slice(-RECENT);
  return recent.length ? recent.reduce((sum, sample) => sum + sample[1] + sample[2], 0) / recent.length : null;
}

function numbersOf(run, row, live) {
  const from = live && (goesOn(live) || !row) ? live.status : row;
  const numbers = { now: told?.now ?? Date.now() * 1000, stored: 0, failed: 0, open: 0, rate: null, left: null, percent: null };
  if (!from) return numbers;
  Object.assign(numbers, { stored: from.stored, failed: from.failed, open: from.open });
  const all = numbers.stored + numbers.failed + Math.max(0, numbers.open);
  if (all > 0 && numbers.open >= 0) numbers.percent = Math.floor(((numbers.stored + numbers.failed) / all) * 100);
  if (goesOn(live)) {
    numbers.rate = pace(run);
    if (numbers.rate > 0 && numbers.open >= 0) numbers.left = numbers.open / numbers.rate;
  }
  return numbers;
}

// What it said some seconds ago.
const earlierOf = (live) => (live && earlier.get(live.run)?.[0]) ?? null;

// Of each worker, keys a second since then.
function ratesOf(live) {
  const old = earlierOf(live);
  const took = old ? (live.status.at - old.at) / 1e6 : 0;
  return (live?.status.workers ?? []).map((worker, i) => {
    const was = old?.workers[i];
    return took > 0 && was ? Math.max(0, worker.stored + worker.failed - was.stored - was.failed) / took : 0;
  });
}

function loadsOf(live) {
  const loads = new Map();
  const old = new Map(earlierOf(live)?.nodes.map((node) => [node.name, node.counters]) ?? []);
  for (const { name, counters } of live?.status.nodes ?? []) {
    const was = old.get(name);
    const since = was && was.uptime < counters.uptime ? was : { busy: 0, uptime: 0 };
    if (counters.uptime > since.uptime) loads.set(name, Math.min(1, (counters.busy - since.busy) / (counters.uptime - since.uptime)));
  }
  return loads;
}

function flowsOf(graph, live, rates) {
  const ledger = new Map((detail?.workers ?? []).map((worker) => [worker.worker, worker]));
  const sinks = graph.workers.filter(({ kind }) => kind === "sink").length;
  const rows = (detail?.workers ?? []).reduce((sum, worker) => sum + worker.stored, 0);
  const on = goesOn(live);
  return graph.workers.map((worker, i) => {
    const said = ledger.get(i);
    return {
      done: said?.done ?? 0, failed: said?.failed ?? 0, open: said?.open ?? 0,
      held: on ? live.status.workers[i]?.held_keys ?? 0 : 0,
      rate: on ? rates[i] ?? 0 : 0,
      rows: sinks === 1 && worker.kind === "sink" ? rows : null,
      flowing: on && worker.kind === "sink" && rates.some((one) => one > 0),
    };
  });
}

// ---- drawing

const seconds = (value) => span(value);
const orNull = (value) => (value < 0 ? null : value);

// Each sample's value; of a rate, the mean of the last of them.
function points(list, index) {
  return list.map((sample, i) => {
    if (index > 2) return [sample[0] / 1000, orNull(sample[index])];
    const last = list.slice(Math.max(0, i - SMOOTH + 1), i + 1);
    return [sample[0] / 1000, last.reduce((sum, one) => sum + one[index], 0) / last.length];
  });
}

function drawCharts(run, live) {
  const list = samples.get(run) ?? [];
  if (list.length > 1) {
    chart($("rate"), {
      label: "Keys stored and failed a second, over the last minutes", format: (value) => String(Math.round(value * 10) / 10),
      series: [{ name: "stored", class: "c-ok", area: true, points: points(list, 1) }, { name: "failed", class: "c-bad", points: points(list, 2) }],
    });
    chart($("latency"), {
      label: "Time of a fetch, median and 95th of a hundred, over the last minutes", format: seconds,
      series: [{ name: "median", class: "c-cool", points: points(list, 3) }, { name: "95 of 100", class: "c-hay", points: points(list, 4) }],
    });
    return;
  }
  setText($("latency"), live ? "…" : "Fetches are timed while a run goes on here.");
  drawPace();
}

// As the ledger has it: when keys ended, over the whole of a run.
function drawPace() {
  const { began, ended, done, failed } = detail?.pace ?? {};
  if (!began) {
    setText($("rate"), "Nothing has ended yet.");
    return;
  }
  const part = Math.max(1, ended - began) / done.length;
  const parts = (list) => list.map((n, i) => [(began + part * (i + 0.5)) / 1000, (n * 1e6) / part]);
  chart($("rate"), {
    label: "Keys that ended a second, over the whole run", format: (value) => String(Math.round(value)),
    series: [{ name: "ended", class: "c-ok", area: true, points: parts(done) }, { name: "failed", class: "c-bad", points: parts(failed) }],
  });
}

function notice(run, row, live) {
  let text = "";
  if (lost) text = "The dashboard does not answer any more, and here is what it said last. One that was started with a run has ended with it: windrow dashboard shows that run.";
  else if (told && !told.ledger.up) text = `The database does not answer: ${told.ledger.error}`;
  else if (live?.gone && row?.state === "open" && !row.running) text = `The master of run ${run} is gone. Here is what the ledger says; go on with: windrow resume ${run}`;
  else if (live?.gone && row?.state === "open") text = `The master of run ${run} is gone. Its lease runs out within seconds; then: windrow resume ${run}`;
  else if (live?.silent && row?.state === "open") text = `The master of run ${run} has said nothing for ${span(live.heard)}.`;
  else if (live?.status.waiting && goesOn(live)) text = "A node waits for the database; nothing is lost meanwhile.";
  else if (row?.state === "open" && !row.running && !live) text = `Run ${run} is open, and no master works on it; go on with: windrow resume ${run}`;
  else if (row?.running && !live) text = `Run ${run} goes on elsewhere: ${row.owner}. Here is what the ledger says.`;
  setText($("notice"), text);
  $("notice").hidden = !text;
}

function drawAll() {
  const run = chosen();
  const row = runs.find((one) => one.run === run) ?? null;
  const live = run === null ? null : living(run);
  const own = detail?.run === run ? detail : null;
  const graph = own?.graph?.workers ? own.graph : null;
  const rates = ratesOf(live);
  if (run !== null) showRun(own ?? row, live, numbersOf(run, own ?? row, live));
  else if (asked) setText($("run-title"), "No run yet");
  notice(run, own ?? row, live);
  if (graph) draw($("flow"), graph, flowsOf(graph, live, rates));
  else setText($("flow"), own?.graph?.error ? `The pipeline can't be read here: ${own.graph.error}` : "…");
  drawCharts(run, live);
  showNodes(live, loadsOf(live));
  if (own) {
    showHosts(graph, live, rates);
    showFailures(run, own.reasons ?? []);
  }
  if (asked) showRuns(runs, run);
}

// ---- asking

async function loadRuns() {
  try {
    ({ runs } = await ask("/api/runs"));
    asked = true;
  } catch (error) {
    setText($("runs"), error.message);
  }
}

async function loadRun() {
  const run = chosen();
  if (run === null) return;
  try {
    const next = await ask(`/api/runs/${run}`);
    if (run === chosen()) detail = next;
  } catch {
    // the notice says what the ledger's trouble is
  }
}

let states = "";
let loads = 0;
async function load() {
  const now = JSON.stringify((told?.masters ?? []).map(({ run, gone, silent, status }) => [run, gone, silent, status.state]));
  const live = living(chosen());
  if (now !== states || loads % 5 === 0) await loadRuns();
  if (now !== states || detail?.run !== chosen() || goesOn(live) || detail?.running || loads % 5 === 0) await loadRun();
  if (loads % 5 === 0 || now !== states) {
    await showTables();
    if (!$("find").value) await showRows();
    await showChart();
  }
  states = now;
  loads++;
  drawAll();
}

function again(wait) {
  setTimeout(async () => {
    if (!document.hidden && !lost) await load();
    again(2000);
  }, wait);
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    lost = false;
    $("link").className = "live";
    setText($("link"), "live");
  });
  events.addEventListener("error", () => {
    lost = true;
    drawAll();
    $("link").className = "lost";
    setText($("link"), "the dashboard does not answer; trying again");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  events.addEventListener("status", (event) => {
    const next = JSON.parse(event.data);
    for (const { run, status } of told?.masters ?? []) {
      const now = next.masters.find((master) => master.run === run)?.status;
      if (!now || now.at === status.at) continue;
      earlier.set(run, now.epoch === status.epoch ? [...(earlier.get(run) ?? []), status].slice(-SMOOTH) : []);
    }
    told = next;
    keepSamples(next);
    setText($("program"), `Windrow ${next.program}`);
    drawAll();
  });
}

addEventListener("hashchange", async () => {
  const hash = new URLSearchParams(location.hash.slice(1));
  if (location.hash && !hash.has("run")) return; // a place in the page
  wanted = Number(hash.get("run")) || null;
  $("main").focus(); // before the wait: nobody has gone on yet
  await loadRun();
  drawAll();
});
addEventListener("resize", () => drawAll());

listen();
again(0);
