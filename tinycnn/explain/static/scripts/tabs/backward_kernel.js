// backward_kernel: one window after another adds to the weight gradient, and to the gradient of the pixels.

import { scale, scaleFor } from "../base/colour.js";
import { div, h, replace } from "../base/dom.js";
import { brief, count, exactly, round } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { currentConv, moveWindow, place, toyConv } from "../model/convolutions.js";
import { code } from "../widgets/code.js";
import { slider } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { panel } from "../widgets/panel.js";
import { section } from "./backward_parts.js";
import { convControls, windowPlayer } from "./conv_controls.js";

const SIDE_BY_SIDE = 3; // so many filters' terms are shown; of more, the chosen one's and the sum of the others

/** The weight gradient as a product with the columns, and col2im as adding up; one window at a time. */
export function kernelSection(say) {
  const controls = convControls();
  const channel = slider("Channel", 1, 2, (value) => set({ c: value - 1 }));
  controls.append(channel);
  const [missing, content] = [h("p", { class: "note" }), div("backward-sums")];
  const [backward, col2im] = [code("backward"), code("col2im")];
  backward.lit(["weight", "cols", "col2im"]);
  col2im.lit(["add"]);
  const root = section(
    "3",
    "Into the kernel, and back to the pixels",
    "Every output pulls on the weights through the pixels it saw, and on the pixels through the weights it used. Step through the windows and watch both sums grow.",
    [controls, div("tools-row", windowPlayer()), missing, content, say, backward, col2im],
  );
  let view = null;
  return {
    root,
    update() {
      const conv = withGradients();
      controls.show(conv);
      channel.hidden = conv.CG < 2;
      channel.limit(conv.CG);
      channel.show(place(conv).c + 1);
      const ready = conv.grad_out && conv.grad_w && conv.grad_x;
      missing.textContent = ready
        ? ""
        : "The gradients of this layer and image were left out of the page to keep it small.";
      content.hidden = !ready;
      if (!ready) return;
      const shown = `${conv.name} ${conv.FH} ${conv.OH} ${conv.OW}`;
      if (view?.shown !== shown) view = { ...sumsView(conv, content), shown };
      view.draw(conv);
      say.say(sentence(conv));
    },
  };
}

/** The state's convolution with the engine's gradients, which a changed toy has not. */
function withGradients() {
  const conv = currentConv();
  return conv.engine ? conv : toyConv({ ...state, edits: "" });
}

function sentence(conv) {
  const { o, i, j } = place(conv);
  const l = i * conv.OW + j;
  const done = l === conv.L - 1;
  const added = done
    ? "the last one; both sums are now the engine’s gradients."
    : `${count(l + 1, "window")} of ${conv.L} added.`;
  return `Window (${i}, ${j}), gradient ${exactly(conv.grad_out.at(o, i, j))}: ${added}`;
}

/** The grids of both sums; draw(conv) fills them by the state. */
function sumsView(conv, content) {
  const make = makerOf(conv);
  const weights = weightGrids(make);
  const terms = termGrids(conv, make);
  const pixels = pixelGrids(make);
  replace(
    content,
    h("h4", {}, h("code", {}, "dw = dy @ cols.T"), " every window adds its pixels, times its gradient"),
    div("into", weightPanels(weights)),
    h(
      "h4",
      {},
      h("code", {}, "dcols = w.T @ dy"),
      " what this window hands back: each filter’s weights, times its gradient",
    ),
    div("into terms", termPanels(terms)),
    h("h4", {}, h("code", {}, "dx = col2im(dcols)"), " and it is added to the pixels under the window"),
    div("into", pixelPanels(pixels)),
  );
  return {
    draw(now) {
      const at = { ...place(now), text: now.whole ? (v) => round(v, 0) : (v) => brief(v) };
      drawWeights(now, at, weights);
      drawTerms(now, at, terms);
      drawPixels(now, at, pixels);
    },
  };
}

/** Makes grids of the three sizes: kernel, image, output. */
function makerOf(conv) {
  const sizes = {
    kernel: [conv.KH, conv.KW, 38, 116],
    image: [conv.FH, conv.FW, 28, 190],
    map: [conv.OH, conv.OW, 34, 190],
  };
  return (size, name, role, options = {}) => {
    const [rows, cols, most, room] = sizes[size];
    return new Grid({ name, role, rows, cols, cell: Math.min(most, room / cols), ...options });
  };
}

const sign = (text) => h("span", { class: "sign", "aria-hidden": "true" }, text);

function weightGrids(make) {
  return {
    dy: make("map", "Gradient of the output; arrow keys move the window", "gradient", {
      onmove: (di, dj) => moveWindow(currentConv(), di, dj),
      onpick: (i, j) => set({ i, j }),
    }),
    x: make("image", "Input", "input"),
    before: make("kernel", "Weight gradient before this window", "gradient"),
    share: make("kernel", "What this window adds", "plain"),
    after: make("kernel", "Weight gradient so far", "gradient"),
    whole: make("kernel", "Weight gradient of the engine", "gradient"),
  };
}

function weightPanels({ dy, x, before, share, after, whole }) {
  return [
    panel(["gradient ", h("i", {}, "dy")], dy),
    sign("·"),
    panel(["input ", h("i", {}, "x")], x),
    sign("→"),
    panel("before", before, "gradient"),
    sign("+"),
    panel("dy · window", share, "plain"),
    sign("="),
    panel("after", after, "gradient", origin("browser")),
    panel(h("i", {}, "dw"), whole, "gradient", origin("engine")),
  ];
}

