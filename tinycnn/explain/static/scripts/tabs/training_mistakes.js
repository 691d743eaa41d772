// training_mistakes: what is taken for what, and the images that were.

import { scale } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h } from "../base/dom.js";
import { clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { className } from "../model/samples.js";
import { Grid } from "../widgets/grid.js";
import { mapGrid } from "../widgets/panel.js";
import { intro } from "../widgets/stage.js";

export function confusionOf(test, say) {
  const matrix = values(test.confusion);
  const cells = cellsOf(matrix);
  const grid = confusionGrid(matrix, cells);
  const shown = div("mistakes few");
  const right = words("training.confusions.right", { n: test.count, share: (test.accuracy * 100).toFixed(2) });
  const square = div("confusion", classNames("down"), grid.root, h("span"), classNames("across"));
  return {
    name: words("training.parts.confusions"),
    controls: intro(words("training.confusions.title"), right, words("training.confusions.what")),
    figure: div("confusion-side", square, shown),
    bar: [],
    says: true,
    update() {
      const [r, c] = cells.chosen();
      grid.mark("cell", [[r, c, 1, 1]], "window");
      const { labels, predicted } = test.mistakes;
      const found = [...labels.keys()].filter((k) => labels[k] === r && predicted[k] === c);
      shown.replaceChildren(...found.slice(0, 9).map((k) => mistake(test, k)));
      const times = matrix.at(r, c);
      const seen = Math.min(found.length, 9);
      const rest = found.length < times ? words("training.confusions.rest", { n: seen }) : "";
      const parts = { truth: className(r), said: className(c), n: times, rest };
      say.say(words(r === c ? "training.confusions.recognised" : "training.confusions.taken", parts));
    },
  };
}

/** Which cell is chosen: the state's, or else the commonest mistake; choose(r, c) chooses another. */
function cellsOf(matrix) {
  const [n] = matrix.shape;
  const mistakes = Array.from(matrix.data, (v, k) => (Math.floor(k / n) === k % n ? -1 : v));
  const worst = mistakes.indexOf(Math.max(...mistakes));
  return {
    most: Math.max(...mistakes, 1),
    choose: (r, c) => set({ cell: `${clamp(r, 0, n - 1)}.${clamp(c, 0, n - 1)}` }),
    chosen() {
      const [r, c] = state.cell.split(".").map(Number);
      return state.cell && r < n && c < n ? [r, c] : [Math.floor(worst / n), worst % n];
    },
  };
}

function confusionGrid(matrix, { most, choose, chosen }) {
  const [n] = matrix.shape;
  return new Grid({
    rows: n,
    cols: n,
    cell: 46,
    role: "output",
    name: words("training.confusions.grid"),
    text: (v) => (v ? String(v) : ""),
    value: (r, c) => matrix.at(r, c),
    paint: scale("count", most),
    onpick: choose,
    onmove: (dr, dc) => {
      const [r, c] = chosen();
      choose(r + dr, c + dc);
    },
  });
}

function classNames(kind) {
  const names = DATA.classes.map((_, k) => h("span", {}, className(k)));
  return h("div", { class: `class-names ${kind}`, "aria-hidden": "true" }, names);
}

/** One of the images that were taken for something else. */
function mistake({ mistakes: { images, labels, predicted, confidence } }, k) {
  const all = values(images);
  return h(
    "figure",
    { class: "mistake" },
    mapGrid(all.part(k).part(0), scale("ink", 255), {
      role: "input",
      cell: 84 / all.shape[3],
      name: words("training.confusions.mistake", { name: className(labels[k]) }),
    }).root,
    h(
      "figcaption",
      {},
      h("b", {}, className(predicted[k])),
      ` ${(confidence[k] * 100).toFixed(0)} %`,
      h("small", {}, words("training.confusions.is", { name: className(labels[k]) })),
    ),
  );
}

export function mistakesOf(test) {
  const cards = test.mistakes.labels.slice(0, test.mistakes.surest).map((_, k) => mistake(test, k));
  const about = intro(words("training.mistakes.title"), words("training.mistakes.what"));
  return { name: words("training.parts.mistakes"), controls: about, figure: div("mistakes", cards) };
}
