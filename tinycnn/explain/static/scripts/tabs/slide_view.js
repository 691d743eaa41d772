// slide_view: image, kernel, products and output as grids, and what lights up in them.

import { scale, scaleFor } from "../base/colour.js";
import { div, h, replace, span } from "../base/dom.js";
import { clamp, round } from "../base/numbers.js";
import { set } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { textFor } from "../model/conv.js";
import { currentConv, moveWindow, place } from "../model/convolutions.js";
import { button } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { mapGrid, panel } from "../widgets/panel.js";
import { FEW } from "./equation.js";

/** The output that is pointed at, or else that of the state. */
export function pointed(look, at) {
  return look.kind === "out" && look.i !== undefined ? { i: look.i, j: look.j } : { i: at.i, j: at.j };
}

/** The largest cell, up to `most` pixels, with which so many of them fit into `room`. */
function fit(cells, most, room) {
  return Math.min(most, room / cells);
}

/** Input, kernel, products and output as grids; `onlook` is told what is pointed at. */
export function slideView(conv, body, onlook) {
  const wide = conv.CG > FEW;
  const rows = Array.from({ length: wide ? 1 : conv.CG }, (_, row) => slideRow(conv, row, onlook));
  const output = outputGrid(conv, onlook);
  const strip = h("div", { class: "strip", role: "group", "aria-label": words("slide.grids.channels") });
  replace(
    body,
    div(
      "channel-rows",
      rows.map((row) => row.root),
      wide && strip,
    ),
    h("div", { class: "goes", "aria-hidden": "true" }, "→"),
    panel([pieces("slide.figures.output", { y: h("i", {}, "y") }), span("dims", `${conv.OH} × ${conv.OW}`)], output),
  );
  return {
    draw(now, look) {
      const at = place(now);
      rows.forEach((row, k) => row.draw(now, at, look, wide ? at.c : k));
      drawOutput(now, at, look, output);
      if (wide) drawStrip(now, strip, at, pointed(look, at));
    },
  };
}

function outputGrid(conv, onlook) {
  return new Grid({
    rows: conv.OH,
    cols: conv.OW,
    cell: fit(conv.OW, 40, 320),
    role: "output",
    drags: true, // a finger or the mouse takes the window along
    name: words("slide.grids.output"),
    onhover: (i, j) => onlook({ kind: "out", i, j }),
    onleave: () => onlook({ kind: "out" }),
    onpick: (i, j) => {
      onlook({ kind: "out", let: true });
      set({ i, j });
    },
    onmove: (di, dj) => {
      onlook({ kind: "out", let: true });
      moveWindow(currentConv(), di, dj);
    },
  });
}

function drawOutput(now, at, look, output) {
  const map = now.out.part(at.o);
  output.set({ value: (i, j) => map.at(i, j), paint: scaleFor(map), text: textFor(now) });
  const { i, j } = pointed(look, at);
  if (look.kind === "in") {
    const uses = now.outputsOf(look.r, look.q).map(([a, b]) => [a, b, 1, 1]);
    output.mark("window", uses, "use");
  } else output.mark("window", look.kind === "tap" ? [[0, 0, now.OH, now.OW]] : [[i, j, 1, 1]], "window");
}

/** One input channel: image, kernel slice, products, sum. */
function slideRow(conv, row, onlook) {
  const channel = () => (conv.CG > FEW ? place(currentConv()).c : row);
  const grids = {
    input: inputGrid(conv, row, (look) => onlook({ ...look, c: channel() })),
    kernel: kernelGrid(conv, row, (look) => onlook({ ...look, c: channel() })),
    products: new Grid({
      rows: conv.KH,
      cols: conv.KW,
      cell: fit(conv.KW, 42, 132),
      role: "plain",
      name: words("slide.grids.products"),
    }),
  };
  const [total, name] = [h("output", { class: "sum" }), span("dims")];
  const sign = (kind, text) => h("span", { class: `sign ${kind}`, "aria-hidden": "true" }, text);
  const root = div(
    "channel-row",
    panel([pieces("slide.figures.input", { x: h("i", {}, "x") }), name], grids.input),
    sign("times", "×"),
    panel(pieces("slide.figures.kernel", { w: h("i", {}, "w") }), grids.kernel),
    sign("equals", "="),
    panel(words("terms.products"), grids.products),
    div("sum-cell", h("span", { class: "sigma", "aria-hidden": "true" }, "Σ"), total),
  );
  return {
    root,
    draw(now, at, look, c) {
      const x = now.channels(at.o)[c];
      name.textContent = now.C > 1 ? words("terms.channel", { c: x }) : "";
      const point = pointed(look, at);
      drawRow(now, { o: at.o, c, x, ...point }, grids);
      total.textContent = round(now.channelSum(at.o, c, point.i, point.j), now.whole ? 0 : 4);
      markSlide(now, look, point, c, grids);
    },
  };
}

