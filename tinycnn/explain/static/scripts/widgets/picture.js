// picture: the figure that is seen, saved as a file of its own: SVG, or PNG at twice its size.

import { DATA } from "../base/data.js";
import { h, svg } from "../base/dom.js";
import { words } from "../base/words.js";
import { colour } from "./drawing_style.js";
import { drawingOf } from "./drawing.js";
import { lettered } from "./shortcuts.js";

const PARTS = ".formula, .stage-figure, .dock .result, .dock .say"; // of a tab, from the top down
const [MARGIN, GAP] = [24, 18];

/** The buttons that save the open tab's figure, and what they say when that is done. */
export function pictureButtons() {
  const told = h("span", { class: "note", role: "status" });
  const save = (kind, make) => async () => {
    const picture = pictureOf(document.querySelector('[role="tabpanel"]:not([hidden])'));
    if (!picture) return;
    keep(await make(picture), picture.name + kind);
    told.textContent = words("picture.saved", { name: picture.name + kind });
  };
  const keys = { svg: "S", png: "P" };
  const one = (kind, make) =>
    lettered(keys[kind], words(`picture.${kind}`), save(`.${kind}`, make), { class: "quiet" });
  return [one("svg", asSvg), one("png", asPng), told];
}

/** The tab's figure as {root, name, width, height}: drawn on white, in the colours that are made for it. */
function pictureOf(tab) {
  if (!tab) return null; // the first screen
  const parts = [...tab.querySelectorAll(PARTS)].filter((part) => part.checkVisibility() && part.childNodes.length);
  if (!parts.length) return null;
  const page = document.documentElement;
  const theme = page.dataset.theme;
  page.dataset.theme = "light";
  page.classList.add("on-paper");
  const id = tab.id.replace("panel-", "");
  const picture = composed(tab, words(`tabs.${id}.name`), parts.map(drawingOf));
  page.classList.remove("on-paper");
  page.dataset.theme = theme;
  return { ...picture, name: `tinycnn-${id}` };
}

/** Title, parts and source, one under the other. */
function composed(tab, name, drawings) {
  const { color, fontFamily } = getComputedStyle(tab);
  const say = (text, size, y, weight) =>
    svg(
      "text",
      { x: MARGIN, y, "font-size": size, "font-weight": weight, "font-family": fontFamily, ...colour("fill", color) },
      text,
    );
  const step = [...tab.querySelectorAll('.steps [aria-checked="true"]')].map((one) => one.textContent.slice(2));
  const title = `${[name, ...step].join(", ")} · ${document.title}`;
  let [y, width] = [MARGIN + 40, 420];
  const groups = drawings
    .filter(({ nodes }) => nodes.length)
    .map(({ nodes, left, top, right, bottom }) => {
      const group = svg("g", { transform: `translate(${MARGIN - left} ${y - top})` }, nodes);
      [y, width] = [y + bottom - top + GAP, Math.max(width, right - left)];
      return group;
    });
  const source = `tinycnn ${DATA.engine.tinycnn} · ${window.location.hash}`;
  const [wide, high] = [Math.ceil(width + 2 * MARGIN), Math.ceil(y + MARGIN)];
  const size = { width: wide, height: high, viewBox: `0 0 ${wide} ${high}` };
  const root = svg("svg", { xmlns: "http://www.w3.org/2000/svg", ...size }, svg("title", {}, title));
  root.append(svg("rect", { width: wide, height: high, fill: "#ffffff" }), say(title, 18, MARGIN + 16, 600));
  root.append(...groups, say(source, 11, high - MARGIN / 2, 400));
  return { root, width: wide, height: high };
}

function asSvg({ root }) {
  const text = new window.XMLSerializer().serializeToString(root);
  return new window.Blob([text], { type: "image/svg+xml" });
}

/** The drawing in pixels, two for each of its own. */
async function asPng({ root, width, height }) {
  const text = new window.XMLSerializer().serializeToString(root);
  const image = h("img", { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}` });
  await image.decode();
  const canvas = h("canvas", { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function keep(blob, name) {
  const link = h("a", { href: window.URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => window.URL.revokeObjectURL(link.href), 10_000); // the browser has read it by then
}
