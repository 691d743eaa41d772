// tab "Slide": the kernel over the image; products, their sum, one number of the output.

const FEW = 3; // so many input channels are shown side by side; of more, one at a time

const slideTab = {
  id: "slide",
  name: "Slide",
  lead: (number) => lead(number,
    "A 3 × 3 kernel lies on an image of two channels. How many products add up to one number of the output?",
    [["9", false], ["18", true], ["36", false]],
    () => "A kernel has a slice for every input channel: 2 · 3 · 3 = 18 products, one sum, and one bias on top. Move over the output, the image or the kernel and see which meet."),

  build(stage, say) {
    const flip = h("label", { class: "control switch" }, h("input", { type: "checkbox", onchange: (event) => set({ flip: Number(event.target.checked) }) }), h("span", {}, "flip the kernel"));
    const undo = button("Undo changes", () => set({ edits: "" }), { class: "quiet" });
    const controls = convControls([flip, undo]);
    const body = h("div", { class: "slide" });
    const result = h("div", { class: "result" });
    const play = player((by) => stepWindow(currentConv(), by), () => set({ i: 0, j: 0 }));
    const tools = h("div", { class: "tools-row" }, play);
    const note = h("p", { class: "note flip-note" });
    const listing = code("loops", "the definition, which the engine’s tests hold the fast version to", true);
    stage.append(controls, body, result, tools, say, note, listing);
    let view = null;
    let look = { kind: "out" }; // what the pointer or the arrow keys are on

    const update = () => {
      const conv = currentConv();
      const shown = `${conv.name} ${conv.CG} ${conv.FH} ${conv.FW} ${conv.OH} ${conv.OW} ${conv.KH} ${conv.KW}`;
      if (!view || view.shown !== shown) {
        look = { kind: "out" };
        view = slideView(conv, body, (next) => { look = next; draw(); });
        view.shown = shown;
      }
      controls.show(conv);
      flip.hidden = state.src !== "toy";
      flip.querySelector("input").checked = Boolean(state.flip);
      undo.hidden = !state.edits;
      note.textContent = state.src !== "toy" ? "" : state.flip
        ? "Flipped by 180°: the operation that mathematicians call convolution."
        : "Not flipped: strictly speaking a cross-correlation. Every framework calls it convolution, and so does tinycnn.";
      draw();
    };
    const draw = () => {
      const conv = currentConv();
      view.draw(conv, look);
      const at = look.kind === "out" && look.i !== undefined ? { ...place(conv), i: look.i, j: look.j } : place(conv);
      replace(result, equation(conv, at), editor(conv, look));
      say.say(sentence(conv, at, look));
      listing.lit(["window", "sum"]);
    };
    return update;
  },
};

/** Input, kernel, products and output as grids; `onlook` is told what is pointed at. */
function slideView(conv, body, onlook) {
  const shownChannels = conv.CG <= FEW ? conv.CG : 1;
  const size = (cells, most, room) => Math.min(most, room / cells);
  const rows = Array.from({ length: shownChannels }, (_, row) => slideRow(conv, row, onlook, size));
  const output = new Grid({
    rows: conv.OH, cols: conv.OW, cell: size(conv.OW, 40, 320), role: "output", name: "Output; arrow keys move the window",
    onhover: (i, j) => onlook({ kind: "out", i, j }), onleave: () => onlook({ kind: "out" }),
    onpick: (i, j) => { onlook({ kind: "out" }); set({ i, j }); },
    onmove: (di, dj) => { onlook({ kind: "out" }); moveWindow(currentConv(), di, dj); },
  });
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Input channels" });
  const shape = `${conv.OH} × ${conv.OW}`;
  replace(body,
    h("div", { class: "channel-rows" }, rows.map((row) => row.root), conv.CG > FEW && strip),
    h("div", { class: "goes", "aria-hidden": "true" }, "→"),
    panel(["output ", h("i", {}, "y"), h("span", { class: "dims" }, shape)], output));
  return {
    draw(now, look) {
      const at = place(now);
      rows.forEach((row, k) => row.draw(now, at, look, conv.CG > FEW ? at.c : k));
      const map = now.out.part(at.o);
      output.set({ value: (i, j) => map.at(i, j), paint: scaleFor(map), text: textFor(now) });
      const point = look.kind === "out" && look.i !== undefined ? look : at;
      if (look.kind === "in") output.mark("window", now.outputsOf(look.r, look.q).map(([i, j]) => [i, j, 1, 1]), "window");
      else output.mark("window", look.kind === "tap" ? [[0, 0, now.OH, now.OW]] : [[point.i, point.j, 1, 1]], "window");
      if (conv.CG > FEW) drawStrip(now, strip, at, point);
    },
  };
}

