// tab "Backward": from the loss through the layers into the kernel and back to the pixels.

const backwardTab = {
  id: "backward",
  name: "Backward",
  lead: (number) =>
    lead(
      number,
      "im2col copies pixels into columns; on the way back, col2im adds columns into pixels. Does col2im undo im2col?",
      [
        ["yes, it is the inverse", false],
        ["no, it is the adjoint", true],
      ],
      () =>
        "It is the adjoint: a pixel that was copied into nine windows gets nine gradients back, and their sum is what the chain rule asks for. So col2im(im2col(x)) is x times the number of windows over each pixel, as the last figure shows.",
    ),

  build(stage, say) {
    const sections = [lossSection(), flowSection(), kernelSection(say), adjointSection(), checkSection()].filter(
      Boolean,
    );
    stage.append(...sections.map((section) => section.root));
    return () => sections.forEach((section) => section.update?.());
  },
};

function section(number, title, text, ...content) {
  return h(
    "section",
    { class: "step" },
    h("h3", {}, h("span", { class: "step-number" }, number), title),
    h("p", { class: "prose" }, text),
    content,
  );
}

/** Softmax, label, and their difference: where the gradient starts. */
function lossSection() {
  const last = DATA.model.layers.at(-1).label;
  const body = h("div", { class: "bars" });
  const img = choice(
    "Image",
    DATA.samples.map((sample, k) => [k, DATA.classes[sample.label] ?? k + 1]),
    (value) => set({ img: value }),
  );
  const text = h("p", { class: "note" });
  const root = section(
    "1",
    "The loss: prediction minus truth",
    "For softmax and cross-entropy the gradient of the logits is p − y, as simple as that: too much probability is pushed down, too little is pulled up.",
    DATA.samples.length > 1 && h("div", { class: "controls" }, img),
    body,
    text,
    code("loss"),
  );
  root.querySelector(".code").lit(["slope"]);
  return {
    root,
    update() {
      const sample = currentSample();
      img.show(state.img);
      const p = twin.softmax(values(sample.layers[last].out));
      const slope = values(sample.layers[last].grad_out);
      body.replaceChildren(
        h(
          "div",
          { class: "bar-row head" },
          h("span"),
          h("span", {}, "p ", origin("browser")),
          h("span", {}, "p − y ", slope && origin("engine")),
        ),
        ...p.map((probability, k) =>
          h(
            "div",
            { class: `bar-row${k === sample.label ? " truth" : ""}` },
            h("span", { class: "bar-name" }, DATA.classes[k] ?? k),
            meter(probability, "output", probability.toFixed(3)),
            slope && signedMeter(slope.at(k), 1, minus(slope.at(k).toFixed(3))),
          ),
        ),
      );
      text.textContent = `${DATA.classes[sample.label]} is the truth; the loss is ${round(sample.loss, 4)}.`;
    },
  };
}

function meter(share, role, text) {
  return h(
    "span",
    { class: "meter" },
    h("span", { class: `amount ${role}`, style: { width: `${Math.max(share, 0) * 100}%` } }),
    h("span", { class: "num" }, text),
  );
}

function signedMeter(v, most, text) {
  const width = Math.min(Math.abs(v) / most, 1) * 50;
  return h(
    "span",
    { class: "meter signed" },
    h("span", {
      class: `amount ${v < 0 ? "minus" : "plus"}`,
      style: { width: `${width}%`, left: `${v < 0 ? 50 - width : 50}%` },
    }),
    h("span", { class: "num" }, text),
  );
}

/** Activations and their gradients side by side, and how large the gradients are. */
function flowSection() {
  const body = h("div", { class: "flow" });
  const listing = code("sigmoid");
  listing.lit(["slope"]);
  const sigmoid = DATA.model.layers.some((layer) => layer.kind === "sigmoid");
  const root = section(
    "2",
    "Back through the layers",
    sigmoid
      ? "Every layer hands its gradient to the one before. A sigmoid multiplies it by y (1 − y), at most a quarter: after four of them little is left. The bars show how large gradients are, on a logarithmic scale."
      : "Every layer hands its gradient to the one before. The bars show how large gradients are, on a logarithmic scale.",
    body,
    sigmoid && listing,
  );
  let shown = null;
  return {
    root,
    update() {
      if (shown === state.img) return;
      shown = state.img;
      const sample = currentSample();
      const layers = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
      body.replaceChildren(
        h(
          "div",
          { class: "flow-row head" },
          h("span"),
          h("span", {}, "activation"),
          h("span", { class: "gradient" }, "its gradient"),
          h("span", {}, "size of the gradient"),
        ),
        ...layers.map((layer) => flowRow(layer, sample)).reverse(),
      );
    },
  };
}

