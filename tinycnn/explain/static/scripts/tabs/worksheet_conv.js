// worksheet_conv: exercises on the toy, with the options and the window that the page shows: all in whole numbers.

import { h } from "../base/dom.js";
import { clamp, round } from "../base/numbers.js";
import { state } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { place, toyConv } from "../model/convolutions.js";
import { products } from "./practice.js";
import { spread, written } from "./worksheet_parts.js";

/** The toy, and the part of it that the exercises are about. */
function asked() {
  const conv = toyConv(state);
  const biases = Array.from({ length: conv.O }, (_, o) => round(conv.bias(o), 0)).join(", ");
  return { conv, ...place(conv), options: { s: conv.SH, p: conv.PH, d: conv.DH, b: biases } };
}

/** Who worked the answers out: the engine, or the browser after a change. */
const maker = (conv) => (conv.engine ? "engine" : "browser");

/** What channel c of the image adds to an output. */
function partial(conv, o, c, i, j) {
  return conv.partials ? conv.partials.at(c, o, i, j) : conv.channelSum(o, c, i, j);
}

const letter = (name, ...index) => [h("i", {}, name), index.length ? `[${index.join(", ")}]` : ""];

/** The framed image, channel by channel. */
function images({ grid }, conv) {
  const pad = (r, q) => conv.inFrame(r, q);
  return Array.from({ length: conv.C }, (_, c) => {
    const cells = { rows: conv.FH, cols: conv.FW, value: (r, q) => conv.pixel(c, r, q), pad };
    return grid(letter("x", c), `x[${c}]`, cells);
  });
}

/** The kernel of filter o for channel c. */
function kernel({ grid }, conv, o, c) {
  return grid(letter("w", o, c), `w[${o}, ${c}]`, {
    rows: conv.KH,
    cols: conv.KW,
    value: (u, v) => conv.w.at(o, c, u, v),
  });
}

function kernels(parts, conv, o) {
  return Array.from({ length: conv.CG }, (_, c) => kernel(parts, conv, o, c));
}

function gradients({ grid }, conv, filters) {
  const one = (o) => ({ rows: conv.OH, cols: conv.OW, value: (i, j) => conv.grad_out.at(o, i, j) });
  return filters.map((o) => grid(letter("dy", o), `dy[${o}]`, one(o)));
}

/** "28 + 3 + 1 = 32": the channels' sums and the bias. */
function sumOf(conv, o, i, j) {
  const sums = Array.from({ length: conv.CG }, (_, c) => written(partial(conv, o, c, i, j)));
  return `y[${o}, ${i}, ${j}] = ${[...sums, written(conv.bias(o))].join(" + ")} = ${written(conv.out.at(o, i, j))}`;
}

/** Some numbers of one map of the output. */
export function outputExercise(parts) {
  const { conv, o, i, j, options } = asked();
  const blanks = spread(conv.L, 6, i * conv.OW + j);
  const output = parts.grid(letter("y", o), `y[${o}]`, {
    rows: conv.OH,
    cols: conv.OW,
    value: (r, q) => conv.out.at(o, r, q),
    asked: (r, q) => blanks.includes(r * conv.OW + q),
  });
  return {
    by: maker(conv),
    title: words("sheet.output.title"),
    ask: words("sheet.output.ask", { ...options, b: round(conv.bias(o), 0), o }),
    content: [images(parts, conv), kernels(parts, conv, o), output],
    why: blanks.map((l) => sumOf(conv, o, ...conv.position(l))),
  };
}

/** One column of im2col, and what the filters make of it. */
export function columnExercise(parts) {
  const { conv, i, j, options } = asked();
  const l = i * conv.OW + j;
  const taps = Array.from({ length: conv.K }, (_, k) => conv.textbookTap(k));
  const names = ["c u v", ...Array.from({ length: conv.O }, (_, o) => `w[${o}]`), h("code", {}, "cols")];
  const rows = [
    taps.map((tap) => tap.join(" ")),
    ...Array.from({ length: conv.O }, (_, o) => taps.map((tap) => conv.w.at(o, ...tap))),
    taps.map((tap) => conv.column(0, conv.row(...tap), l)),
  ];
  const table = parts.grid(h("code", {}, "w @ cols + b"), `cols[${l}]`, {
    rows: conv.K + 1,
    cols: rows.length,
    value: (k, n) => (k === 0 ? names[n] : rows[n][k - 1]),
    asked: (k, n) => k > 0 && n === rows.length - 1,
    pad: (k, n) => k === 0 || n === 0,
  });
  const results = Array.from({ length: conv.O }, (_, o) =>
    h("p", {}, letter("y", o, i, j), " = ", parts.box(conv.out.at(o, i, j))),
  );
  return {
    by: maker(conv),
    title: words("sheet.column.title"),
    ask: words("sheet.column.ask", { ...options, i, j }),
    content: [images(parts, conv), table, h("div", {}, results)],
    why: Array.from({ length: conv.O }, (_, o) => sumOf(conv, o, i, j)),
  };
}

