// The question: buttons to guess with; the answer is told after the guess.

const question = {
  mount(view) {
    const { model, root } = view;
    const asked = h("p", { class: "ex-title", text: model.get("_question") });
    const buttons = model.get("_choices").map((text, i) =>
      h("button", { class: "ex-button", type: "button", text, onclick: () => guess(i) }),
    );
    const told = h("p", { class: "ex-question-told", hidden: true });
    root.classList.add("ex-question");
    root.append(
      h("p", { class: "ex-question-sign", text: "Guess first" }),
      asked,
      h("div", { class: "ex-question-choices", role: "group", "aria-label": model.get("_question") }, ...buttons),
      told,
    );
    view.watch("choice", show);
    show();

    function guess(i) {
      model.set("choice", i);
      model.set("answered", true);
      model.save_changes();
      show();
      view.say(told.textContent);
    }

    function show() {
      const choice = model.get("choice");
      const right = model.get("_right");
      told.hidden = choice < 0;
      buttons.forEach((button, i) => {
        button.setAttribute("aria-pressed", String(i === choice));
        button.classList.toggle("ex-question-right", choice >= 0 && i === right);
        button.classList.toggle("ex-question-wrong", i === choice && i !== right);
      });
      if (choice < 0) return;
      const verdict = choice === right ? "Yes." : `No: ${model.get("_choices")[right]}.`;
      told.replaceChildren(h("strong", { text: verdict }), ` ${model.get("_because")}`);
    }
  },
};
