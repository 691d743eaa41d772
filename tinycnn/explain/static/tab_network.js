// tab "Network": every map of every layer; one unit, what it can see, and what it looks at.

const SILENT = ["flatten", "dropout"]; // layers that pass numbers on

const networkTab = {
  id: "network",
  name: "Network",
  lead: (number) => {
    const seen = DATA.model.layers.filter((layer) => layer.field).at(-1);
    const [size] = seen ? seen.field.size : [0];
    const [kernel] = seen?.options.kernel_size ?? [1];
    const image = DATA.model.layers[0].shape_in.at(-1);
    return lead(number,
      `One number of ${seen?.label ?? "the last map"}: how much of the ${image} × ${image} image can it depend on?`,
      [[`${kernel} × ${kernel}`, kernel === size], ...(kernel === size ? [] : [[`${size} × ${size}`, true]]), ["all of it", false]],
      () => `${size} × ${size}: each layer widens what the one before could see. That is its receptive field. Which of these pixels it cares about is another question, and the gradient answers it. Click any number below.`);
  },

  build(stage, say) {
    const img = choice("Image", DATA.samples.map((sample, k) => [k, DATA.classes[sample.label] ?? k + 1]), (value) => set({ img: value }));
    const scope = choice("Colours", [["layer", "per layer"], ["map", "per map"]], (value) => set({ scope: value }));
    const layers = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
    const maps = h("div", { class: "layers" });
    const inspector = inspectorOf();
    stage.append(h("div", { class: "controls" }, DATA.samples.length > 1 && img, scope),
      h("div", { class: "network" }, maps, inspector.root), say, layerTable());
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

/** The chosen unit {layer, index}: from the state, or the strongest of the last convolution's first map. */
function currentUnit() {
  const [label, place] = state.unit.split(":");
  const layer = DATA.model.layers.find((l) => l.label === label);
  const index = (place ?? "").split(".").map(Number);
  const fits = layer && index.length === layer.shape_out.length && index.every((k, axis) => Number.isInteger(k) && k >= 0 && k < layer.shape_out[axis]);
  if (fits) return { layer, index };
  const last = DATA.model.layers.filter((l) => l.kind === "conv2d").at(-1) ?? DATA.model.layers.at(-1);
  return { layer: last, index: strongest(last.label, 0) ?? last.shape_out.map(() => 0) };
}

/** The unit of map c whose gradient the engine worked out. */
function strongest(label, c) {
  return currentSample().units.find((unit) => unit.layer === label && unit.index[0] === c)?.index;
}

function choose(layer, index) {
  set({ unit: `${layer.label}:${index.join(".")}` });
}

function imageRow() {
  const sample = currentSample();
  const x = values(sample.x);
  const grids = Array.from({ length: x.shape[0] }, (_, c) => mapGrid(x.part(c), scaleFor(x), { role: "input", cell: 64 / x.shape[2], name: "The image" }).root);
  return h("div", { class: "layer" }, h("div", { class: "layer-name" }, h("b", {}, "image"), h("small", {}, x.shape.join(" × "))), h("div", { class: "maps" }, grids));
}

function layerRow(layer, rows) {
  const out = values(currentSample().layers[layer.label].out);
  const paint = (part) => scaleFor(state.scope === "map" ? part : out);
  const grids = layer.shape_out.length === 3
    ? Array.from({ length: Math.min(layer.shape_out[0], 64) }, (_, c) => unitMap(layer, out.part(c), c, paint(out.part(c))))
    : [unitVector(layer, out, paint(out))];
  rows.set(layer.label, grids);
  const hidden = layer.shape_out.length === 3 && layer.shape_out[0] > 64 ? h("small", {}, `${layer.shape_out[0] - 64} more maps`) : null;
  return h("div", { class: `layer ${layer.kind}` },
    h("div", { class: "layer-name" }, h("b", {}, layer.label), h("small", {}, layer.shape_out.join(" × ")), h("small", { class: "range" }, rangeOf(out))),
    h("div", { class: "maps" }, grids.map((grid) => grid.root), hidden, layer === DATA.model.layers.at(-1) && verdictOf(out)));
}

/** What the network says, and the truth. */
function verdictOf(logits) {
  const best = logits.data.indexOf(logits.data.reduce((a, b) => Math.max(a, b)));
  const truth = currentSample().label;
  return h("small", {}, "says ", h("b", {}, DATA.classes[best]), best === truth ? ", and is right" : `; it is: ${DATA.classes[truth]}`);
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
    role: "output", cell: Math.min(56, Math.max(26, Math.floor(620 / layer.shape_out[0]) - 6), width > 20 ? 56 : 44) / width, name: `${layer.label}, map ${c + 1}; arrow keys move from unit to unit`,
    onpick: (i, j) => choose(layer, [c, i, j]),
    onmove: (di, dj) => {
      const { layer: now, index } = currentUnit();
      const [, i, j] = now.label === layer.label && index[0] === c ? index : strongest(layer.label, c) ?? [c, 0, 0];
      choose(layer, [c, inside(i + di, height), inside(j + dj, width)]);
    },
  });
}