function flowRow(layer, sample) {
  const { out, grad_out } = arraysOf({
    out: sample.layers[layer.label].out,
    grad_out: sample.layers[layer.label].grad_out,
  });
  const maps = (array, role) => (array ? smallMaps(array, role) : h("span", { class: "note" }, "left out"));
  const rms = (list) => list?.find((entry) => entry.layer === layer.label)?.rms;
  const all = [...DATA.flow.now, ...(DATA.flow.untrained ?? [])].map((entry) => entry.rms).filter((v) => v > 0);
  const [least, most] = [Math.log10(Math.min(...all)) - 0.3, Math.log10(Math.max(...all))];
  const share = (v) => (v > 0 ? (Math.log10(v) - least) / (most - least || 1) : 0);
  const bar = (name, v, text) =>
    h(
      "span",
      { class: `rms-bar ${name}` },
      meter(share(v), "gradient", ""),
      h("span", { class: "num" }, brief(v), text && h("small", {}, ` ${text}`)),
    );
  const compared = state.img === 0 && DATA.flow.untrained;
  return h(
    "div",
    { class: "flow-row" },
    h("b", {}, layer.label),
    maps(out, "output"),
    maps(grad_out, "gradient"),
    h(
      "span",
      { class: "rms" },
      compared
        ? [bar("now", rms(DATA.flow.now), "now"), bar("untrained", rms(DATA.flow.untrained), "untrained")]
        : grad_out && bar("now", rmsOf(grad_out), ""),
    ),
  );
}

function rmsOf(array) {
  return array ? Math.sqrt(array.data.reduce((sum, v) => sum + v * v, 0) / array.data.length) : 0;
}

function smallMaps(array, role) {
  const paint = role === "gradient" ? scale("signed", array.most) : scaleFor(array);
  if (array.shape.length === 1) {
    const columns = Math.min(array.shape[0], 30);
    return h(
      "span",
      { class: "maps" },
      new Grid({
        rows: Math.ceil(array.shape[0] / columns),
        cols: columns,
        cell: columns < 20 ? 16 : 6,
        paint,
        role,
        text: () => null,
        name: role,
        value: (r, c) => (r * columns + c < array.shape[0] ? array.at(r * columns + c) : null),
      }).root,
    );
  }
  return h(
    "span",
    { class: "maps" },
    Array.from(
      { length: Math.min(array.shape[0], 6) },
      (_, c) => mapGrid(array.part(c), paint, { role, cell: 34 / array.shape[2], name: `${role} ${c + 1}` }).root,
    ),
  );
}

/** Adjoint, not inverse. */
function adjointSection() {
  const { left, right, there_and_back: back, counts } = DATA.lesson.adjoint;
  const x = toyConv({ ...DEFAULTS }).x.part(0);
  const grid = (array, role, paint, name) => mapGrid(array, paint, { role, cell: 32, text: (v) => round(v, 0), name });
  const [there, many] = [values(back).part(0), values(counts).part(0)];
  return {
    root: section(
      "4",
      "Adjoint, not inverse",
      "Two facts, computed by the engine for the toy with padding 1. For any columns c the two inner products agree: that is what makes col2im right for gradients. And going there and back multiplies every pixel by the number of windows that cover it.",
      h(
        "div",
        { class: "inner" },
        h("span", {}, "⟨ im2col(x), c ⟩ = ", h("b", {}, round(left))),
        h("span", {}, "⟨ x, col2im(c) ⟩ = ", h("b", {}, round(right))),
        origin("engine"),
      ),
      h(
        "div",
        { class: "into" },
        panel(h("i", {}, "x"), grid(x, "input", scaleFor(x), "x")),
        h("span", { class: "sign" }, "×"),
        panel("windows per pixel", grid(many, "plain", scale("count", 9), "Windows per pixel")),
        h("span", { class: "sign" }, "="),
        panel(h("code", {}, "col2im(im2col(x))"), grid(there, "gradient", scaleFor(there), "There and back")),
      ),
    ),
  };
}

/** Analytic against numeric, for some weights. */
function checkSection() {
  if (!DATA.gradcheck) return null;
  const { layer, rows } = DATA.gradcheck;
  const far = ({ analytic, numeric }) =>
    Math.abs(analytic - numeric) / Math.max(Math.abs(analytic), Math.abs(numeric), 1e-12);
  const body = rows.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, `w[${row.index.join(", ")}]`),
      h("td", { class: "num" }, minus(row.analytic.toExponential(6))),
      h("td", { class: "num" }, minus(row.numeric.toExponential(6))),
      h("td", { class: "num" }, brief(far(row))),
    ),
  );
  return {
    root: section(
      "5",
      "Is it right?",
      `Move one weight of ${layer} a little both ways and see how the loss changes: that must be its gradient. ${rows.length} weights drawn at random, in float64, by the engine; the largest relative difference is ${brief(Math.max(...rows.map(far)))}.`,
      h(
        "div",
        { class: "scroll", tabindex: 0 },
        h(
          "table",
          { class: "gradcheck" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", {}, "weight"),
              h("th", { class: "num" }, "backward"),
              h("th", { class: "num" }, "finite differences"),
              h("th", { class: "num" }, "relative difference"),
            ),
          ),
          h("tbody", {}, body),
        ),
      ),
    ),
  };
}
