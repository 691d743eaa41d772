// tab "Edit": change a garment and see maps and probabilities move.  All of it is the browser's arithmetic.

const editTab = {
  id: "edit",
  name: "Edit",
  lead: (number) => lead(number,
    "Shift the garment by two pixels. What shifts along: the maps of the first convolution, the class probabilities, both?",
    [["the maps", true], ["the probabilities", false], ["both stay the same", false]],
    () => "Convolution is equivariant: shift the image and its maps shift along, the same numbers elsewhere. The dense layers behind it are not: to them every place has weights of its own. So the probabilities change, and not always for the better."),

  build(stage, say) {
    const stranger = twin.stranger();
    if (stranger) {
      stage.append(h("div", { class: "empty" }, h("p", {}, `The browser cannot recompute this network: it does not have ${stranger.label} (${stranger.text}) or its weights were left out to keep the page small.`)));
      return () => {};
    }
    const pictures = picturesOf();
    const [, H, W] = values(DATA.samples[0].x).shape;
    let erase = false;
    const brush = choice("Brush", [["paint", "paint"], ["erase", "erase"]], (value) => { erase = value === "erase"; brush.show(value); });
    brush.show("paint");
    const cursor = { r: Math.floor(H / 2), q: Math.floor(W / 2) };
    const canvas = new Grid({
      rows: H, cols: W, cell: 336 / W, role: "input", drags: true, text: () => null, name: "The garment; arrow keys move the brush, Space paints",
      onpick: (r, q) => dab(r, q, erase), onmove: (dr, dq) => { cursor.r = Math.min(Math.max(cursor.r + dr, 0), H - 1); cursor.q = Math.min(Math.max(cursor.q + dq, 0), W - 1); canvas.mark("brush", [[cursor.r, cursor.q, 1, 1]], "point"); },
    });
    canvas.root.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); dab(cursor.r, cursor.q, erase); } });
    canvas.root.classList.add("easel");
    const by = (name, amount) => () => { const m = movesOf(); set({ moves: movesText({ ...m, [name]: m[name] + amount }) }); };
    const tools = h("div", { class: "tools-grid" },
      h("div", { class: "pad", role: "group", "aria-label": "Shift" }, button("↑", by("y", -1), { "aria-label": "shift up", class: "up" }), button("←", by("x", -1), { "aria-label": "shift left", class: "left" }), button("→", by("x", 1), { "aria-label": "shift right", class: "right" }), button("↓", by("y", 1), { "aria-label": "shift down", class: "down" })),
      h("div", { class: "tool-buttons" }, button("↺ 15°", by("r", -15), { "aria-label": "rotate left" }), button("↻ 15°", by("r", 15), { "aria-label": "rotate right" }), button("invert", () => { const m = movesOf(); set({ moves: movesText({ ...m, v: 1 - m.v }) }); }), button("noise", by("n", 1)), button("reset", () => set({ moves: "" }), { class: "quiet" })), brush);
    const album = h("div", { class: "album", role: "group", "aria-label": "Pictures" }, pictures.map((picture, k) => h("button", { type: "button", class: "thumb", title: DATA.classes[picture.label], onclick: () => set({ pic: k, moves: "" }) },
      mapGrid(picture.x.part(0), scaleFor(picture.x), { role: "input", cell: 40 / W, name: DATA.classes[picture.label] }).root)));
    const bars = h("div", { class: "bars edit-bars" });
    const maps = h("div", { class: "edit-maps" });
    stage.append(album, h("div", { class: "edit" }, h("div", { class: "easel-side" }, canvas.root, tools), h("div", { class: "edit-side" }, h("div", { class: "bars-title" }, "probabilities ", origin("browser"), !DATA.trained && h("span", { class: "note" }, "this network is not trained")), bars, maps)), say,
      h("p", { class: "note" }, "A scribble is not a garment: nothing like it was in the training images, so what the network says of it means little."));
    const draw = editView(pictures, canvas, bars, maps, say);
    return () => { [...album.children].forEach((thumb, k) => thumb.setAttribute("aria-pressed", k === state.pic)); draw(); };
  },
};

/** What can be edited: the traced images, then test images. */
function picturesOf() {
  const own = DATA.samples.map((sample) => ({ label: sample.label, x: values(sample.x) }));
  const test = DATA.training?.test?.pictures;
  const more = test && values(test.images);
  const others = more ? test.labels.map((label, k) => ({ label, x: new Values(Float32Array.from(more.part(k).data, (v) => v / 255), more.shape.slice(1)) })) : [];
  return [...own, ...others].slice(0, 36);
}

/** The changes in the address: x1,y-2 shift, r15 rotation, v1 inverted, n2 noise; b and e painted and erased pixels. */
function movesOf() {
  const moves = { x: 0, y: 0, r: 0, v: 0, n: 0, b: [], e: [] };
  for (const part of state.moves.split(",").filter(Boolean)) {
    const [name, rest] = [part[0], part.slice(1)];
    if (name === "b" || name === "e") moves[name] = rest.split(".").map((text) => parseInt(text, 36)).filter((k) => k >= 0);
    else if (name in moves && Number.isFinite(Number(rest))) moves[name] = Number(rest);
  }
  return moves;
}

function movesText(moves) {
  return Object.entries(moves).flatMap(([name, v]) => (Array.isArray(v) ? (v.length ? [name + v.map((k) => k.toString(36)).join(".")] : []) : v ? [name + v] : [])).join(",");
}

