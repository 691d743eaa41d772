// edit_picture: the changes to a picture, as they stand in the address, and the picture after them.

import { DATA, Values, values } from "../base/data.js";
import { clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";

/** What can be edited: the traced images, then test images. */
export function picturesOf() {
  const own = DATA.samples.map((sample) => ({ label: sample.label, x: values(sample.x) }));
  const test = DATA.training?.test?.pictures;
  const more = test && values(test.images);
  const others = more
    ? test.labels.map((label, k) => ({
        label,
        x: new Values(
          Float32Array.from(more.part(k).data, (v) => v / 255),
          more.shape.slice(1),
        ),
      }))
    : [];
  const same = (a, b) => a.x.data.every((v, k) => Math.abs(v - b.x.data[k]) < 1e-3);
  return [...own, ...others.filter((one) => !own.some((traced) => same(traced, one)))].slice(0, 36);
}

/** The changes in the address: x1,y-2 shift, r15 rotation, v1 inverted, n2 noise; b and e painted and erased pixels. */
export function movesOf() {
  const moves = { x: 0, y: 0, r: 0, v: 0, n: 0, b: [], e: [] };
  for (const part of state.moves.split(",").filter(Boolean)) {
    const [name, rest] = [part[0], part.slice(1)];
    if (name === "b" || name === "e")
      moves[name] = rest
        .split(".")
        .map((text) => parseInt(text, 36))
        .filter((k) => k >= 0);
    else if (name in moves && Number.isFinite(Number(rest))) moves[name] = Number(rest);
  }
  return moves;
}

export function movesText(moves) {
  return Object.entries(moves)
    .flatMap(([name, v]) =>
      Array.isArray(v) ? (v.length ? [name + v.map((k) => k.toString(36)).join(".")] : []) : v ? [name + v] : [],
    )
    .join(",");
}

/** Paint or erase a dab of 2 x 2 pixels. */
export function dab(r, q, erase) {
  const [, H, W] = values(DATA.samples[0].x).shape;
  const moves = movesOf();
  const spots = [
    [r, q],
    [r, q + 1],
    [r + 1, q],
    [r + 1, q + 1],
  ]
    .filter(([a, b]) => a < H && b < W)
    .map(([a, b]) => a * W + b);
  const [to, from] = erase ? ["e", "b"] : ["b", "e"];
  moves[to] = [...new Set([...moves[to], ...spots])];
  moves[from] = moves[from].filter((k) => !spots.includes(k));
  set({ moves: movesText(moves) });
}

/** The picture after the changes: rotated about its middle, shifted, inverted, with noise, painted on. */
export function movedPicture(x, moves) {
  const [C, H, W] = x.shape;
  const out = new Values(new Float32Array(x.data.length), x.shape);
  const [sin, cos] = [Math.sin((moves.r * Math.PI) / 180), Math.cos((moves.r * Math.PI) / 180)];
  const [my, mx] = [(H - 1) / 2, (W - 1) / 2];
  const noise = noiseFrom(moves.n);
  for (let c = 0, place = 0; c < C; c++) {
    for (let r = 0; r < H; r++) {
      for (let q = 0; q < W; q++, place++) {
        const [dy, dx] = [r - moves.y - my, q - moves.x - mx];
        let v =
          moves.r % 360
            ? smooth(x, c, my + cos * dy - sin * dx, mx + sin * dy + cos * dx)
            : pixelOr0(x, c, r - moves.y, q - moves.x);
        if (moves.v) v = 1 - v;
        if (moves.n) v = clamp(v + noise() * 0.12 * moves.n, 0, 1);
        out.data[place] = v;
      }
    }
    for (const k of moves.b) if (k < H * W) out.data[c * H * W + k] = 1;
    for (const k of moves.e) if (k < H * W) out.data[c * H * W + k] = 0;
  }
  return out;
}

function pixelOr0(x, c, r, q) {
  return r < 0 || q < 0 || r >= x.shape[1] || q >= x.shape[2] ? 0 : x.at(c, r, q);
}

/** Between pixels: the mean of the four around, by distance. */
function smooth(x, c, r, q) {
  const [a, b] = [Math.floor(r), Math.floor(q)];
  const [s, t] = [r - a, q - b];
  return (
    (1 - s) * ((1 - t) * pixelOr0(x, c, a, b) + t * pixelOr0(x, c, a, b + 1)) +
    s * ((1 - t) * pixelOr0(x, c, a + 1, b) + t * pixelOr0(x, c, a + 1, b + 1))
  );
}

/** Roughly normal numbers, always the same ones. */
function noiseFrom(seed) {
  let s = 12345 + seed * 6789;
  const next = () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  return () => next() + next() + next() + next() - 2;
}
