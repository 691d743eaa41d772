// tab "Channels": a filter has one slice per input channel; their maps add up.

const channelsTab = {
  id: "channels",
  name: "Channels",
  lead: (number) => {
    const wide = DATA.model?.layers.filter((layer) => layer.kind === "conv2d").at(-1);
    const [C, O, k] = wide ? [wide.shape_in[0], wide.shape_out[0], wide.options.kernel_size] : [2, 2, [3, 3]];
    const G = wide ? wide.options.groups : 1;
    return lead(
      number,
      `A convolution turns ${C} maps into ${O}. How many ${k.join(" × ")} kernels does it hold?`,
      [
        [String(O), false],
        [String(C + O), false],
        [String((C / G) * O), true],
      ],
      () =>
        `One for every pair of an input and an output map: ${C / G} · ${O} = ${(C / G) * O}. Each output map is the sum of ${C / G} partial maps and a bias; that sum is what you see below.`,
    );
  },

  build(stage, say) {
    const controls = convControls();
    const body = h("div", { class: "sums" });
    const result = h("div", { class: "result" });
    const listing = code(
      "forward",
      "the sum over channels is inside the product: a column holds the window of every channel",
    );
    stage.append(controls, body, result, say, listing);
    listing.lit(["product", "bias"]);
    let over = null;
    let shown = null;
    let grids = [];
    const marks = () => {
      const conv = currentConv();
      const at = { ...place(conv), ...over };
      for (const grid of grids) grid.mark("unit", [[at.i, at.j, 1, 1]], "window");
      result.replaceChildren(...partialEquation(conv, at));
      say.say(
        `At (${at.i}, ${at.j}) ${count(conv.CG, "partial map")} and the bias add up to ${exactly(conv.out.at(at.o, at.i, at.j))}.`,
      );
    };
    return () => {
      const conv = currentConv();
      controls.show(conv);
      const { o } = place(conv);
      const key = `${conv.name} ${state.img} ${o} ${state.s} ${state.p} ${state.d} ${state.flip} ${state.edits}`;
      if (shown !== key) {
        shown = key;
        grids = sumGrids(conv, o, body, (at) => {
          over = at;
          marks();
        });
      }
      marks();
    };
  },
};

/** The map that input channel c adds to output map o; the engine's, or the browser's after an edit. */
function partialMap(conv, o, c) {
  if (conv.partials) return conv.partials.part(c).part(o);
  const numbers = Float64Array.from({ length: conv.L }, (_, l) => conv.channelSum(o, c, ...conv.position(l)));
  return new Values(numbers, [conv.OH, conv.OW]);
}

function sumGrids(conv, o, body, onover) {
  const partials = Array.from({ length: conv.CG }, (_, c) => partialMap(conv, o, c));
  const out = conv.out.part(o);
  const paint = scale("signed", Math.max(out.most, ...partials.map((map) => map.most), Math.abs(conv.bias(o))));
  const few = conv.CG <= 2;
  const cell = Math.min(32, (few ? 200 : 150) / conv.OW);
  const options = {
    paint,
    cell,
    onhover: (i, j) => onover({ i, j }),
    onleave: () => onover(null),
    onpick: (i, j) => set({ i, j }),
    onmove: (di, dj) => moveWindow(currentConv(), di, dj),
    text: cell > 20 && conv.whole ? (v) => round(v, 0) : () => null,
  };
  const maps = partials.map((map, c) =>
    mapGrid(map, paint, { ...options, role: "plain", name: `Partial map of channel ${c + 1}; arrow keys move` }),
  );
  const last = mapGrid(out, paint, {
    ...options,
    role: "output",
    cell: Math.min(36, 230 / conv.OW),
    name: "Output map; arrow keys move",
  });
  const rows = conv.channels(o).map((x, c) =>
    h(
      "div",
      { class: "sum-row" },
      panel(
        `input ${x + 1}`,
        mapGrid(conv.x.part(x), scaleFor(conv.x.part(x)), {
          role: "input",
          cell: Math.min(28, (few ? 170 : 84) / conv.W),
          text: few && conv.whole ? (v) => round(v, 0) : () => null,
          name: `Input channel ${x + 1}`,
        }),
      ),
      h("span", { class: "sign", "aria-hidden": "true" }, "∗"),
      panel(
        "kernel",
        mapGrid(conv.w.part(o).part(c), scale("signed", conv.w.part(o).most), {
          role: "kernel",
          cell: Math.min(36, (few ? 108 : 64) / conv.KW),
          text: few && conv.whole ? (v) => round(v, 0) : () => null,
          name: `Kernel slice ${c + 1}`,
        }),
      ),
      h("span", { class: "sign", "aria-hidden": "true" }, "="),
      panel("partial", maps[c]),
    ),
  );
  replace(
    body,
    h("div", { class: `sum-rows${few ? " few" : ""}` }, rows),
    h(
      "div",
      { class: "sum-total" },
      h(
        "p",
        { class: "brace", "aria-hidden": "true" },
        `Σ of ${conv.CG} + bias ${round(conv.bias(o), conv.whole ? 0 : 4)}`,
      ),
      panel(["output map ", String(o + 1)], last),
      key(paint),
      origin(conv.engine ? "engine" : "browser"),
    ),
  );
  return [...maps, last];
}

function partialEquation(conv, { o, i, j }) {
  const terms = Array.from({ length: conv.CG }, (_, c) => partialMap(conv, o, c).at(i, j));
  const decimals = conv.whole ? 0 : 3;
  const shown = terms.slice(0, 8);
  const line = h(
    "div",
    { class: "equation small" },
    shown.flatMap((v, c) => [
      c > 0 && h("span", { class: "op" }, "+"),
      term(round(v, decimals), `channel ${conv.channels(o)[c] + 1}`, "input"),
    ]),
    terms.length > shown.length && [
      h("span", { class: "op" }, "+"),
      term(
        round(
          terms.slice(8).reduce((a, b) => a + b, 0),
          decimals,
        ),
        `${terms.length - 8} more`,
        "input",
      ),
    ],
    h("span", { class: "op" }, "+"),
    term(round(conv.bias(o), decimals), "bias", "kernel"),
    origin(conv.partials ? "engine" : "browser"),
  );
  const value = conv.out.at(o, i, j);
  return [
    line,
    h(
      "div",
      { class: "equation" },
      h("span", { class: "op small" }, h("i", {}, "y"), `[${o}, ${i}, ${j}]`),
      h("span", { class: "op" }, "="),
      h("output", { class: "term output value", data: { value: exact(value) } }, h("b", {}, exactly(value))),
      origin(conv.engine ? "engine" : "browser"),
    ),
  ];
}
