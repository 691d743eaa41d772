// im2col_view: image over weights on the left, columns over output on the right; rows and columns meet, as in
// Falk's scheme for products of matrices.

import { scale, scaleFor } from "../base/colour.js";
import { div, h, replace, span } from "../base/dom.js";
import { clamp, round } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { textFor } from "../model/conv.js";
import { currentConv, place, stepWindow } from "../model/convolutions.js";
import { fly } from "../widgets/flight.js";
import { Grid } from "../widgets/grid.js";
import { panel } from "../widgets/panel.js";

const MOST_FILTERS = 16; // rows of the weights and of the output
const [ROOM, HEIGHT, LEAST] = [760, 405, 2]; // pixels for the columns, across and down, and for the lowest row

/** The four figures; `onlook({i, j, k})` is told which column is pointed at, and which row, or null. */
export function productView(conv, body, onlook) {
  const view = { over: { k: null, l: null }, few: Math.min(conv.O, MOST_FILTERS), onlook };
  view.labels = div("row-labels");
  const hover = (k, l = null) => {
    view.over = { k, l };
    drawProduct(view, currentConv());
  };
  view.inputs = conv.channels(place(conv).o).map((_, c) => channelGrid(conv, c));
  view.cols = columnsGrid(conv, hover);
  view.weights = weightsGrid(conv, view.few);
  view.out = outputRows(conv, view.few, hover);
  const dims = (...sizes) => span("dims", sizes.join(" × "));
  const minis = div(
    `minis n${Math.min(view.inputs.length, 6)}`,
    view.inputs.map((grid) => grid.root),
  );
  const rest = view.few < conv.O ? words("im2col.figures.first", { n: view.few, all: conv.O }) : null;
  body.classList.toggle("many", conv.name !== "toy");
  body.replaceChildren(
    panel([words("im2col.figures.image"), dims(conv.CG, conv.H, conv.W)], { root: minis, role: "input" }),
    panel(
      [named("columns", "cols"), dims(conv.K, conv.L)],
      { root: div("labelled", view.labels, view.cols.root) },
      "input",
    ),
    panel([named("weights", "w"), dims(conv.O, conv.K)], view.weights),
    panel([named("output", "w @ cols + b"), dims(conv.O, conv.L)], view.out, "output", rest),
  );
  return view;
}

/** A name from the table, with what the code calls it. */
function named(name, text) {
  return pieces(`im2col.figures.${name}`, { code: h("code", {}, text) });
}

function channelGrid(conv, c) {
  return new Grid({
    rows: conv.FH,
    cols: conv.FW,
    cell: Math.min(30, (conv.CG > 2 ? 110 : conv.CG > 1 ? 196 : 260) / conv.FW),
    role: "input",
    name: words("im2col.grids.input", { c }),
    onpick: (r, q) => {
      const [use] = currentConv().outputsOf(r, q);
      if (use) set({ i: use[0], j: use[1], tap: -1 });
    },
  });
}

function columnWidth(conv) {
  return conv.L > 80 ? ROOM / conv.L : Math.min(24, ROOM / conv.L);
}

/** The row that the arrow keys reach from the one that is looked at; -1 is none. */
function nextTap(conv, by) {
  return clamp(state.tap + by, -1, conv.K - 1);
}

function rowHeight(conv) {
  return clamp(HEIGHT / conv.K, LEAST, 22.5);
}

/** The weight of a row of the columns: in the order of textbooks, (c, u, v), or as the engine stores them, (u, c, v). */
export function rowTap(conv, k) {
  return state.stored ? conv.tap(k) : conv.textbookTap(k);
}

/** What the rows belong to: each weight by its c, u, v; the channels, where rows are too low for that. */
function labelRows(labels, conv) {
  const height = rowHeight(conv);
  const each = height >= 11;
  const block = conv.KH * conv.KW;
  if (!each && state.stored) return replace(labels);
  const names = each
    ? Array.from({ length: conv.K }, (_, k) => rowTap(conv, k).join(" "))
    : Array.from({ length: conv.CG }, (_, c) => `c ${c}`);
  const head = each ? h("span", { class: "row-head" }, "c u v") : null;
  const style = { height: `calc(${each ? height : block * height}px * var(--zoom))` };
  return replace(
    labels,
    head,
    names.map((name) => h("span", { style }, name)),
  );
}

function columnsGrid(conv, hover) {
  return new Grid({
    rows: conv.K,
    cols: conv.L,
    cell: columnWidth(conv),
    rowHeight: rowHeight(conv),
    role: "input",
    name: words("im2col.grids.columns"),
    onhover: (k, l) => hover(k, l),
    onleave: () => hover(null),
    onpick: (k, l) => {
      const [i, j] = conv.position(l);
      set({ i, j, tap: k });
    },
    onmove: (dk, dl) => (dl ? stepWindow(currentConv(), dl) : set({ tap: nextTap(conv, dk) })),
  });
}