function inputGrid(conv, row, onlook) {
  let last = { r: conv.PH, q: conv.PW };
  return new Grid({
    rows: conv.FH,
    cols: conv.FW,
    cell: fit(conv.FW, 36, 320),
    role: "input",
    name: words("slide.grids.input", { c: row }),
    onhover: (r, q) => onlook({ kind: "in", r, q }),
    onleave: () => onlook({ kind: "out" }),
    onpick: (r, q) => onlook({ kind: "in", r, q, held: true }),
    onmove: (dr, dq) => {
      last = { r: clamp(last.r + dr, 0, conv.FH - 1), q: clamp(last.q + dq, 0, conv.FW - 1) };
      onlook({ kind: "in", ...last, held: true });
    },
  });
}

function kernelGrid(conv, row, onlook) {
  let last = { u: 0, v: 0 };
  return new Grid({
    rows: conv.KH,
    cols: conv.KW,
    cell: fit(conv.KW, 42, 132),
    role: "kernel",
    name: words("slide.grids.kernel", { c: row }),
    onhover: (u, v) => onlook({ kind: "tap", u, v, held: false }),
    onleave: () => onlook({ kind: "out" }),
    onpick: (u, v) => onlook({ kind: "tap", u, v, held: true }),
    onmove: (du, dv) => {
      last = { u: clamp(last.u + du, 0, conv.KH - 1), v: clamp(last.v + dv, 0, conv.KW - 1) };
      onlook({ kind: "tap", ...last, held: true });
    },
  });
}

/** The numbers of one channel; x is the channel of the image, c the slice of the kernel. */
function drawRow(now, { o, c, x, i, j }, { input, kernel, products }) {
  const text = textFor(now);
  input.set({
    value: (r, q) => now.pixel(x, r, q),
    kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
    paint: scaleFor(now.x.part(x)),
    text,
  });
  const w = now.w.part(o).part(c);
  kernel.set({ value: (u, v) => w.at(u, v), paint: scale("signed", now.w.part(o).most), text });
  const value = (u, v) => now.product(o, c, i, j, u, v);
  const most = Math.max(...now.window(i, j).map(([u, v]) => Math.abs(value(u, v))), 1e-9);
  products.set({ value, paint: scale("signed", most), text });
}

/** What lights up: the window of an output, the outputs of a pixel, or everything that one weight meets. */
function markSlide(now, look, { i, j }, c, { input, kernel, products }) {
  const here = look.c === c;
  let [window, taps, pixel, tap] = [[], [], [], []];
  if (look.kind === "in" && here) {
    pixel = [[look.r, look.q, 1, 1]];
    tap = now.outputsOf(look.r, look.q).map(([, , u, v]) => [u, v, 1, 1]);
  } else if (look.kind === "tap" && here) {
    tap = [[look.u, look.v, 1, 1]];
    window = now.seenBy(look.u, look.v);
    pixel = [[i * now.SH + look.u * now.DH, j * now.SW + look.v * now.DW, 1, 1]];
  } else if (look.kind === "out") {
    window = [now.box(i, j)];
    if (now.DH > 1 || now.DW > 1) taps = now.window(i, j).map(([, , r, q]) => [r, q, 1, 1]);
  }
  input.mark("window", window, "window");
  input.mark("taps", taps, "dot");
  input.mark("pixel", pixel, "point");
  kernel.mark("tap", tap, look.kind === "in" ? "use" : "point");
  products.mark("tap", look.kind === "tap" ? tap : [], "point");
}

/** The input channels of a wide convolution: thumbnails with what each adds to this output. */
function drawStrip(now, strip, at, point) {
  if (strip.conv !== now || strip.filter !== at.o) {
    strip.conv = now;
    strip.filter = at.o;
    strip.replaceChildren(...now.channels(at.o).map((x, c) => channelButton(now, x, c)));
  }
  [...strip.children].forEach((thumb, c) => {
    thumb.setAttribute("aria-pressed", c === at.c);
    thumb.lastChild.textContent = round(now.channelSum(at.o, c, point.i, point.j), 3);
  });
}

function channelButton(now, x, c) {
  const map = now.x.part(x);
  const options = { cell: 44 / now.W, name: words("terms.channel", { c: x }), role: "input" };
  return button([mapGrid(map, scaleFor(map), options).root, span("num")], () => set({ c }), { class: "thumb" });
}
