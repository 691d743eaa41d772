// conv_controls: the choices that several tabs share: which convolution, image, filter, and the toy's options.

import { DATA } from "../base/data.js";
import { div } from "../base/dom.js";
import { clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { currentConv, sources, stepWindow } from "../model/convolutions.js";
import { className } from "../model/samples.js";
import { choice, slider } from "../widgets/controls.js";
import { player } from "../widgets/walk.js";

/** Choices of the convolution, with `extra` ones after them; show(conv) sets them by the state. */
export function convControls(extra = []) {
  const names = sources();
  const src = choice(
    words("controls.convolution"),
    names.map((name) => [name, name === "toy" ? words("controls.toy") : name]),
    (value) => set({ src: value, o: 0, c: 0, i: 0, j: 0, tap: -1 }),
  );
  const img = imageChoice();
  const filter = slider(words("controls.filter"), 0, 1, (value) => set({ o: value }));
  const option = (label, name, options) =>
    choice(
      label,
      options.map((v) => [v, String(v)]),
      (value) => set({ [name]: value, i: 0, j: 0 }),
    );
  const toy = {
    p: option(words("controls.padding"), "p", [0, 1]),
    s: option(words("controls.stride"), "s", [1, 2]),
    d: option(words("controls.dilation"), "d", [1, 2]),
  };
  const root = div("controls", names.length > 1 && src, img, filter, Object.values(toy), extra);
  root.show = (conv) => {
    img.hidden = state.src === "toy" || DATA.samples.length < 2;
    filter.hidden = conv.O < 2;
    filter.limit(conv.O - 1);
    src.show(state.src);
    img.show(state.img);
    filter.show(clamp(state.o, 0, conv.O - 1));
    for (const [name, control] of Object.entries(toy)) {
      control.hidden = state.src !== "toy";
      control.show(state[name]);
    }
  };
  return root;
}

/** The traced images, by the names of their classes. */
export function imageChoice() {
  return choice(
    words("controls.image"),
    (DATA.samples ?? []).map((sample, k) => [k, className(sample.label) ?? k + 1]),
    (value) => set({ img: value }),
  );
}

/** Steps the window over the output, row by row. */
export function windowPlayer() {
  return player(
    (by) => stepWindow(currentConv(), by),
    () => set({ i: 0, j: 0 }),
  );
}
