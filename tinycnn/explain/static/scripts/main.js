// main: the tabs, the theme, the address, and the self-check once the page is there.

import { dark, repaint, theme } from "./base/colour.js";
import { DATA } from "./base/data.js";
import { div, h, replace } from "./base/dom.js";
import { arrow } from "./base/numbers.js";
import { sharing } from "./base/sharing.js";
import { follow, notify, set, speak, state, watchers } from "./base/state.js";
import { entry, language, LANGUAGES, pieces, words } from "./base/words.js";
import { currentConv, stepWindow } from "./model/convolutions.js";
import { selfcheck } from "./model/selfcheck.js";
import { button } from "./widgets/controls.js";
import { origin } from "./widgets/labels.js";
import { pictureButtons } from "./widgets/picture.js";
import { lectureButton } from "./widgets/lecture.js";
import { lead } from "./widgets/question.js";
import { lettersSwitch } from "./widgets/shortcuts.js";
import { showSelfcheck } from "./widgets/verdict.js";
import { caption } from "./widgets/walk.js";
import { backwardTab } from "./tabs/backward.js";
import { channelsTab } from "./tabs/channels.js";
import { editTab } from "./tabs/edit.js";
import { im2colTab } from "./tabs/im2col.js";
import { labTab } from "./tabs/lab.js";
import { networkTab } from "./tabs/network.js";
import { practice } from "./tabs/practice.js";
import { sizeTab } from "./tabs/size.js";
import { slideTab } from "./tabs/slide.js";
import { trainingTab } from "./tabs/training.js";
import { worksheet } from "./tabs/worksheet.js";
import { beginning, startScreen, tourCard } from "./tour/tour.js";

const TABS = [slideTab, im2colTab, sizeTab, channelsTab, networkTab, backwardTab, trainingTab, labTab, editTab];
const WITH_WINDOW = ["slide", "im2col", "channels"]; // tabs whose window the arrow keys move

function build() {
  const tabs = TABS.map(room);
  const [card, start, sheet] = [tourCard(), startScreen(TABS), worksheet()];
  const kit = div("kit", lectureButton(), sheet.open, pictureButtons(), lettersSwitch());
  const nav = document.querySelector(".tabs");
  nav.append(...tabs.map((tab) => tab.control));
  document.querySelector("main").append(start, sheet, ...tabs.map((tab) => tab.root));
  nav.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const here = tabs.findIndex((tab) => tab.control === document.activeElement);
    const next = Number.isFinite(step) ? (here + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    tabs[next].control.focus();
    open(tabs[next].id);
  });
  document.getElementById("home").addEventListener("click", () => set({ tab: "start", tour: 0 }));
  watchers.push(() => show(tabs, { card, start, sheet, kit }));
}

/** A tab's button and its empty room; it is put together when it is first opened. */
function room(tab, index) {
  const number = h("span", { class: "tab-number", "aria-hidden": "true" }, String(index + 1));
  const about = { role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}` };
  const control = button([number, words(`tabs.${tab.id}.name`)], () => open(tab.id), about);
  const labels = { role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}` };
  const root = h("section", { class: "tab", hidden: true, ...labels });
  return { ...tab, index, control, root, update: null };
}

/** Another tab, as the reader wishes; the tour waits where it was. */
function open(id) {
  if (id !== state.tab) set({ tab: id, tour: 0 });
}

function show(tabs, { card, start, sheet, kit }) {
  document.documentElement.dataset.theme = state.present ? "light" : state.theme;
  const current = tabs.find((tab) => tab.id === state.tab);
  start.hidden = Boolean(current);
  for (const tab of tabs) {
    const chosen = tab === current;
    tab.root.hidden = !chosen;
    tab.control.setAttribute("aria-selected", chosen);
    tab.control.tabIndex = chosen || (!current && tab.index === 0) ? 0 : -1;
  }
  if (!current) {
    sheet.show(null);
    return start.show();
  }
  if (!current.update) assemble(current);
  current.head.show(state.guess);
  state.guess = ""; // answered now, and not part of what a link shows
  current.update();
  if (current.root.querySelector(".stage-figure")) current.root.querySelector(".lesson").before(kit);
  card.show(current);
  current.head.hidden = !card.hidden; // one voice at a time
  current.root.hidden = sheet.show(current);
  return current;
}

