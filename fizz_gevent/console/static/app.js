// Ties the page together: sections, the chosen application, and what is asked for while it is seen.

import { $, bytes, clock, code, duration, el, fill, none, number } from "./dom.js";
import { Plot } from "./plot.js";
import { Samples } from "./samples.js";
import { drawSnippets } from "./snippets.js";
import { Socket } from "./socket.js";
import { Stream } from "./stream.js";

const base = document.body.dataset.base;
const samples = new Samples();
const incidents = new Map(); // node and number -> incident
let setup = null;
let seenIncidents = 0;
let known = ""; // ids of the applications, which a reload of the server may change
let asksAgainAt = 0;
let selectedChannel = null;
let followed = {}; // what is subscribed to beside the samples: kind -> channel

async function ask(path, body) {
  const answer = await fetch(`${base}/api/${path}`, body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Fizz-Console": "1" },
    body: JSON.stringify(body),
  });
  if (answer.status === 401) location.reload();
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? answer.statusText);
  return found;
}

const section = () => location.hash.slice(1).split("/")[0];
const appId = () => $("app").value;
const chosen = () => setup?.apps.find((app) => app.app_id === appId());
const below = (path) => `apps/${encodeURIComponent(appId())}/${path}`;

// Overview

const TILES = [
  ["Connections", (total) => number(total.connections)],
  ["Subscriptions", (total) => number(total.subscriptions)],
  ["Signed-in users", (total) => number(total.users)],
  ["Events/s", (total) => number(total.events)],
  ["Messages out/s", (total) => number(total.sent)],
  ["Memory", (total) => bytes(total.memory)],
];
const values = TILES.map(([name]) => {
  const value = el("div", { className: "value" }, "–");
  $("tiles").append(el("div", { className: "tile" }, el("div", { className: "name" }, name), value));
  return value;
});
const plots = [
  [new Plot("Connections", [""]), (total) => [total.connections]],
  [new Plot("Events per second", [""]), (total) => [total.events]],
  [new Plot("Messages per second", ["out", "in"]), (total) => [total.sent, total.received]],
  [new Plot("HTTP requests per second", [""]), (total) => [total.requests]],
];
$("plots").append(...plots.map(([plot]) => plot.element));

function drawOverview() {
  samples.forgetGone();
  if (!samples.nodes.size) return;
  const total = samples.totals(null);
  TILES.forEach(([, show], index) => (values[index].textContent = show(total)));
  if ([...samples.nodes.values()].some((node) => node.before)) { // there are rates to show
    for (const [plot, read] of plots) plot.add(Date.now() / 1000, read(total));
  }
  fill($("app-rows"), setup.apps.map((app) => {
    const own = samples.totals(app.app_id);
    return el("tr", {},
      el("td", {}, app.app_id, app.enabled ? "" : " ", app.enabled ? "" : el("span", { className: "tag bad" }, "disabled")),
      el("td", { className: "mono" }, app.key),
      ...[own.connections, own.subscriptions, own.users, own.events, own.sent].map((value) => el("td", { className: "num" }, number(value))));
  }));
  fill($("node-rows"), [...samples.nodes.values()].sort((a, b) => (a.sample.node < b.sample.node ? -1 : 1)).map(({ sample }) =>
    el("tr", {},
      el("td", { className: "mono" }, sample.node),
      el("td", { className: "num" }, number(Object.values(sample.apps).reduce((sum, app) => sum + app.connections, 0))),
      el("td", { className: "num" }, bytes(sample.memory)),
      el("td", { className: "num" }, number(sample.requests)),
      el("td", { className: "num" }, number(sample.refusals)),
      el("td", { className: "num" }, duration(sample.uptime)))));
}

function sampled(_event, sample) {
  samples.add(sample);
  if (Object.keys(sample.apps).sort().join() !== known) relearn();
  for (const incident of sample.incidents) incidents.set(`${sample.node} ${incident.number}`, incident);
  if (sample.incidents.length) drawErrors();
}

// Channels

const kindOf = (name) => /^(private-encrypted-cache|private-encrypted|private-cache|presence-cache|private|presence|cache)-/.exec(name)?.[1] ?? "public";