/** What each channel adds to some numbers of the output. */
export function partialsExercise(parts) {
  const { conv, o, i, j, options } = asked();
  const places = spread(conv.L, 4, i * conv.OW + j).map((l) => conv.position(l));
  const names = [...Array.from({ length: conv.CG }, (_, c) => words("terms.channel", { c })), words("terms.bias")];
  const head = h(
    "tr",
    {},
    h("td"),
    [...names, letter("y", o)].map((name) => h("th", { scope: "col" }, name)),
  );
  const row = ([r, q]) => {
    const sums = Array.from({ length: conv.CG }, (_, c) => parts.box(partial(conv, o, c, r, q)));
    const cells = [...sums, written(conv.bias(o)), parts.box(conv.out.at(o, r, q))];
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, `(${r}, ${q})`),
      cells.map((cell) => h("td", {}, cell)),
    );
  };
  return {
    by: maker(conv),
    title: words("sheet.partials.title"),
    ask: words("sheet.partials.ask", options),
    content: [
      images(parts, conv),
      kernels(parts, conv, o),
      h("table", { class: "sheet-table" }, head, places.map(row)),
    ],
    why: places.map(([r, q]) => sumOf(conv, o, r, q)),
  };
}

/** Two entries of a weight gradient. */
export function weightsExercise(parts) {
  const { conv, o, c, options } = asked();
  const channel = conv.channels(o)[c];
  const blanks = spread(conv.KH * conv.KW, 2, 1).map((k) => [Math.floor(k / conv.KW), k % conv.KW]);
  const is = (u, v) => blanks.some(([a, b]) => a === u && b === v);
  const value = (u, v) => conv.grad_w.at(o, c, u, v);
  const gradient = parts.grid(letter("dw", o, c), `dw[${o}, ${c}]`, { rows: conv.KH, cols: conv.KW, value, asked: is });
  const sum = ([u, v]) => {
    const pairs = Array.from({ length: conv.L }, (_, l) => {
      const [i, j] = conv.position(l);
      return [conv.grad_out.at(o, i, j), conv.pixel(channel, i * conv.SH + u * conv.DH, j * conv.SW + v * conv.DW)];
    });
    return `dw[${o}, ${c}, ${u}, ${v}] = ${products(pairs.filter(([a, b]) => a * b))} = ${written(value(u, v))}`;
  };
  return {
    by: maker(conv),
    title: words("sheet.weights.title"),
    ask: pieces("sheet.weights.ask", { ...options, code: h("code", {}, "dw = dy @ cols.T") }),
    content: [gradients(parts, conv, [o]), images(parts, conv)[channel], gradient],
    why: blanks.map(sum),
  };
}

/** Three pixels of the image's gradient, by col2im. */
export function pixelsExercise(parts) {
  const { conv, o, i, j, c, options } = asked();
  const channel = conv.channels(o)[c];
  const first = clamp(i, 0, conv.H - 1) * conv.W + clamp(j, 0, conv.W - 1);
  const blanks = spread(conv.H * conv.W, 3, first).map((k) => [Math.floor(k / conv.W), k % conv.W]);
  const filters = Array.from({ length: conv.O }, (_, k) => k);
  const gradient = parts.grid(letter("dx", channel), `dx[${channel}]`, {
    rows: conv.H,
    cols: conv.W,
    value: (r, q) => conv.grad_x.at(channel, r, q),
    asked: (r, q) => blanks.some(([a, b]) => a === r && b === q),
  });
  const sum = ([r, q]) => {
    const pairs = filters.flatMap((f) =>
      conv
        .outputsOf(r + conv.PH, q + conv.PW)
        .map(([a, b, u, v]) => [conv.grad_out.at(f, a, b), conv.w.at(f, c, u, v)]),
    );
    const terms = products(pairs.filter(([a, b]) => a * b)) || "0";
    return `dx[${channel}, ${r}, ${q}] = ${terms} = ${written(conv.grad_x.at(channel, r, q))}`;
  };
  return {
    by: maker(conv),
    title: words("sheet.pixels.title"),
    ask: pieces("sheet.pixels.ask", { ...options, code: h("code", {}, "dx = col2im(w.T @ dy)") }),
    content: [gradients(parts, conv, filters), filters.map((f) => kernel(parts, conv, f, c)), gradient],
    why: blanks.map(sum),
  };
}
