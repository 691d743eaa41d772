// backward_kernel: one window after another adds to the weight gradient, and to the gradient of the pixels.

/** The weight gradient as a product with the columns, and col2im as adding up; one window at a time. */
function kernelSection(say) {
  const controls = convControls();
  const channel = slider("Channel", 1, 2, (value) => set({ c: value - 1 }));
  controls.append(channel);
  const into = h("div", { class: "into" });
  const back = h("div", { class: "into" });
  const play = player(
    (by) => stepWindow(currentConv(), by),
    () => set({ i: 0, j: 0 }),
  );
  const missing = h("p", { class: "note" });
  const root = section(
    "3",
    "Into the kernel, and back to the pixels",
    "Every output pulls on the weights through the pixels it saw, and on the pixels through the weights it used. Step through the windows and watch both sums grow.",
    controls,
    h("div", { class: "tools-row" }, play),
    missing,
    h("h4", {}, h("code", {}, "dw = dy @ cols.T"), " every window adds its pixels, times its gradient"),
    into,
    h(
      "h4",
      {},
      h("code", {}, "dx = col2im(w.T @ dy)"),
      " every window adds its weights, times its gradient, to the pixels under it",
    ),
    back,
    say,
    code("backward"),
    code("col2im"),
  );
  root.querySelectorAll(".code")[0].lit(["weight", "cols", "col2im"]);
  root.querySelectorAll(".code")[1].lit(["add"]);
  let view = null;
  return {
    root,
    update() {
      let conv = currentConv();
      if (!conv.engine) conv = toyConv({ ...state, edits: "" });
      controls.show(conv);
      channel.hidden = conv.CG < 2;
      channel.limit(conv.CG);
      channel.show(place(conv).c + 1);
      const ready = conv.grad_out && conv.grad_w && conv.grad_x;
      missing.textContent = ready
        ? ""
        : "The gradients of this layer and image were left out of the page to keep it small.";
      into.hidden = back.hidden = !ready;
      if (!ready) return;
      const shown = `${conv.name} ${conv.FH} ${conv.OH} ${conv.OW}`;
      if (view?.shown !== shown) view = { ...kernelView(conv, into, back), shown };
      view.draw(conv, say);
    },
  };
}

function kernelView(conv, into, back) {
  const side = (cells, most, room) => Math.min(most, room / cells);
  const move = (di, dj) => moveWindow(currentConv(), di, dj);
  const pick = (i, j) => set({ i, j });
  const make = (name, role, rows, cols, most, room, options = {}) =>
    new Grid({ name, role, rows, cols, cell: side(cols, most, room), ...options });
  const dy = make("Gradient of the output; arrow keys move the window", "gradient", conv.OH, conv.OW, 34, 200, {
    onmove: move,
    onpick: pick,
  });
  const x = make("Input", "input", conv.FH, conv.FW, 30, 220);
  const share = make("What this window adds", "plain", conv.KH, conv.KW, 38, 116);
  const soFar = make("Weight gradient so far", "gradient", conv.KH, conv.KW, 38, 116);
  const whole = make("Weight gradient of the engine", "gradient", conv.KH, conv.KW, 38, 116);
  into.replaceChildren(
    panel(["gradient ", h("i", {}, "dy")], dy),
    h("span", { class: "sign" }, "·"),
    panel(["input ", h("i", {}, "x")], x),
    h("span", { class: "sign" }, "→"),
    panel("dy · window", share, "plain", origin("browser")),
    h("span", { class: "sign" }, "+"),
    panel("sum so far", soFar, "gradient", origin("browser")),
    panel(h("i", {}, "dw"), whole, "gradient", origin("engine")),
  );
  const column = make("This window’s column of the columns’ gradient", "gradient", conv.KH, conv.KW, 38, 116);
  const pixels = make("Gradient of the input so far", "gradient", conv.FH, conv.FW, 30, 220);
  const all = make("Gradient of the input, of the engine", "gradient", conv.FH, conv.FW, 30, 220);
  back.replaceChildren(
    panel(h("code", {}, "dcols"), column, "gradient", h("span", {}, "one column")),
    h("span", { class: "sign" }, "+"),
    panel("sum so far", pixels, "gradient", origin("browser")),
    panel(h("i", {}, "dx"), all, "gradient", origin("engine")),
  );
  return { draw: (now, say) => drawKernel(now, { dy, x, share, soFar, whole, column, pixels, all }, say) };
}

function drawKernel(now, grids, say) {
  const { o, i, j, c } = place(now);
  const l = i * now.OW + j;
  const channel = now.channels(o)[c];
  const text = now.whole ? (v) => round(v, 0) : (v) => brief(v);
  const signed = (array) => scale("signed", array.most);
  const gradient = now.grad_out.part(o);
  const g = gradient.at(i, j);
  grids.dy.set({ value: (r, q) => gradient.at(r, q), paint: signed(gradient), text: now.whole ? text : () => null });
  grids.dy.mark("unit", [[i, j, 1, 1]], "window");
  const frame = (r, q) => (now.inFrame(r, q) ? "pad" : null);
  grids.x.set({
    value: (r, q) => now.pixel(channel, r, q),
    kind: frame,
    paint: scaleFor(now.x.part(channel)),
    text: now.whole ? text : () => null,
  });
  grids.x.mark("window", [now.box(i, j)], "window");
  const at = (u, v, ll) => {
    const [a, b] = now.position(ll);
    return now.pixel(channel, a * now.SH + u * now.DH, b * now.SW + v * now.DW) * gradient.data[ll];
  };
  const dw = now.grad_w.part(o).part(c);
  const most = Math.max(...now.window(i, j).map(([u, v]) => Math.abs(at(u, v, l))), 1e-12);
  grids.share.set({ value: (u, v) => at(u, v, l), paint: scale("signed", most), text });
  const sums = (u, v) => {
    let sum = 0;
    for (let ll = 0; ll <= l; ll++) sum += at(u, v, ll);
    return sum;
  };
  grids.soFar.set({ value: sums, paint: signed(dw), text });
  grids.whole.set({ value: (u, v) => dw.at(u, v), paint: signed(dw), text });
  drawBack(now, grids, { o, c, l, i, j, channel }, text);
  const last = l === now.L - 1;
  say.say(
    `Window (${i}, ${j}), gradient ${exactly(g)}: ${last ? "the last one; both sums are now the engine’s gradients." : `${count(l + 1, "window")} of ${now.L} added.`}`,
  );
}

function drawBack(now, grids, { o, c, l, i, j, channel }, text) {
  const group = Math.floor(o / (now.O / now.G));
  const entry = (u, v, ll) => now.gradColumn(group, now.row(c, u, v), ll);
  const dx = now.grad_x.part(channel);
  const paint = scale("signed", dx.most);
  grids.column.set({ value: (u, v) => entry(u, v, l), paint, text });
  const sums = new Float64Array(now.FH * now.FW);
  for (let ll = 0; ll <= l; ll++) {
    const [a, b] = now.position(ll);
    for (const [u, v, r, q] of now.window(a, b)) sums[r * now.FW + q] += entry(u, v, ll);
  }
  const kind = (r, q) => (now.inFrame(r, q) ? "pad" : null);
  const write = now.whole ? text : () => null;
  grids.pixels.set({ value: (r, q) => sums[r * now.FW + q], paint, kind, text: write });
  grids.pixels.mark("window", [now.box(i, j)], "window");
  grids.all.set({
    value: (r, q) => (now.inFrame(r, q) ? null : dx.at(r - now.PH, q - now.PW)),
    paint,
    kind,
    text: write,
  });
}