async function drawChannels() {
  const asked = appId();
  const found = await ask(below(`channels?prefix=${encodeURIComponent($("prefix").value)}`));
  if (asked !== appId()) return;
  $("channel-total").textContent = `${number(found.total)} occupied${found.total > found.channels.length ? `, the busiest ${found.channels.length} shown` : ""}${found.is_partial ? ", of this node only: Redis is away" : ""}`;
  fill($("channel-rows"), found.channels.length ? found.channels.map((channel) => {
    const button = el("button", { type: "button", className: "link mono" }, channel.name);
    button.dataset.focus = channel.name;
    button.addEventListener("click", () => { selectedChannel = channel.name; drawChannels(); });
    return el("tr", { "aria-selected": String(channel.name === selectedChannel) },
      el("td", {}, button), el("td", {}, el("span", { className: "tag" }, kindOf(channel.name))),
      el("td", { className: "num" }, number(channel.subscriptions)), el("td", { className: "num" }, channel.users ?? "–"));
  }) : [none(4, "No channel is occupied.")]);
  const detail = $("channel-detail");
  detail.hidden = selectedChannel === null;
  if (selectedChannel === null) return;
  const channel = await ask(below(`channel?name=${encodeURIComponent(selectedChannel)}`));
  const to = el("button", { type: "button" }, "Publish here");
  to.dataset.focus = "publish";
  to.addEventListener("click", () => { $("publish-channels").value = channel.name; location.hash = "publish"; });
  fill(detail, [
    el("h3", { className: "mono" }, channel.name),
    el("p", {}, `${number(channel.subscriptions)} subscriptions${channel.users === undefined || channel.users === null ? "" : `, ${Array.isArray(channel.users) ? channel.users.length : channel.users} users`}`),
    Array.isArray(channel.users) ? el("div", {}, el("div", { className: "dim" }, "Members"), el("ul", { id: "members" }, ...channel.users.map((user) => el("li", { className: "mono" }, user)))) : null,
    channel.cache === undefined ? null : el("div", {}, el("div", { className: "dim" }, channel.cache ? `Remembers, for ${duration(channel.cache.ttl)} more` : "Remembers nothing"), channel.cache ? el("pre", { className: "mono" }, channel.cache.data) : ""),
    el("div", { className: "row" }, to),
  ].filter(Boolean));
}

// Connections

const listed = new Map(); // node -> {at, connections, total}

function drawConnections() {
  for (const [node, { at }] of listed) if (performance.now() - at > 3500) listed.delete(node);
  const all = [...listed.values()].flatMap((each) => each.connections).sort((a, b) => a.age - b.age);
  const total = [...listed.values()].reduce((sum, each) => sum + each.total, 0);
  $("connection-total").textContent = `${number(total)} connections${total > all.length ? `, the youngest ${all.length} shown` : ""}`;
  fill($("connection-rows"), all.length ? all.map((each) => el("tr", {},
    el("td", { className: "mono" }, each.socket_id),
    el("td", { className: "mono" }, each.user ?? "–"),
    el("td", { className: "mono" }, each.channels.join(", ") + (each.channel_count > each.channels.length ? `, ${each.channel_count - each.channels.length} more` : "")),
    el("td", { className: "num" }, duration(each.age)), el("td", { className: "num" }, duration(each.silence)), el("td", { className: "num" }, bytes(each.waiting)))) : [none(6, "Nobody is connected to this application.")]);
}

// Publish, sign

async function submitted(event, note, work) {
  event.preventDefault();
  note.className = "note";
  note.textContent = "…";
  try {
    note.textContent = await work();
    note.classList.add("good");
  } catch (error) {
    note.textContent = error.message;
    note.classList.add("bad");
  }
}

$("publish-form").addEventListener("submit", (event) => submitted(event, $("publish-note"), async () => {
  const channels = $("publish-channels").value.split(/[\s]*,[\s]*|\s+/).filter(Boolean);
  const body = { name: $("publish-name").value, channels, data: $("publish-data").value };
  if ($("publish-socket").value.trim()) body.socket_id = $("publish-socket").value.trim();
  const answer = await ask(below("events"), body);
  return `Published to ${answer.channels.join(", ")} at ${clock(Date.now() / 1000)}.`;
}));

function drawSignFields() {
  const kind = $("sign-kind").value;
  const shown = new Set([kind]);
  if (kind === "channel" && $("sign-channel").value.startsWith("presence-")) shown.add("presence");
  if (kind === "request" && $("sign-method").value === "POST") shown.add("post");
  for (const field of document.querySelectorAll("#sign-form [data-for]")) {
    field.hidden = !field.dataset.for.split(" ").some((each) => shown.has(each));
  }
}
$("sign-form").addEventListener("input", drawSignFields);
$("sign-form").addEventListener("submit", (event) => submitted(event, $("sign-note"), async () => {
  const answer = await ask(below("sign"), {
    kind: $("sign-kind").value, socket_id: $("sign-socket").value.trim(), channel: $("sign-channel").value.trim(),
    channel_data: $("sign-member").value, user_data: $("sign-user").value,
    method: $("sign-method").value, path: $("sign-path").value.trim(), body: $("sign-body").value,
  });
  let text = JSON.stringify(answer, null, 2);
  if (answer.target) {
    const shell = (word) => `'${word.replaceAll("'", "'\\''")}'`;
    text = `curl ${answer.method === "POST" ? `-d ${shell(answer.body)} ` : ""}${shell(location.origin + setup.prefix + answer.target)}`;
  }
  $("sign-result").hidden = false;
  $("sign-result").replaceChildren(...code(text));
  return answer.target ? "Valid for ten minutes." : "Signed.";
}));

