// A row to ask the model with: what the widget puts before it, a button, how far it is, and Cancel.

function askRow(view, { words, unit, send, fields = [], done = "The model has answered." }) {
  const { model } = view;
  const go = h("button", { class: "ex-button ex-button-main", type: "submit", text: words });
  const bar = h("progress", { class: "ex-ask-bar", max: 1, "aria-label": "Progress" });
  const told = h("span", { class: "ex-small ex-number" });
  const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
  const form = h("form", { class: "ex-ask", onsubmit: ask }, ...fields, go, bar, told, cancel);
  view.watch("_status", showStatus);
  showStatus();
  return form;

  function ask(event) {
    event.preventDefault();
    model.send({ type: "ask", ...send() });
  }

  function showStatus() {
    const { state, step, total } = model.get("_status");
    const busy = state === "queued" || state === "running";
    for (const node of [bar, told, cancel]) node.hidden = !busy;
    go.disabled = busy;
    bar.value = total ? step / total : 0;
    told.textContent = state === "queued" ? "waiting" : step ? `${unit} ${step} of ${total}` : "waking the model";
    if (state === "done") view.say(done);
  }
}

/** Whether there is a model to ask: a kernel behind the page, and somebody who computes. */
function canAsk({ model }) {
  return Boolean(model.get("_live")) && typeof model.send === "function";
}