function unitVector(layer, out, paint) {
  const [size] = layer.shape_out;
  const columns = size <= 16 ? size : 30;
  const grid = new Grid({
    rows: Math.ceil(size / columns), cols: columns, cell: size <= 16 ? 30 : 12, paint, role: "output", text: size <= 16 ? (v) => round(v, 1) : () => null,
    value: (r, c) => (r * columns + c < size ? out.at(r * columns + c) : null), name: `${layer.label}, ${size} numbers; arrow keys move`,
    onpick: (r, c) => { if (r * columns + c < size) choose(layer, [r * columns + c]); },
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

/** The part of the image that a unit can see: [row, column, height, width], clipped to the image. */
function fieldBox(layer, index) {
  const [, H, W] = values(currentSample().x).shape;
  if (!layer.field || index.length !== 3) return [0, 0, H, W];
  const side = (axis, size) => {
    const first = layer.field.start[axis] + index[axis + 1] * layer.field.jump[axis];
    return [Math.max(first, 0), Math.min(first + layer.field.size[axis], size)];
  };
  const [[top, bottom], [left, right]] = [side(0, H), side(1, W)];
  return [top, left, bottom - top, right - left];
}

/** The gradient of a unit by the image, and who worked it out. */
function gradientOf({ layer, index }) {
  const sample = currentSample();
  const known = sample.units.find((unit) => unit.layer === layer.label && String(unit.index) === String(index));
  const theirs = known && values(known.gradient);
  const shape = values(sample.x).shape;
  if (theirs) {
    const whole = new Values(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    const [C, height, width] = theirs.shape;
    for (let c = 0; c < C; c++) {
      for (let r = 0; r < height; r++) {
        for (let q = 0; q < width; q++) whole.data[(c * shape[1] + known.corner[0] + r) * shape[2] + known.corner[1] + q] = theirs.at(c, r, q);
      }
    }
    return [whole, "engine"];
  }
  return twin.stranger() ? [null, "browser"] : [browserGradient(sample, layer.label, index), "browser"];
}

function inspectorOf() {
  const title = h("h3", {});
  const value = h("div", { class: "unit-value" });
  const room = h("div", { class: "inspect-grids" });
  const who = h("p", { class: "note" });
  const point = h("p", { class: "note hover", role: "status" });
  const pick = h("select", { "aria-label": "Layer", onchange: () => choose(byLabel(pick.value), strongest(pick.value, 0) ?? byLabel(pick.value).shape_out.map(() => 0)) },
    DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind)).map((layer) => h("option", { value: layer.label }, layer.label)));
  const map = slider("Map", 1, 2, (c) => { const { layer } = currentUnit(); choose(layer, strongest(layer.label, c - 1) ?? [c - 1, ...layer.shape_out.slice(1).map(() => 0)]); });
  const root = h("aside", { class: "inspector", "aria-label": "The chosen unit" }, title, value, h("div", { class: "controls" }, h("label", { class: "control" }, h("span", { class: "name" }, "Layer"), pick), map), room, point, who);
  return {
    root,
    show(unit) {
      const { layer, index } = unit;
      const out = values(currentSample().layers[layer.label].out).at(...index);
      title.textContent = index.length === 3 ? `${layer.label}, map ${index[0] + 1}, unit (${index[1]}, ${index[2]})` : `${layer.label}, number ${index[0]}${layer === DATA.model.layers.at(-1) ? `: ${DATA.classes[index[0]]}` : ""}`;
      value.replaceChildren(h("output", { class: "value", data: { value: exact(out) } }, exactly(out)), origin("engine"));
      pick.value = layer.label;
      map.limit(layer.shape_out[0]);
      map.show(index[0] + 1);
      const [gradient, by] = gradientOf(unit);
      room.replaceChildren(...inspectGrids(unit, gradient, by, point));
      who.textContent = by === "engine" ? "This is the engine’s own gradient: its tape, played back from this number."
        : gradient ? "Worked out by the browser, whose arithmetic was compared with the engine’s when the page opened. The engine’s own is here for the strongest unit of each map." : "The browser does not know a layer of this model, so it shows only the engine’s own gradients.";
    },
  };
}

function byLabel(label) {
  return DATA.model.layers.find((layer) => layer.label === label);
}

function inspectGrids({ layer, index }, gradient, by, point) {
  const x = values(currentSample().x);
  const cell = Math.min(26, 250 / x.shape[2]);
  const box = fieldBox(layer, index);
  const sees = mapGrid(x.part(0), scaleFor(x), { role: "input", cell, name: "The image, with the receptive field" });
  sees.mark("field", [box], "window");
  const grids = [panel(["can see", h("span", { class: "dims" }, `${box[2]} × ${box[3]}`)], sees)];
  if (gradient) {
    const map = gradient.part(0);
    const looks = mapGrid(map, scale("signed", map.most), {
      role: "gradient", cell, name: "Gradient of the unit by the image",
      onhover: (r, q) => { point.textContent = `∂unit / ∂pixel (${r}, ${q}) = ${by === "engine" ? exactly(map.at(r, q)) : brief(map.at(r, q))}`; },
      onleave: () => { point.textContent = ""; },
    });
    looks.mark("field", [box], "window");
    grids.push(panel(["looks at", h("span", { class: "dims" }, "gradient")], looks), h("div", { class: "below" }, key(looks.paint), origin(by)));
  }
  return grids;
}

function unitSentence({ layer, index }) {
  const [top, left, height, width] = fieldBox(layer, index);
  return `This number of ${layer.label} can see ${height} × ${width} pixels, from row ${top}, column ${left}.`;
}

function layerTable() {
  const sum = (name) => DATA.model.layers.reduce((total, layer) => total + (layer[name] ?? 0), 0).toLocaleString("en");
  const cell = (v) => h("td", { class: "num" }, v ? v.toLocaleString("en") : "");
  const rows = DATA.model.layers.map((layer) => h("tr", {}, h("th", { scope: "row" }, layer.label), h("td", { class: "kind" }, layer.text), h("td", { class: "num" }, layer.shape_out.join(" × ")),
    cell(layer.parameters), cell(layer.multiply_adds), h("td", { class: "num" }, layer.field ? layer.field.size.join(" × ") : "")));
  return h("details", { class: "table" }, h("summary", {}, "The layers in numbers"), h("div", { class: "scroll", tabindex: 0 }, h("table", {},
    h("thead", {}, h("tr", {}, ["layer", "", "output", "parameters", "multiply-adds", "receptive field"].map((text, k) => h("th", { class: k > 1 ? "num" : "" }, text)))),
    h("tbody", {}, rows), h("tfoot", {}, h("tr", {}, h("th", {}, "total"), h("td"), h("td"), h("td", { class: "num" }, sum("parameters")), h("td", { class: "num" }, sum("multiply_adds")), h("td"))))));
}
