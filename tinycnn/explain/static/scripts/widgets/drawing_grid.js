// drawing_grid: a grid as SVG, from the numbers that it shows.

import { css, inkOn } from "../base/colour.js";
import { svg } from "../base/dom.js";
import { colour } from "./drawing_style.js";

/** The grid's cells, numbers and outlines in a box of the window, under its name. */
export function gridDrawing(grid, { x, y, width, height }) {
  const [cw, ch] = [width / grid.cols, height / grid.rows];
  const name = svg("title", {}, grid.root.getAttribute("aria-label"));
  const inside = Math.min(cw, ch) < 5 ? [mosaic(grid, cw, ch)] : [cells(grid, cw, ch), numbers(grid, cw, ch)];
  return svg("g", { transform: `translate(${x} ${y})` }, name, inside, outlines(grid, width, height));
}

/** Cells too small for gaps: one shape per colour, of rows of neighbours. */
function mosaic(grid, cw, ch) {
  const shapes = new Map();
  for (let r = 0; r < grid.rows; r++) {
    const fills = Array.from({ length: grid.cols }, (_, c) => fillOf(grid, r, c));
    for (let c = 0, wide = 1; c < grid.cols; c += wide, wide = 1) {
      while (c + wide < grid.cols && fills[c + wide] === fills[c]) wide++;
      if (fills[c]) shapes.set(fills[c], `${shapes.get(fills[c]) ?? ""}M${c} ${r}h${wide}v1h${-wide}z`);
    }
  }
  const paths = [...shapes].map(([fill, d]) => svg("path", { d, ...colour("fill", fill) }));
  return svg("g", { transform: `scale(${cw} ${ch})`, "shape-rendering": "crispEdges" }, paths);
}

function fillOf(grid, r, c) {
  const v = grid.value(r, c);
  return v === null ? null : css(grid.paint(v));
}

function cells(grid, cw, ch) {
  const style = getComputedStyle(grid.root);
  const [line, faint, muted] = ["--line", "--faint", "--muted"].map((name) => style.getPropertyValue(name));
  const small = Math.min(cw, ch);
  const gap = small > 13 ? 1 : small > 8 ? 0.5 : 0;
  const shapes = [];
  for (let r = 0; r < grid.rows; r++) {
    for (let c = 0; c < grid.cols; c++) {
      const [kind, fill] = [grid.kind(r, c), fillOf(grid, r, c)];
      const box = { x: c * cw, y: r * ch, width: cw - gap, height: ch - gap };
      const ground = colour("fill", kind === "pad" || !fill ? faint : fill);
      const frame = kind === "pad" ? { ...colour("stroke", line), "stroke-dasharray": "2 2" } : {};
      shapes.push(svg("rect", { ...box, rx: small > 18 ? 2 : null, ...ground, ...frame }));
      if (kind === "drop") shapes.push(svg("path", { d: hatching(box), ...colour("stroke", muted) }));
    }
  }
  return svg("g", {}, shapes);
}

/** Slanted lines, cut off at the edges of a box. */
function hatching({ x, y, width, height }) {
  let d = "";
  for (let k = 6 - height; k < width; k += 6) {
    const [left, right] = [Math.max(k, 0), Math.min(k + height, width)];
    d += `M${x + left} ${y + height - (left - k)}L${x + right} ${y + height - (right - k)}`;
  }
  return d;
}

/** What is written in the cells, in one size; nothing where it does not fit. */
function numbers(grid, cw, ch) {
  const style = getComputedStyle(grid.root);
  const family = style.getPropertyValue("--sans");
  const size = grid.textSize(grid.canvas.getContext("2d"), cw, ch, 1, family);
  if (!size) return null;
  const texts = [];
  for (let r = 0; r < grid.rows; r++) {
    for (let c = 0; c < grid.cols; c++) {
      const v = grid.value(r, c);
      const text = v === null ? "" : (grid.text(v) ?? "");
      if (!text) continue;
      const pad = grid.kind(r, c) === "pad";
      const ink = pad ? style.getPropertyValue("--muted") : inkOn(grid.paint(v));
      const place = { x: (c + 0.5) * cw - 0.5, y: (r + 0.5) * ch + size * 0.34 };
      texts.push(svg("text", { ...place, ...colour("fill", ink) }, text));
    }
  }
  const font = { "font-family": family.trim(), "font-size": size, "font-weight": 500, "text-anchor": "middle" };
  return svg("g", font, texts);
}

const PENS = {
  window: [2, 1, "--role"],
  seen: [1.5, 0.75, "--ink"],
  point: [2, -1, "--ink"],
  use: [2.5, -1.25, "--role"],
};

/** The outlines over the cells: how wide, how far outside, in which colour. */
function outlines(grid, width, height) {
  const style = getComputedStyle(grid.root);
  const one = (mark) => {
    const [top, left, tall, wide] = ["top", "left", "height", "width"].map(
      (side) => parseFloat(mark.style[side]) / 100,
    );
    const [pen, out, role] = PENS[Object.keys(PENS).find((kind) => mark.classList.contains(kind))] ?? [2, 1, "--ink"];
    const box = { x: left * width - out, y: top * height - out, width: wide * width + 2 * out };
    const shape = { ...box, height: tall * height + 2 * out, rx: 3, fill: "none", "stroke-width": pen };
    return svg("rect", { ...shape, ...colour("stroke", style.getPropertyValue(role) || "#000") });
  };
  return [...grid.marks.values()].flat().map(one);
}
