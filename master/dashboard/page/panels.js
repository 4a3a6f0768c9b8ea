// What is said of one run: figures, nodes, hosts, failures; and of all runs.
import { $, ask, bytes, count, empty, make, rate, replace, setText, span, table, when } from "./dom.js";

const STATES = {
  open: ["open", "paused"], done: ["all stored", "done"], failed_keys: ["some failed", "failed"], no_keys: ["no keys", "failed"],
  running: ["running", "running"], pausing: ["pausing", "paused"], paused: ["paused", "paused"],
  finished: ["finished", "done"], gave_up: ["could not go on", "failed"],
};
export const stateOf = (run, live) => {
  if (live && !live.gone && !live.silent && ["running", "pausing"].includes(live.status.state)) return live.status.state;
  return run ? (run.running ? "running" : run.state) : live?.status.state ?? "";
};
export const stateWords = (state) => (STATES[state] ?? [state, ""])[0];

function figure(name, value, note = "", tone = "") {
  return make("div", {}, make("dt", {}, name), make("dd", { class: tone || null }, value, note ? make("small", {}, ` ${note}`) : null));
}

// Time left is what is open at the pace of the last ten seconds.
export function showRun(run, live, numbers) {
  const state = stateOf(run, live);
  setText($("run-title"), run ? `Run ${run.run}${run.name ? ` “${run.name}”` : ""}: ${run.pipeline}` : `Run ${live.run}`);
  $("run-state").className = `pill ${(STATES[state] ?? ["", ""])[1]}`;
  setText($("run-state"), stateWords(state) + (["running", "pausing"].includes(state) && numbers.percent !== null ? ` ${numbers.percent} %` : ""));
  const took = run ? ((run.ended || numbers.now) - run.started) / 1e6 : 0;
  setText($("run-when"), run ? `began ${when(run.started)} UTC${run.ended ? `, took ${span(took)}` : ""}` : "");
  document.title = `${run ? `Run ${run.run}` : "Windrow"}: ${stateWords(state)}${numbers.percent === null ? "" : `, ${numbers.percent} %`}`;

  const bar = $("bar");
  const all = numbers.stored + numbers.failed + Math.max(0, numbers.open);
  bar.children[0].style.width = all ? `${(numbers.stored / all) * 100}%` : "0";
  bar.children[1].style.width = all ? `${(numbers.failed / all) * 100}%` : "0";
  bar.setAttribute("aria-valuenow", numbers.percent ?? 0);
  bar.setAttribute("aria-valuetext", `${numbers.stored} stored, ${numbers.failed} failed, ${Math.max(0, numbers.open)} open`);

  const parts = [
    figure("stored", count(numbers.stored)),
    figure("failed", count(numbers.failed), "", numbers.failed ? "bad" : ""),
    figure("open", numbers.open < 0 ? "?" : count(numbers.open), numbers.open < 0 ? "the list is being read" : ""),
  ];
  if (state === "running" || state === "pausing") {
    parts.push(figure("keys a second", numbers.rate === null ? "–" : rate(numbers.rate)),
      figure("time left", numbers.left === null ? "–" : span(numbers.left)));
  } else if (run?.ended && took > 0) {
    parts.push(figure("keys a second", rate((run.stored + run.failed) / took), "in all"));
  }
  if (live && !live.gone && !live.silent) {
    const { nodes_alive: alive, nodes_wanted: wanted } = live.status;
    parts.push(figure("nodes", String(alive), wanted > alive ? `of ${wanted}` : ""));
  }
  $("figures").replaceChildren(...parts);
}

// Load: the part of the last second that the node's loop was busy.
export function showNodes(live, loads) {
  const nodes = live && !live.gone ? live.status.nodes : [];
  if (!nodes.length) {
    replace($("nodes"), empty(live?.gone ? "The run's master has gone, and its nodes with it." : "No master tells of nodes: the run does not go on here, at this moment."));
    return;
  }
  const load = (node) => {
    const part = loads.get(node.name);
    if (part === undefined) return "–";
    const percent = Math.round(part * 100);
    const gauge = make("span", { class: part > 0.85 ? "load hot" : "load", "aria-hidden": "true" }, make("i"));
    gauge.firstChild.style.width = `${percent}%`;
    return make("span", {}, `${percent} %`, gauge);
  };
  const more = live.status.nodes_alive - nodes.filter((node) => node.alive).length;
  replace($("nodes"), table([
    { head: "node", clip: true, cell: (node) => node.name },
    { head: "host", clip: true, less: true, cell: (node) => node.host },
    { head: "core", number: true, less: true, cell: (node) => (node.core < 0 ? "any" : String(node.core)) },
    { head: "load", number: true, cell: load },
    { head: "keys", number: true, cell: (node) => count(node.keys) },
    { head: "held", number: true, less: true, cell: (node) => count(node.held_keys) },
    { head: "in flight", number: true, cell: (node) => count(node.counters.in_flight) },
    { head: "worst turn", number: true, less: true, cell: (node) => span(node.counters.worst_turn / 1e6) },
    { head: "memory", number: true, cell: (node) => bytes(node.counters.memory_peak) },
    { head: "", cell: (node) => (node.alive ? (node.store_waiting ? "waits for the database" : "") : "gone") },
  ], nodes, (node) => (node.alive ? "" : "off")), more > 0 ? empty(`and ${count(more)} more`) : "");
}

