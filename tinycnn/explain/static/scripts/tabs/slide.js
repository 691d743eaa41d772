// tab "Slide": the kernel over the image; products, their sum, one number of the output.

import { div, h, replace } from "../base/dom.js";
import { exactly, round } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { currentConv, place } from "../model/convolutions.js";
import { code } from "../widgets/code.js";
import { button, checkbox } from "../widgets/controls.js";
import { layout } from "../widgets/stage.js";
import { convControls, windowPlayer } from "./conv_controls.js";
import { equation } from "./equation.js";
import { slideQuestions } from "./questions.js";
import { pointed, slideView } from "./slide_view.js";

export const slideTab = {
  id: "slide",
  lesson: "01_convolution_by_hand",
  questions: slideQuestions,

  build(stage, say) {
    const flip = checkbox(words("slide.flip"), (on) => set({ flip: Number(on) }));
    const controls = convControls([flip]);
    const [body, sums, edit, note] = [div("slide"), div("sums-line"), editor(), h("p", { class: "note flip-note" })];
    const listing = code("loops", words("slide.listing"), true);
    const bar = [windowPlayer(), div("result", edit, sums), say];
    layout(stage, { controls, figure: body, bar, rest: [note, listing] });
    listing.lit(["window", "sum"]);
    let view = null;
    const draw = (look) => {
      const conv = currentConv();
      view.draw(conv, look);
      const at = { ...place(conv), ...pointed(look, place(conv)) };
      replace(sums, equation(conv, at));
      edit.show(conv, look);
      say.say(sentence(conv, at, look));
    };
    const looking = pointer(draw);
    return () => {
      const conv = currentConv();
      const shown = `${conv.name} ${conv.CG} ${conv.FH} ${conv.FW} ${conv.OH} ${conv.OW} ${conv.KH} ${conv.KW}`;
      if (view?.shown !== shown) view = { ...slideView(conv, body, looking.at), shown };
      if (view.looking !== shown) looking.away();
      view.looking = shown;
      controls.show(conv);
      flip.hidden = state.src !== "toy";
      flip.show(state.flip);
      note.textContent = flipNote();
      draw(looking.now());
    };
  },
};

/** What the pointer or the arrow keys are on; what was clicked is held, and the pointer comes back to it. */
function pointer(draw) {
  const nothing = { kind: "out" };
  let [look, held] = [nothing, null];
  return {
    now: () => look,
    away() {
      [look, held] = [nothing, null];
    },
    at(next) {
      if (next.held || next.let) held = next.held ? next : null;
      look = next.kind === "out" && next.i === undefined && held ? held : next;
      draw(look);
    },
  };
}

function flipNote() {
  if (state.src !== "toy") return "";
  return words(state.flip ? "slide.flipped" : "slide.unflipped");
}

/** Buttons that change the weight or the pixel of the toy that was clicked. */
function editor() {
  let change = () => {};
  const text = h("span", {});
  const root = h(
    "div",
    { class: "editor" },
    button("−", () => change(-1), { "aria-label": words("slide.less") }),
    button("+", () => change(1), { "aria-label": words("slide.more") }),
    text,
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

function sentence(conv, at, look) {
  if (look.kind === "in") return pixelSentence(conv, look);
  if (look.kind === "tap") {
    const [down, right] = [look.u * conv.DH - conv.PH, look.v * conv.DW - conv.PW];
    const value = exactly(conv.w.at(place(conv).o, look.c, look.u, look.v));
    return words("slide.say.weight", { u: look.u, v: look.v, value, down, right });
  }
  const { o, i, j } = at;
  const [row, column] = [i * conv.SH - conv.PH, j * conv.SW - conv.PW];
  const value = conv.out.at(o, i, j);
  const made = conv.engine ? exactly(value) : round(value, 4);
  return words("slide.say.output", { i, j, row, column, n: conv.K, value: made });
}

function pixelSentence(conv, look) {
  const [r, q, n] = [look.r - conv.PH, look.q - conv.PW, conv.outputsOf(look.r, look.q).length];
  const where = conv.inFrame(look.r, look.q)
    ? words("slide.say.zero")
    : words("slide.say.pixel", { r, q, value: exactly(conv.x.at(look.c, r, q)) });
  return words(n ? "slide.say.used" : "slide.say.unused", { where, n });
}
