// backward_pixels: what one window hands back, and how it is added to the pixels under it.

import { scale } from "../base/colour.js";
import { div, h, replace } from "../base/dom.js";
import { pieces, words } from "../base/words.js";
import { origin } from "../widgets/labels.js";
import { panel } from "../widgets/panel.js";
import { intro } from "../widgets/stage.js";
import { byWhom, makerOf, sign, windowPart } from "./backward_window.js";

const SIDE_BY_SIDE = 3; // so many filters' terms are shown; of more, the chosen one's and the sum of the others

/** The columns' gradient, filter by filter, and col2im as adding up, one window at a time. */
export function pixelPart(say) {
  const [columns, image] = [h("code", {}, "dcols = w.T @ dy"), h("code", {}, "dx = col2im(dcols)")];
  const about = intro(words("backward.pixels.title"), pieces("backward.pixels.what", { columns, image }));
  const make = (conv) => {
    const maker = makerOf(conv);
    const [terms, pixels] = [termGrids(conv, maker), pixelGrids(maker)];
    const content = div("backward-sums", div("into terms", termPanels(terms)), div("into", pixelPanels(pixels)));
    const draw = (now, at) => {
      drawTerms(now, at, terms);
      drawPixels(now, at, pixels);
    };
    return { content, draw };
  };
  return windowPart(words("backward.parts.pixels"), about, make, "col2im", ["add"], say);
}

/** One row per filter that is shown, one for all others, and their sum. */
function termGrids(conv, make) {
  const each = conv.O / conv.G;
  const few = each <= SIDE_BY_SIDE;
  const rows = Array.from({ length: few ? each : 1 }, () => ({
    gradient: h("output", { class: "term gradient" }),
    kernel: make("kernel", words("backward.grids.kernel"), "kernel"),
    term: make("kernel", words("backward.grids.term"), "plain"),
    name: h("span"),
  }));
  const others = few ? null : make("kernel", words("backward.grids.others"), "plain");
  return { each, rows, others, column: make("kernel", words("backward.grids.column"), "gradient") };
}

function termPanels({ each, rows, others, column }) {
  const row = ({ gradient, kernel, term, name }, k) => [
    k > 0 && sign("+"),
    div("one-term", gradient, sign("·"), panel(name, kernel), sign("="), panel(words("backward.figures.term"), term)),
  ];
  const rest = others && [sign("+"), panel(words("backward.figures.others", { n: each - 1 }), others)];
  return [rows.map(row), rest, sign("⇒"), panel(h("code", {}, "dcols"), column, "gradient")];
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
    replace(name, words("terms.filter", { o: filters[k] }));
    replace(gradient, h("b", {}, text(now.grad_out.at(filters[k], i, j))), h("small", {}, "dy"));
    kernel.set({
      value: (u, v) => w.at(u, v),
      paint: scale("signed", now.w.most),
      text,
      name: words("backward.grids.kernel_of", { o: filters[k] }),
    });
    term.set({ value: value(filters[k]), paint, text, name: words("backward.grids.term_of", { o: filters[k] }) });
  });
  others?.set({ value: (u, v) => total(u, v) - value(o)(u, v), paint, text });
  column.set({ value: total, paint, text });
}

function pixelGrids(make) {
  return {
    before: make("image", words("backward.grids.x_before"), "gradient"),
    share: make("image", words("backward.grids.x_share"), "plain"),
    after: make("image", words("backward.grids.x_after"), "gradient"),
    whole: make("image", words("backward.grids.x_whole"), "gradient"),
    who: h("span"),
  };
}

function pixelPanels({ before, share, after, whole, who }) {
  return [
    panel(words("backward.figures.before"), before, "gradient"),
    sign("+"),
    panel(words("backward.figures.column"), share, "plain"),
    sign("="),
    panel(words("backward.figures.after"), after, "gradient", origin("browser")),
    panel(h("i", {}, "dx"), whole, "gradient", who),
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
  replace(grids.who, byWhom(now));
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
