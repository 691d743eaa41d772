// tab "Network": every map of every layer; one unit, what it can see, and what it looks at.

const SILENT = ["flatten", "dropout"]; // layers that pass numbers on

const networkTab = {
  id: "network",
  name: "Network",
  lead: (number) => {
    const seen = DATA.model.layers.filter((layer) => layer.field).at(-1);
    if (!seen) {
      return lead(
        number,
        "How much of the image can one number of the first linear layer depend on?",
        [
          ["one pixel", false],
          ["all of it", true],
        ],
        () => "All of it: a linear layer has a weight for every pixel. A convolution would see only a window.",
      );
    }
    const [size] = seen.field.size;
    const [kernel] = seen.options.kernel_size ?? [1];
    const image = DATA.model.layers[0].shape_in.at(-1);
    return lead(
      number,
      `One number of ${seen.label}: how much of the ${image} × ${image} image can it depend on?`,
      [
        [`${kernel} × ${kernel}`, kernel === size],
        ...(kernel === size ? [] : [[`${size} × ${size}`, true]]),
        ["all of it", size >= image],
      ],
      () =>
        `${size} × ${size}: each layer widens what the one before could see. That is its receptive field. Which of these pixels it cares about is another question, and the gradient answers it. Click any number below.`,
    );
  },

  build(stage, say) {
    const img = choice(
      "Image",
      DATA.samples.map((sample, k) => [k, DATA.classes[sample.label] ?? k + 1]),
      (value) => set({ img: value }),
    );
    const scope = choice(
      "Colours",
      [
        ["layer", "per layer"],
        ["map", "per map"],
      ],
      (value) => set({ scope: value }),
    );
    const layers = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
    const maps = h("div", { class: "layers" });
    const inspector = inspectorOf();
    stage.append(
      h("div", { class: "controls" }, DATA.samples.length > 1 && img, scope),
      h("div", { class: "network" }, maps, inspector.root),
      say,
      layerTable(),
    );
    let shown = null;
    let rows = new Map();
    return () => {
      img.show(state.img);
      scope.show(state.scope);
      const key = `${state.img} ${state.scope}`;
      if (shown !== key) {
        shown = key;
        rows = new Map();
        maps.replaceChildren(imageRow(), ...layers.map((layer) => layerRow(layer, rows)));
      }
      const unit = currentUnit();
      for (const [label, grids] of rows) markUnit(label, grids, unit);
      inspector.show(unit);
      say.say(unitSentence(unit));
    };
  },
};

function currentSample() {
  return DATA.samples[state.img] ?? DATA.samples[0];
}

function imageRow() {
  const sample = currentSample();
  const x = values(sample.x);
  const grids = Array.from(
    { length: x.shape[0] },
    (_, c) => mapGrid(x.part(c), scaleFor(x), { role: "input", cell: 64 / x.shape[2], name: "The image" }).root,
  );
  return h(
    "div",
    { class: "layer" },
    h("div", { class: "layer-name" }, h("b", {}, "image"), h("small", {}, x.shape.join(" × "))),
    h("div", { class: "maps" }, grids),
  );
}

function layerRow(layer, rows) {
  const out = values(currentSample().layers[layer.label].out);
  const paint = (part) => scaleFor(state.scope === "map" ? part : out);
  const grids =
    layer.shape_out.length === 3
      ? Array.from({ length: Math.min(layer.shape_out[0], 64) }, (_, c) =>
          unitMap(layer, out.part(c), c, paint(out.part(c))),
        )
      : [unitVector(layer, out, paint(out))];
  rows.set(layer.label, grids);
  const hidden =
    layer.shape_out.length === 3 && layer.shape_out[0] > 64
      ? h("small", {}, `${layer.shape_out[0] - 64} more maps`)
      : null;
  return h(
    "div",
    { class: `layer ${layer.kind}` },
    h(
      "div",
      { class: "layer-name" },
      h("b", {}, layer.label),
      h("small", {}, layer.shape_out.join(" × ")),
      h("small", { class: "range" }, rangeOf(out)),
    ),
    h(
      "div",
      { class: "maps" },
      grids.map((grid) => grid.root),
      hidden,
      layer === DATA.model.layers.at(-1) && verdictOf(out),
    ),
  );
}

