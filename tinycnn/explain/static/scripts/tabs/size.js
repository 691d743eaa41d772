// tab "Size": how many windows fit, and what the floor drops.

import { div, h, span } from "../base/dom.js";
import { minus } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { outputSize, rawSize } from "../model/conv.js";
import { code } from "../widgets/code.js";
import { slider } from "../widgets/controls.js";
import { layout } from "../widgets/stage.js";
import { sizeQuestions } from "./questions.js";
import { windowsFigure } from "./size_figures.js";
import { sizeQuiz } from "./size_quiz.js";

const SLIDERS = { n: [1, 16], k: [1, 7], ss: [1, 4], sp: [0, 3], sd: [1, 3] };

export const sizeTab = {
  id: "size",
  lesson: "02_padding_stride_size",
  questions: sizeQuestions,

  build(stage, say) {
    const sliders = Object.entries(SLIDERS).map(([name, [least, most]]) => [
      name,
      slider(words(`size.sliders.${name}`), least, most, (value) => set({ [name]: value })),
    ]);
    const [formula, figures] = [h("p", { class: "formula" }), windowsFigure()];
    const quiz = sizeQuiz(() => draw());
    const listing = code("size", words("size.listing"), true);
    const controls = [
      div(
        "sliders",
        sliders.map(([, control]) => control),
      ),
      div("size-top", formula, quiz.root),
    ];
    layout(stage, { controls, figure: figures.root, bar: say, rest: listing });
    listing.lit(["floor"]);
    const draw = () => {
      const sizes = sizesOf(state);
      for (const [name, control] of sliders) control.show(state[name]);
      const hidden = quiz.hides(sizes);
      formula.replaceChildren(...formulaOf(sizes, hidden));
      figures.draw(sizes, hidden);
      say.say(hidden ? words("size.say.hidden") : sentence(sizes));
    };
    return draw;
  },
};

/** The numbers of the sliders, the size that follows, and how many windows use each pixel. */
function sizesOf({ n, k, ss: s, sp: p, sd: d }) {
  const size = outputSize(n, k, s, p, d);
  return { n, k, s, p, d, size, uses: windowsPerPixel(n, k, s, p, d, size) };
}

function windowsPerPixel(n, k, s, p, d, size) {
  const uses = new Int32Array(n);
  for (let i = 0; i < size; i++) {
    for (let u = 0; u < k; u++) {
      const r = i * s + u * d - p;
      if (r >= 0 && r < n) uses[r] += 1;
    }
  }
  return uses;
}

function sentence({ n, k, p, d, size, uses }) {
  if (!size) return words("size.say.none");
  const wide = d > 1 ? words("size.say.wide", { width: d * (k - 1) + 1 }) : "";
  const lost = uses.filter((v) => v === 0).length;
  const used = words(lost ? "size.say.lost" : "size.say.used", { n: lost, all: n });
  const pixels = words("count.pixels", { n: n + 2 * p });
  return words("size.say.fit", { n: size, k, wide, pixels, used });
}

function formulaOf({ n, k, s, p, d, size }, hidden) {
  const part = (role, text) => span(role, String(text));
  const inner = [part("input", n), " + 2 · ", part("input", p), " − ", part("kernel", d), " · (", part("kernel", k)];
  const raw = rawSize(n, k, s, p, d);
  return [
    span("floor", "⌊"),
    span("fraction", span("over", inner, " − 1) − 1"), span("under", part("kernel", s))),
    span("floor", "⌋"),
    " + 1 = ",
    !hidden && raw < 0 ? `${minus(String(raw))}, ${words("size.means")}` : "",
    h("b", { class: "output answer-size" }, hidden ? "?" : String(size)),
    span("symbols", "⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1"),
  ];
}
