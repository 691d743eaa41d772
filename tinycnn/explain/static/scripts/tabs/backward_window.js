// backward_window: a step of the tab Backward that goes from window to window.

import { div, h, replace } from "../base/dom.js";
import { brief, exactly, round } from "../base/numbers.js";
import { set } from "../base/state.js";
import { words } from "../base/words.js";
import { currentConv, place } from "../model/convolutions.js";
import { code } from "../widgets/code.js";
import { slider } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { convControls, windowPlayer } from "./conv_controls.js";

/** Sums that grow by one window at a time; make(conv) gives its figures as {content, draw(conv, place)}. */
export function windowPart(name, about, make, lines, lit, say) {
  const controls = convControls();
  const channel = slider(words("controls.channel"), 0, 1, (value) => set({ c: value }));
  controls.append(channel);
  const [missing, room, listing] = [h("p", { class: "note" }), div("backward-sums"), code(lines)];
  listing.lit(lit);
  let view = null;
  return {
    name,
    controls: [about, controls],
    figure: [missing, room],
    bar: windowPlayer(),
    says: true,
    rest: listing,
    update() {
      const conv = currentConv();
      controls.show(conv);
      channel.hidden = conv.CG < 2;
      channel.limit(conv.CG - 1);
      channel.show(place(conv).c);
      const ready = conv.grad_out && conv.grad_w && conv.grad_x;
      missing.textContent = ready ? "" : words("backward.missing");
      room.hidden = !ready;
      if (!ready) return;
      const shown = `${conv.name} ${conv.FH} ${conv.OH} ${conv.OW}`;
      if (view?.shown !== shown) view = { ...make(conv), shown };
      if (room.firstChild !== view.content) replace(room, view.content);
      view.draw(conv, { ...place(conv), text: conv.whole ? (v) => round(v, 0) : (v) => brief(v) });
      say.say(sentence(conv));
    },
  };
}

function sentence(conv) {
  const { o, i, j } = place(conv);
  const l = i * conv.OW + j;
  const last = conv.engine ? "backward.say.engine" : "backward.say.browser";
  const added = words(l === conv.L - 1 ? last : "backward.say.added", { n: l + 1, all: conv.L });
  return words("backward.say.window", { i, j, gradient: exactly(conv.grad_out.at(o, i, j)), added });
}

/** Makes grids of the three sizes: kernel, image, output. */
export function makerOf(conv) {
  const sizes = {
    kernel: [conv.KH, conv.KW, 38, 116],
    image: [conv.FH, conv.FW, 28, 190],
    map: [conv.OH, conv.OW, 34, 190],
  };
  return (size, name, role, options = {}) => {
    const [rows, cols, most, room] = sizes[size];
    return new Grid({ name, role, rows, cols, cell: Math.min(most, room / cols), ...options });
  };
}

export function sign(text) {
  return h("span", { class: "sign", "aria-hidden": "true" }, text);
}

/** Who worked out the whole gradient: the engine, or the browser after a change. */
export function byWhom(conv) {
  return origin(conv.engine ? "engine" : "browser");
}
