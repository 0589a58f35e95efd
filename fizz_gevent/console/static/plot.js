// Lines over the last minutes, as SVG.

import { duration, el, number } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const [SHORTEST, LONGEST] = [60, 300]; // seconds; a new page does not begin with an empty plot
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [480, 150, 40, 18];

function shape(tag, attributes, text) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// The next of 1, 2, 5, 10, 20, ... so that the axis does not jump with every sample.
function ceiling(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((step) => step >= value);
}

export class Plot {
  // names: one or two lines. The first sample makes the plot's left end.
  constructor(title, names) {
    this.names = names;
    this.title = title;
    this.points = []; // [seconds, value, value]
    this.hover = null;
    this.legend = el("span", { className: "legend" });
    this.svg = shape("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.hover = ((event.clientX - box.left) / box.width) * this.width;
      this.draw();
    });
    this.svg.addEventListener("pointerleave", () => {
      this.hover = null;
      this.draw();
    });
    this.width = WIDTH;
    this.height = HEIGHT;
    this.element = el("figure", {}, el("figcaption", {}, title, this.legend), this.svg);
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  add(now, values) {
    this.points.push([now, ...values]);
    while (this.points.length && this.points[0][0] < now - LONGEST) this.points.shift();
    this.draw();
  }

  draw() {
    const box = this.svg.getBoundingClientRect();
    if (!box.width) return; // its section is hidden
    [this.width, this.height] = [box.width, box.height];
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const last = this.points.at(-1);
    const now = last?.[0] ?? 0;
    const age = now - (this.points[0]?.[0] ?? now);
    const span = Math.min(LONGEST, Math.max(SHORTEST, Math.ceil(age / 60) * 60));
    const top = ceiling(Math.max(1, ...this.points.flatMap((point) => point.slice(1))));
    const x = (seconds) => LEFT + ((seconds - now + span) / span) * (this.width - LEFT - 6);
    const y = (value) => this.height - BOTTOM - (value / top) * (this.height - BOTTOM - 10);
    const parts = [0, 0.5, 1].flatMap((part) => [
      shape("line", { class: "grid", x1: LEFT, x2: this.width - 6, y1: y(top * part), y2: y(top * part) }),
      shape("text", { x: LEFT - 7, y: y(top * part) + 4, "text-anchor": "end" }, number(top * part)),
    ]);
    for (const seconds of [span, span / 2, 0]) {
      const anchor = seconds === span ? "start" : seconds ? "middle" : "end";
      const label = seconds ? `${duration(seconds)} ago` : "now";
      parts.push(shape("text", { x: x(now - seconds), y: this.height - 3, "text-anchor": anchor }, label));
    }
    this.names.forEach((_, index) => {
      if (this.points.length < 2) return;
      const path = this.points.map((point) => `${x(point[0]).toFixed(1)},${y(point[index + 1]).toFixed(1)}`);
      const ends = [x(this.points[0][0]), x(now)].map((at) => `${at.toFixed(1)},${y(0).toFixed(1)}`);
      if (!index) parts.push(shape("polygon", { class: "area", points: [ends[0], ...path, ends[1]].join(" ") }));
      parts.push(shape("polyline", { class: index ? "line second" : "line", points: path.join(" ") }));
    });
    let shown = last;
    if (this.hover !== null && last) {
      shown = this.points.reduce((best, point) =>
        Math.abs(x(point[0]) - this.hover) < Math.abs(x(best[0]) - this.hover) ? point : best);
      parts.push(shape("line", { class: "cross", x1: x(shown[0]), x2: x(shown[0]), y1: 8, y2: y(0) }));
    }
    this.svg.replaceChildren(...parts);
    const values = this.names.map((name, index) => `${name} ${number(shown?.[index + 1] ?? 0)}`.trim());
    this.svg.setAttribute("aria-label", `${this.title}: ${values.join(", ")}`);
    const keys = this.names.flatMap((_, index) => [
      this.names.length > 1 ? el("span", { className: index ? "key second" : "key" }) : "",
      values[index],
    ]);
    this.legend.replaceChildren(...keys);
  }
}