const limit = (n, unit) => (n > 0 ? `${rate(n)}${unit}` : "unlimited");

export function showHosts(graph, live, rates) {
  const workers = live && !live.gone ? live.status.workers : [];
  const holds = live && !live.gone ? live.status.holds : [];
  const rows = (graph?.workers ?? []).flatMap((worker, i) => (worker.kind === "fetcher" ? [{ worker, told: workers[i], rate: rates[i] }] : []));
  if (!rows.length && !holds.length) {
    replace($("hosts"), empty("This pipeline asks no site."));
    return;
  }
  replace($("hosts"), table([
    { head: "worker", clip: true, cell: (row) => row.worker.name },
    { head: "now", number: true, cell: (row) => (row.told ? `${rate(row.rate)}/s` : "–") },
    { head: "for each host", number: true, cell: (row) => {
      const now = row.told ? row.told.rate : row.worker.rate;
      const ceiling = row.told ? row.told.rate_ceiling : row.worker.rate;
      return ceiling > 0 && now < ceiling ? `${limit(now, "/s")} of ${limit(ceiling, "/s")}` : limit(now, "/s");
    } },
    { head: "in flight", number: true, cell: (row) => limit(row.told ? row.told.max_in_flight : row.worker.max_in_flight, "") },
  ], rows), holds.length ? table([
    { head: "held back", clip: true, cell: (hold) => hold.host },
    { head: "for", clip: true, cell: (hold) => hold.worker },
    { head: "left", number: true, cell: (hold) => span(hold.left / 1e6) },
  ], holds) : empty("No host is held back."));
}

const examples = new Map(); // "RUN REASON": a list, or what went wrong

async function loadExamples(run, reason, list) {
  const id = `${run} ${reason}`;
  try {
    const { failures, more } = await ask(`/api/runs/${run}/failures?reason=${encodeURIComponent(reason)}`);
    examples.set(id, failures.slice(0, 20).map((one) => make("li", {},
      make("b", {}, one.key), ` ${one.worker}${one.http_status ? `, status ${one.http_status}` : ""}, ${one.attempts} ${one.attempts === 1 ? "try" : "tries"}: ${one.detail}`)));
    if (more || failures.length > 20) examples.get(id).push(make("li", { class: "muted" }, `all of them: windrow failures ${run}`));
  } catch (error) {
    examples.set(id, [make("li", {}, error.message)]);
  }
  list.replaceChildren(...examples.get(id));
}

let shownReasons = "";
export function showFailures(run, reasons) {
  const text = JSON.stringify([run, reasons]);
  if (text === shownReasons) return;
  shownReasons = text;
  const opened = new Set([...$("failures").querySelectorAll("details[open]")].map((one) => one.dataset.reason));
  const most = Math.max(1, ...reasons.map((one) => one.keys));
  replace($("failures"), ...(reasons.length ? reasons.map(({ reason, text: words, keys }) => {
    const share = make("i");
    share.style.width = `${(keys / most) * 100}%`;
    const list = make("ul", {}, ...(examples.get(`${run} ${reason}`) ?? [make("li", { class: "muted" }, "…")]));
    return make("details", {
      "data-reason": reason, open: opened.has(reason),
      on: { toggle: (event) => event.target.open && loadExamples(run, reason, list) },
    }, make("summary", { "data-focus": reason }, make("span", {}, make("b", {}, reason), ` ${words}`), make("span", {}, count(keys)),
      make("span", { class: "share", "aria-hidden": "true" }, share)), list);
  }) : [empty("No key has failed.")]));
}

let shownRuns = "";
export function showRuns(runs, chosen) {
  const text = JSON.stringify([runs, chosen]);
  if (text === shownRuns) return;
  shownRuns = text;
  replace($("runs"), runs.length ? table([
    { head: "run", number: true, cell: (run) => make("a", { href: `#run=${run.run}`, "data-focus": `run ${run.run}`, "aria-current": run.run === chosen }, String(run.run)) },
    { head: "state", cell: (run) => make("span", { class: `pill ${(STATES[stateOf(run)] ?? ["", ""])[1]}` }, stateWords(stateOf(run))) },
    { head: "stored", number: true, cell: (run) => count(run.stored) },
    { head: "failed", number: true, cell: (run) => count(run.failed) },
    { head: "open", number: true, less: true, cell: (run) => count(run.open) },
    { head: "took", number: true, less: true, cell: (run) => (run.ended ? span((run.ended - run.started) / 1e6) : "–") },
    { head: "began (UTC)", cell: (run) => when(run.started) },
    { head: "pipeline", clip: true, less: true, cell: (run) => run.pipeline + (run.name ? ` “${run.name}”` : "") },
  ], runs, (run) => (run.run === chosen ? "on" : "")) : empty("This database holds no run yet: windrow run PIPELINE makes one."));
}
