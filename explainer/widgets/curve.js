// A slider that lies on a curve: the whole area can be dragged, a dot rides along the line.

/** Values at 0 to 1 of the height as a path on 100 × 100, gaps where a value is missing. */
function curvePath(shares, upTo = shares.length - 1) {
  let path = "";
  let open = false;
  for (let i = 0; i <= upTo; i += 1) {
    const share = shares[i];
    if (share === null || share === undefined || Number.isNaN(share)) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${(100 * i) / Math.max(1, shares.length - 1)} ${100 - 100 * share}`;
    open = true;
  }
  return path;
}

function curveSlider({ label, from, to }) {
  const line = h("svg:path", { class: "ex-curve-line", "vector-effect": "non-scaling-stroke" });
  const rule = h("svg:path", { class: "ex-curve-rule", "vector-effect": "non-scaling-stroke" });
  const svg = h(
    "svg:svg",
    { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    rule,
    line,
  );
  const marked = h("div", { "aria-hidden": "true" });
  const dot = h("span", { class: "ex-curve-dot", "aria-hidden": "true" });
  const stem = h("span", { class: "ex-curve-stem", "aria-hidden": "true" });
  const range = h("input", { class: "ex-unseen", type: "range", min: 0, step: 1, "aria-label": label });
  const low = h("span", { text: from });
  const high = h("span", { text: to });
  const node = h(
    "div",
    { class: "ex-curve" },
    h("div", { class: "ex-curve-plot" }, svg, marked, stem, dot),
    range,
    h("div", { class: "ex-curve-ends ex-small", "aria-hidden": "true" }, low, high),
  );
  let shares = [];
  return {
    node,
    range,
    /** `values` from left to right; `level` draws a dashed line across, `marks` are heights to name: [value, words]. */
    draw(values, { floor = 0, ceiling = 1, level = null, marks = [] } = {}) {
      const span = ceiling - floor || 1;
      const share = (value) => (value === null ? null : clamp((value - floor) / span, 0, 1));
      shares = values.map(share);
      range.max = values.length - 1;
      line.setAttribute("d", curvePath(shares));
      rule.setAttribute("d", level === null ? "" : `M0 ${100 - 100 * share(level)}H100`);
      marked.replaceChildren(...marks.map(([value, text]) => h("div", { class: "ex-curve-mark", style: `top: ${100 - 100 * share(value)}%` }, h("span", { class: "ex-number", text }))));
    },
    place(i, words) {
      range.value = i;
      range.setAttribute("aria-valuetext", words);
      dot.style.left = stem.style.left = `${(100 * i) / Math.max(1, shares.length - 1)}%`;
      dot.style.top = stem.style.top = `${100 - 100 * (shares[i] ?? 0)}%`;
    },
  };
}
