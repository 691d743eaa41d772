// tab "Edit": change a garment and see maps and probabilities move.  All of it is the browser's arithmetic.

const editTab = {
  id: "edit",
  name: "Edit",
  lead: (number) =>
    lead(
      number,
      "Shift the garment by two pixels. What shifts along: the maps of the first convolution, the class probabilities, both?",
      [
        ["the maps", true],
        ["the probabilities", false],
        ["both stay the same", false],
      ],
      () =>
        "Convolution is equivariant: shift the image and its maps shift along, the same numbers elsewhere. The dense layers behind it are not: to them every place has weights of its own. So the probabilities change, and not always for the better.",
    ),

  build(stage, say) {
    const stranger = twin.stranger();
    if (stranger) {
      stage.append(
        h(
          "div",
          { class: "empty" },
          h(
            "p",
            {},
            `The browser cannot recompute this network: it does not have ${stranger.label} (${stranger.text}) or its weights were left out to keep the page small.`,
          ),
        ),
      );
      return () => {};
    }
    const pictures = picturesOf();
    const [, H, W] = values(DATA.samples[0].x).shape;
    let erase = false;
    const brush = choice(
      "Brush",
      [
        ["paint", "paint"],
        ["erase", "erase"],
      ],
      (value) => {
        erase = value === "erase";
        brush.show(value);
      },
    );
    brush.show("paint");
    const cursor = { r: Math.floor(H / 2), q: Math.floor(W / 2) };
    const canvas = new Grid({
      rows: H,
      cols: W,
      cell: 336 / W,
      role: "input",
      drags: true,
      text: () => null,
      name: "The garment; arrow keys move the brush, Space paints",
      onpick: (r, q) => dab(r, q, erase),
      onmove: (dr, dq) => {
        cursor.r = Math.min(Math.max(cursor.r + dr, 0), H - 1);
        cursor.q = Math.min(Math.max(cursor.q + dq, 0), W - 1);
        canvas.mark("brush", [[cursor.r, cursor.q, 1, 1]], "point");
      },
    });
    canvas.root.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        event.preventDefault();
        dab(cursor.r, cursor.q, erase);
      }
    });
    canvas.root.classList.add("easel");
    const by = (name, amount) => () => {
      const m = movesOf();
      set({ moves: movesText({ ...m, [name]: m[name] + amount }) });
    };
    const tools = h(
      "div",
      { class: "tools-grid" },
      h(
        "div",
        { class: "pad", role: "group", "aria-label": "Shift" },
        button("↑", by("y", -1), { "aria-label": "shift up", class: "up" }),
        button("←", by("x", -1), { "aria-label": "shift left", class: "left" }),
        button("→", by("x", 1), { "aria-label": "shift right", class: "right" }),
        button("↓", by("y", 1), { "aria-label": "shift down", class: "down" }),
      ),
      h(
        "div",
        { class: "tool-buttons" },
        button("↺ 15°", by("r", -15), { "aria-label": "rotate left" }),
        button("↻ 15°", by("r", 15), { "aria-label": "rotate right" }),
        button("invert", () => {
          const m = movesOf();
          set({ moves: movesText({ ...m, v: 1 - m.v }) });
        }),
        button("noise", by("n", 1)),
        button("reset", () => set({ moves: "" }), { class: "quiet" }),
      ),
      brush,
    );
    const album = h(
      "div",
      { class: "album", role: "group", "aria-label": "Pictures" },
      pictures.map((picture, k) =>
        h(
          "button",
          {
            type: "button",
            class: "thumb",
            title: DATA.classes[picture.label],
            onclick: () => set({ pic: k, moves: "" }),
          },
          mapGrid(picture.x.part(0), scaleFor(picture.x), {
            role: "input",
            cell: 40 / W,
            name: DATA.classes[picture.label],
          }).root,
        ),
      ),
    );
    const bars = h("div", { class: "bars edit-bars" });
    const maps = h("div", { class: "edit-maps" });
    stage.append(
      album,
      h(
        "div",
        { class: "edit" },
        h("div", { class: "easel-side" }, canvas.root, tools),
        h(
          "div",
          { class: "edit-side" },
          h(
            "div",
            { class: "bars-title" },
            "probabilities ",
            origin("browser"),
            !DATA.trained && h("span", { class: "note" }, "this network is not trained"),
          ),
          bars,
          maps,
        ),
      ),
      say,
      h(
        "p",
        { class: "note" },
        "A scribble is not a garment: nothing like it was in the training images, so what the network says of it means little.",
      ),
    );
    const draw = editView(pictures, canvas, bars, maps, say);
    return () => {
      [...album.children].forEach((thumb, k) => thumb.setAttribute("aria-pressed", k === state.pic));
      draw();
    };
  },
};

function editView(pictures, canvas, bars, maps, say) {
  const first = DATA.model.layers.find((layer) => layer.kind === "conv2d") ?? DATA.model.layers[0];
  const last = DATA.model.layers.at(-1).label;
  const rows = DATA.classes.map((name) => {
    const [before, now] = [h("span", { class: "before" }), h("span", { class: "amount output" })];
    const num = h("span", { class: "num" });
    const root = h(
      "div",
      { class: "bar-row" },
      h("span", { class: "bar-name" }, name),
      h("span", { class: "meter" }, now, before, num),
    );
    return { root, before, now, num };
  });
  bars.replaceChildren(...rows.map((row) => row.root));
  const count = first.shape_out.length === 3 ? Math.min(first.shape_out[0], 8) : 0;
  const pairs = Array.from({ length: count }, () =>
    ["before", "now"].map(
      (when) =>
        new Grid({
          rows: first.shape_out[1],
          cols: first.shape_out[2],
          cell: 84 / first.shape_out[2],
          role: when === "now" ? "output" : "plain",
          text: () => null,
          name: `${first.label}, ${when}`,
        }),
    ),
  );
  if (count)
    maps.replaceChildren(
      h("div", { class: "bars-title" }, `maps of ${first.label}`, origin("browser")),
      h(
        "div",
        { class: "pairs", style: { "--count": count } },
        h("div", { class: "pair head" }, h("small", {}, "original"), h("small", {}, "now")),
        pairs.map((pair) =>
          h(
            "div",
            { class: "pair" },
            pair.map((grid) => grid.root),
          ),
        ),
      ),
    );
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
    pairs.forEach((pair, c) =>
      pair.forEach((grid, when) => {
        const map = (when ? is : was)[first.label].part(c);
        grid.set({ value: (r, col) => map.at(r, col), paint: scaleFor(was[first.label]) });
      }),
    );
    const best = (list) => list.indexOf(Math.max(...list));
    say.say(
      `${DATA.classes[picture.label]}: the network says ${DATA.classes[best(q)]} (${(q[best(q)] * 100).toFixed(1)} %)${best(p) === best(q) ? "" : `, before it said ${DATA.classes[best(p)]}`}.`,
    );
  };
}
