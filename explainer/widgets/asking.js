// A row to ask the model with: what the widget puts before it, a button, how far it is, and Cancel.

function askRow(view, { words, unit, send, buffers = () => [], fields = [], quiet = false, done = "The model has answered." }) {
  const { model } = view;
  const go = h("button", { class: quiet ? "ex-button" : "ex-button ex-button-main", type: "submit", text: words });
  const bar = h("progress", { class: "ex-ask-bar", max: 1, "aria-label": "Progress" });
  const told = h("span", { class: "ex-small ex-number" });
  const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
  const form = h("form", { class: "ex-ask", onsubmit: ask }, ...fields, go, bar, told, cancel);
  view.watch("_status", () => {
    showStatus();
    const told = { done, cancelled: "Stopped." }[model.get("_status").state];
    if (told) view.say(told);
  });
  showStatus();
  return form;

  function ask(event) {
    event.preventDefault();
    model.send({ type: "ask", ...send() }, undefined, buffers());
  }

  function showStatus() {
    const { state, step, total } = model.get("_status");
    const busy = state === "queued" || state === "running";
    // What is asked without the button, as by a slider, takes the place of what is under way.
    go.setAttribute("aria-disabled", String(busy));
    for (const node of [bar, told]) node.hidden = !busy;
    hide(cancel, !busy, go);
    bar.value = total ? step / total : 0;
    told.textContent = state === "queued" ? "waiting" : step ? `${unit} ${step} of ${total}` : "waking the model";
  }
}

/** Whether there is a model to ask: a kernel behind the page, and somebody who computes. */
function canAsk({ model }) {
  return Boolean(model.get("_live")) && typeof model.send === "function";
}
