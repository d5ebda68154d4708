// The view menu: one button a view, stage by stage; what does not apply says why.

const viewMenu = {
  mount(view) {
    const { model, root } = view;
    const live = canAsk(view);
    const prompt = h("p", { class: "ex-title ex-menu-prompt" });
    const about = h("p", { class: "ex-small ex-number" });
    const stages = h("div", { class: "ex-menu-stages" });
    const bar = h("progress", { class: "ex-ask-bar", max: 1, "aria-label": "Progress" });
    const told = h("span", { class: "ex-small ex-number" });
    const cancel = h("button", { class: "ex-button", type: "button", text: "Cancel", onclick: () => model.send({ type: "cancel" }) });
    const waiting = h("div", { class: "ex-ask", hidden: true }, told, bar, cancel);
    root.append(h("div", {}, prompt, about), stages, waiting);
    if (!live) root.append(onlyLive("Another view"));
    view.watch(["_stages", "_facts"], load);
    view.watch(["chosen", "_asking", "_status"], show);
    view.watch("chosen", () => view.say(`${model.get("chosen")} is on show.`));
    load();

    function load() {
      const facts = model.get("_facts");
      prompt.textContent = `“${facts.prompt}”`;
      about.textContent = facts.about;
      renew(stages, ...model.get("_stages").map(stage));
      show();
    }

    function stage({ name, views }) {
      const fitting = views.filter((one) => !one.why_not);
      const reasons = new Map();
      for (const one of views.filter(({ why_not }) => why_not)) {
        reasons.set(one.why_not, [...(reasons.get(one.why_not) ?? []), one.name]);
      }
      return h(
        "section",
        { class: "ex-menu-stage" },
        h("p", { class: "ex-title", text: name }),
        h("div", { class: "ex-menu-views", role: "group", "aria-label": `${name}: views` }, ...fitting.map(button)),
        reasons.size ? whyNot(reasons) : null,
      );
    }

    function button({ name }) {
      const choose = () => model.send({ type: "ask", view: name });
      return h("button", { class: "ex-button ex-menu-view", type: "button", text: name, disabled: !live, "data-view": name, onclick: choose });
    }

    function whyNot(reasons) {
      const lines = [...reasons].map(([reason, names]) => h("li", {}, h("strong", { text: names.join(", ") }), `: ${reason}`));
      return h("ul", { class: "ex-menu-not ex-small" }, ...lines);
    }

    function show() {
      const { state, step, total } = model.get("_status");
      const busy = state === "queued" || state === "running";
      const chosen = busy ? model.get("_asking") : model.get("chosen");
      for (const one of stages.querySelectorAll(".ex-menu-view")) {
        one.setAttribute("aria-pressed", String(one.dataset.view === chosen));
      }
      const begun = busy && waiting.hidden;
      hide(waiting, !busy, stages.querySelector('[aria-pressed="true"]') ?? stages.querySelector("button"));
      bar.value = total ? step / total : 0;
      const where = state === "queued" ? "waiting" : step ? `${step} of ${total}` : "waking the model";
      told.textContent = busy ? `${model.get("_asking")}: ${where}` : "";
      if (begun) view.say(told.textContent);
    }
  },
};