/** What the network says, and the truth. */
function verdictOf(logits) {
  const best = logits.data.indexOf(logits.data.reduce((a, b) => Math.max(a, b)));
  const truth = currentSample().label;
  return h(
    "small",
    {},
    "says ",
    h("b", {}, DATA.classes[best]),
    best === truth ? ", and is right" : `; it is: ${DATA.classes[truth]}`,
  );
}

/** The least and the greatest number of an array, in words. */
function rangeOf(array) {
  const ends = [array.data.reduce((a, b) => Math.min(a, b)), array.data.reduce((a, b) => Math.max(a, b))];
  return ends.map((v) => brief(Math.abs(v) < array.most / 1000 ? 0 : Number(v.toPrecision(2)))).join(" to ");
}

function unitMap(layer, map, c, paint) {
  const [height, width] = map.shape;
  const inside = (v, n) => Math.min(Math.max(v, 0), n - 1);
  return mapGrid(map, paint, {
    role: "output",
    cell: Math.min(56, Math.max(26, Math.floor(620 / layer.shape_out[0]) - 6), width > 20 ? 56 : 44) / width,
    name: `${layer.label}, map ${c + 1}; arrow keys move from unit to unit`,
    onpick: (i, j) => choose(layer, [c, i, j]),
    onmove: (di, dj) => {
      const { layer: now, index } = currentUnit();
      const [, i, j] = now.label === layer.label && index[0] === c ? index : (strongest(layer.label, c) ?? [c, 0, 0]);
      choose(layer, [c, inside(i + di, height), inside(j + dj, width)]);
    },
  });
}

function unitVector(layer, out, paint) {
  const [size] = layer.shape_out;
  const columns = size <= 16 ? size : 30;
  const grid = new Grid({
    rows: Math.ceil(size / columns),
    cols: columns,
    cell: size <= 16 ? 30 : 12,
    paint,
    role: "output",
    text: size <= 16 ? (v) => round(v, 1) : () => null,
    value: (r, c) => (r * columns + c < size ? out.at(r * columns + c) : null),
    name: `${layer.label}, ${size} numbers; arrow keys move`,
    onpick: (r, c) => {
      if (r * columns + c < size) choose(layer, [r * columns + c]);
    },
    onmove: (dr, dc) => {
      const { layer: now, index } = currentUnit();
      const k = now.label === layer.label ? index[0] : 0;
      choose(layer, [Math.min(Math.max(k + dr * columns + dc, 0), size - 1)]);
    },
  });
  grid.columns = columns;
  return grid;
}

function markUnit(label, grids, { layer, index }) {
  const chosen = layer.label === label;
  grids.forEach((grid, c) => {
    const vector = grid.columns !== undefined;
    const here = chosen && (vector || index[0] === c);
    const at = vector ? [Math.floor(index[0] / grid.columns), index[0] % grid.columns] : index.slice(1);
    grid.mark("unit", here ? [[...at, 1, 1]] : [], "unit");
    grid.root.classList.toggle("chosen", here);
    grid.root.tabIndex = here || (!chosen && c === 0) ? 0 : -1;
  });
}

function layerTable() {
  const sum = (name) => DATA.model.layers.reduce((total, layer) => total + (layer[name] ?? 0), 0).toLocaleString("en");
  const cell = (v) => h("td", { class: "num" }, v ? v.toLocaleString("en") : "");
  const rows = DATA.model.layers.map((layer) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, layer.label),
      h("td", { class: "kind" }, layer.text),
      h("td", { class: "num" }, layer.shape_out.join(" × ")),
      cell(layer.parameters),
      cell(layer.multiply_adds),
      h("td", { class: "num" }, layer.field ? layer.field.size.join(" × ") : ""),
    ),
  );
  return h(
    "details",
    { class: "table" },
    h("summary", {}, "The layers in numbers"),
    h(
      "div",
      { class: "scroll", tabindex: 0 },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["layer", "", "output", "parameters", "multiply-adds", "receptive field"].map((text, k) =>
              h("th", { class: k > 1 ? "num" : "" }, text),
            ),
          ),
        ),
        h("tbody", {}, rows),
        h(
          "tfoot",
          {},
          h(
            "tr",
            {},
            h("th", {}, "total"),
            h("td"),
            h("td"),
            h("td", { class: "num" }, sum("parameters")),
            h("td", { class: "num" }, sum("multiply_adds")),
            h("td"),
          ),
        ),
      ),
    ),
  );
}