/** The rows of weights and output: room for a number where there are few. */
function filterHeight(few) {
  return clamp(108 / few, 8, 24);
}

function nextFilter(by, few) {
  return clamp(place(currentConv()).o + by, 0, few - 1);
}

function weightsGrid(conv, few) {
  return new Grid({
    rows: few,
    cols: conv.K,
    cell: Math.min(24, 330 / conv.K),
    rowHeight: filterHeight(few),
    role: "kernel",
    name: words("im2col.grids.weights"),
    onpick: (row, k) => set({ o: row, tap: k }),
    onmove: (dr, dk) => set({ o: nextFilter(dr, few), tap: nextTap(conv, dk) }),
  });
}

function outputRows(conv, few, hover) {
  return new Grid({
    rows: few,
    cols: conv.L,
    cell: columnWidth(conv),
    rowHeight: filterHeight(few),
    role: "output",
    name: words("im2col.grids.output"),
    onhover: (_row, l) => hover(null, l),
    onleave: () => hover(null),
    onpick: (row, l) => {
      const [i, j] = conv.position(l);
      set({ o: row, i, j });
    },
    onmove: (dr, dl) => (dl ? stepWindow(currentConv(), dl) : set({ o: nextFilter(dr, few) })),
  });
}

/** Numbers and marks, by the state and by what is pointed at. */
export function drawProduct(view, now) {
  const at = place(now);
  const l = view.over.l ?? at.i * now.OW + at.j;
  const k = view.over.k ?? (state.tap >= 0 ? Math.min(state.tap, now.K - 1) : null);
  const [i, j] = now.position(l);
  view.inputs.forEach((grid, c) => drawChannel(now, grid, c, { o: at.o, i, j, k }));
  fillMatrices(view, now, at);
  view.cols.mark("column", [[0, l, now.K, 1]], "window");
  view.cols.mark("row", k === null ? [] : [[k, 0, 1, now.L]], "seen");
  const shown = at.o < view.few;
  view.weights.mark("row", shown ? [[at.o, 0, 1, now.K]] : [], "window");
  view.weights.mark("tap", k === null || !shown ? [] : [[at.o, k, 1, 1]], "point");
  view.out.mark("cell", shown ? [[at.o, l, 1, 1]] : [], "window");
  view.onlook({ i, j, k });
}

/** One channel of the image, with the window, and with what the weight of row k sees. */
function drawChannel(now, grid, c, { o, i, j, k }) {
  const x = now.channels(o)[c];
  grid.set({
    value: (r, q) => now.pixel(x, r, q),
    kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
    paint: scaleFor(now.x),
    text: textFor(now),
  });
  grid.mark("window", [now.box(i, j)], "window");
  const [channel, u, v] = k === null ? [-1] : rowTap(now, k);
  const whole = channel === c && now.SH === 1 && now.SW === 1;
  grid.mark("seen", whole ? now.seenBy(u, v) : [], "seen");
  grid.mark("tap", channel === c ? [[i * now.SH + u * now.DH, j * now.SW + v * now.DW, 1, 1]] : [], "point");
}

function fillMatrices(view, now, at) {
  labelRows(view.labels, now);
  const group = Math.floor(at.o / (now.O / now.G));
  const storedRow = (row) => now.row(...rowTap(now, row));
  const upto = state.fill ? at.i * now.OW + at.j : now.L;
  const text = textFor(now);
  view.cols.set({
    value: (row, column) => (column <= upto ? now.column(group, storedRow(row), column) : null),
    paint: scaleFor(now.x),
    text,
  });
  view.weights.set({
    value: (row, column) => now.w.at(row, ...rowTap(now, column)),
    paint: scale("signed", now.w.most),
    text,
  });
  view.out.set({
    value: (row, column) => (column <= upto ? now.out.data[row * now.L + column] : null),
    paint: scaleFor(now.out),
    text,
  });
}

/** The numbers of the new window fly into their column. */
export function flyColumn(conv, { inputs, cols }) {
  const { i, j } = place(conv);
  const l = i * conv.OW + j;
  const flight = (grid, c, [u, v, r, q]) => [
    round(conv.pixel(c, r, q), 0),
    grid.rect(r, q),
    cols.rect(state.stored ? conv.row(c, u, v) : conv.textbookRow(c, u, v), l),
    "input",
  ];
  fly(inputs.flatMap((grid, c) => conv.window(i, j).map((tap) => flight(grid, c, tap))));
}
