// tab "Edit": change a garment and see maps and probabilities move.  All of it is the browser's arithmetic.

import { scale, scaleFor } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h, span } from "../base/dom.js";
import { arrow, clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { className } from "../model/samples.js";
import { twin } from "../model/twin.js";
import { button, choice } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";
import { mapGrid } from "../widgets/panel.js";
import { layout } from "../widgets/stage.js";
import { dab, movedPicture, movesOf, movesText, picturesOf } from "./edit_picture.js";
import { firstMaps, probabilityBars } from "./edit_result.js";
import { editQuestions } from "./questions_net.js";

export const editTab = {
  id: "edit",
  lesson: "05_pooling",
  questions: editQuestions,

  build(stage, say) {
    const unknown = twin.unknownLayer();
    if (unknown) {
      stage.append(cannot(unknown));
      return () => {};
    }
    const pictures = picturesOf();
    const brush = brushChoice();
    const canvas = easel(brush);
    const [bars, maps, album] = [probabilityBars(), firstMaps(), albumOf(pictures)];
    const untrained = !DATA.trained && span("note", words("edit.untrained"));
    const title = div("bars-title", pieces("edit.probabilities", { who: origin("browser") }), untrained);
    const tools = div("tools-grid", shiftPad(), toolButtons(), brush.root);
    const scribble = words("edit.scribble");
    const figure = div("edit", div("easel-side", canvas.root, tools), div("edit-side", title, bars.root, maps.root));
    layout(stage, { controls: album, figure, bar: say, rest: h("p", { class: "note" }, scribble) });
    return () => {
      [...album.children].forEach((thumb, k) => {
        thumb.setAttribute("aria-pressed", k === state.pic);
        thumb.tabIndex = k === clamp(state.pic, 0, pictures.length - 1) ? 0 : -1;
      });
      const picture = pictures[state.pic] ?? pictures[0];
      const x = movedPicture(picture.x, movesOf());
      const [was, is] = [twin.forward(picture.x), twin.forward(x)];
      canvas.set({ value: (r, c) => x.at(0, r, c), paint: scale("ink", 1) });
      maps.show(was, is);
      say.say(bars.show(picture.label, was, is));
    };
  },
};

function cannot({ label, text }) {
  return div("empty", h("p", {}, words("edit.cannot", { label, text })));
}

/** Paint or erase; erases() tells which. */
function brushChoice() {
  let chosen = "paint";
  const names = ["paint", "erase"].map((name) => [name, words(`edit.brush.${name}`)]);
  const root = choice(words("edit.brush.name"), names, (value) => {
    chosen = value;
    root.show(value);
  });
  root.show(chosen);
  return { root, erases: () => chosen === "erase" };
}

/** The picture, to be painted on by mouse, finger, or arrow keys and Space. */
function easel(brush) {
  const [, H, W] = values(DATA.samples[0].x).shape;
  let [r, q] = [Math.floor(H / 2), Math.floor(W / 2)];
  const canvas = new Grid({
    rows: H,
    cols: W,
    cell: 336 / W,
    role: "input",
    drags: true,
    text: () => null,
    name: words("edit.easel"),
    onpick: (row, column) => dab(row, column, brush.erases()),
    onmove: (dr, dq) => {
      [r, q] = [clamp(r + dr, 0, H - 1), clamp(q + dq, 0, W - 1)];
      canvas.mark("brush", [[r, q, 1, 1]], "point");
    },
  });
  canvas.root.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    dab(r, q, brush.erases());
  });
  canvas.root.classList.add("easel");
  return canvas;
}

/** Adds to one of the changes to the picture. */
function adds(name, amount) {
  return () => {
    const moves = movesOf();
    set({ moves: movesText({ ...moves, [name]: moves[name] + amount }) });
  };
}

function shiftPad() {
  const shift = (text, way, name, by) =>
    button(text, adds(name, by), { "aria-label": words(`edit.shift.${way}`), class: way });
  return h(
    "div",
    { class: "pad", role: "group", "aria-label": words("edit.shift.name") },
    shift("↑", "up", "y", -1),
    shift("←", "left", "x", -1),
    shift("→", "right", "x", 1),
    shift("↓", "down", "y", 1),
  );
}

function toolButtons() {
  const invert = () => {
    const moves = movesOf();
    set({ moves: movesText({ ...moves, v: 1 - moves.v }) });
  };
  return div(
    "tool-buttons",
    button("↺ 15°", adds("r", -15), { "aria-label": words("edit.tools.left") }),
    button("↻ 15°", adds("r", 15), { "aria-label": words("edit.tools.right") }),
    button(words("edit.tools.invert"), invert),
    button(words("edit.tools.noise"), adds("n", 1)),
    button(words("edit.tools.reset"), () => set({ moves: "" }), { class: "quiet" }),
  );
}

/** The pictures, one of which is chosen: one stop of the Tab key, arrow keys inside. */
function albumOf(pictures) {
  const thumb = ({ x, label }, k) => {
    const options = { role: "input", cell: 40 / x.shape[2], name: className(label) };
    const pick = () => set({ pic: k, moves: "" });
    return button(mapGrid(x.part(0), scaleFor(x), options).root, pick, { class: "thumb", title: className(label) });
  };
  const thumbs = pictures.map(thumb);
  const move = (event) => {
    const by = arrow(event);
    if (!by) return;
    event.preventDefault();
    const next = thumbs[clamp(thumbs.indexOf(document.activeElement) + by[0] + by[1], 0, thumbs.length - 1)];
    next.focus();
    next.click();
  };
  return h("div", { class: "album", role: "group", "aria-label": words("edit.pictures"), onkeydown: move }, thumbs);
}
