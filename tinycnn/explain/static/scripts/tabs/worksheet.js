// worksheet: what a tab shows, on paper: exercises with blanks to fill in, and their key on a page of its own.

import { DATA } from "../base/data.js";
import { div, h, replace } from "../base/dom.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { button } from "../widgets/controls.js";
import { origin } from "../widgets/labels.js";
import { lettered } from "../widgets/shortcuts.js";
import { columnExercise, outputExercise, partialsExercise, pixelsExercise, weightsExercise } from "./worksheet_conv.js";
import { firstStepExercise, slopesExercise } from "./worksheet_lab.js";
import { confusionExercise, shapesExercise, sizesExercise } from "./worksheet_net.js";
import { partsOf } from "./worksheet_parts.js";

const EXERCISES = {
  slide: [outputExercise],
  im2col: [columnExercise],
  size: [sizesExercise],
  channels: [partialsExercise],
  network: [shapesExercise],
  backward: [weightsExercise, pixelsExercise],
  training: [confusionExercise],
  lab: [firstStepExercise, slopesExercise],
};

/** The sheet, in the place of a tab; show(tab) fills it and says whether that tab has one and it is asked for. */
export function worksheet() {
  const room = div("sheets");
  const print = button(words("sheet.print"), () => window.print(), { class: "primary" });
  const open = lettered("W", words("sheet.name"), () => turn(!state.sheet), { class: "quiet" });
  const bar = div(
    "sheet-bar",
    print,
    button(words("sheet.back"), () => turn(false)),
  );
  const root = h("section", { class: "worksheet", hidden: true, "aria-label": words("sheet.name") }, bar, room);
  const turn = (on) => {
    set({ sheet: Number(on) });
    (root.hidden ? open : print).focus();
  };
  root.open = open;
  root.show = (tab) => {
    const found = (EXERCISES[tab?.id] ?? []).filter((exercise) => exercise(partsOf(false)));
    open.hidden = !found.length;
    root.hidden = !state.sheet || !found.length;
    document.documentElement.classList.toggle("with-sheet", !root.hidden);
    replace(
      room,
      [false, true].map((solved) => root.hidden || sheetOf(tab.id, found, solved)),
    );
    return !root.hidden;
  };
  return root;
}

/** The exercises of a tab, with blanks or solved. */
function sheetOf(id, exercises, solved) {
  const title = words(solved ? "sheet.key" : "sheet.of", { name: words(`tabs.${id}.name`) });
  const line = (key) => h("span", { class: "write-on" }, words(`sheet.${key}`));
  const source = [`${document.title} · tinycnn ${DATA.engine.tinycnn} · `, h("code", {}, window.location.hash)];
  return h(
    "article",
    { class: solved ? "sheet solution" : "sheet" },
    h("header", {}, h("h2", {}, title), !solved && div("write", line("person"), line("date"))),
    exercises.map((exercise, k) => exerciseOf(exercise(partsOf(solved)), k + 1, solved)),
    h("footer", { class: "note" }, source),
  );
}

function exerciseOf({ title, ask, content, why, by = "engine" }, number, solved) {
  const working =
    solved &&
    why &&
    h(
      "ul",
      { class: "working" },
      why.map((text) => h("li", {}, text)),
    );
  return h(
    "section",
    {},
    h("h3", {}, `${number}. ${title} `, solved && origin(by)),
    h("p", {}, ask),
    div("sheet-body", content),
    working,
  );
}
