// tab "im2col": every window becomes a column, and the convolution one matrix product.

import { DATA } from "../base/data.js";
import { div, h, replace } from "../base/dom.js";
import { brief, exactly } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { currentConv, place, stepWindow } from "../model/convolutions.js";
import { code } from "../widgets/code.js";
import { checkbox, choice } from "../widgets/controls.js";
import { origin } from "../widgets/labels.js";
import { layout } from "../widgets/stage.js";
import { player } from "../widgets/walk.js";
import { convControls } from "./conv_controls.js";
import { equation } from "./equation.js";
import { drawProduct, flyColumn, productView, rowTap } from "./im2col_view.js";
import { im2colQuestions } from "./questions.js";

export const im2colTab = {
  id: "im2col",
  lesson: "04_im2col",
  questions: im2colQuestions,

  build(stage, say) {
    const slow = checkbox(words("im2col.slow"), (on) => set({ fill: Number(on), ...(on ? { i: 0, j: 0 } : {}) }));
    const orders = [
      [0, "c, u, v"],
      [1, words("im2col.rows.stored")],
    ];
    const order = choice(words("im2col.rows.name"), orders, (value) => set({ stored: value }));
    const controls = convControls([slow, order]);
    const [body, sums, facts] = [div("product-scheme"), div("result"), h("p", { class: "facts" })];
    let view = null;
    const step = (by) => {
      const moved = stepWindow(currentConv(), by);
      if (moved && by > 0 && currentConv().name === "toy") flyColumn(currentConv(), view);
      return moved;
    };
    const play = player(step, () => set({ i: 0, j: 0, fill: 1 }));
    layout(stage, { controls, figure: body, bar: [play, sums, say], rest: [facts, listings()] });
    const describe = (over) => {
      const conv = currentConv();
      const at = { ...place(conv), ...over };
      replace(sums, equation(conv, at));
      say.say(sentence(conv, at, over.k));
    };
    return () => {
      const conv = currentConv();
      controls.show(conv);
      slow.show(state.fill);
      order.show(state.stored);
      const shown = `${conv.name} ${conv.FH} ${conv.OH} ${conv.OW} ${conv.G}`;
      if (view?.shown !== shown) view = Object.assign(productView(conv, body, describe), { shown });
      drawProduct(view, conv);
      replace(facts, factsOf(conv));
    };
  },
};

/** The engine's lines in three versions, and the choice among them. */
function listings() {
  const figures = {
    forward: code("forward", words("im2col.listings.runs")),
    im2col: code("im2col", words("im2col.listings.copy")),
    loops: code("loops", words("im2col.listings.same")),
  };
  figures.forward.lit(["cols", "product"]);
  figures.im2col.lit(["copy", "stack"]);
  figures.loops.lit(["window", "sum"]);
  const show = (chosen) => {
    pick.show(chosen);
    for (const [name, figure] of Object.entries(figures)) figure.hidden = name !== chosen;
  };
  const names = [
    ["forward", words("im2col.listings.product")],
    ["im2col", "im2col"],
    ["loops", words("im2col.listings.loops")],
  ];
  const pick = choice(words("im2col.listings.name"), names, show);
  show("forward");
  return [pick, ...Object.values(figures)];
}

function sentence(conv, { o, i, j }, k) {
  if (k !== null) {
    const tap = rowTap(conv, k);
    const shift = [tap[1] * conv.DH - conv.PH, tap[2] * conv.DW - conv.PW];
    return words("im2col.say.row", { k: String(k), tap: tap.join(", "), shift: shift.join(", ") });
  }
  const value = exactly(conv.out.at(o, i, j));
  return words("im2col.say.column", { l: String(i * conv.OW + j), i, j, o, value });
}

function factsOf(conv) {
  const [before, after] = [conv.x.data.length, conv.G * conv.K * conv.L];
  return [
    words("im2col.facts.become", { before, after, times: brief(after / before) }),
    conv.DH === 1 ? words("im2col.facts.stored", { n: conv.stored }) : "",
    words(conv.engine ? "im2col.facts.engine" : "im2col.facts.browser"),
    words("im2col.facts.differ", { difference: brief(DATA.lesson.loops_difference) }),
    origin("engine"),
  ];
}
