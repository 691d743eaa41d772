// tab "Size": how many windows fit, and what the floor drops.

import { div, h, span } from "../base/dom.js";
import { count, minus } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { outputSize, rawSize } from "../model/conv.js";
import { code } from "../widgets/code.js";
import { slider } from "../widgets/controls.js";
import { layout } from "../widgets/stage.js";
import { sizeQuestions } from "./questions.js";
import { windowsFigure } from "./size_figures.js";
import { sizeQuiz } from "./size_quiz.js";

const SLIDERS = {
  n: ["Pixels n", 1, 16],
  k: ["Kernel k", 1, 7],
  ss: ["Stride s", 1, 4],
  sp: ["Padding p", 0, 3],
  sd: ["Dilation d", 1, 3],
};

export const sizeTab = {
  id: "size",
  lesson: "02_padding_stride_size",
  questions: sizeQuestions,

  build(stage, say) {
    const sliders = Object.entries(SLIDERS).map(([name, [label, least, most]]) => [
      name,
      slider(label, least, most, (value) => set({ [name]: value })),
    ]);
    const [formula, figures] = [h("p", { class: "formula" }), windowsFigure()];
    const quiz = sizeQuiz(() => draw());
    const listing = code("size", "the engine’s formula; 200 cases of it are checked when this page opens", true);
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
      say.say(hidden ? "How many windows fit? The figure appears with your answer." : sentence(sizes));
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
  if (!size) return "No window fits: the kernel is larger than the padded image.";
  const wide = d > 1 ? ` with gaps, ${d * (k - 1) + 1} wide,` : "";
  const lost = uses.filter((v) => v === 0).length;
  const used = lost ? `${count(lost, "pixel")} of ${n} never used.` : "Every pixel is used.";
  return `${count(size, "window")} of ${k}${wide} ${size === 1 ? "fits" : "fit"} into ${count(n + 2 * p, "pixel")}. ${used}`;
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
    !hidden && raw < 0 ? `${minus(String(raw))}, which means ` : "",
    h("b", { class: "output answer-size" }, hidden ? "?" : String(size)),
    span("symbols", "⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1"),
  ];
}
