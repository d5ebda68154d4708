// What the style page's widgets have in common: pictures with a line below, fields, two lines in one curve.

function pictureFigure(words = "") {
  const canvas = h("canvas", { role: "img", "aria-label": words });
  const caption = h("figcaption", { class: "ex-small ex-number", text: words });
  return { canvas, caption, node: h("figure", {}, canvas, caption) };
}

function labelled(title, control, short = false) {
  const name = short ? "ex-labelled ex-labelled-short" : "ex-labelled";
  return h("label", { class: name }, h("span", { class: "ex-small", text: title }), control);
}

/** A curve slider with a second, dashed line; it moves `position` of the model. */
function twoLineSlider(model, words) {
  const slider = curveSlider(words);
  const line = h("svg:path", { class: "ex-style-second", "vector-effect": "non-scaling-stroke" });
  slider.node.querySelector("svg").append(line);
  slider.range.addEventListener("input", () => {
    model.set("position", Number(slider.range.value));
    model.save_changes();
  });
  return {
    ...slider,
    draw(first, second, { floor = 0, ceiling = 1 } = {}) {
      slider.draw(first, { floor, ceiling });
      const shares = second.map((value) => (value === null ? null : clamp((value - floor) / (ceiling - floor || 1), 0, 1)));
      line.setAttribute("d", curvePath(shares));
    },
  };
}

/** What the two lines are. */
function twoLineKey(first, second, rest = "") {
  const sample = (name) => h("svg:svg", { "aria-hidden": "true" }, h("svg:path", { class: name, d: "M0 5H26" }));
  return h(
    "p",
    { class: "ex-small ex-style-key" },
    sample("ex-curve-line"),
    ` ${first} `,
    ...(second ? [sample("ex-style-second"), ` ${second}`] : []),
    `. ${rest}`,
  );
}
