// live_chart: lines that grow while one looks on.  The drawing stays; only its points and numbers change.

import { h, span, svg } from "../base/dom.js";
import { clamp } from "../base/numbers.js";
import { words } from "../base/words.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [320, 136, 44, 19, 7, 8];

/**
 * A chart of lines [{name, role, dashed}] over steps.  ticks: [[y, text]]; from and to bound y, and what lies beyond
 * stays at the edge; log: in powers of ten; note: what stands behind the title; guess: [y, text], a dotted line; text(y) is what the legend says.
 * show({name: points}, until) draws them, for steps from 0 to `until`.
 */
export function liveChart(title, lines, options) {
  const height = heights(options);
  const parts = lines.map((line) => linePart(line));
  const ends = [svg("text", tick("middle")), svg("text", tick("end"))];
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img" },
    options.ticks.map(([y, text]) => rule(height(y), text)),
    options.guess && guessLine(height(options.guess[0]), options.guess[1]),
    ends,
    parts.map((part) => part.curve),
  );
  const legends = parts.map((part) => part.legend);
  const root = h(
    "figure",
    { class: "panel" },
    h("figcaption", {}, h("b", {}, title, " ", span("dims", options.note)), legends),
    drawing,
  );
  root.show = (all, until) => {
    const across = (x) => LEFT + (x / until) * (WIDTH - LEFT - RIGHT);
    const said = parts.map((part) => part.show(all[part.name] ?? [], across, height, options.text));
    [until / 2, until].forEach((x, k) => {
      ends[k].setAttribute("x", across(x));
      ends[k].textContent = k ? words("lab.steps", { n: x }) : String(x);
    });
    drawing.setAttribute("aria-label", `${title}: ${said.filter(Boolean).join(", ")}`);
  };
  return root;
}

function tick(anchor) {
  return { class: `tick ${anchor}`, y: HEIGHT - 4 };
}

/** Where a number lies in the drawing. */
function heights({ from, to, log }) {
  const part = log ? Math.log10 : (v) => v;
  return (y) => {
    const share = (part(clamp(y, from, to)) - part(from)) / (part(to) - part(from));
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP);
  };
}

function rule(y, text) {
  return [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "rule" }),
    svg("text", { x: LEFT - 6, y: y + 4, class: "tick end" }, text),
  ];
}

function guessLine(y, text) {
  return [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "guess-line" }),
    svg("text", { x: WIDTH - RIGHT, y: y - 5, class: "tick end" }, text),
  ];
}

/** A line and its words in the legend, which say where it ends; without points neither is seen. */
function linePart({ name, label, role, dashed }) {
  const kind = `${role} ${dashed ? "dashed" : ""}`;
  const curve = svg("polyline", { class: `curve ${kind}` });
  const last = h("b", { class: "num" });
  const called = h("span", {}, label ?? "");
  const legend = span(`legend-item ${kind}`, called, " ", last);
  const show = (points, across, height, text) => {
    legend.hidden = points.length === 0;
    curve.setAttribute("points", points.map(([x, y]) => `${across(x).toFixed(1)},${height(y).toFixed(1)}`).join(" "));
    last.textContent = points.length ? text(points.at(-1)[1]) : "";
    return points.length ? `${called.textContent} ${last.textContent}` : "";
  };
  return { name, curve, legend, show };
}
