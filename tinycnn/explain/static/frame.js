// frame: what every tab has: a question to predict, a stage, a spoken caption, and the engine's own lines.

/**
 * The question of a tab and its possible answers: [[text, right?]]; `reveal` is shown once one is chosen, or asked for.
 */
function lead(number, question, answers, reveal) {
  const buttons = answers.map(([text], index) =>
    button(text, () => set({ guess: String(index) }), { class: "answer" }),
  );
  const give = button("show me", () => set({ guess: "x" }), { class: "quiet skip" });
  const told = h("div", { class: "reveal", "aria-live": "polite" });
  const root = h(
    "div",
    { class: "lead" },
    h("p", { class: "number", "aria-hidden": "true" }, String(number)),
    h(
      "div",
      {},
      h("h2", { class: "question" }, question),
      h("div", { class: "predict", role: "group", "aria-label": "Your prediction" }, buttons, give),
      told,
    ),
  );
  root.show = (guess) => {
    const open = guess !== "";
    buttons.forEach((b, index) => {
      const right = answers[index][1];
      b.classList.toggle("right", open && right);
      b.classList.toggle("wrong", open && !right && guess === String(index));
      b.setAttribute("aria-pressed", guess === String(index));
    });
    give.hidden = open;
    root.classList.toggle("open", open);
    const verdict = answers[Number(guess)] && (answers[Number(guess)][1] ? "Yes. " : "Not quite. ");
    if (open && !told.childNodes.length) told.append(h("p", {}, h("strong", {}, ""), ...[reveal()].flat()));
    if (!open) told.replaceChildren();
    else told.querySelector("strong").textContent = verdict || "";
  };
  return root;
}

const AROUND = 2; // lines shown before and after one that is lit, while the rest of the function is folded away

/** The engine's own lines; lit(["product"]) lights those that are at work.  Long functions are folded around them. */
function code(name, note, whole = false) {
  const source = DATA.sources[name];
  let quoted = false;
  const lines = source.text.split("\n").map((line) => {
    const quotes = line.split('"""').length - 1;
    const dim = quoted || quotes > 0;
    if (quotes % 2) quoted = !quoted;
    const hash = dim ? -1 : line.search(/(^|\s)#\s/);
    const [text, comment] = hash < 0 ? [line, ""] : [line.slice(0, hash), line.slice(hash)];
    return h("span", { class: dim ? "line dim" : "line" }, text, comment && h("span", { class: "dim" }, comment), "\n");
  });
  const unfold = button(
    "whole function",
    () => {
      whole = true;
      show();
    },
    { class: "quiet unfold" },
  );
  const root = h(
    "figure",
    { class: "code" },
    h(
      "figcaption",
      {},
      h("span", { class: "file" }, `${source.file}:${source.line}`),
      note && h("span", { class: "why" }, note),
      unfold,
    ),
    h("pre", { tabindex: 0, "aria-label": `source, ${source.file}` }, h("code", {}, lines)),
  );
  let at = [];
  const show = () => {
    const folded = !whole && lines.length > 12 && at.length > 0;
    unfold.hidden = !folded;
    lines.forEach((line, index) => {
      line.hidden = folded && index > 0 && !at.some((k) => Math.abs(k - index) <= AROUND);
      line.classList.toggle("lit", at.includes(index));
      line.classList.toggle("after-gap", folded && index > 0 && Boolean(lines[index - 1].hidden) && !line.hidden);
    });
  };
  root.lit = (marks) => {
    at = marks.flatMap((mark) => source.marks[mark] ?? []);
    show();
  };
  show();
  return root;
}

/** The sentence under a stage; screen readers hear it when it changes. */
function caption() {
  const root = h("p", { class: "say", role: "status", "aria-live": "polite" });
  let last = "";
  root.say = (text) => {
    if (text === last) return;
    last = text;
    root.textContent = text;
  };
  return root;
}

/** Step and play buttons; `step(1)` moves on and says whether there is more. */
function player(step, restart) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
    play.setAttribute("aria-label", "Play");
  };
  const start = () => {
    if (!step(1)) restart();
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(
      () => {
        if (root.offsetParent === null || !step(1)) stop();
      },
      calm.matches ? 900 : 520,
    );
  };
  const play = button("▶ Play", () => (timer ? stop() : start()), { class: "play", "aria-label": "Play" });
  const root = h(
    "div",
    { class: "player", role: "group", "aria-label": "Steps" },
    button(
      "←",
      () => {
        stop();
        step(-1);
      },
      { "aria-label": "Step back" },
    ),
    play,
    button(
      "→",
      () => {
        stop();
        step(1);
      },
      { "aria-label": "Step" },
    ),
  );
  root.stop = stop;
  return root;
}

/** Choices that several tabs share: which convolution, image, filter, and the toy's options. */
function convControls(extra = []) {
  const names = sources();
  const src = choice(
    "Convolution",
    names.map((name) => [name, name === "toy" ? "toy 6×6" : name]),
    (value) => set({ src: value, o: 0, c: 0, i: 0, j: 0, tap: -1 }),
  );
  const img = choice(
    "Image",
    (DATA.samples ?? []).map((sample, k) => [k, DATA.classes[sample.label] ?? k + 1]),
    (value) => set({ img: value }),
  );
  const filter = slider("Filter", 1, 2, (value) => set({ o: value - 1 }));
  const pick = (name) => (value) => set({ [name]: value, i: 0, j: 0 });
  const p = choice(
    "Padding",
    [
      [0, "0"],
      [1, "1"],
    ],
    pick("p"),
  );
  const s = choice(
    "Stride",
    [
      [1, "1"],
      [2, "2"],
    ],
    pick("s"),
  );
  const d = choice(
    "Dilation",
    [
      [1, "1"],
      [2, "2"],
    ],
    pick("d"),
  );
  const root = h("div", { class: "controls" }, names.length > 1 && src, img, filter, p, s, d, extra);
  root.show = (conv) => {
    const toy = state.src === "toy";
    for (const control of [p, s, d]) control.hidden = !toy;
    img.hidden = toy || DATA.samples.length < 2;
    filter.hidden = conv.O < 2;
    filter.limit(conv.O);
    src.show(state.src);
    img.show(state.img);
    filter.show(Math.min(state.o, conv.O - 1) + 1);
    p.show(state.p);
    s.show(state.s);
    d.show(state.d);
  };
  return root;
}

/** The state's window and filter, kept inside the convolution. */
function place(conv) {
  const inside = (v, n) => Math.min(Math.max(v, 0), n - 1);
  return {
    o: inside(state.o, conv.O),
    i: inside(state.i, conv.OH),
    j: inside(state.j, conv.OW),
    c: inside(state.c, conv.CG),
  };
}

/** Move the window by arrow keys; it stops at the edges. */
function moveWindow(conv, di, dj) {
  const { i, j } = place(conv);
  set({ i: Math.min(Math.max(i + di, 0), conv.OH - 1), j: Math.min(Math.max(j + dj, 0), conv.OW - 1) });
}

/** Move the window along the rows of the output; false at the end. */
function stepWindow(conv, by) {
  const { i, j } = place(conv);
  const l = i * conv.OW + j + by;
  if (l < 0 || l >= conv.L) return false;
  const [ni, nj] = conv.position(l);
  set({ i: ni, j: nj });
  return true;
}
