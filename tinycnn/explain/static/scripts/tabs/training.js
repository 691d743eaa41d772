// tab "Training": curves, confusion, kernels over time, mistakes.

import { key, scale } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { chart } from "../widgets/chart.js";
import { slider } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { panel } from "../widgets/panel.js";
import { intro, steps } from "../widgets/stage.js";
import { player } from "../widgets/walk.js";
import { trainingQuestions } from "./questions_net.js";
import { confusionOf, mistakesOf } from "./training_mistakes.js";

export const trainingTab = {
  id: "training",
  lesson: "08_lenet",
  questions: trainingQuestions,

  build(stage, say) {
    const { history, snapshots, test } = DATA.training;
    if (!history && !snapshots && !test) {
      stage.append(untrained());
      return () => {};
    }
    const sections = [
      history && { name: words("training.parts.curves"), figure: chartsOf(history) },
      snapshots && kernelsOverTime(snapshots),
      test && confusionOf(test, say),
      test && mistakesOf(test),
    ];
    return steps(stage, "view", sections.filter(Boolean), say);
  },
};

function untrained() {
  return div(
    "empty",
    h("p", {}, words("training.untrained")),
    h("pre", {}, "python examples/lenet_fashion.py --report lenet.html"),
  );
}

function chartsOf(history) {
  const names = Object.keys(history[0] ?? {})
    .concat(...history.map(Object.keys))
    .filter((name, k, all) => all.indexOf(name) === k);
  const xs = ["x", "epoch", "step"].find((name) => names.includes(name));
  const axis = xs === "x" ? "epoch" : (xs ?? "measurement");
  const x = (row, k) => (xs ? row[xs] : k + 1);
  const pick = (part) => names.filter((name) => name.includes(part));
  const guess = Math.log(DATA.classes.length);
  const guessing = words("training.curves.guessing", { n: DATA.classes.length });
  const charts = [
    [words("training.curves.loss"), pick("loss"), { line: [guess, guessing], from: 0 }],
    [words("training.curves.accuracy"), pick("acc"), { from: 0, to: 1, percent: true }],
  ];
  const figures = h(
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
          words(`training.curves.${axis}`),
          options,
        ),
      ),
  );
  return [figures, h("p", { class: "note" }, words("training.curves.note"))];
}

function kernelsOverTime({ steps: epochs, weights }) {
  const all = values(weights);
  const [S, O] = all.shape;
  const most = (o) => Math.max(...Array.from({ length: S }, (_, at) => all.part(at).part(o).most));
  const paints = Array.from({ length: Math.min(O, 32) }, (_, o) => scale("signed", most(o)));
  const grids = paints.map((paint, o) => kernelGrid(all.shape, paint, o));
  const pick = slider(words("training.kernels.epoch"), 0, S - 1, (value) => set({ step: value }));
  return {
    name: words("training.parts.kernels"),
    controls: intro(words("training.kernels.title"), words("training.kernels.what")),
    figure: [
      div(
        "kernels",
        grids.map((grid, o) => panel(words("terms.filter", { o }), grid, "kernel", key(paints[o]))),
      ),
      origin("engine"),
    ],
    bar: [snapshotPlayer(S), pick],
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

function snapshotPlayer(S) {
  const step = (by) => {
    const at = shownStep(S) + by;
    if (at < 0 || at >= S) return false;
    set({ step: at });
    return true;
  };
  return player(step, () => set({ step: 0 }));
}

/** The snapshot that the state points at: the last one where it points at none. */
function shownStep(S) {
  return state.step >= 0 && state.step < S ? state.step : S - 1;
}

function kernelGrid([, , , KH, KW], paint, o) {
  const text = () => null;
  return new Grid({
    rows: KH,
    cols: KW,
    cell: 150 / KW,
    paint,
    role: "kernel",
    name: words("training.kernels.grid", { o }),
    text,
  });
}