// Errors

function drawErrors() {
  const text = $("error-text").value.toLowerCase();
  const all = [...incidents.values()].sort((a, b) => b.time - a.time);
  for (const [key, incident] of incidents) if (incidents.size > 1000 && all.indexOf(incident) > 500) incidents.delete(key);
  if (section() === "errors") seenIncidents = all.length;
  const unseen = Math.max(0, all.length - seenIncidents);
  $("error-count").hidden = !unseen;
  $("error-count").textContent = unseen;
  const shown = all.filter((each) => !text || `${each.what} ${each.who} ${each.why}`.toLowerCase().includes(text)).slice(0, 200);
  $("error-none").hidden = all.length > 0;
  $("error-rows").closest(".scroll").hidden = all.length === 0;
  fill($("error-rows"), shown.map((each) => el("tr", {},
    el("td", { className: "time" }, clock(each.time)),
    el("td", {}, el("span", { className: ["error", "critical"].includes(each.what) ? "tag bad" : "tag second" }, each.what)),
    el("td", { className: "mono" }, each.who, each.app ? el("span", { className: "dim" }, ` of ${each.app}`) : ""), el("td", { className: "why" }, each.why))));
}

// What is followed, and which section is seen

const stream = new Stream(() => follow());

function follow() {
  if (!setup) return;
  const { channels } = setup;
  const wanted = {};
  if (section() === "stream" && appId()) wanted.stream = (stream.wantsFrames ? channels.frames : channels.stream) + appId();
  if (section() === "connections" && appId()) wanted.connections = channels.connections + appId();
  for (const [kind, channel] of Object.entries(followed)) if (wanted[kind] !== channel) socket.unsubscribe(channel);
  for (const [kind, channel] of Object.entries(wanted)) {
    if (followed[kind] === channel) continue;
    socket.subscribe(channel, kind === "stream" ? (_event, data) => stream.add(data) : (_event, data) => {
      listed.set(data.node, { at: performance.now(), ...data });
      drawConnections();
    });
  }
  followed = wanted;
}

async function tick() {
  drawOverview();
  if (section() === "channels" && !document.hidden && setup && appId()) {
    try { await drawChannels(); } catch (error) { $("channel-total").textContent = error.message; }
  }
}

function drawSection() {
  const name = document.getElementById(`section-${section()}`) ? section() : "overview";
  for (const each of document.querySelectorAll("main > section")) each.hidden = each.id !== `section-${name}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  document.title = `${document.querySelector(`#section-${name} h1`).textContent} · Fizz console`;
  follow();
  drawErrors();
  drawSignFields();
  drawSnippets(chosen(), setup?.prefix ?? "");
  if (name === "stream") stream.draw();
  if (name === "connections") drawConnections();
  if (name === "channels") tick();
}

function chooseApp() {
  sessionStorage.setItem("fizz-app", appId());
  selectedChannel = null;
  listed.clear();
  stream.clear();
  drawSection();
}

async function relearn() {
  if (performance.now() < asksAgainAt) return;
  asksAgainAt = performance.now() + 5000;
  try { await learn(); drawSection(); } catch { /* it is asked for again with the next sample */ }
}

async function learn() {
  setup = await ask("setup");
  known = setup.apps.map((app) => app.app_id).sort().join();
  const before = $("app").value || sessionStorage.getItem("fizz-app");
  $("version").textContent = setup.version;
  fill($("app"), setup.apps.map((app) => el("option", { value: app.app_id, selected: app.app_id === before }, app.app_id)));
  return setup;
}

const socket = new Socket({
  setup: learn,
  authorize: async (socketId, channel) => (await ask("auth", { socket_id: socketId, channel })).auth,
  onState: (state) => {
    $("link").textContent = state === "connected" ? "live" : state;
    $("link").className = `pill ${state === "connected" ? "good" : state === "disconnected" ? "bad" : ""}`;
    if (state === "connected") {
      if (!socket.handlers.has(setup.channels.samples)) socket.subscribe(setup.channels.samples, sampled);
      drawSection();
    }
  },
});

addEventListener("hashchange", () => { drawSection(); scrollTo(0, 0); });
$("app").addEventListener("change", chooseApp);
$("prefix").addEventListener("input", () => { selectedChannel = null; tick(); });
$("error-text").addEventListener("input", drawErrors);
for (const id of ["snippet-channel", "snippet-event"]) $(id).addEventListener("input", () => drawSnippets(chosen(), setup?.prefix ?? ""));
for (const id of ["channel-filter", "snippet-bar", "error-bar"]) $(id).addEventListener("submit", (event) => event.preventDefault());
setInterval(tick, 1000);
drawSection();
