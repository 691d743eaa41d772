// drawing: what a part of the page shows, as SVG that needs nothing else: grids from their numbers, texts as they stand.

import { h, svg } from "../base/dom.js";
import { gridDrawing } from "./drawing_grid.js";
import { colour, inkOf } from "./drawing_style.js";

const LEFT_OUT = ".controls, .tools-grid, .editor, button:not(.thumb), select, input, summary";
const measure = h("canvas").getContext("2d");

/** The element's figures, texts and boxes, where the window has them: {nodes, left, top, right, bottom}. */
export function drawingOf(element) {
  const out = { nodes: [], left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  walk(element, out);
  return out;
}

function add(out, node, { left, top, right, bottom }) {
  out.nodes.push(node);
  Object.assign(out, { left: Math.min(out.left, left), top: Math.min(out.top, top) });
  Object.assign(out, { right: Math.max(out.right, right), bottom: Math.max(out.bottom, bottom) });
}

function walk(element, out) {
  const style = getComputedStyle(element);
  if (!(element.checkVisibility() || style.display === "contents") || element.matches(LEFT_OUT)) return;
  const box = element.getBoundingClientRect();
  if (element.grid) add(out, gridDrawing(element.grid, box), box);
  else if (element.scale) add(out, scaleBar(element.scale, box), box);
  else if (element.tagName === "svg") add(out, chartDrawing(element, box), box);
  else {
    drawBox(style, box, out);
    if (element.matches(".legend-item")) add(out, lineOf(element, box), box);
    for (const child of element.childNodes) {
      if (child.nodeType === 1) walk(child, out);
      else if (child.nodeType === 3) drawText(child, element, out);
    }
  }
}

/** The ground and the border of an element, where it has them. */
function drawBox(style, box, out) {
  const sides = ["Top", "Right", "Bottom", "Left"].map((side) => parseFloat(style[`border${side}Width`]));
  const ground = colour("fill", style.backgroundColor);
  const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.height / 2);
  const whole = sides.every((width) => width > 0);
  const line = (width) => ({ ...colour("stroke", style.borderBottomColor), "stroke-width": width });
  if (ground.fill !== "none" || whole) {
    const dashes = style.borderBottomStyle === "dashed" ? { "stroke-dasharray": "3 2" } : {};
    const border = whole ? { ...line(sides[2]), ...dashes } : {};
    const shape = { x: box.x, y: box.y, width: box.width, height: box.height, rx: radius };
    if (whole || ground.fill !== "#ffffff") add(out, svg("rect", { ...shape, ...ground, ...border }), box);
  } else if (sides[2] > 0) {
    add(out, svg("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, ...line(sides[2]) }), box);
  }
}

/** The piece of line before a name in a legend, which is the style sheet's. */
function lineOf(element, { left, top, bottom }) {
  const style = getComputedStyle(element, "::before");
  const [y, x2] = [(top + bottom) / 2, left + parseFloat(style.width) * (element.currentCSSZoom ?? 1)];
  const dashes = style.borderTopStyle === "dashed" ? { "stroke-dasharray": "6 4" } : {};
  const pen = { ...colour("stroke", style.borderTopColor), "stroke-width": parseFloat(style.borderTopWidth) };
  return svg("line", { x1: left, x2, y1: y, y2: y, ...pen, ...dashes });
}

/** A text, line by line, in its font, as wide as it is here whatever fonts the reader has. */
function drawText(node, parent, out) {
  if (!node.data.trim()) return;
  const style = getComputedStyle(parent);
  const size = parseFloat(style.fontSize) * (parent.currentCSSZoom ?? 1);
  const ink = { ...colour("fill", style.color), "font-size": size, "font-family": style.fontFamily };
  const kind = { "font-weight": style.fontWeight, "font-style": style.fontStyle };
  measure.font = `${style.fontStyle} ${style.fontWeight} ${size}px ${style.fontFamily}`;
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measure.measureText("x");
  for (const { text, box } of linesOf(node)) {
    const upright = !style.writingMode.startsWith("vertical");
    const [x, y] = upright ? [box.left, (box.top + box.bottom + up - down) / 2] : [0, (up - down) / 2];
    const turned = `translate(${(box.left + box.right) / 2} ${box.bottom}) rotate(-90)`;
    const place = { x, y, textLength: upright ? box.right - box.left : box.bottom - box.top };
    const turn = upright ? {} : { transform: turned };
    add(out, svg("text", { ...place, lengthAdjust: "spacingAndGlyphs", ...ink, ...kind, ...turn }, text), box);
  }
}

function linesOf(node) {
  const [lines, range] = [[], document.createRange()];
  for (const { index, 0: word } of node.data.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const { left, top, right, bottom } = range.getBoundingClientRect();
    const last = lines.at(-1);
    if (last && Math.abs(last.box.top - top) < 2) {
      last.text += ` ${word}`;
      last.box.right = right;
    } else lines.push({ text: word, box: { left, top, right, bottom } });
  }
  return lines;
}

/** The key to a scale of colours. */
function scaleBar(paint, box) {
  const parts = 32;
  const first = paint.kind === "signed" ? -paint.most : paint.least;
  const at = (k) => paint(first + ((paint.most - first) * (k + 0.5)) / parts);
  const one = (k) => ({ x: box.x + (box.width * k) / parts, y: box.y, width: box.width / parts, height: box.height });
  const rect = (_, k) => svg("rect", { ...one(k), ...colour("fill", `rgb(${at(k).join(" ")})`) });
  return svg("g", { "shape-rendering": "crispEdges" }, Array.from({ length: parts }, rect));
}

/** A drawing that is SVG already, with its style in its attributes. */
function chartDrawing(element, box) {
  const { x, y, width, height } = box;
  const name = svg("title", {}, element.getAttribute("aria-label") ?? "");
  const parts = [...element.children].map(styled);
  return svg("svg", { x, y, width, height, viewBox: element.getAttribute("viewBox") }, name, parts);
}

function styled(element) {
  const copy = element.cloneNode(false);
  for (const name of ["class", "style"]) copy.removeAttribute(name);
  if (element.matches("text, line, rect, circle, polyline, path"))
    for (const [name, v] of Object.entries(inkOf(element))) copy.setAttribute(name, v);
  copy.append(...[...element.childNodes].map((child) => (child.nodeType === 1 ? styled(child) : child.cloneNode())));
  return copy;
}
