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
import { lead } from "../widgets/question.js";
import { confusionOf, mistakesOf } from "./training_mistakes.js";

export const trainingTab = {
  id: "training",
  name: "Training",
  lead: (number) =>
    lead(
      number,
      `Before it has learned anything, a network with ${DATA.classes.length} classes has a loss of about ${Math.log(DATA.classes.length).toFixed(3)}. Where does this number come from?`,
      [
        ["chance", false],
        [`ln ${DATA.classes.length}`, true],
        ["the learning rate", false],
      ],
      () =>
        `A network that knows nothing gives every class the probability 1/${DATA.classes.length}, and −ln(1/${DATA.classes.length}) = ln ${DATA.classes.length} = ${Math.log(DATA.classes.length).toFixed(3)}. A loss that stays there means: still guessing. Sigmoid networks often do for a while, then all at once they do not.`,
    ),

  build(stage, say) {
    const { history, snapshots, test } = DATA.training;
    if (!history && !snapshots && !test) {
      stage.append(untrained());
      return () => {};
    }
    const kernels = snapshots && kernelsOverTime(snapshots);
    const confusion = test && confusionOf(test, say);
    stage.append(
      ...[history && chartsOf(history), kernels?.root, confusion?.root, test && mistakesOf(test)].filter(Boolean),
    );
    return () => {
      kernels?.update();
      confusion?.update();
    };
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

function kernelsOverTime({ steps, weights }) {
  const all = values(weights);
  const [S, O] = all.shape;
  const paint = scale("signed", all.most);
  const grids = Array.from({ length: Math.min(O, 32) }, (_, o) => kernelGrid(all.shape, paint, o));
  const pick = slider("Epoch", 0, S - 1, (value) => set({ step: value }));
  const root = h(
    "section",
    { class: "step" },
    h("h3", {}, "The first kernels while they learn"),
    h(
      "p",
      { class: "prose" },
      "All on one scale, zero in the middle. They begin as noise; which of them turn into edges?",
    ),
    div("controls", pick),
    div(
      "kernels",
      grids.map((grid) => grid.root),
    ),
    div("tools-row", key(paint), origin("engine")),
  );
  return {
    root,
    update() {
      const at = state.step >= 0 && state.step < S ? state.step : S - 1;
      pick.show(at);
      pick.lastChild.textContent = brief(steps[at]);
      grids.forEach((grid, o) => {
        const kernel = all.part(at).part(o).part(0);
        grid.set({ value: (u, v) => kernel.at(u, v) });
      });
    },
  };
}

function kernelGrid([, , , KH, KW], paint, o) {
  const text = () => null;
  return new Grid({ rows: KH, cols: KW, cell: 96 / KW, paint, role: "kernel", name: `Kernel ${o + 1}`, text });
}