function assemble(tab) {
  tab.head = lead(tab.index + 1, tab.questions());
  const stage = div("stage");
  const lesson = h("code", {}, `examples/lessons/${tab.lesson}.py`);
  const more = h("p", { class: "note lesson" }, pieces("page.lesson", { lesson }));
  tab.root.append(tab.head, stage, more);
  tab.update = tab.build(stage, caption());
}

/** Left and right move the window also while nothing has the focus; up and down scroll, as everywhere. */
function globalKeys(event) {
  const by = arrow(event);
  const free = document.activeElement === document.body || document.activeElement === null;
  if (!by || by[1] === 0 || !free || !WITH_WINDOW.includes(state.tab)) return;
  event.preventDefault();
  stepWindow(currentConv(), by[1]);
}

function footer() {
  const { engine, left_out: left } = DATA;
  const device = engine.device === "cpu" ? "CPU" : "GPU";
  const parts = [`tinycnn ${engine.tinycnn}`, `NumPy ${engine.numpy}`, `Python ${engine.python}`, device, engine.dtype];
  const seed = words("page.seed", { seed: String(engine.seed) });
  const versions = [...parts, seed, words("page.columns", { layout: DATA.cols_layout })].join(" · ");
  const who = pieces("page.who", { engine: origin("engine"), browser: origin("browser") });
  const note =
    left.length > 0 && h("p", { class: "versions" }, words("page.left_out", { what: left.map(absent).join("; ") }));
  replace(document.querySelector(".foot"), h("p", {}, who), h("p", { class: "versions" }, versions), note);
}

/** What one of the arrays was that are not in this page. */
function absent([what, layer, image]) {
  return words(`left_out.${what}`, { layer, image });
}

function wordsButton() {
  const dialog = document.getElementById("glossary");
  const close = button(words("page.close"), () => dialog.close(), { class: "quiet" });
  const entries = entry("glossary.entries").map(({ word, meaning }) => [h("dt", {}, word), h("dd", {}, meaning)]);
  replace(
    dialog,
    div("dialog-head", h("h2", {}, words("glossary.name")), close),
    h("dl", { class: "glossary" }, entries),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.getElementById("words").addEventListener("click", () => dialog.showModal());
}

/** The words of the header and the dialogs, and the title, which may be in one language or in all. */
function translate() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = words(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", words(element.dataset.label));
  document.title = DATA.title[language] ?? DATA.title;
  document.querySelector("h1").textContent = document.title;
}

function languageChoice() {
  const control = document.getElementById("language");
  const names = LANGUAGES.map(([lang, name]) => h("option", { value: lang, lang, selected: lang === language }, name));
  control.append(...names);
  control.addEventListener("change", () => speak(control.value));
}

function themeButton() {
  const control = document.getElementById("theme");
  control.addEventListener("click", () => set({ theme: theme() === "dark" ? "light" : "dark" }));
  let last = null;
  watchers.push(() => {
    if (last === theme()) return;
    last = theme();
    control.textContent = words(last === "dark" ? "page.light" : "page.dark");
    repaint();
  });
  dark.addEventListener("change", notify);
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light"; // paper is white
    repaint();
  });
  window.addEventListener("afterprint", () => {
    last = null;
    notify();
  });
}

/** In the header, where nothing moves when it comes and goes; a change of the toy can be seen on four tabs. */
function undoButton() {
  const control = document.getElementById("undo");
  control.addEventListener("click", () => set({ edits: "" }));
  watchers.push(() => {
    control.hidden = !state.edits;
  });
}

translate();
build();
languageChoice();
undoButton();
wordsButton();
practice();
sharing();
themeButton();
footer();
document.addEventListener("keydown", globalKeys);
follow(({ tab, tour }) => tab === "start" && tour > 0 && beginning(tour)); // a link to a step, and no more
selfcheck(showSelfcheck);
