// slide_view: image, kernel, products and output as grids, and what lights up in them.

/** Input, kernel, products and output as grids; `onlook` is told what is pointed at. */
function slideView(conv, body, onlook) {
  const shownChannels = conv.CG <= FEW ? conv.CG : 1;
  const size = (cells, most, room) => Math.min(most, room / cells);
  const rows = Array.from({ length: shownChannels }, (_, row) => slideRow(conv, row, onlook, size));
  const output = new Grid({
    rows: conv.OH,
    cols: conv.OW,
    cell: size(conv.OW, 40, 320),
    role: "output",
    name: "Output; arrow keys move the window",
    onhover: (i, j) => onlook({ kind: "out", i, j }),
    onleave: () => onlook({ kind: "out" }),
    onpick: (i, j) => {
      onlook({ kind: "out", let: true });
      set({ i, j });
    },
    onmove: (di, dj) => {
      onlook({ kind: "out", let: true });
      moveWindow(currentConv(), di, dj);
    },
  });
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Input channels" });
  const shape = `${conv.OH} × ${conv.OW}`;
  replace(
    body,
    h(
      "div",
      { class: "channel-rows" },
      rows.map((row) => row.root),
      conv.CG > FEW && strip,
    ),
    h("div", { class: "goes", "aria-hidden": "true" }, "→"),
    panel(["output ", h("i", {}, "y"), h("span", { class: "dims" }, shape)], output),
  );
  return {
    draw(now, look) {
      const at = place(now);
      rows.forEach((row, k) => row.draw(now, at, look, conv.CG > FEW ? at.c : k));
      const map = now.out.part(at.o);
      output.set({ value: (i, j) => map.at(i, j), paint: scaleFor(map), text: textFor(now) });
      const point = look.kind === "out" && look.i !== undefined ? look : at;
      if (look.kind === "in")
        output.mark(
          "window",
          now.outputsOf(look.r, look.q).map(([i, j]) => [i, j, 1, 1]),
          "use",
        );
      else output.mark("window", look.kind === "tap" ? [[0, 0, now.OH, now.OW]] : [[point.i, point.j, 1, 1]], "window");
      if (conv.CG > FEW) drawStrip(now, strip, at, point);
    },
  };
}

