// The live stream of one application.

import { $, clock, el } from "./dom.js";

const KEPT = 500;
const KINDS = { event: "event", connection: "connection", request: "request", received: "from client", sent: "to client" };

export class Stream {
  // wish(frames): whether each message to each client is to be told too.
  constructor(wish) {
    this.entries = [];
    this.leftOut = 0;
    this.waiting = [];
    this.isPaused = false;
    this.wish = wish;
    $("stream-text").addEventListener("input", () => this.draw());
    $("stream-bar").addEventListener("submit", (event) => event.preventDefault());
    $("stream-bar").addEventListener("change", (event) => {
      if (event.target.value === "sent") wish(event.target.checked);
      this.draw();
    });
    $("stream-pause").addEventListener("click", () => this.pause(!this.isPaused));
    $("stream-clear").addEventListener("click", () => this.clear());
    this.draw();
  }

  get wantsFrames() {
    return document.querySelector('#stream-bar input[value="sent"]').checked;
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    $("stream-pause").setAttribute("aria-pressed", isPaused);
    $("stream-pause").textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) this.take(this.waiting.splice(0));
    this.draw();
  }

  clear() {
    this.entries = [];
    this.waiting = [];
    this.leftOut = 0;
    this.draw();
  }

  add({ entries, left_out: leftOut }) {
    this.leftOut += leftOut;
    if (this.isPaused) {
      this.waiting.push(...entries);
      this.waiting.splice(0, Math.max(0, this.waiting.length - KEPT));
    } else {
      this.take(entries);
    }
    this.draw();
  }

  take(entries) {
    this.entries.push(...entries);
    this.entries.splice(0, Math.max(0, this.entries.length - KEPT));
  }

  draw() {
    if ($("section-stream").hidden) return;
    const kinds = new Set([...document.querySelectorAll("#stream-bar input:checked")].map((each) => each.value));
    const text = $("stream-text").value.toLowerCase();
    const shown = this.entries.filter((entry) => kinds.has(entry.kind) && (!text || haystack(entry).includes(text)));
    $("stream-rows").replaceChildren(
      ...(shown.length ? shown.slice(-200).reverse().map(row) : [el("li", {}, el("div", { className: "empty" }, "Waiting for something to happen."))]),
    );
    const notes = [`${shown.length} of ${this.entries.length} shown`];
    if (this.isPaused) notes.push(`paused, ${this.waiting.length} waiting`);
    if (this.leftOut) notes.push(`${this.leftOut} were too many to be told`);
    $("stream-note").textContent = notes.join(" · ");
  }
}

const haystack = (entry) => [entry.who, entry.text, entry.name, ...(entry.channels ?? [])].join(" ").toLowerCase();

function row(entry) {
  const tag = entry.kind === "event" ? "tag" : "tag second";
  const head = entry.kind === "event"
    ? [el("strong", {}, entry.name), " on ", el("span", { className: "mono" }, entry.channels.join(", ")), el("span", { className: "dim" }, ` by ${entry.who}`)]
    : [el("span", { className: "mono" }, entry.who)];
  const cut = entry.length > entry.text.length ? ` … (${entry.length} characters)` : "";
  return el("li", {},
    el("time", {}, clock(entry.time)),
    el("span", {}, el("span", { className: tag }, KINDS[entry.kind] ?? entry.kind)),
    el("div", {}, el("div", {}, ...head), el("div", { className: "text mono" }, entry.text + cut)));
}