/** One input channel: image, kernel slice, products, sum. */
function slideRow(conv, row, onlook, size) {
  const channel = () => (conv.CG > FEW ? place(currentConv()).c : row);
  const input = new Grid({
    rows: conv.FH, cols: conv.FW, cell: size(conv.FW, 36, 320), role: "input", name: `Input, channel ${row + 1}; arrow keys move from pixel to pixel`,
    onhover: (r, q) => onlook({ kind: "in", c: channel(), r, q }), onleave: () => onlook({ kind: "out" }),
    onpick: (r, q) => onlook({ kind: "in", c: channel(), r, q, held: true }),
    onmove: (dr, dq) => {
      const now = currentConv();
      const last = input.last ?? { r: now.PH, q: now.PW };
      const next = { r: Math.min(Math.max(last.r + dr, 0), now.FH - 1), q: Math.min(Math.max(last.q + dq, 0), now.FW - 1) };
      input.last = next;
      onlook({ kind: "in", c: channel(), ...next, held: true });
    },
  });
  const tapLook = (u, v, held) => onlook({ kind: "tap", c: channel(), u, v, held });
  const kernel = new Grid({
    rows: conv.KH, cols: conv.KW, cell: size(conv.KW, 42, 132), role: "kernel", name: `Kernel, slice ${row + 1}; arrow keys move from weight to weight`,
    onhover: (u, v) => tapLook(u, v, false), onleave: () => onlook({ kind: "out" }), onpick: (u, v) => tapLook(u, v, true),
    onmove: (du, dv) => {
      const last = kernel.last ?? { u: 0, v: 0 };
      const next = { u: Math.min(Math.max(last.u + du, 0), conv.KH - 1), v: Math.min(Math.max(last.v + dv, 0), conv.KW - 1) };
      kernel.last = next;
      tapLook(next.u, next.v, true);
    },
  });
  const products = new Grid({ rows: conv.KH, cols: conv.KW, cell: size(conv.KW, 42, 132), role: "plain", name: "Products" });
  const sum = h("output", { class: "sum" });
  const name = h("span", { class: "dims" });
  const root = h("div", { class: "channel-row" },
    panel(["input ", h("i", {}, "x"), name], input),
    h("span", { class: "sign times", "aria-hidden": "true" }, "×"),
    panel(["kernel ", h("i", {}, "w")], kernel),
    h("span", { class: "sign equals", "aria-hidden": "true" }, "="),
    panel("products", products), h("div", { class: "sum-cell" }, h("span", { class: "sigma", "aria-hidden": "true" }, "Σ"), sum));
  return {
    root,
    draw(now, at, look, c) {
      const point = look.kind === "out" && look.i !== undefined ? look : at;
      const x = now.channels(at.o)[c];
      name.textContent = now.C > 1 ? `channel ${x + 1}` : "";
      const text = textFor(now);
      input.set({
        value: (r, q) => now.pixel(x, r, q), kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
        paint: scaleFor(now.x.part(x)), text,
      });
      const w = now.w.part(at.o).part(c);
      kernel.set({ value: (u, v) => w.at(u, v), paint: scale("signed", now.w.part(at.o).most), text });
      const most = Math.max(...now.window(point.i, point.j).map(([u, v]) => Math.abs(now.product(at.o, c, point.i, point.j, u, v))), 1e-9);
      products.set({ value: (u, v) => now.product(at.o, c, point.i, point.j, u, v), paint: scale("signed", most), text });
      sum.textContent = round(now.channelSum(at.o, c, point.i, point.j), now.whole ? 0 : 4);
      markSlide(now, look, point, c, x, input, kernel, products);
    },
  };
}

/** What lights up: the window of an output, the outputs of a pixel, or everything that one weight meets. */
function markSlide(now, look, point, c, x, input, kernel, products) {
  const spread = now.DH > 1 || now.DW > 1;
  const here = (kind) => look.kind === kind && look.c === c;
  let [window, taps, pixel, tap] = [[], [], [], []];
  if (look.kind === "in") {
    const uses = now.outputsOf(look.r, look.q);
    pixel = here("in") ? [[look.r, look.q, 1, 1]] : [];
    tap = here("in") ? uses.map(([, , u, v]) => [u, v, 1, 1]) : [];
  } else if (look.kind === "tap" && here("tap")) {
    tap = [[look.u, look.v, 1, 1]];
    window = now.SH === 1 && now.SW === 1
      ? [[look.u * now.DH, look.v * now.DW, now.OH, now.OW]]
      : Array.from({ length: now.L }, (_, l) => now.position(l)).map(([i, j]) => [i * now.SH + look.u * now.DH, j * now.SW + look.v * now.DW, 1, 1]);
    pixel = [[point.i * now.SH + look.u * now.DH, point.j * now.SW + look.v * now.DW, 1, 1]];
  } else if (look.kind === "out") {
    window = [now.box(point.i, point.j)];
    taps = spread ? now.window(point.i, point.j).map(([, , r, q]) => [r, q, 1, 1]) : [];
  }
  input.mark("window", window, "window");
  input.mark("taps", taps, "dot");
  input.mark("pixel", pixel, "point");
  kernel.mark("tap", tap, "point");
  products.mark("tap", look.kind === "tap" ? tap : [], "point");
}

