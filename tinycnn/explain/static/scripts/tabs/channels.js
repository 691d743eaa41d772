// tab "Channels": a filter has one slice per input channel; their maps add up.

import { key, scale, scaleFor } from "../base/colour.js";
import { Values } from "../base/data.js";
import { div, h, replace, span } from "../base/dom.js";
import { exactly, round, sum } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { currentConv, moveWindow, place } from "../model/convolutions.js";
import { code } from "../widgets/code.js";
import { origin, resultLine, term } from "../widgets/labels.js";
import { mapGrid, panel } from "../widgets/panel.js";
import { layout } from "../widgets/stage.js";
import { convControls } from "./conv_controls.js";
import { channelsQuestions } from "./questions.js";

export const channelsTab = {
  id: "channels",
  lesson: "03_channels",
  questions: channelsQuestions,

  build(stage, say) {
    const controls = convControls();
    const [body, result] = [div("sums"), div("result")];
    const listing = code("forward", words("channels.listing"));
    layout(stage, { controls, figure: body, bar: [result, say], rest: listing });
    listing.lit(["product", "bias"]);
    let [over, shown, grids] = [null, null, []];
    const marks = () => {
      const conv = currentConv();
      const at = { ...place(conv), ...over };
      for (const grid of grids) grid.mark("unit", [[at.i, at.j, 1, 1]], "window");
      result.replaceChildren(...partialEquation(conv, at));
      const value = exactly(conv.out.at(at.o, at.i, at.j));
      say.say(words("channels.say", { i: at.i, j: at.j, n: conv.CG, value }));
    };
    const look = (at) => {
      over = at;
      marks();
    };
    return () => {
      const conv = currentConv();
      controls.show(conv);
      const { o } = place(conv);
      const now = `${conv.name} ${state.img} ${o} ${state.s} ${state.p} ${state.d} ${state.flip} ${state.edits}`;
      if (shown !== now) grids = sumGrids(conv, o, body, look);
      shown = now;
      marks();
    };
  },
};

/** The map that input channel c adds to output map o; the engine's, or the browser's after an edit. */
function partialMap(conv, o, c) {
  if (conv.partials) return conv.partials.part(c).part(o);
  const numbers = Float64Array.from({ length: conv.L }, (_, l) => conv.channelSum(o, c, ...conv.position(l)));
  return new Values(numbers, [conv.OH, conv.OW]);
}

/** The rows of the sum and its total; returns the grids that show the output's places. */
function sumGrids(conv, o, body, onover) {
  const partials = Array.from({ length: conv.CG }, (_, c) => partialMap(conv, o, c));
  const out = conv.out.part(o);
  const paint = scale("signed", Math.max(out.most, ...partials.map((map) => map.most), Math.abs(conv.bias(o))));
  const few = conv.CG <= 2;
  const options = {
    onhover: (i, j) => onover({ i, j }),
    onleave: () => onover(null),
    onpick: (i, j) => set({ i, j }),
    onmove: (di, dj) => moveWindow(currentConv(), di, dj),
    cell: Math.min(32, (few ? 200 : 150) / conv.OW),
    text: few && conv.whole ? (v) => round(v, 0) : () => null,
  };
  const maps = partials.map((map, c) =>
    mapGrid(map, paint, { ...options, role: "plain", name: words("channels.grids.partial", { c }) }),
  );
  const cell = Math.min(36, 230 / conv.OW);
  const last = mapGrid(out, paint, { ...options, cell, role: "output", name: words("channels.grids.output") });
  const rows = conv.channels(o).map((x, c) => sumRow(conv, { o, x, c }, maps[c], few));
  replace(body, div(`sum-rows${few ? " few" : ""}`, rows), total(conv, o, last, paint));
  return [...maps, last];
}

/** One channel of the image, convolved with its slice of the kernel: the partial map. */
function sumRow(conv, { o, x, c }, map, few) {
  const text = few && conv.whole ? (v) => round(v, 0) : () => null;
  const image = {
    role: "input",
    text,
    cell: Math.min(28, (few ? 170 : 84) / conv.W),
    name: words("channels.grids.input", { x }),
  };
  const slice = {
    role: "kernel",
    text,
    cell: Math.min(36, (few ? 108 : 64) / conv.KW),
    name: words("channels.grids.kernel", { c }),
  };
  const sign = (mark) => h("span", { class: "sign", "aria-hidden": "true" }, mark);
  const kernel = conv.w.part(o);
  return div(
    "sum-row",
    panel(words("channels.figures.input", { x }), mapGrid(conv.x.part(x), scaleFor(conv.x.part(x)), image)),
    sign("∗"),
    panel(words("channels.figures.kernel"), mapGrid(kernel.part(c), scale("signed", kernel.most), slice)),
    sign("="),
    panel(words("channels.figures.partial"), map),
  );
}

function total(conv, o, last, paint) {
  const text = words("channels.total", { n: conv.CG, bias: round(conv.bias(o), conv.whole ? 0 : 4) });
  return div(
    "sum-total",
    h("p", { class: "brace", "aria-hidden": "true" }, text),
    panel(words("channels.figures.output", { o }), last),
    key(paint),
    origin(conv.engine ? "engine" : "browser"),
  );
}

const TERMS = 8; // of a sum that are written out

function partialEquation(conv, { o, i, j }) {
  const terms = Array.from({ length: conv.CG }, (_, c) => partialMap(conv, o, c).at(i, j));
  const decimals = conv.whole ? 0 : 3;
  const rest = terms.slice(TERMS);
  const line = div(
    "equation small",
    terms
      .slice(0, TERMS)
      .map((v, c) => [
        c > 0 && span("op", "+"),
        term(round(v, decimals), words("terms.channel", { c: conv.channels(o)[c] }), "input"),
      ]),
    rest.length > 0 && [
      span("op", "+"),
      term(round(sum(rest), decimals), words("terms.more", { n: rest.length }), "input"),
    ],
    span("op", "+"),
    term(round(conv.bias(o), decimals), words("terms.bias"), "kernel"),
    origin(conv.partials ? "engine" : "browser"),
  );
  const name = [h("i", {}, "y"), `[${o}, ${i}, ${j}]`];
  return [line, resultLine(name, conv.out.at(o, i, j), conv.engine ? "engine" : "browser")];
}
