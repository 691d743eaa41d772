// grid: a matrix of numbers as coloured cells on a canvas, with outlines that glide over it.

import { css, inkOn } from "../base/colour.js";
import { h } from "../base/dom.js";
import { arrow, round } from "../base/numbers.js";
import { words } from "../base/words.js";

/**
 * One matrix.  Options:
 *   rows, cols      its size in cells          cell           the largest size of a cell in pixels
 *   rowHeight       the height of a row in pixels, for grids whose cells need not be square
 *   name            what a screen reader says  role               input | kernel | output | gradient: its colour
 *   value(r, c)     the number of a cell; null leaves it empty
 *   paint(v)        its fill, a scale of colour.js
 *   text(v)         what is written in the cell where there is room; null for nothing
 *   kind(r, c)      "pad" or "drop": cells drawn as frame or hatched
 *   onhover(r, c), onleave(), onpick(r, c)     pointer        onmove(dr, dc)     arrow keys
 */
export class Grid {
  constructor(options) {
    Object.assign(this, { cell: 34, text: (v) => round(v), kind: () => null, role: "plain" }, options);
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.marksLayer = h("div", { class: "marks", "aria-hidden": "true" });
    this.marks = new Map();
    const keys = Boolean(this.onmove);
    this.root = h(
      "div",
      {
        class: `grid ${this.role}${this.onpick || this.onhover ? " live" : ""}`,
        tabindex: keys ? 0 : null,
        role: keys ? "application" : "img",
        "aria-label": this.name,
        "aria-roledescription": keys ? words("grid") : null,
        onkeydown: (event) => this.keydown(event),
      },
      this.canvas,
      this.marksLayer,
    );
    this.root.repaint = () => this.draw();
    this.root.grid = this;
    this.resize(this.rows, this.cols);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  resize(rows, cols) {
    Object.assign(this, { rows, cols });
    this.root.style.setProperty("--width", `${Math.round(cols * this.cell)}px`);
    if (this.rowHeight) this.root.style.height = `calc(${rows * this.rowHeight}px * var(--zoom))`;
    else this.root.style.aspectRatio = `${cols} / ${rows}`;
  }

  /** Change some options and draw. */
  set(options) {
    const { rows, cols, cell } = this;
    Object.assign(this, options);
    if (rows !== this.rows || cols !== this.cols || cell !== this.cell) this.resize(this.rows, this.cols);
    if (options.name) this.root.setAttribute("aria-label", options.name);
    this.draw();
    return this;
  }

  listen() {
    let last = null;
    const place = (event) => {
      const box = this.root.getBoundingClientRect();
      const r = Math.floor(((event.clientY - box.top) / box.height) * this.rows);
      const c = Math.floor(((event.clientX - box.left) / box.width) * this.cols);
      return r >= 0 && c >= 0 && r < this.rows && c < this.cols ? [r, c] : null;
    };
    this.root.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!at || String(at) === String(last)) return;
      last = at;
      this.onhover?.(...at);
      if (event.buttons && this.drags) this.onpick?.(...at);
    });
    this.root.addEventListener("pointerleave", () => {
      last = null;
      this.onleave?.();
    });
    this.root.addEventListener("pointerdown", (event) => {
      const at = place(event);
      if (!at) return;
      last = at;
      if (this.drags) this.root.setPointerCapture?.(event.pointerId);
      this.onpick?.(...at);
    });
  }

  keydown(event) {
    const step = arrow(event);
    if (!step || !this.onmove) return;
    event.preventDefault();
    this.onmove(...step);
  }

  /** The colour of a number on a fill. */
  ink(fill) {
    return inkOn(fill);
  }

  draw() {
    const width = this.root.clientWidth;
    const height = this.root.clientHeight;
    if (!width || !height || !this.value) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w) this.canvas.width = w;
    if (this.canvas.height !== t) this.canvas.height = t;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, w, t);
    const [cw, ch] = [w / this.cols, t / this.rows];
    if (Math.min(cw, ch) < 5 * ratio) this.drawPixels(context, w, t);
    else this.drawCells(context, cw, ch, ratio);
  }

  /** Cells too small for gaps: one pixel each on a small canvas, enlarged. */
  drawPixels(context, w, t) {
    const image = new ImageData(this.cols, this.rows);
    for (let r = 0, k = 0; r < this.rows; r++) {
      for (let c = 0; c < this.cols; c++, k += 4) {
        const v = this.value(r, c);
        if (v !== null) image.data.set([...this.paint(v), 255], k);
      }
    }
    const small = h("canvas", { width: this.cols, height: this.rows });
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, w, t);
  }

  drawCells(context, cw, ch, ratio) {
    const gap = Math.min(cw, ch) > 13 * ratio ? ratio : Math.min(cw, ch) > 8 * ratio ? ratio / 2 : 0;
    const corner = Math.min(cw, ch) > 18 * ratio ? 2 * ratio : 0;
    const style = getComputedStyle(this.root);
    const [line, faint, muted] = ["--line", "--faint", "--muted"].map((name) => style.getPropertyValue(name));
    const size = this.textSize(context, cw, ch, ratio, style.getPropertyValue("--sans"));
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let r = 0; r < this.rows; r++) {
      for (let c = 0; c < this.cols; c++) {
        const v = this.value(r, c);
        const [x, y] = [Math.round(c * cw), Math.round(r * ch)];
        const [width, height] = [Math.round((c + 1) * cw) - x - gap, Math.round((r + 1) * ch) - y - gap];
        const kind = this.kind(r, c);
        const fill = v === null ? null : kind === "pad" ? null : this.paint(v);
        context.beginPath();
        context.roundRect(x, y, width, height, corner);
        context.fillStyle = fill ? css(fill) : faint;
        context.fill();
        if (kind === "drop") hatch(context, x, y, width, height, muted, ratio);
        if (kind === "pad") dashes(context, x, y, width, height, line, ratio);
        if (v !== null && size) {
          context.fillStyle = fill ? this.ink(fill) : muted;
          context.fillText(this.text(v) ?? "", x + width / 2, y + height / 2 + size * 0.04);
        }
      }
    }
  }

  /** One size for all numbers of the grid, set on the context; 0 where they do not fit, or would be a thicket. */
  textSize(context, cw, ch, ratio, family) {
    let size = Math.min(ch * 0.45, 17 * ratio);
    if (size < 8 * ratio) return 0;
    let [widest, fractions] = [0, false];
    context.font = `500 ${size}px ${family}`;
    for (let r = 0; r < this.rows; r++) {
      for (let c = 0; c < this.cols; c++) {
        const v = this.value(r, c);
        const text = v === null ? null : this.text(v);
        if (!text) continue;
        widest = Math.max(widest, context.measureText(text).width);
        fractions ||= text.includes(".");
      }
    }
    const room = cw - 3 * ratio;
    if (widest > room) size *= room / widest;
    if (!widest || size < 7.5 * ratio || (fractions && cw < 25 * ratio)) return 0;
    context.font = `500 ${size}px ${family}`;
    return size;
  }

  /** Outlines called `name` around boxes of cells: [[row, column, height, width]], in the colour of a role. */
  mark(name, boxes, kind = "window") {
    const kept = this.marks.get(name) ?? [];
    while (kept.length > boxes.length) kept.pop().remove();
    while (kept.length < boxes.length) kept.push(this.marksLayer.appendChild(h("div", {})));
    boxes.forEach(([r, c, height, width], index) => {
      const element = kept[index];
      element.className = `mark ${kind}`;
      element.style.top = `${(100 * r) / this.rows}%`;
      element.style.left = `${(100 * c) / this.cols}%`;
      element.style.height = `${(100 * height) / this.rows}%`;
      element.style.width = `${(100 * width) / this.cols}%`;
    });
    this.marks.set(name, kept);
  }

  /** Where a cell is on the screen. */
  rect(r, c) {
    const box = this.root.getBoundingClientRect();
    const [width, height] = [box.width / this.cols, box.height / this.rows];
    return { left: box.left + c * width, top: box.top + r * height, width, height };
  }
}

function hatch(context, x, y, width, height, colour, ratio) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.2 * ratio;
  context.beginPath();
  for (let k = -height; k < width; k += 6 * ratio) {
    context.moveTo(x + k, y + height);
    context.lineTo(x + k + height, y);
  }
  context.stroke();
  context.restore();
}

function dashes(context, x, y, width, height, colour, ratio) {
  context.save();
  context.strokeStyle = colour;
  context.lineWidth = ratio;
  context.setLineDash([2 * ratio, 2 * ratio]);
  context.strokeRect(x + ratio / 2, y + ratio / 2, width - ratio, height - ratio);
  context.restore();
}
