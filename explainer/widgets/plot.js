// The plot: curves as SVG, drawn for the width there is; a point is read out that the pointer is near or
// the arrow keys have come to.

const PLOT_EDGE = { left: 46, right: 10, top: 10, bottom: 40 };
const PLOT_DASHES = ["", "5 4", "1 4"];
const PLOT_FEW = 12; // So many points a curve are marked, and their places written below.
const PLOT_LETTERS = 24; // Room for a number, in pixels.

function plotNumber(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-GB");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Round numbers across a range: steps of 1, 2 or 5 times a power of ten. */
function plotTicks(low, high) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

const plot = {
  mount(view) {
    const { model, root } = view;
    const svg = h("svg:svg", { class: "ex-plot" });
    const key = h("p", { class: "ex-plot-key ex-small" });
    const reading = h("p", { class: "ex-small ex-number ex-plot-reading" });
    const waits = h("p", { class: "ex-ghost", hidden: true });
    const title = h("p", { class: "ex-small ex-plot-title", "aria-hidden": "true" });
    root.append(waits, key, title, svg, reading);
    let pointed = null;
    let walked = null;
    const ask = view.redraw(draw);
    view.watch(["_curves", "position", "shown"], ask);
    readable(view, svg, reading, {
      over: (event) => read({ x: event.offsetX, y: event.offsetY }, null),
      leave: () => read(null, null),
      step: walk,
    });
    ask();

    function read(at, point) {
      pointed = at;
      walked = point;
      ask();
    }

    /** Left and right go from point to point, up and down to the other curves. */
    function walk(right, down) {
      const curves = Object.values(model.get("_curves"));
      const from = walked ?? { i: -down, k: -right };
      const i = clamp(from.i + down, 0, curves.length - 1);
      read(null, { i, k: clamp(from.k + right, 0, curves[i].length - 1) });
    }

    function ranges(curves, width, height) {
      const { equal, percent } = model.get("_words");
      const all = Object.values(curves).flat();
      const bounds = [0, 1].map((axis) => {
        const values = all.map((point) => point[axis]);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const room = (high - low || 1) * 0.05;
        if (axis && percent) return [Math.max(0, Math.floor(20 * low - 0.1) / 20), Math.ceil(20 * high) / 20]; // whole steps of 5 %
        return [low - room, high + room];
      });
      if (!equal) return bounds;
      const [wide, tall] = bounds.map(([low, high], axis) => (high - low) / [width, height][axis]);
      const scale = Math.max(wide, tall);
      return bounds.map(([low, high], axis) => {
        const [middle, reach] = [(low + high) / 2, (scale * [width, height][axis]) / 2];
        return [middle - reach, middle + reach];
      });
    }

    function draw() {
      for (const node of [key, title, svg, reading]) node.toggleAttribute("hidden", !model.get("shown"));
      const words = model.get("_words");
      const curves = words.log ? inLogarithms(model.get("_curves")) : model.get("_curves");
      waits.hidden = model.get("shown");
      title.textContent = words.y && `↑ ${words.y}`;
      waits.textContent = `The curves wait for your guess: ${words.y}, by ${words.x}.`;
      const full = svg.clientWidth;
      if (!full) return;
      const tall = words.equal ? clamp(0.62 * full, 220, 420) : clamp(0.42 * full, 190, 320);
      svg.setAttribute("height", tall);
      svg.setAttribute("viewBox", `0 0 ${full} ${tall}`);
      svg.setAttribute("aria-label", `${words.y} by ${words.x}: ${Object.keys(curves).join(", ")}. Arrow keys read the points.`);
      const [width, height] = [full - PLOT_EDGE.left - PLOT_EDGE.right, tall - PLOT_EDGE.top - PLOT_EDGE.bottom];
      const [across, up] = ranges(curves, width, height);
      const x = (value) => PLOT_EDGE.left + (width * (value - across[0])) / (across[1] - across[0]);
      const y = (value) => PLOT_EDGE.top + height * (1 - (value - up[0]) / (up[1] - up[0]));
      const nodes = [...axes(words, across, up, x, y, full, tall)];
      Object.values(curves).forEach((points, i) => nodes.push(...lineOf(points, i, x, y)));
      if (words.equal) nodes.push(...endsOf(Object.values(curves), x, y));
      svg.replaceChildren(...nodes);
      key.replaceChildren(...Object.keys(curves).map(keyOf));
      showReading(curves, x, y);
    }

    function axes(words, across, up, x, y, full, tall) {
      const bottom = tall - PLOT_EDGE.bottom;
      const nodes = plotTicks(...up).flatMap((value) => [
        h("svg:path", { class: "ex-plot-grid", d: `M${PLOT_EDGE.left} ${y(value)}H${full - PLOT_EDGE.right}` }),
        h("svg:text", { x: PLOT_EDGE.left - 6, y: y(value) + 4, "text-anchor": "end", text: heightOf(value) }),
      ]);
      for (const value of places(across, x)) {
        nodes.push(h("svg:text", { x: x(value), y: bottom + 15, "text-anchor": "middle", text: plotNumber(placeOf(value)) }));
      }
      nodes.push(h("svg:text", { x: full - PLOT_EDGE.right, y: tall - 6, "text-anchor": "end", text: words.x && `${words.x} →` }));
      return nodes;
    }

    /** Where the horizontal axis is written on: where it was measured, if that is at few places. */
    function places(across, x) {
      const { log, equal } = model.get("_words");
      const measured = [...new Set(Object.values(model.get("_curves")).flatMap((points) => points.map(([a]) => (log ? Math.log(a) : a))))];
      if (equal || (measured.length > PLOT_FEW && !log)) return plotTicks(...across);
      const apart = [];
      for (const value of measured.sort((a, b) => a - b)) {
        if (!apart.length || x(value) - x(apart.at(-1)) >= PLOT_LETTERS) apart.push(value);
      }
      return apart;
    }

    /** What was measured, of a place on the horizontal axis. */
    function placeOf(value) {
      return model.get("_words").log ? Math.exp(value) : value;
    }

    function heightOf(value) {
      return model.get("_words").percent ? `${plotNumber(100 * value)} %` : plotNumber(value);
    }

    function inLogarithms(curves) {
      return Object.fromEntries(Object.entries(curves).map(([name, points]) => [name, points.map(([a, b]) => [Math.log(a), b])]));
    }

    /** Where the ways begin, and where the first of them ends: the others mostly end at the same place. */
    function endsOf(ways, x, y) {
      const mark = ([a, b], words, away, i) => [
        h("svg:circle", { class: `ex-plot-point ex-plot-line-${i % 3}`, cx: x(a), cy: y(b), r: 4 }),
        h("svg:text", { class: "ex-plot-end", x: x(a), y: y(b) + away, "text-anchor": "middle", text: words }),
      ];
      return [...ways.flatMap((points, i) => mark(points[0], "start", -11, i)), ...mark(ways[0].at(-1), "end", 20, 0)];
    }

    function lineOf(points, i, x, y) {
      const d = points.map(([a, b], k) => `${k ? "L" : "M"}${x(a)} ${y(b)}`).join("");
      const nodes = [h("svg:path", { class: `ex-plot-line ex-plot-line-${i % 3}`, "stroke-dasharray": PLOT_DASHES[i % 3], d })];
      if (points.length <= PLOT_FEW) nodes.push(...points.map(([a, b]) => h("svg:circle", { class: `ex-plot-point ex-plot-line-${i % 3}`, cx: x(a), cy: y(b), r: 3 })));
      const at = model.get("position");
      if (at >= 0) {
        const [a, b] = points[Math.min(at, points.length - 1)];
        nodes.push(h("svg:circle", { class: `ex-plot-mark ex-plot-line-${i % 3}`, cx: x(a), cy: y(b), r: 6 }));
      }
      return nodes;
    }

    function keyOf(name, i) {
      const d = "M0 6H26";
      const line = h("svg:path", { class: `ex-plot-line ex-plot-line-${i % 3}`, "stroke-dasharray": PLOT_DASHES[i % 3], d });
      return h("span", {}, h("svg:svg", { width: 26, height: 12, "aria-hidden": "true" }, line), ` ${name}`);
    }

    function showReading(curves, x, y) {
      const all = Object.entries(curves).flatMap(([name, points], i) => points.map(([a, b], k) => ({ name, a, b, i, k })));
      const away = ({ a, b }) => Math.hypot(x(a) - pointed.x, y(b) - pointed.y);
      const near = pointed
        ? all.reduce((best, point) => (away(point) < away(best) ? point : best))
        : all.find(({ i, k }) => i === walked?.i && k === walked?.k);
      reading.textContent = near
        ? `${near.name}, point ${near.k + 1}: ${plotNumber(placeOf(near.a))}, ${heightOf(near.b)}`
        : "Point at a curve to read it.";
    }
  },
};
