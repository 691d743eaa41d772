// tab "Training": curves, confusion, kernels over time, mistakes.

const trainingTab = {
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
      stage.append(
        h(
          "div",
          { class: "empty" },
          h(
            "p",
            {},
            "This page was made without training. Train a LeNet, and the tab fills with its curves, its confusion matrix, its kernels over time and its worst mistakes:",
          ),
          h("pre", {}, "python examples/lenet_fashion.py --report lenet.html"),
        ),
      );
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
  const grids = Array.from(
    { length: Math.min(O, 32) },
    (_, o) =>
      new Grid({
        rows: all.shape[3],
        cols: all.shape[4],
        cell: 96 / all.shape[4],
        paint,
        role: "kernel",
        name: `Kernel ${o + 1}`,
        text: () => null,
      }),
  );
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
    h("div", { class: "controls" }, pick),
    h(
      "div",
      { class: "kernels" },
      grids.map((grid) => grid.root),
    ),
    h("div", { class: "tools-row" }, key(paint), origin("engine")),
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

function confusionOf(test, say) {
  const matrix = values(test.confusion);
  const [n] = matrix.shape;
  const most = Math.max(...Array.from(matrix.data).filter((_, k) => Math.floor(k / n) !== k % n), 1);
  const select = (r, c) => set({ cell: `${Math.min(Math.max(r, 0), n - 1)}.${Math.min(Math.max(c, 0), n - 1)}` });
  const at = () => {
    const [r, c] = state.cell.split(".").map(Number);
    return state.cell && r < n && c < n ? [r, c] : worst;
  };
  const worst = [0, 1];
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) if (r !== c && matrix.at(r, c) > matrix.at(...worst)) worst.splice(0, 2, r, c);
  const grid = new Grid({
    rows: n,
    cols: n,
    cell: 46,
    role: "output",
    name: "Confusion matrix; arrow keys move",
    text: (v) => (v ? String(v) : ""),
    value: (r, c) => matrix.at(r, c),
    paint: scale("count", most),
    onpick: select,
    onmove: (dr, dc) => {
      const [r, c] = at();
      select(r + dr, c + dc);
    },
  });
  const shown = h("div", { class: "mistakes few" });
  const names = (kind) =>
    h(
      "div",
      { class: `class-names ${kind}`, "aria-hidden": "true" },
      DATA.classes.map((name) => h("span", {}, name)),
    );
  const root = h(
    "section",
    { class: "step" },
    h("h3", {}, "What is taken for what"),
    h(
      "p",
      { class: "prose" },
      `${test.count.toLocaleString("en")} test images, ${(test.accuracy * 100).toFixed(2)} % right. A row is what an image shows, a column what the network says; colours are scaled to the mistakes.`,
    ),
    h(
      "div",
      { class: "confusion-side" },
      h("div", { class: "confusion" }, names("down"), grid.root, h("span"), names("across")),
      h("div", { class: "examples" }, say, shown),
    ),
  );
  return {
    root,
    update() {
      const [r, c] = at();
      grid.mark("cell", [[r, c, 1, 1]], "window");
      const found = test.mistakes.labels
        .map((_, k) => k)
        .filter((k) => test.mistakes.labels[k] === r && test.mistakes.predicted[k] === c);
      shown.replaceChildren(...found.slice(0, 9).map((k) => mistake(test, k)));
      say.say(
        r === c
          ? `${DATA.classes[r]}: ${matrix.at(r, c)} recognised.`
          : `${DATA.classes[r]} taken for ${DATA.classes[c]}: ${matrix.at(r, c)} times.`,
      );
    },
  };
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
      name: `A ${DATA.classes[labels[k]]}`,
    }).root,
    h(
      "figcaption",
      {},
      h("b", {}, DATA.classes[predicted[k]]),
      ` ${(confidence[k] * 100).toFixed(0)} %`,
      h("small", {}, `is: ${DATA.classes[labels[k]]}`),
    ),
  );
}

function mistakesOf(test) {
  const cards = test.mistakes.labels.slice(0, test.mistakes.surest).map((_, k) => mistake(test, k));
  return h(
    "section",
    { class: "step" },
    h("h3", {}, "The surest mistakes"),
    h("p", { class: "prose" }, "Wrong, and certain of it. Would you have known?"),
    h("div", { class: "mistakes" }, cards),
  );
}