/** Paint or erase a dab of 2 x 2 pixels. */
function dab(r, q, erase) {
  const [, H, W] = values(DATA.samples[0].x).shape;
  const moves = movesOf();
  const spots = [[r, q], [r, q + 1], [r + 1, q], [r + 1, q + 1]].filter(([a, b]) => a < H && b < W).map(([a, b]) => a * W + b);
  const [to, from] = erase ? ["e", "b"] : ["b", "e"];
  moves[to] = [...new Set([...moves[to], ...spots])];
  moves[from] = moves[from].filter((k) => !spots.includes(k));
  set({ moves: movesText(moves) });
}

/** The picture after the changes: rotated about its middle, shifted, inverted, with noise, painted on. */
function movedPicture(x, moves) {
  const [C, H, W] = x.shape;
  const out = new Values(new Float32Array(x.data.length), x.shape);
  const [sin, cos] = [Math.sin((moves.r * Math.PI) / 180), Math.cos((moves.r * Math.PI) / 180)];
  const [my, mx] = [(H - 1) / 2, (W - 1) / 2];
  const noise = noiseFrom(moves.n);
  for (let c = 0, place = 0; c < C; c++) {
    for (let r = 0; r < H; r++) {
      for (let q = 0; q < W; q++, place++) {
        const [dy, dx] = [r - moves.y - my, q - moves.x - mx];
        let v = moves.r % 360 ? smooth(x, c, my + cos * dy - sin * dx, mx + sin * dy + cos * dx) : pixelOr0(x, c, r - moves.y, q - moves.x);
        if (moves.v) v = 1 - v;
        if (moves.n) v = Math.min(Math.max(v + noise() * 0.12 * moves.n, 0), 1);
        out.data[place] = v;
      }
    }
    for (const k of moves.b) if (k < H * W) out.data[c * H * W + k] = 1;
    for (const k of moves.e) if (k < H * W) out.data[c * H * W + k] = 0;
  }
  return out;
}

function pixelOr0(x, c, r, q) {
  return r < 0 || q < 0 || r >= x.shape[1] || q >= x.shape[2] ? 0 : x.at(c, r, q);
}

/** Between pixels: the mean of the four around, by distance. */
function smooth(x, c, r, q) {
  const [a, b] = [Math.floor(r), Math.floor(q)];
  const [s, t] = [r - a, q - b];
  return (1 - s) * ((1 - t) * pixelOr0(x, c, a, b) + t * pixelOr0(x, c, a, b + 1)) + s * ((1 - t) * pixelOr0(x, c, a + 1, b) + t * pixelOr0(x, c, a + 1, b + 1));
}

/** Roughly normal numbers, always the same ones. */
function noiseFrom(seed) {
  let s = 12345 + seed * 6789;
  const next = () => { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; return s / 2 ** 32; };
  return () => next() + next() + next() + next() - 2;
}

function editView(pictures, canvas, bars, maps, say) {
  const first = DATA.model.layers.find((layer) => layer.kind === "conv2d") ?? DATA.model.layers[0];
  const last = DATA.model.layers.at(-1).label;
  const rows = DATA.classes.map((name) => {
    const [before, now] = [h("span", { class: "before" }), h("span", { class: "amount output" })];
    const num = h("span", { class: "num" });
    const root = h("div", { class: "bar-row" }, h("span", { class: "bar-name" }, name), h("span", { class: "meter" }, now, before, num));
    return { root, before, now, num };
  });
  bars.replaceChildren(...rows.map((row) => row.root));
  const count = first.shape_out.length === 3 ? Math.min(first.shape_out[0], 8) : 0;
  const pairs = Array.from({ length: count }, () => ["before", "now"].map((when) => new Grid({ rows: first.shape_out[1], cols: first.shape_out[2], cell: 84 / first.shape_out[2], role: when === "now" ? "output" : "plain", text: () => null, name: `${first.label}, ${when}` })));
  if (count) maps.replaceChildren(h("div", { class: "bars-title" }, `maps of ${first.label}`, origin("browser")), h("div", { class: "pairs", style: { "--count": count } }, h("div", { class: "pair head" }, h("small", {}, "original"), h("small", {}, "now")), pairs.map((pair) => h("div", { class: "pair" }, pair.map((grid) => grid.root)))));
  return () => {
    const picture = pictures[state.pic] ?? pictures[0];
    const x = movedPicture(picture.x, movesOf());
    const [was, is] = [twin.forward(picture.x), twin.forward(x)];
    const [p, q] = [twin.softmax(was[last]), twin.softmax(is[last])];
    canvas.set({ value: (r, c) => x.at(0, r, c), paint: scale("ink", 1) });
    rows.forEach((row, k) => {
      row.now.style.width = `${q[k] * 100}%`;
      row.before.style.left = `${p[k] * 100}%`;
      row.num.textContent = q[k].toFixed(3);
      row.root.classList.toggle("truth", k === picture.label);
      row.root.classList.toggle("top", q[k] === Math.max(...q));
    });
    pairs.forEach((pair, c) => pair.forEach((grid, when) => {
      const map = (when ? is : was)[first.label].part(c);
      grid.set({ value: (r, col) => map.at(r, col), paint: scaleFor(was[first.label]) });
    }));
    const best = (list) => list.indexOf(Math.max(...list));
    say.say(`${DATA.classes[picture.label]}: the network says ${DATA.classes[best(q)]} (${(q[best(q)] * 100).toFixed(1)} %)${best(p) === best(q) ? "" : `, before it said ${DATA.classes[best(p)]}`}.`);
  };
}
