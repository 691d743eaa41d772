// lab_figure: what is seen of a training: curves, kernels with their gradients, and garments it was not trained on.

import { scale } from "../base/colour.js";
import { values } from "../base/data.js";
import { div, h, span } from "../base/dom.js";
import { brief } from "../base/numbers.js";
import { words } from "../base/words.js";
import { className } from "../model/samples.js";
import { EPOCH, LAB, pixels } from "../model/small_net.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { liveChart } from "../widgets/live_chart.js";

const { side: SIDE, filters: FILTERS, kernel: KERNEL, classes: CLASSES } = LAB.shape;
const LENGTHS = [100, 200, 400, 1000]; // of the axis, in steps

/** The figure; show(run, before) draws a training, and for comparison the loss of the one before. */
export function labFigure() {
  const [charts, kernels, pictures] = [threeCharts(), kernelGrids(), garments()];
  const root = div("lab", charts.root, div("lab-below", kernels.root, pictures.root));
  root.show = (run, before) => {
    charts.show(run, before);
    kernels.show(run.net);
    pictures.show(run.said);
  };
  return root;
}

function threeCharts() {
  const number = (v) => (v < 100 ? v.toFixed(3) : brief(v));
  const percent = (v) => `${(100 * v).toFixed(1)} %`;
  const mean = words("lab.mean", { n: EPOCH });
  const ofTraining = { note: words("lab.mean_of_training", { mean }) };
  const named = (name, role, dashed = false) => ({ name, label: words(`lab.curves.${name}`), role, dashed });
  const loss = liveChart(
    words("lab.loss"),
    [named("before", "plain", true), named("loss", "output"), named("held_loss", "input", true)],
    {
      ...{ ...ofTraining, from: 0, to: 3, text: number, ticks: [0, 1, 2, 3].map((y) => [y, String(y)]) },
      guess: [Math.log(CLASSES), words("training.curves.guessing", { n: CLASSES })],
    },
  );
  const right = liveChart(words("lab.right"), [named("right", "output"), named("held_right", "input", true)], {
    ...{ ...ofTraining, from: 0, to: 1, text: percent, ticks: [0, 0.5, 1].map((y) => [y, `${100 * y} %`]) },
    guess: [1 / CLASSES, words("lab.chance")],
  });
  const sizes = liveChart(words("lab.sizes"), [named("kernels", "kernel"), named("dense", "gradient", true)], {
    ...{ note: mean, from: 1e-5, to: 1, log: true, text: brief, ticks: [1e-4, 0.01, 1].map((y) => [y, String(y)]) },
  });
  const root = div("lab-charts", loss, right, sizes);
  const show = (run, before) => {
    const most = Math.max(run.steps, before?.steps ?? 0);
    const until = LENGTHS.find((length) => length >= most) ?? LENGTHS.at(-1);
    for (const chart of [loss, right, sizes]) chart.show({ ...run.curves, before: before?.curves.loss }, until);
  };
  return { root, show };
}

/** The kernels above, what the last step's gradient was below: each row on one scale. */
function kernelGrids() {
  const row = (role, key) =>
    Array.from(
      { length: FILTERS },
      (_, o) => new Grid({ rows: KERNEL, cols: KERNEL, cell: 15, role, name: words(key, { o }), text: () => null }),
    );
  const [kernels, slopes] = [row("kernel", "training.kernels.grid"), row("gradient", "lab.slope_grid")];
  const notes = [span("num"), span("num")];
  const line = (role, name, note, grids) =>
    div(`lab-kernels ${role}`, div("lab-name", h("b", {}, name), note), ...grids.map((grid) => grid.root));
  const root = div(
    "lab-part",
    line("kernel", words("lab.kernels"), notes[0], kernels),
    line("gradient", words("lab.slopes"), notes[1], slopes),
    origin("browser"),
  );
  const show = ({ weights, gradients }) =>
    [
      [kernels, weights.w],
      [slopes, gradients.w],
    ].forEach(([grids, numbers], k) => {
      const most = numbers.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const paint = scale("signed", most || 1);
      notes[k].textContent = `± ${brief(most)}`;
      grids.forEach((grid, o) => grid.set({ paint, value: (u, v) => numbers[(o * KERNEL + u) * KERNEL + v] }));
    });
  return { root, show };
}

/** A held-out garment of each class, and what the net takes it for. */
function garments() {
  const labels = values(LAB.labels).data.subarray(LAB.train);
  const shown = LAB.classes.map((_, k) => labels.indexOf(k));
  const name = (k) => className(k, LAB.classes);
  const paint = scale("ink", 1);
  const pictures = shown.map((at, k) => {
    const from = (LAB.train + at) * SIDE * SIDE;
    const value = (r, c) => pixels()[from + r * SIDE + c];
    const grid = new Grid({ rows: SIDE, cols: SIDE, cell: 4, paint, value, name: name(k), text: () => null });
    const said = h("figcaption", {});
    return { said, root: h("figure", { class: "lab-garment" }, grid.root, said) };
  });
  const title = h("b", {}, words("lab.garments"));
  const all = div(
    "lab-garments",
    pictures.map((one) => one.root),
  );
  const root = div("lab-part", title, all);
  const show = (taken) =>
    pictures.forEach(({ said, root: picture }, k) => {
      const right = taken[shown[k]] === k;
      said.textContent = `${right ? "✓" : "✗"} ${name(taken[shown[k]])}`;
      picture.classList.toggle("right", right);
    });
  return { root, show };
}
