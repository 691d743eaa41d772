// tab "Training": curves, confusion, kernels over time, mistakes.

import { key, scale } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { chart } from "../widgets/chart.js";
import { slider } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { intro, steps } from "../widgets/stage.js";
import { player } from "../widgets/walk.js";
import { trainingQuestions } from "./questions_net.js";
import { confusionOf, mistakesOf } from "./training_mistakes.js";

export const trainingTab = {
  id: "training",
  name: "Training",
  questions: trainingQuestions,

  build(stage, say) {
    const { history, snapshots, test } = DATA.training;
    if (!history && !snapshots && !test) {
      stage.append(untrained());
      return () => {};
    }
    const sections = [
      history && { name: "curves", figure: chartsOf(history) },
      snapshots && kernelsOverTime(snapshots),
      test && confusionOf(test, say),
      test && mistakesOf(test),
    ];
    return steps(stage, "view", sections.filter(Boolean), say);
  },
};

function untrained() {
  const text =
    "This page was made without training. Train a LeNet, and the tab fills with its curves, its confusion matrix, its kernels over time and its worst mistakes:";
  return div("empty", h("p", {}, text), h("pre", {}, "python examples/lenet_fashion.py --report lenet.html"));
}

function chartsOf(history) {
  const names = Object.keys(history[0] ?? {})
    .concat(...history.map(Object.keys))
    .filter((name, k, all) => all.indexOf(name) === k);
  const xs = ["x", "epoch", "step"].find((name) => names.includes(name));
  const x = (row, k) => (xs ? row[xs] : k + 1);
  const pick = (part) => names.filter((name) => name.includes(part));
  const guess = Math.log(DATA.classes.length);
  const charts = [
    ["Loss", pick("loss"), { line: [guess, `ln ${DATA.classes.length}: still guessing`], from: 0 }],
    ["Accuracy", pick("acc"), { from: 0, to: 1, percent: true }],
  ];
  return h(
    "div",
    { class: "charts" },
    charts
      .filter(([, series]) => series.length)
      .map(([title, series, options]) =>
        chart(
          title,
          series.map((name) => ({
            name,
            points: history.map((row, k) => [x(row, k), row[name]]).filter(([, v]) => v !== null && v !== undefined),
          })),
          xs === "x" ? "epoch" : (xs ?? "measurement"),
          options,
        ),
      ),
  );
}

function kernelsOverTime({ steps: epochs, weights }) {
  const all = values(weights);
  const [S, O] = all.shape;
  const paint = scale("signed", all.most);
  const grids = Array.from({ length: Math.min(O, 32) }, (_, o) => kernelGrid(all.shape, paint, o));
  const pick = slider("Epoch", 0, S - 1, (value) => set({ step: value }));
  const what = "All on one scale, zero in the middle. They begin as noise; which of them turn into edges?";
  const last = S - 1;
  const play = player(
    (by) => {
      const at = shownStep(S);
      if (at + by < 0 || at + by > last) return false;
      set({ step: at + by });
      return true;
    },
    () => set({ step: 0 }),
  );
  return {
    name: "kernels",
    controls: intro("The first kernels while they learn", what),
    figure: [
      div(
        "kernels",
        grids.map((grid) => grid.root),
      ),
      div("tools-row", key(paint), origin("engine")),
    ],
    bar: [play, pick],
    update() {
      const at = shownStep(S);
      pick.show(at);
      pick.lastChild.textContent = brief(epochs[at]);
      grids.forEach((grid, o) => {
        const kernel = all.part(at).part(o).part(0);
        grid.set({ value: (u, v) => kernel.at(u, v) });
      });
    },
  };
}

/** The snapshot that the state points at: the last one where it points at none. */
function shownStep(S) {
  return state.step >= 0 && state.step < S ? state.step : S - 1;
}

function kernelGrid([, , , KH, KW], paint, o) {
  const text = () => null;
  return new Grid({ rows: KH, cols: KW, cell: 96 / KW, paint, role: "kernel", name: `Kernel of filter ${o}`, text });
}
