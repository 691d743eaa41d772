// tab "Size": how many windows fit, and what the floor drops.

const sizeTab = {
  id: "size",
  name: "Size",
  lead: (number) =>
    lead(
      number,
      "7 pixels, a kernel of 3, stride 2. With 8 pixels instead, how many outputs are there?",
      [
        ["3, as with 7", true],
        ["3½", false],
        ["4", false],
      ],
      () =>
        "With 8 pixels the last one is left over: no window fits there any more, and the floor in the formula drops it. Nothing warns you. Move the sliders and watch the hatched pixels.",
    ),

  build(stage, say) {
    const names = {
      n: ["Pixels n", 1, 16],
      k: ["Kernel k", 1, 7],
      ss: ["Stride s", 1, 4],
      sp: ["Padding p", 0, 3],
      sd: ["Dilation d", 1, 3],
    };
    const sliders = Object.entries(names).map(([name, [label, least, most]]) => [
      name,
      slider(label, least, most, (value) => {
        guessed = null;
        set({ [name]: value });
      }),
    ]);
    let guessed = null;
    const guess = h("input", {
      type: "number",
      min: 0,
      max: 99,
      inputmode: "numeric",
      "aria-label": "Your prediction of the output size",
      placeholder: "?",
      onchange: () => {
        guessed = Number(guess.value);
        draw();
      },
    });
    const quiz = h("input", {
      type: "checkbox",
      onchange: () => {
        guessed = null;
        draw();
      },
    });
    const ask = h("label", { class: "control" }, h("span", { class: "name" }, "Your prediction"), guess);
    const formula = h("p", { class: "formula" });
    const verdict = h("span", { class: "verdict", role: "status" });
    const strip = h("div", { class: "strips" });
    const counts = new Grid({
      rows: 7,
      cols: 7,
      cell: 30,
      role: "output",
      name: "How many windows use each pixel",
      text: (v) => round(v, 0),
    });
    const legend = h("div", { class: "legend" });
    stage.append(
      h(
        "div",
        { class: "sliders" },
        sliders.map(([, control]) => control),
      ),
      h(
        "div",
        { class: "size-top" },
        formula,
        h(
          "div",
          { class: "guess" },
          ask,
          verdict,
          h("label", { class: "control switch" }, quiz, h("span", {}, "quiz me")),
        ),
      ),
      h(
        "div",
        { class: "size-body" },
        h("figure", { class: "panel input" }, h("figcaption", {}, "one axis, all windows"), strip, legend),
        panel("two axes: windows per pixel", counts, "output", "col2im of a matrix of ones"),
      ),
      say,
      code("size", "the engine’s formula; 200 cases of it are checked when this page opens", true),
    );
    stage.querySelector(".code").lit(["floor"]);

    const draw = () => {
      const [n, k, s, p, d] = ["n", "k", "ss", "sp", "sd"].map((name) => state[name]);
      const size = outputSize(n, k, s, p, d);
      const shown = !quiz.checked || guessed !== null;
      ask.hidden = verdict.hidden = !quiz.checked;
      for (const [name, control] of sliders) control.show(state[name]);
      if (guessed === null) guess.value = "";
      verdict.textContent = guessed === null ? "" : guessed === size ? "✓ right" : `✗ it is ${size}`;
      verdict.className = `verdict ${guessed === size ? "right" : "wrong"}`;
      formula.replaceChildren(...formulaOf(n, k, s, p, d, shown ? size : "?"));
      const uses = windowsPerPixel(n, k, s, p, d, size);
      strip.replaceChildren(stripOf(n, k, s, p, d, size, uses));
      legend.replaceChildren(
        h("span", { class: "swatch frame" }, "padding"),
        h("span", { class: "swatch used" }, "used"),
        h("span", { class: "swatch drop" }, "never used"),
      );
      const whole = Array.from(uses);
      counts.set({
        rows: n,
        cols: n,
        cell: Math.min(34, 300 / n),
        value: (r, c) => whole[r] * whole[c],
        paint: scale("count", Math.max(...whole) ** 2 || 1),
        kind: (r, c) => (whole[r] * whole[c] ? null : "drop"),
      });
      const lost = whole.filter((v) => v === 0).length;
      say.say(
        !size
          ? "No window fits: the kernel is larger than the padded image."
          : `${count(size, "window")} of ${k} ${d > 1 ? `with gaps, ${d * (k - 1) + 1} wide,` : ""} fit into ${n + 2 * p} pixels. ${lost ? `${count(lost, "pixel")} of ${n} never used.` : "Every pixel is used."}`,
      );
    };
    return draw;
  },
};

function windowsPerPixel(n, k, s, p, d, size) {
  const uses = new Int32Array(n);
  for (let i = 0; i < size; i++) {
    for (let u = 0; u < k; u++) {
      const r = i * s + u * d - p;
      if (r >= 0 && r < n) uses[r] += 1;
    }
  }
  return uses;
}

function formulaOf(n, k, s, p, d, size) {
  const part = (role, text) => h("span", { class: role }, String(text));
  const inner = [
    part("input", n),
    " + 2 · ",
    part("input", p),
    " − ",
    part("kernel", d),
    " · (",
    part("kernel", k),
    " − 1) − 1",
  ];
  return [
    h("span", { class: "floor" }, "⌊"),
    h(
      "span",
      { class: "fraction" },
      h("span", { class: "over" }, inner),
      h("span", { class: "under" }, part("kernel", s)),
    ),
    h("span", { class: "floor" }, "⌋"),
    " + 1 = ",
    h("b", { class: "output answer-size", data: { size } }, String(size)),
    h("span", { class: "symbols" }, "⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1"),
  ];
}

/** The padded line of pixels, and under it one row per window with its taps. */
function stripOf(n, k, s, p, d, size, uses) {
  const total = n + 2 * p;
  const [cell, row, top] = [24, 15, 34];
  const height = top + Math.max(size, 1) * row + 6;
  const root = svg("svg", {
    viewBox: `0 0 ${total * cell} ${height}`,
    class: "line-strip",
    role: "img",
    "aria-label": `${size} windows over ${total} pixels`,
  });
  root.style.maxWidth = `${total * cell * 1.9}px`;
  root.append(
    svg(
      "defs",
      {},
      svg(
        "pattern",
        { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("line", { x1: 0, y1: 0, x2: 0, y2: 5, class: "hatch-line" }),
      ),
    ),
  );
  for (let r = 0; r < total; r++) {
    const inside = r >= p && r < p + n;
    const kind = !inside ? "pad" : uses[r - p] ? "used" : "drop";
    root.append(
      svg("rect", { x: r * cell + 1, y: 1, width: cell - 2, height: cell - 2, rx: 3, class: `pixel ${kind}` }),
    );
    if (kind === "drop")
      root.append(
        svg("rect", { x: r * cell + 1, y: 1, width: cell - 2, height: cell - 2, rx: 3, fill: "url(#hatch)" }),
      );
    root.append(svg("text", { x: (r + 0.5) * cell, y: 16, class: `pixel-text ${kind}` }, inside ? String(r - p) : "0"));
  }
  for (let i = 0; i < size; i++) {
    const y = top + i * row;
    root.append(
      svg("line", {
        x1: (i * s + 0.5) * cell,
        x2: (i * s + d * (k - 1) + 0.5) * cell,
        y1: y + 5,
        y2: y + 5,
        class: "span",
      }),
    );
    for (let u = 0; u < k; u++)
      root.append(svg("circle", { cx: (i * s + u * d + 0.5) * cell, cy: y + 5, r: 5, class: "tap" }));
  }
  return root;
}
