// drawing_style: colours and fonts of the page as the attributes that any program knows which reads SVG.

import { h } from "../base/dom.js";

const probe = h("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const known = new Map();

/** A colour of CSS as the attributes of `name`: {fill: "#1a62a6", "fill-opacity": 0.4}; "none" where it is not seen. */
export function colour(name, text) {
  if (!known.has(text)) {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = text;
    probe.fillRect(0, 0, 1, 1);
    known.set(text, [...probe.getImageData(0, 0, 1, 1).data]);
  }
  const [r, g, b, opacity] = known.get(text);
  if (opacity === 0) return { [name]: "none" };
  const hex = [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("");
  const part = opacity < 255 ? { [`${name}-opacity`]: (opacity / 255).toFixed(2) } : {};
  return { [name]: `#${hex}`, ...part };
}

/** How an element of an SVG is drawn here. */
export function inkOf(element) {
  const style = getComputedStyle(element);
  const fill = style.fill.startsWith("url")
    ? { fill: style.fill.replaceAll('"', "") }
    : colour("fill", seen(style.fill));
  const line = colour("stroke", seen(style.stroke));
  const found = { ...fill, ...line };
  if (line.stroke !== "none") found["stroke-width"] = parseFloat(style.strokeWidth);
  if (style.strokeDasharray !== "none") found["stroke-dasharray"] = style.strokeDasharray.replaceAll("px", "");
  if (style.opacity !== "1") found.opacity = style.opacity;
  if (element.tagName !== "text") return found;
  const font = { "font-size": parseFloat(style.fontSize), "font-family": style.fontFamily };
  return { ...found, ...font, "font-weight": style.fontWeight, "text-anchor": style.textAnchor };
}

function seen(text) {
  return text === "none" ? "transparent" : text;
}
