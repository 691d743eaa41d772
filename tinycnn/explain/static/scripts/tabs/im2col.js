// tab "im2col": every window becomes a column, and the convolution one matrix product.

import { DATA } from "../base/data.js";
import { div, h, replace } from "../base/dom.js";
import { brief, exactly } from "../base/numbers.js";
import { set, state } from "../base/state.js";
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
    const slow = checkbox("fill column by column", (on) => set({ fill: Number(on), ...(on ? { i: 0, j: 0 } : {}) }));
    const orders = [
      [0, "c, u, v"],
      [1, "as stored"],
    ];
    const order = choice("Rows", orders, (value) => set({ stored: value }));
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
    forward: code("forward", "what runs"),
    im2col: code("im2col", "one strided copy, and a view of it"),
    loops: code("loops", "the same, as loops"),
  };
  figures.forward.lit(["cols", "product"]);
  figures.im2col.lit(["copy", "stack"]);
  figures.loops.lit(["window", "sum"]);
  const show = (chosen) => {
    pick.show(chosen);
    for (const [name, figure] of Object.entries(figures)) figure.hidden = name !== chosen;
  };
  const names = [
    ["forward", "product"],
    ["im2col", "im2col"],
    ["loops", "loops"],
  ];
  const pick = choice("Written as", names, show);
  show("forward");
  return [pick, ...Object.values(figures)];
}

function sentence(conv, { o, i, j }, k) {
  if (k !== null) {
    const tap = rowTap(conv, k);
    const shift = [tap[1] * conv.DH - conv.PH, tap[2] * conv.DW - conv.PW];
    return `Row ${k} belongs to weight (${tap.join(", ")}): the image as this weight sees it, shifted by (${shift.join(", ")}).`;
  }
  const value = exactly(conv.out.at(o, i, j));
  return `Column ${i * conv.OW + j} is the window under output (${i}, ${j}). Filter ${o} times this column, plus its bias, is ${value}.`;
}

function factsOf(conv) {
  const [before, after] = [conv.x.data.length, conv.G * conv.K * conv.L];
  return [
    `${before.toLocaleString("en")} numbers become ${after.toLocaleString("en")}: ${brief(after / before)} times. `,
    conv.DH === 1
      ? `(The engine stores ${conv.stored.toLocaleString("en")} of them: below each other in memory, the windows of neighbouring output rows overlap.) `
      : "",
    conv.engine
      ? "This matrix is the very array that the engine multiplied. "
      : "After your change the browser reads the columns off the image. ",
    `The loops and the product differ, on the toy, by at most ${brief(DATA.lesson.loops_difference)}. `,
    origin("engine"),
  ];
}
