// size_figures: the windows along one axis, and how many windows use each pixel of a square.

import { scale } from "../base/colour.js";
import { div, h, span, svg } from "../base/dom.js";
import { round } from "../base/numbers.js";
import { words } from "../base/words.js";
import { Grid } from "../widgets/grid.js";
import { panel } from "../widgets/panel.js";

/** Both figures; draw(sizes, hidden) leaves them empty while the reader is asked. */
export function windowsFigure() {
  const strip = div("strips");
  const counts = new Grid({
    rows: 7,
    cols: 7,
    cell: 30,
    role: "output",
    name: words("size.figures.uses"),
    text: (v) => round(v, 0),
  });
  const legend = div(
    "legend",
    swatch("frame", words("size.figures.padding")),
    swatch("used", words("size.figures.used")),
    swatch("drop", words("size.figures.never")),
  );
  const line = h("figure", { class: "panel input" }, h("figcaption", {}, words("size.figures.axis")), strip, legend);
  const square = panel(words("size.figures.axes"), counts, "output", words("size.figures.ones"));
  const root = div("size-body", line, square);
  return {
    root,
    draw(sizes, hidden) {
      strip.replaceChildren(stripOf(hidden ? { ...sizes, size: 0, uses: null } : sizes));
      legend.hidden = square.hidden = hidden;
      if (!hidden) drawCounts(counts, sizes);
    },
  };
}

/** A pixel of each kind, with what it stands for. */
function swatch(kind, text) {
  const box = { x: 1, y: 1, width: 12, height: 12, rx: 3 };
  const hatched = kind === "drop" && svg("rect", { ...box, class: "hatched", fill: "url(#hatch)" });
  const drawing = svg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("rect", box), hatched);
  return span(`swatch ${kind}`, drawing, text);
}

function drawCounts(counts, { n, uses }) {
  counts.set({
    rows: n,
    cols: n,
    cell: Math.min(34, 300 / n),
    value: (r, c) => uses[r] * uses[c],
    paint: scale("count", Math.max(...uses) ** 2 || 1),
    kind: (r, c) => (uses[r] * uses[c] ? null : "drop"),
  });
}

const [CELL, ROW, TOP] = [24, 15, 34]; // pixels of the drawing

/** The padded line of pixels, and under it one row per window with its taps; only the pixels where `uses` is null. */
function stripOf({ n, k, s, p, d, size, uses }) {
  const total = n + 2 * p;
  const height = TOP + Math.max(size, 1) * ROW + 6;
  const [windows, pixels] = [words("count.windows", { n: size }), words("count.pixels", { n: total })];
  const name = uses ? words("size.figures.over", { windows, pixels }) : pixels;
  const root = svg("svg", {
    viewBox: `0 0 ${total * CELL} ${height}`,
    class: "line-strip",
    role: "img",
    "aria-label": name,
  });
  root.style.maxWidth = `${total * CELL * 1.9}px`;
  root.append(hatching(), ...Array.from({ length: total }, (_, r) => pixelOf(r, { n, p, uses })).flat());
  for (let i = 0; i < size; i++) root.append(...windowOf(i, { k, s, d }));
  return root;
}

function hatching() {
  const line = svg("line", { x1: 0, y1: 0, x2: 0, y2: 5, class: "hatch-line" });
  const size = { width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return svg("defs", {}, svg("pattern", { id: "hatch", ...size }, line));
}

function pixelOf(r, { n, p, uses }) {
  const inside = r >= p && r < p + n;
  const kind = !inside ? "pad" : !uses || uses[r - p] ? "used" : "drop";
  const box = { x: r * CELL + 1, y: 1, width: CELL - 2, height: CELL - 2, rx: 3 };
  return [
    svg("rect", { ...box, class: `pixel ${kind}` }),
    ...(kind === "drop" ? [svg("rect", { ...box, fill: "url(#hatch)" })] : []),
    svg("text", { x: (r + 0.5) * CELL, y: 16, class: `pixel-text ${kind}` }, inside ? String(r - p) : "0"),
  ];
}

function windowOf(i, { k, s, d }) {
  const y = TOP + i * ROW + 5;
  const x = (u) => (i * s + u * d + 0.5) * CELL;
  const taps = Array.from({ length: k }, (_, u) => svg("circle", { cx: x(u), cy: y, r: 5, class: "tap" }));
  return [svg("line", { x1: x(0), x2: x(k - 1), y1: y, y2: y, class: "span" }), ...taps];
}