/** The input channels of a wide convolution: thumbnails with what each adds to this output. */
function drawStrip(now, strip, at, point) {
  if (strip.conv !== now || strip.filter !== at.o) {
    strip.conv = now;
    strip.filter = at.o;
    strip.replaceChildren(...now.channels(at.o).map((x, c) => h("button", { type: "button", class: "thumb", onclick: () => set({ c }) },
      mapGrid(now.x.part(x), scaleFor(now.x.part(x)), { cell: 44 / now.W, name: `channel ${x + 1}`, role: "input" }).root, h("span", { class: "num" }))));
  }
  [...strip.children].forEach((thumb, c) => {
    thumb.setAttribute("aria-pressed", c === at.c);
    thumb.lastChild.textContent = round(now.channelSum(at.o, c, point.i, point.j), 3);
  });
}

/** Sums per channel, bias and result as one line; the engine's own number beside it, to its last digit. */
function equation(conv, { o, i, j }) {
  const sums = Array.from({ length: conv.CG }, (_, c) => conv.channelSum(o, c, i, j));
  const decimals = conv.whole ? 0 : 4;
  const total = sums.reduce((a, b) => a + b, 0) + conv.bias(o);
  const terms = sums.length <= FEW
    ? sums.flatMap((sum, c) => [c > 0 && h("span", { class: "op" }, "+"), term(round(sum, decimals), conv.CG > 1 ? `channel ${c + 1}` : "products", "input")])
    : [term(round(sums.reduce((a, b) => a + b), decimals), `${sums.length} channels`, "input")];
  const line = h("div", { class: "equation" }, terms, h("span", { class: "op" }, "+"),
    term(round(conv.bias(o), decimals), "bias", "kernel"), h("span", { class: "op" }, "="), term(round(total, decimals), "sum", "plain"), origin("browser"));
  const theirs = conv.out.at(o, i, j);
  const engine = conv.engine && h("div", { class: "equation" }, h("span", { class: "op small" }, h("i", {}, "y"), `[${o}, ${i}, ${j}]`),
    h("span", { class: "op" }, "="), h("output", { class: "term output value", data: { value: exact(theirs) } }, h("b", {}, exactly(theirs))), origin("engine"));
  return [line, engine];
}

function term(number, name, role) {
  return h("span", { class: `term ${role}` }, h("b", {}, number), h("small", {}, name));
}

/** Under the toy: change the weight or pixel that is looked at. */
function editor(conv, look) {
  if (state.src !== "toy" || !look.held) return null;
  const name = look.kind === "tap" ? "w" : "x";
  if (name === "x" && conv.inFrame(look.r, look.q)) return null;
  const index = name === "w" ? [place(conv).o, look.c, look.u, look.v] : [look.c, look.r - conv.PH, look.q - conv.PW];
  const now = conv[name === "w" ? "w" : "x"].at(...index);
  const change = (by) => {
    const where = `${name}.${index.join(".")}`;
    const others = state.edits.split(",").filter((edit) => edit && !edit.startsWith(`${where}=`));
    set({ edits: [...others, `${where}=${now + by}`].join(",") });
  };
  return h("div", { class: "editor" }, h("span", {}, h("i", {}, name), `[${index.join(", ")}] = `, h("b", { class: "num" }, round(now, 0))),
    button("−", () => change(-1), { "aria-label": "less" }), button("+", () => change(1), { "aria-label": "more" }));
}

/** What is written in cells: whole numbers as they are, others as .25. */
function textFor(conv) {
  return conv.whole ? (v) => round(v, 0) : (v) => round(v, 2).replace(/^(−?)0\./, "$1.");
}

function sentence(conv, { o, i, j }, look) {
  if (look.kind === "in") {
    const uses = conv.outputsOf(look.r, look.q);
    const where = conv.inFrame(look.r, look.q) ? "This zero of the padding" : `Pixel (${look.r - conv.PH}, ${look.q - conv.PW})`;
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
