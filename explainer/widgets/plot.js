// The plot: curves as SVG, drawn for the width there is; a point is read out that the pointer is near or
// the arrow keys have come to.

const PLOT_EDGE = { left: 46, right: 10, top: 10, bottom: 40 };
const PLOT_DASHES = ["", "5 4", "1 4"];

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
    const waits = h("p", { class: "ex-small", hidden: true });
    root.append(waits, key, svg, reading);
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
      const all = Object.values(curves).flat();
      const bounds = [0, 1].map((axis) => {
        const values = all.map((point) => point[axis]);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const room = (high - low || 1) * 0.05;
        return [low - room, high + room];
      });
      if (!model.get("_words").equal) return bounds;
      const [wide, tall] = bounds.map(([low, high], axis) => (high - low) / [width, height][axis]);
      const scale = Math.max(wide, tall);
      return bounds.map(([low, high], axis) => {
        const [middle, reach] = [(low + high) / 2, (scale * [width, height][axis]) / 2];
        return [middle - reach, middle + reach];
      });
    }

    function draw() {
      for (const node of [key, svg, reading]) node.toggleAttribute("hidden", !model.get("shown"));
      const curves = model.get("_curves");
      const words = model.get("_words");
      waits.hidden = model.get("shown");
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
      svg.replaceChildren(...nodes);
      key.replaceChildren(...Object.keys(curves).map(keyOf));
      showReading(curves, words, x, y);
    }

    function axes(words, across, up, x, y, full, tall) {
      const bottom = tall - PLOT_EDGE.bottom;
      const nodes = plotTicks(...up).flatMap((value) => [
        h("svg:path", { class: "ex-plot-grid", d: `M${PLOT_EDGE.left} ${y(value)}H${full - PLOT_EDGE.right}` }),
        h("svg:text", { x: PLOT_EDGE.left - 6, y: y(value) + 4, "text-anchor": "end", text: plotNumber(value) }),
      ]);
      for (const value of plotTicks(...across)) {
        nodes.push(h("svg:text", { x: x(value), y: bottom + 15, "text-anchor": "middle", text: plotNumber(value) }));
      }
      nodes.push(h("svg:text", { x: full - PLOT_EDGE.right, y: tall - 6, "text-anchor": "end", text: words.x }));
      return nodes;
    }

    function lineOf(points, i, x, y) {
      const d = points.map(([a, b], k) => `${k ? "L" : "M"}${x(a)} ${y(b)}`).join("");
      const nodes = [h("svg:path", { class: `ex-plot-line ex-plot-line-${i % 3}`, "stroke-dasharray": PLOT_DASHES[i % 3], d })];
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

    function showReading(curves, words, x, y) {
      const all = Object.entries(curves).flatMap(([name, points], i) => points.map(([a, b], k) => ({ name, a, b, i, k })));
      const away = ({ a, b }) => Math.hypot(x(a) - pointed.x, y(b) - pointed.y);
      const near = pointed
        ? all.reduce((best, point) => (away(point) < away(best) ? point : best))
        : all.find(({ i, k }) => i === walked?.i && k === walked?.k);
      reading.textContent = near
        ? `${near.name}, point ${near.k + 1}: ${plotNumber(near.a)}, ${plotNumber(near.b)}`
        : `Upwards: ${words.y}. Point at a curve to read it.`;
    }
  },
};