function drawWeights(now, { o, i, j, c, text }, grids) {
  const [l, channel, gradient] = [i * now.OW + j, now.channels(o)[c], now.grad_out.part(o)];
  const write = now.whole ? text : () => null;
  grids.dy.set({ value: (r, q) => gradient.at(r, q), paint: scale("signed", gradient.most), text: write });
  grids.dy.mark("unit", [[i, j, 1, 1]], "window");
  grids.x.set({
    value: (r, q) => now.pixel(channel, r, q),
    kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
    paint: scaleFor(now.x.part(channel)),
    text: write,
  });
  grids.x.mark("window", [now.box(i, j)], "window");
  const share = (u, v, ll) => {
    const [a, b] = now.position(ll);
    return now.pixel(channel, a * now.SH + u * now.DH, b * now.SW + v * now.DW) * gradient.data[ll];
  };
  const upto = (end) => (u, v) => {
    let total = 0;
    for (let ll = 0; ll < end; ll++) total += share(u, v, ll);
    return total;
  };
  const dw = now.grad_w.part(o).part(c);
  const paint = scale("signed", dw.most);
  grids.before.set({ value: upto(l), paint, text });
  grids.share.set({ value: (u, v) => share(u, v, l), paint, text });
  grids.after.set({ value: upto(l + 1), paint, text });
  grids.whole.set({ value: (u, v) => dw.at(u, v), paint, text });
}

/** One row per filter that is shown, one for all others, and their sum. */
function termGrids(conv, make) {
  const each = conv.O / conv.G;
  const few = each <= SIDE_BY_SIDE;
  const rows = Array.from({ length: few ? each : 1 }, () => ({
    gradient: h("output", { class: "term gradient" }),
    kernel: make("kernel", "Kernel", "kernel"),
    term: make("kernel", "Its term", "plain"),
    name: h("span"),
  }));
  const others = few ? null : make("kernel", "The terms of the other filters", "plain");
  return { each, rows, others, column: make("kernel", "This window’s column of the columns’ gradient", "gradient") };
}

function termPanels({ each, rows, others, column }) {
  const row = ({ gradient, kernel, term, name }, k) => [
    k > 0 && sign("+"),
    div("one-term", gradient, sign("·"), panel(name, kernel), sign("="), panel("term", term)),
  ];
  const rest = others && [sign("+"), panel(`the other ${each - 1} filters`, others)];
  return [rows.map(row), rest, sign("⇒"), panel(h("code", {}, "dcols"), column, "gradient", "one column, as an image")];
}

function drawTerms(now, { o, i, j, c, text }, { each, rows, others, column }) {
  const group = Math.floor(o / each);
  const filters = others ? [o] : Array.from({ length: each }, (_, k) => group * each + k);
  const value = (filter) => (u, v) => now.w.at(filter, c, u, v) * now.grad_out.at(filter, i, j);
  const total = (u, v) => now.gradColumn(group, now.row(c, u, v), i * now.OW + j);
  const most = Math.max(
    ...now.window(i, j).flatMap(([u, v]) => [total, ...filters.map(value)].map((f) => Math.abs(f(u, v)))),
  );
  const paint = scale("signed", most || 1e-12);
  rows.forEach(({ gradient, kernel, term, name }, k) => {
    const w = now.w.part(filters[k]).part(c);
    replace(name, "filter ", String(filters[k] + 1));
    replace(gradient, h("b", {}, text(now.grad_out.at(filters[k], i, j))), h("small", {}, "dy"));
    kernel.set({
      value: (u, v) => w.at(u, v),
      paint: scale("signed", now.w.most),
      text,
      name: `Kernel of filter ${filters[k] + 1}`,
    });
    term.set({ value: value(filters[k]), paint, text, name: `Term of filter ${filters[k] + 1}` });
  });
  others?.set({ value: (u, v) => total(u, v) - value(o)(u, v), paint, text });
  column.set({ value: total, paint, text });
}

function pixelGrids(make) {
  return {
    before: make("image", "Gradient of the input before this window", "gradient"),
    share: make("image", "What this window adds to the pixels", "plain"),
    after: make("image", "Gradient of the input so far", "gradient"),
    whole: make("image", "Gradient of the input, of the engine", "gradient"),
  };
}

function pixelPanels({ before, share, after, whole }) {
  return [
    panel("before", before, "gradient"),
    sign("+"),
    panel("this column, at its window", share, "plain"),
    sign("="),
    panel("after", after, "gradient", origin("browser")),
    panel(h("i", {}, "dx"), whole, "gradient", origin("engine")),
  ];
}

function drawPixels(now, { o, i, j, c, text }, grids) {
  const l = i * now.OW + j;
  const dx = now.grad_x.part(now.channels(o)[c]);
  const common = {
    paint: scale("signed", dx.most),
    kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
    text: now.whole ? text : () => null,
  };
  const show = (grid, sums) => grid.set({ ...common, value: (r, q) => sums[r * now.FW + q] });
  const before = scattered(now, { o, c }, 0, l);
  const share = scattered(now, { o, c }, l, l + 1);
  show(grids.before, before);
  show(grids.share, share);
  show(
    grids.after,
    before.map((v, k) => v + share[k]),
  );
  for (const grid of [grids.before, grids.share, grids.after]) grid.mark("window", [now.box(i, j)], "window");
  const inside = (r, q) => (now.inFrame(r, q) ? null : dx.at(r - now.PH, q - now.PW));
  grids.whole.set({ ...common, value: inside });
}

/** What windows `first` to `end` add to the framed pixels of channel c: col2im of their columns. */
function scattered(now, { o, c }, first, end) {
  const group = Math.floor(o / (now.O / now.G));
  const sums = new Float64Array(now.FH * now.FW);
  for (let l = first; l < end; l++) {
    const [a, b] = now.position(l);
    for (const [u, v, r, q] of now.window(a, b)) sums[r * now.FW + q] += now.gradColumn(group, now.row(c, u, v), l);
  }
  return sums;
}
