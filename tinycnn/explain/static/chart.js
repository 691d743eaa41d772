// chart: lines over a common axis, drawn in SVG.

const SERIES = [
  ["train", "output"],
  ["test", "kernel"],
  ["valid", "kernel"],
];

/** A line chart in SVG: {name, points: [[x, y]]} per line. */
function chart(title, series, xName, { line, from, to, percent }) {
  const [width, height, left, bottom, top, right] = [520, 280, 46, 34, 12, 12];
  const all = series.flatMap((one) => one.points);
  const [x0, x1] = [Math.min(0, ...all.map(([x]) => x)), Math.max(...all.map(([x]) => x), 1)];
  const [y0, y1] = [
    from ?? Math.min(...all.map(([, y]) => y)),
    to ?? Math.max(...all.map(([, y]) => y), line ? line[0] * 1.06 : 0),
  ];
  const X = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
  const Y = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - bottom - top);
  const text = (y) => (percent ? `${Math.round(y * 100)} %` : String(Number(y.toPrecision(2))));
  const ticks = niceTicks(y0, y1);
  const root = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      class: "chart",
      role: "img",
      "aria-label": `${title}: ${series.map((one) => `${one.name} ends at ${brief(one.points.at(-1)?.[1] ?? 0)}`).join(", ")}`,
    },
    ticks.map((y) => [
      svg("line", { x1: left, x2: width - right, y1: Y(y), y2: Y(y), class: "rule" }),
      svg("text", { x: left - 8, y: Y(y) + 4, class: "tick end" }, text(y)),
    ]),
    niceTicks(x0, x1)
      .filter(Number.isInteger)
      .map((x) => svg("text", { x: X(x), y: height - bottom + 18, class: "tick middle" }, String(x))),
    svg("text", { x: width - right, y: height - 2, class: "tick end" }, xName),
  );
  if (line && line[0] <= y1) {
    root.append(
      svg("line", { x1: left, x2: width - right, y1: Y(line[0]), y2: Y(line[0]), class: "guess-line" }),
      svg("text", { x: width - right, y: Y(line[0]) - 6, class: "tick end" }, line[1]),
    );
  }
  const colour = (name, k) =>
    (SERIES.find(([part]) => name.includes(part)) ?? [null, ["output", "kernel", "input", "gradient"][k % 4]])[1];
  series.forEach((one, k) => {
    root.append(
      svg("polyline", {
        points: one.points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" "),
        class: `curve ${colour(one.name, k)} ${one.name.includes("test") ? "dashed" : ""}`,
      }),
    );
    one.points.forEach(([x, y]) =>
      root.append(
        svg("circle", {
          cx: X(x),
          cy: Y(y),
          r: one.points.length > 40 ? 0 : 2.5,
          class: `point ${colour(one.name, k)}`,
        }),
      ),
    );
  });
  const legend = h(
    "figcaption",
    {},
    h("b", {}, title),
    series.map((one, k) =>
      h(
        "span",
        { class: `legend-item ${colour(one.name, k)} ${one.name.includes("test") ? "dashed" : ""}` },
        one.name.replaceAll("_", " "),
        h(
          "b",
          { class: "num" },
          one.points.length
            ? ` ${percent ? `${(one.points.at(-1)[1] * 100).toFixed(1)} %` : one.points.at(-1)[1].toFixed(3)}`
            : "",
        ),
      ),
    ),
  );
  return h("figure", { class: "panel" }, legend, root);
}

function niceTicks(least, most) {
  const rough = (most - least) / 5;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * base).find((size) => size >= rough);
  const ticks = [];
  for (let v = Math.ceil(least / step - 1e-9) * step; v <= most + 1e-9; v += step)
    ticks.push(Number(v.toPrecision(10)));
  return ticks;
}
