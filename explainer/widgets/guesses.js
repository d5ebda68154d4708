// The guesses: panels, and where there is a model to ask, a way to ask about another picture.

const guesses = {
  mount(view) {
    panels.mount(view);
    const { model, root } = view;
    if (!model.get("_live") || typeof model.send !== "function") return;
    const prompt = h("input", { class: "ex-guesses-prompt", type: "text", placeholder: "What it shows, if you like", "aria-label": "What the picture shows" });
    const go = h("button", { class: "ex-button ex-button-main", type: "submit", text: "Ask about the picture above" });
    const bar = h("progress", { class: "ex-guesses-bar", max: 1, "aria-label": "Levels asked" });
    const told = h("span", { class: "ex-small ex-number" });
    const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
    root.append(h("form", { class: "ex-guesses-form", onsubmit: ask }, prompt, go, bar, told, cancel));
    view.watch("_status", showStatus);
    showStatus();

    function ask(event) {
      event.preventDefault();
      model.send({ type: "ask", prompt: prompt.value });
    }

    function showStatus() {
      const { state, step, total } = model.get("_status");
      const busy = state === "queued" || state === "running";
      for (const node of [bar, told, cancel]) node.hidden = !busy;
      go.disabled = busy;
      bar.value = total ? step / total : 0;
      told.textContent = state === "queued" ? "waiting" : step ? `level ${step} of ${total}` : "waking the model";
      if (state === "done") view.say("The model has answered.");
    }
  },
};
