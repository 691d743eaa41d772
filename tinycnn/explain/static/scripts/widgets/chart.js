// chart: lines over a common axis, drawn in SVG.

import { h, span, svg } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { entry, words } from "../base/words.js";

const SERIES = [
  ["train", "output"],
  ["test", "kernel"],
  ["valid", "kernel"],
];
const ROLES = ["output", "kernel", "input", "gradient"];
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [520, 280, 46, 34, 12, 12];

/** A line chart in SVG: {name, points: [[x, y]]} per line.  `line` is [y, text], dashed; from and to bound the y axis. */
export function chart(title, series, xName, { line, from, to, percent }) {
  const axes = axesOf(series, { line, from, to, percent });
  const ends = series
    .map((one) => words("chart.ends", { name: labelOf(one), value: brief(one.points.at(-1)?.[1] ?? 0) }))
    .join(", ");
  const root = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${title}: ${ends}` },
    axes.marks,
    svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 2, class: "tick end" }, xName),
    line && line[0] <= axes.most && guessLine(axes.Y(line[0]), line[1]),
    series.map((one, k) => curve(one, colourOf(one.name, k), axes)),
  );
  const legend = series.map((one, k) =>
    span(
      `legend-item ${colourOf(one.name, k)} ${dashed(one)}`,
      labelOf(one),
      h("b", { class: "num" }, lastOf(one, percent)),
    ),
  );
  return h("figure", { class: "panel" }, h("figcaption", {}, h("b", {}, title), legend), root);
}

/** Where x and y lie in the drawing, and the lines and numbers of the axes. */
function axesOf(series, { line, from, to, percent }) {
  const all = series.flatMap((one) => one.points);
  const [x0, x1] = [Math.min(0, ...all.map(([x]) => x)), Math.max(...all.map(([x]) => x), 1)];
  const y0 = from ?? Math.min(...all.map(([, y]) => y));
  const y1 = to ?? Math.max(...all.map(([, y]) => y), line ? line[0] * 1.06 : 0);
  const X = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const Y = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - BOTTOM - TOP);
  const text = (y) => (percent ? `${Math.round(y * 100)} %` : String(Number(y.toPrecision(2))));
  const marks = [
    niceTicks(y0, y1).map((y) => [
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: Y(y), y2: Y(y), class: "rule" }),
      svg("text", { x: LEFT - 8, y: Y(y) + 4, class: "tick end" }, text(y)),
    ]),
    niceTicks(x0, x1)
      .filter(Number.isInteger)
      .map((x) => svg("text", { x: X(x), y: HEIGHT - BOTTOM + 18, class: "tick middle" }, String(x))),
  ];
  return { X, Y, most: y1, marks };
}

function guessLine(y, text) {
  return [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "guess-line" }),
    svg("text", { x: WIDTH - RIGHT, y: y - 6, class: "tick end" }, text),
  ];
}

function curve(one, colour, { X, Y }) {
  const points = one.points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" ");
  const r = one.points.length > 40 ? 0 : 2.5;
  return [
    svg("polyline", { points, class: `curve ${colour} ${dashed(one)}` }),
    one.points.map(([x, y]) => svg("circle", { cx: X(x), cy: Y(y), r, class: `point ${colour}` })),
  ];
}

/** What a line is called: in the reader's language, where its table has the name. */
function labelOf({ name }) {
  const known = entry("chart.series");
  return Object.hasOwn(known, name) ? known[name] : name.replaceAll("_", " ");
}

function colourOf(name, k) {
  return (SERIES.find(([part]) => name.includes(part)) ?? [null, ROLES[k % 4]])[1];
}

function dashed(one) {
  return one.name.includes("test") ? "dashed" : "";
}

function lastOf(one, percent) {
  if (!one.points.length) return "";
  const [, last] = one.points.at(-1);
  return ` ${percent ? `${(last * 100).toFixed(1)} %` : last.toFixed(3)}`;
}

function niceTicks(least, most) {
  const rough = (most - least) / 5;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * base).find((size) => size >= rough);
  const ticks = [];
  for (let v = Math.ceil(least / step - 1e-9) * step; v <= most + 1e-9; v += step)
    ticks.push(Number(v.toPrecision(10)));
  return ticks;
}
