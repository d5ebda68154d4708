// Series: places for pictures that are drawn one after another, those to come with their progress.

/** A place for a picture: its canvas, and a bar while it is drawn. */
function seriesPlace(title) {
  const canvas = h("canvas", { role: "img", "aria-label": title });
  const bar = h("progress", { max: 1, "aria-label": `Progress of ${title}` });
  return { canvas, bar, node: h("span", { class: "ex-series-place" }, canvas, bar) };
}

/** Places for what is still to come; the first of them is being drawn. */
function seriesWaiting(waiting) {
  return waiting.map(({ title, share }, i) => {
    const { canvas, bar, node } = seriesPlace(title);
    canvas.setAttribute("aria-label", `${title}: not drawn yet`);
    if (i || share === null) bar.removeAttribute("value");
    else bar.value = share;
    bar.hidden = i > 0;
    return h("li", { class: "ex-series-waiting" }, node, h("span", { class: "ex-small", text: title }));
  });
}

/** Send and cancel, for a form of a series; `go` waits while something is drawn. */
function seriesButtons(view, words) {
  const { model } = view;
  const go = h("button", { class: "ex-button ex-button-main", type: "submit", text: words });
  const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
  const told = h("span", { class: "ex-small ex-number" });
  let before = 0;
  view.watch("_waiting", show);
  show();
  return h("span", { class: "ex-series-buttons" }, go, cancel, told);

  function show() {
    const left = model.get("_waiting").length;
    go.setAttribute("aria-disabled", String(left > 0));
    hide(cancel, !left, go);
    told.textContent = left ? `${left} to come` : "";
    if (before && !left) view.say(model.get("_ending"));
    before = left;
  }
}
