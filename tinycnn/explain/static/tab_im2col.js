// tab "im2col": every window becomes a column, and the convolution one matrix product.

const im2colTab = {
  id: "im2col",
  name: "im2col",
  lead: (number) => {
    const conv = toyConv({ ...DEFAULTS });
    const [before, after] = [conv.x.data.length, conv.K * conv.L];
    return lead(
      number,
      `im2col copies every 3 × 3 window of a picture of ${before} numbers into a column of its own. How many numbers is that?`,
      [
        [String(before), false],
        [String(before * 2), false],
        [String(after), true],
      ],
      () =>
        `${conv.K} rows, one for each weight of a filter, times ${conv.L} columns, one for each window: ${after} numbers, ${brief(after / before)} times as many. Memory is the price; one matrix product, which computers are best at, is what it buys.`,
    );
  },

  build(stage, say) {
    const slow = h(
      "label",
      { class: "control switch" },
      h("input", {
        type: "checkbox",
        onchange: (event) =>
          set({ fill: Number(event.target.checked), ...(event.target.checked ? { i: 0, j: 0 } : {}) }),
      }),
      h("span", {}, "fill column by column"),
    );
    const controls = convControls([slow]);
    const body = h("div", { class: "falk" });
    const readout = h("div", { class: "result" });
    const facts = h("p", { class: "facts" });
    let listing = "forward";
    const listings = {
      forward: code("forward", "what runs"),
      im2col: code("im2col", "one strided copy, and a view of it"),
      loops: code("loops", "the same, as loops"),
    };
    const pickCode = choice(
      "Written as",
      [
        ["forward", "product"],
        ["im2col", "im2col"],
        ["loops", "loops"],
      ],
      (value) => {
        listing = value;
        showCode();
      },
    );
    const showCode = () => {
      pickCode.show(listing);
      for (const [name, figure] of Object.entries(listings)) figure.hidden = name !== listing;
    };
    let view = null;
    const step = (by) => {
      const conv = currentConv();
      const moved = stepWindow(conv, by);
      if (moved && by > 0 && conv.name === "toy") view.fly(conv);
      return moved;
    };
    const play = player(step, () => set({ i: 0, j: 0, fill: 1 }));
    stage.append(
      controls,
      body,
      h("div", { class: "tools-row" }, play),
      readout,
      say,
      facts,
      pickCode,
      ...Object.values(listings),
    );
    listings.forward.lit(["cols", "product"]);
    listings.im2col.lit(["copy", "stack"]);
    listings.loops.lit(["window", "sum"]);
    showCode();
    return () => {
      const conv = currentConv();
      controls.show(conv);
      slow.querySelector("input").checked = Boolean(state.fill);
      const shown = `${conv.name} ${conv.FH} ${conv.OH} ${conv.OW} ${conv.G}`;
      if (!view || view.shown !== shown) {
        view = falkView(conv, body);
        view.shown = shown;
      }
      view.draw(conv);
      describe(conv, readout, say, facts);
    };
  },
};

