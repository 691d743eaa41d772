// colour: from numbers to fills.  Grey ink for amounts; blue below zero, red above, for signed numbers.

import { h } from "./dom.js";
import { brief, clamp } from "./numbers.js";

const RAMPS = {
  light: {
    signed: [
      [24, 79, 149],
      [86, 148, 206],
      [190, 216, 238],
      [250, 249, 246],
      [246, 205, 186],
      [222, 119, 87],
      [163, 30, 38],
    ],
    ink: [
      [250, 249, 246],
      [198, 198, 200],
      [128, 129, 134],
      [62, 63, 68],
      [22, 23, 26],
    ],
    count: [
      [250, 249, 246],
      [196, 230, 216],
      [110, 190, 160],
      [24, 134, 104],
      [6, 82, 64],
    ],
  },
  dark: {
    signed: [
      [150, 204, 255],
      [74, 142, 208],
      [38, 76, 118],
      [29, 31, 35],
      [122, 54, 40],
      [216, 103, 76],
      [255, 178, 158],
    ],
    ink: [
      [29, 31, 35],
      [72, 75, 81],
      [126, 129, 136],
      [188, 190, 196],
      [244, 244, 246],
    ],
    count: [
      [29, 31, 35],
      [24, 74, 60],
      [30, 122, 96],
      [79, 186, 148],
      [176, 240, 212],
    ],
  },
};

export const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  return document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
}

function along(stops, t) {
  const place = clamp(t, 0, 1) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  return stops[first].map((a, channel) => Math.round(a + (stops[first + 1][channel] - a) * (place - first)));
}

/** A scale: paint(v) is [red, green, blue].  kind "signed" runs from -most to most, the others from least to most. */
export function scale(kind, most, least = 0) {
  const paint = (v) =>
    along(RAMPS[theme()][kind], kind === "signed" ? (v / most + 1) / 2 : (v - least) / (most - least));
  return Object.assign(paint, { kind, most, least });
}

/** The scale that suits the numbers: ink where none is negative, from the least of them where all are far from 0. */
export function scaleFor(array) {
  const least = array.data.reduce((a, b) => Math.min(a, b));
  if (least < 0) return scale("signed", array.most);
  return scale("ink", array.most, least > array.most / 10 && least < array.most ? least : 0);
}

/** Draw everything again in the colours of the theme. */
export function repaint() {
  for (const element of document.querySelectorAll(".grid, .bar")) element.repaint?.();
}

/** Black or white, whichever stands out more from this fill: at least 4.5 to 1 by WCAG 2. */
export function inkOn(fill) {
  const [r, g, b] = fill.map((v) => (v <= 10.31 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4)); // linear light
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

export function css([r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

/** The key to a scale: a bar with its ends named. */
export function key(paint) {
  const stops = (t) => css(along(RAMPS[theme()][paint.kind], t));
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  const draw = () => {
    bar.style.background = `linear-gradient(90deg, ${[0, 0.17, 0.33, 0.5, 0.67, 0.83, 1].map(stops).join(", ")})`;
  };
  draw();
  Object.assign(bar, { repaint: draw, scale: paint });
  const ends =
    paint.kind === "signed" ? [brief(-paint.most), "0", brief(paint.most)] : [brief(paint.least), brief(paint.most)];
  return h("span", { class: "key" }, h("span", {}, ends[0]), bar, h("span", {}, ends[ends.length - 1]));
}
