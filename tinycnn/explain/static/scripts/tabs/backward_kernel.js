// backward_kernel: one window after another adds to the weight gradient.

import { scale, scaleFor } from "../base/colour.js";
import { div, h, replace } from "../base/dom.js";
import { set } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { currentConv, moveWindow } from "../model/convolutions.js";
import { origin } from "../widgets/labels.js";
import { panel } from "../widgets/panel.js";
import { intro } from "../widgets/stage.js";
import { byWhom, makerOf, sign, windowPart } from "./backward_window.js";

/** The weight gradient as a product with the columns, one window at a time. */
export function kernelPart(say) {
  const what = pieces("backward.kernel.what", { code: h("code", {}, "dw = dy @ cols.T") });
  const about = intro(words("backward.kernel.title"), what);
  const make = (conv) => {
    const grids = weightGrids(makerOf(conv));
    return { content: div("into", weightPanels(grids)), draw: (now, at) => drawWeights(now, at, grids) };
  };
  return windowPart(words("backward.parts.kernel"), about, make, "backward", ["weight"], say);
}

function weightGrids(make) {
  return {
    dy: make("map", words("backward.grids.dy"), "gradient", {
      onmove: (di, dj) => moveWindow(currentConv(), di, dj),
      onpick: (i, j) => set({ i, j }),
    }),
    x: make("image", words("backward.grids.input"), "input"),
    before: make("kernel", words("backward.grids.w_before"), "gradient"),
    share: make("kernel", words("backward.grids.w_share"), "plain"),
    after: make("kernel", words("backward.grids.w_after"), "gradient"),
    whole: make("kernel", words("backward.grids.w_whole"), "gradient"),
    who: h("span"),
  };
}

function weightPanels({ dy, x, before, share, after, whole, who }) {
  return [
    panel(pieces("backward.figures.gradient", { dy: h("i", {}, "dy") }), dy),
    sign("·"),
    panel(pieces("backward.figures.input", { x: h("i", {}, "x") }), x),
    sign("→"),
    panel(words("backward.figures.before"), before, "gradient"),
    sign("+"),
    panel(words("backward.figures.share"), share, "plain"),
    sign("="),
    panel(words("backward.figures.after"), after, "gradient", origin("browser")),
    panel(h("i", {}, "dw"), whole, "gradient", who),
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
  replace(grids.who, byWhom(now));
}