/** Falk's scheme: image over weights on the left, columns over output on the right; rows and columns meet. */
function falkView(conv, body) {
  const { o } = place(conv);
  const g = () => Math.floor(place(currentConv()).o / (conv.O / conv.G));
  const wide = conv.L > 80;
  const height = Math.max(4, Math.min(24, 460 / conv.K));
  const inputs = conv.channels(o).map(
    (_, c) =>
      new Grid({
        rows: conv.FH,
        cols: conv.FW,
        cell: Math.min(30, (conv.CG > 2 ? 110 : conv.CG > 1 ? 150 : 260) / conv.FW),
        role: "input",
        name: `Input, channel ${c + 1}`,
        text: () => null,
        onpick: (r, q) => {
          const [use] = currentConv().outputsOf(r, q);
          if (use) set({ i: use[0], j: use[1], tap: -1 });
        },
      }),
  );
  const cols = new Grid({
    rows: conv.K,
    cols: conv.L,
    cell: wide ? 760 / conv.L : Math.min(24, 760 / conv.L),
    rowHeight: height,
    role: "input",
    name: "Columns: one row per weight, one column per window; left and right move the window, up and down pick a row",
    onhover: (k, l) => hover(k, l),
    onleave: () => hover(null),
    onpick: (k, l) => {
      const [i, j] = conv.position(l);
      set({ i, j, tap: k });
    },
    onmove: (dk, dl) =>
      dl ? stepWindow(currentConv(), dl) : set({ tap: Math.min(Math.max(state.tap + dk, -1), conv.K - 1) }),
  });
  const few = Math.min(conv.O, 16);
  const weights = new Grid({
    rows: few,
    cols: conv.K,
    cell: Math.min(24, 330 / conv.K),
    rowHeight: few > 6 ? 12 : 24,
    role: "kernel",
    name: "Weights, one row per filter; arrow keys pick a weight or a filter",
    onpick: (row, k) => set({ o: row, tap: k }),
    onmove: (dr, dk) =>
      set({
        o: Math.min(Math.max(place(currentConv()).o + dr, 0), few - 1),
        tap: Math.min(Math.max(state.tap + dk, -1), conv.K - 1),
      }),
  });
  const out = new Grid({
    rows: few,
    cols: conv.L,
    cell: wide ? 760 / conv.L : Math.min(24, 760 / conv.L),
    rowHeight: few > 6 ? 12 : 24,
    role: "output",
    name: "Output, one row per filter; arrow keys move the window",
    onhover: (row, l) => hover(null, l),
    onleave: () => hover(null),
    onpick: (row, l) => {
      const [i, j] = conv.position(l);
      set({ o: row, i, j });
    },
    onmove: (dr, dl) =>
      dl ? stepWindow(currentConv(), dl) : set({ o: Math.min(Math.max(place(currentConv()).o + dr, 0), few - 1) }),
  });
  let over = { k: null, l: null };
  const hover = (k, l = null) => {
    over = { k, l };
    draw(currentConv());
  };
  body.replaceChildren(
    panel(["image", h("span", { class: "dims" }, `${conv.CG} × ${conv.H} × ${conv.W}`)], {
      root: h(
        "div",
        { class: `minis n${Math.min(inputs.length, 6)}` },
        inputs.map((grid) => grid.root),
      ),
      role: "input",
    }),
    panel(["columns ", h("code", {}, "cols"), h("span", { class: "dims" }, `${conv.K} × ${conv.L}`)], cols),
    panel(["weights ", h("code", {}, "w"), h("span", { class: "dims" }, `${conv.O} × ${conv.K}`)], weights),
    panel(
      ["output ", h("code", {}, "w @ cols + b"), h("span", { class: "dims" }, `${conv.O} × ${conv.L}`)],
      out,
      "output",
      few < conv.O ? `the first ${few} of ${conv.O} filters` : null,
    ),
  );

  const draw = (now) => {
    const at = place(now);
    const l = over.l ?? at.i * now.OW + at.j;
    const k = over.k ?? (state.tap >= 0 ? Math.min(state.tap, now.K - 1) : null);
    const upto = state.fill ? at.i * now.OW + at.j : now.L;
    const [i, j] = now.position(l);
    const text = textFor(now);
    inputs.forEach((grid, c) => {
      const x = now.channels(at.o)[c];
      grid.set({
        value: (r, q) => now.pixel(x, r, q),
        kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
        paint: scaleFor(now.x),
      });
      grid.mark("window", [now.box(i, j)], "window");
      const [tc, u, v] = k === null ? [-1] : now.tap(k);
      const seen = tc !== c ? [] : now.SH === 1 && now.SW === 1 ? [[u * now.DH, v * now.DW, now.OH, now.OW]] : [];
      grid.mark("seen", seen, "seen");
      grid.mark("tap", tc === c ? [[i * now.SH + u * now.DH, j * now.SW + v * now.DW, 1, 1]] : [], "point");
    });
    cols.set({
      value: (row, column) => (column <= upto ? now.column(g(), row, column) : null),
      paint: scaleFor(now.x),
      text,
    });
    weights.set({
      value: (row, column) => now.w.at(row, ...now.tap(column)),
      paint: scale("signed", now.w.most),
      text,
    });
    out.set({
      value: (row, column) => (column <= upto ? now.out.data[row * now.L + column] : null),
      paint: scaleFor(now.out),
      text,
    });
    cols.mark("column", [[0, l, now.K, 1]], "window");
    cols.mark("row", k === null ? [] : [[k, 0, 1, now.L]], "seen");
    weights.mark("row", at.o < few ? [[at.o, 0, 1, now.K]] : [], "window");
    weights.mark("tap", k === null || at.o >= few ? [] : [[at.o, k, 1, 1]], "point");
    out.mark("cell", at.o < few ? [[at.o, l, 1, 1]] : [], "window");
    Object.assign(view, { over: { k, l } });
  };
  const view = { draw, over, fly: (now) => flyColumn(now, inputs, cols) };
  return view;
}

/** The numbers of the new window fly into their column. */
function flyColumn(conv, inputs, cols) {
  const { i, j } = place(conv);
  const l = i * conv.OW + j;
  fly(
    inputs.flatMap((grid, c) =>
      conv
        .window(i, j)
        .map(([u, v, r, q]) => [
          round(conv.pixel(c, r, q), 0),
          grid.rect(r, q),
          cols.rect(conv.row(c, u, v), l),
          "input",
        ]),
    ),
  );
}

function describe(conv, readout, say, facts) {
  const { o, i, j } = place(conv);
  const l = i * conv.OW + j;
  replace(readout, equation(conv, { o, i, j }));
  const tap = state.tap >= 0 && state.tap < conv.K ? conv.tap(state.tap) : null;
  say.say(
    tap
      ? `Row ${state.tap} belongs to weight (${tap.join(", ")}): the image as this weight sees it, shifted by (${tap[1] * conv.DH - conv.PH}, ${tap[2] * conv.DW - conv.PW}).`
      : `Column ${l} is the window under output (${i}, ${j}). Filter ${o + 1} times this column, plus its bias, is ${exactly(conv.out.at(o, i, j))}.`,
  );
  const [before, after] = [conv.x.data.length, conv.G * conv.K * conv.L];
  const loops = DATA.lesson.loops_difference;
  replace(
    facts,
    `${before.toLocaleString("en")} numbers become ${after.toLocaleString("en")}: ${brief(after / before)} times. `,
    conv.DH === 1
      ? `(The engine stores ${conv.stored.toLocaleString("en")} of them: below each other in memory, the windows of neighbouring output rows overlap.) `
      : "",
    conv.engine
      ? "This matrix is the very array that the engine multiplied. "
      : "After your change the browser reads the columns off the image. ",
    `The loops and the product differ, on the toy, by at most ${brief(loops)}. `,
    origin("engine"),
  );
}