/** One input channel: image, kernel slice, products, sum. */
function slideRow(conv, row, onlook, size) {
  const channel = () => (conv.CG > FEW ? place(currentConv()).c : row);
  const input = new Grid({
    rows: conv.FH,
    cols: conv.FW,
    cell: size(conv.FW, 36, 320),
    role: "input",
    name: `Input, channel ${row + 1}; arrow keys move from pixel to pixel`,
    onhover: (r, q) => onlook({ kind: "in", c: channel(), r, q }),
    onleave: () => onlook({ kind: "out" }),
    onpick: (r, q) => onlook({ kind: "in", c: channel(), r, q, held: true }),
    onmove: (dr, dq) => {
      const now = currentConv();
      const last = input.last ?? { r: now.PH, q: now.PW };
      const next = {
        r: Math.min(Math.max(last.r + dr, 0), now.FH - 1),
        q: Math.min(Math.max(last.q + dq, 0), now.FW - 1),
      };
      input.last = next;
      onlook({ kind: "in", c: channel(), ...next, held: true });
    },
  });
  const tapLook = (u, v, held) => onlook({ kind: "tap", c: channel(), u, v, held });
  const kernel = new Grid({
    rows: conv.KH,
    cols: conv.KW,
    cell: size(conv.KW, 42, 132),
    role: "kernel",
    name: `Kernel, slice ${row + 1}; arrow keys move from weight to weight`,
    onhover: (u, v) => tapLook(u, v, false),
    onleave: () => onlook({ kind: "out" }),
    onpick: (u, v) => tapLook(u, v, true),
    onmove: (du, dv) => {
      const last = kernel.last ?? { u: 0, v: 0 };
      const next = {
        u: Math.min(Math.max(last.u + du, 0), conv.KH - 1),
        v: Math.min(Math.max(last.v + dv, 0), conv.KW - 1),
      };
      kernel.last = next;
      tapLook(next.u, next.v, true);
    },
  });
  const products = new Grid({
    rows: conv.KH,
    cols: conv.KW,
    cell: size(conv.KW, 42, 132),
    role: "plain",
    name: "Products",
  });
  const sum = h("output", { class: "sum" });
  const name = h("span", { class: "dims" });
  const root = h(
    "div",
    { class: "channel-row" },
    panel(["input ", h("i", {}, "x"), name], input),
    h("span", { class: "sign times", "aria-hidden": "true" }, "×"),
    panel(["kernel ", h("i", {}, "w")], kernel),
    h("span", { class: "sign equals", "aria-hidden": "true" }, "="),
    panel("products", products),
    h("div", { class: "sum-cell" }, h("span", { class: "sigma", "aria-hidden": "true" }, "Σ"), sum),
  );
  return {
    root,
    draw(now, at, look, c) {
      const point = look.kind === "out" && look.i !== undefined ? look : at;
      const x = now.channels(at.o)[c];
      name.textContent = now.C > 1 ? `channel ${x + 1}` : "";
      const text = textFor(now);
      input.set({
        value: (r, q) => now.pixel(x, r, q),
        kind: (r, q) => (now.inFrame(r, q) ? "pad" : null),
        paint: scaleFor(now.x.part(x)),
        text,
      });
      const w = now.w.part(at.o).part(c);
      kernel.set({ value: (u, v) => w.at(u, v), paint: scale("signed", now.w.part(at.o).most), text });
      const most = Math.max(
        ...now.window(point.i, point.j).map(([u, v]) => Math.abs(now.product(at.o, c, point.i, point.j, u, v))),
        1e-9,
      );
      products.set({
        value: (u, v) => now.product(at.o, c, point.i, point.j, u, v),
        paint: scale("signed", most),
        text,
      });
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
    window =
      now.SH === 1 && now.SW === 1
        ? [[look.u * now.DH, look.v * now.DW, now.OH, now.OW]]
        : Array.from({ length: now.L }, (_, l) => now.position(l)).map(([i, j]) => [
            i * now.SH + look.u * now.DH,
            j * now.SW + look.v * now.DW,
            1,
            1,
          ]);
    pixel = [[point.i * now.SH + look.u * now.DH, point.j * now.SW + look.v * now.DW, 1, 1]];
  } else if (look.kind === "out") {
    window = [now.box(point.i, point.j)];
    taps = spread ? now.window(point.i, point.j).map(([, , r, q]) => [r, q, 1, 1]) : [];
  }
  input.mark("window", window, "window");
  input.mark("taps", taps, "dot");
  input.mark("pixel", pixel, "point");
  kernel.mark("tap", tap, look.kind === "in" ? "use" : "point");
  products.mark("tap", look.kind === "tap" ? tap : [], "point");
}

/** The input channels of a wide convolution: thumbnails with what each adds to this output. */
function drawStrip(now, strip, at, point) {
  if (strip.conv !== now || strip.filter !== at.o) {
    strip.conv = now;
    strip.filter = at.o;
    strip.replaceChildren(
      ...now.channels(at.o).map((x, c) =>
        h(
          "button",
          { type: "button", class: "thumb", onclick: () => set({ c }) },
          mapGrid(now.x.part(x), scaleFor(now.x.part(x)), {
            cell: 44 / now.W,
            name: `channel ${x + 1}`,
            role: "input",
          }).root,
          h("span", { class: "num" }),
        ),
      ),
    );
  }
  [...strip.children].forEach((thumb, c) => {
    thumb.setAttribute("aria-pressed", c === at.c);
    thumb.lastChild.textContent = round(now.channelSum(at.o, c, point.i, point.j), 3);
  });
}
