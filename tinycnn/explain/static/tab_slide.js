// tab "Slide": the kernel over the image; products, their sum, one number of the output.

const FEW = 3; // so many input channels are shown side by side; of more, one at a time

const slideTab = {
  id: "slide",
  name: "Slide",
  lead: (number) =>
    lead(
      number,
      "A 3 × 3 kernel lies on an image of two channels. How many products add up to one number of the output?",
      [
        ["9", false],
        ["18", true],
        ["36", false],
      ],
      () =>
        "A kernel has a slice for every input channel: 2 · 3 · 3 = 18 products, one sum, and one bias on top. Move over the output, the image or the kernel and see which meet.",
    ),

  build(stage, say) {
    const flip = h(
      "label",
      { class: "control switch" },
      h("input", { type: "checkbox", onchange: (event) => set({ flip: Number(event.target.checked) }) }),
      h("span", {}, "flip the kernel"),
    );
    const undo = button("Undo changes", () => set({ edits: "" }), { class: "quiet" });
    const controls = convControls([flip, undo]);
    const body = h("div", { class: "slide" });
    const [sums, edit] = [h("div", { class: "sums-line" }), editor()];
    const result = h("div", { class: "result" }, sums, edit);
    const play = player(
      (by) => stepWindow(currentConv(), by),
      () => set({ i: 0, j: 0 }),
    );
    const tools = h("div", { class: "tools-row" }, play);
    const note = h("p", { class: "note flip-note" });
    const listing = code("loops", "the definition, which the engine’s tests hold the fast version to", true);
    stage.append(controls, body, result, tools, say, note, listing);
    let view = null;
    let look = { kind: "out" }; // what the pointer or the arrow keys are on
    let held = null; // what was clicked: the pointer comes back to it

    const update = () => {
      const conv = currentConv();
      const shown = `${conv.name} ${conv.CG} ${conv.FH} ${conv.FW} ${conv.OH} ${conv.OW} ${conv.KH} ${conv.KW}`;
      if (!view || view.shown !== shown) {
        look = { kind: "out" };
        held = null;
        view = slideView(conv, body, (next) => {
          if (next.held || next.let) held = next.held ? next : null;
          look = next.kind === "out" && next.i === undefined && held ? held : next;
          draw();
        });
        view.shown = shown;
      }
      controls.show(conv);
      flip.hidden = state.src !== "toy";
      flip.querySelector("input").checked = Boolean(state.flip);
      undo.hidden = !state.edits;
      note.textContent =
        state.src !== "toy"
          ? ""
          : state.flip
            ? "Flipped by 180°: the operation that mathematicians call convolution."
            : "Not flipped: strictly speaking a cross-correlation. Every framework calls it convolution, and so does tinycnn.";
      draw();
    };
    const draw = () => {
      const conv = currentConv();
      view.draw(conv, look);
      const at = look.kind === "out" && look.i !== undefined ? { ...place(conv), i: look.i, j: look.j } : place(conv);
      replace(sums, equation(conv, at));
      edit.show(conv, look);
      say.say(sentence(conv, at, look));
      listing.lit(["window", "sum"]);
    };
    return update;
  },
};

/** Sums per channel, bias and result as one line; the engine's own number beside it, to its last digit. */
function equation(conv, { o, i, j }) {
  const sums = Array.from({ length: conv.CG }, (_, c) => conv.channelSum(o, c, i, j));
  const decimals = conv.whole ? 0 : 4;
  const total = sums.reduce((a, b) => a + b, 0) + conv.bias(o);
  const terms =
    sums.length <= FEW
      ? sums.flatMap((sum, c) => [
          c > 0 && h("span", { class: "op" }, "+"),
          term(round(sum, decimals), conv.CG > 1 ? `channel ${c + 1}` : "products", "input"),
        ])
      : [
          term(
            round(
              sums.reduce((a, b) => a + b),
              decimals,
            ),
            `${sums.length} channels`,
            "input",
          ),
        ];
  const line = h(
    "div",
    { class: "equation" },
    terms,
    h("span", { class: "op" }, "+"),
    term(round(conv.bias(o), decimals), "bias", "kernel"),
    h("span", { class: "op" }, "="),
    term(round(total, decimals), "sum", "plain"),
    origin("browser"),
  );
  const theirs = conv.out.at(o, i, j);
  const engine =
    conv.engine &&
    h(
      "div",
      { class: "equation" },
      h("span", { class: "op small" }, h("i", {}, "y"), `[${o}, ${i}, ${j}]`),
      h("span", { class: "op" }, "="),
      h("output", { class: "term output value", data: { value: exact(theirs) } }, h("b", {}, exactly(theirs))),
      origin("engine"),
    );
  return [line, engine];
}

function term(number, name, role) {
  return h("span", { class: `term ${role}` }, h("b", {}, number), h("small", {}, name));
}

/** Buttons that change the weight or the pixel of the toy that was clicked. */
function editor() {
  let change = () => {};
  const text = h("span", {});
  const root = h(
    "div",
    { class: "editor" },
    text,
    button("−", () => change(-1), { "aria-label": "less" }),
    button("+", () => change(1), { "aria-label": "more" }),
  );
  root.show = (conv, look) => {
    const name = look.kind === "tap" ? "w" : "x";
    root.hidden = state.src !== "toy" || !look.held || (name === "x" && conv.inFrame(look.r, look.q));
    if (root.hidden) return;
    const index = name === "w" ? [place(conv).o, look.c, look.u, look.v] : [look.c, look.r - conv.PH, look.q - conv.PW];
    const now = conv[name].at(...index);
    replace(text, h("i", {}, name), `[${index.join(", ")}] = `, h("b", { class: "num" }, round(now, 0)));
    change = (by) => {
      const where = `${name}.${index.join(".")}`;
      const others = state.edits.split(",").filter((edit) => edit && !edit.startsWith(`${where}=`));
      set({ edits: [...others, `${where}=${now + by}`].join(",") });
    };
  };
  return root;
}

/** What is written in cells: whole numbers as they are, others as .25. */
function textFor(conv) {
  return conv.whole ? (v) => round(v, 0) : (v) => round(v, 2).replace(/^(−?)0\./, "$1.");
}

function sentence(conv, { o, i, j }, look) {
  if (look.kind === "in") {
    const uses = conv.outputsOf(look.r, look.q);
    const where = conv.inFrame(look.r, look.q)
      ? "This zero of the padding"
      : `Pixel (${look.r - conv.PH}, ${look.q - conv.PW})`;
    if (!uses.length) return `${where} lies under no window: the output does not depend on it.`;
    return `${where} takes part in ${count(uses.length, "output")}, each time under another weight.`;
  }
  if (look.kind === "tap") {
    return `Weight (${look.u}, ${look.v}) is ${exactly(conv.w.at(place(conv).o, look.c, look.u, look.v))}. For the whole output it meets this part of the image, shifted by (${look.u * conv.DH - conv.PH}, ${look.v * conv.DW - conv.PW}).`;
  }
  const value = conv.out.at(o, i, j);
  const start = `Output (${i}, ${j}): the window begins at row ${i * conv.SH - conv.PH}, column ${j * conv.SW - conv.PW}; `;
  return `${start}${conv.K} products and the bias make ${conv.engine ? exactly(value) : round(value, 4)}.`;
}
