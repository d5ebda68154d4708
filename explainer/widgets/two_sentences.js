// Two sentences; the reader guesses how alike they are to the encoder before it is shown.

const twoSentences = {
  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const boxes = ["first", "second"].map((name) => {
      const box = sentenceBox({ class: "ex-input ex-two-box", spellcheck: "false", disabled: !live });
      const one = field(name, name === "first" ? "The first sentence" : "The second sentence", "", box);
      box.addEventListener("input", () => {
        model.set(name, box.value);
        model.save_changes();
      });
      return one;
    });
    const chips = h("div", { class: "ex-chips", role: "group", "aria-label": "Experiments" });
    const range = h("input", { class: "ex-slider", type: "range", min: 0, max: 100, value: 50, "aria-label": "Your guess, in hundredths of the cosine" });
    const guess = h("output", { class: "ex-number" });
    const reveal = h("button", { class: "ex-button ex-button-main", type: "button", text: "Show me", onclick: show });
    const asking = h(
      "div",
      { class: "ex-two-guess" },
      h("p", { class: "ex-title", text: "Your guess: how alike are they to the encoder?" }),
      h("div", { class: "ex-field-row" }, h("span", { class: "ex-small", text: "nothing in common, 0" }), range, h("span", { class: "ex-small", text: "the same, 1" }), guess, reveal),
    );
    const told = h("p", { class: "ex-two-told" });
    const inner = h("div");
    root.append(chips, h("div", { class: "ex-two-boxes" }, ...boxes.map(({ node }) => node)), live ? "" : onlyLive("Comparing other sentences"), asking, told, inner);
    fingerprint.mount(Object.assign(Object.create(view), { root: inner, redraw: view.redraw.bind(view) }));
    let revealed = false;
    range.addEventListener("input", showGuess);
    view.watch(["first", "second"], fill);
    view.watch("_alike", tell);
    view.watch("_experiments", showChips);
    showChips();
    fill();
    showGuess();
    open(false);

    function fill() {
      boxes[0].text = model.get("first");
      boxes[1].text = model.get("second");
    }

    function showChips() {
      chips.replaceChildren(
        ...model.get("_experiments").map(([title, a, b]) =>
          h("button", { class: "ex-chip", type: "button", text: title, onclick: () => experiment(a, b) }),
        ),
      );
      chips.hidden = !live;
    }

    function experiment(a, b) {
      open(false);
      model.set("first", a);
      model.set("second", b);
      model.save_changes();
    }

    function showGuess() {
      guess.textContent = (range.value / 100).toFixed(2);
    }

    function show() {
      open(true);
      view.reveal(told);
    }

    function open(yes) {
      revealed = yes;
      asking.hidden = yes;
      inner.hidden = !yes;
      told.hidden = !yes;
      tell();
    }

    function tell() {
      if (!revealed) return;
      const { cosine, same, same_tokens: sameTokens } = model.get("_alike");
      const verdict = same
        ? sameTokens
          ? "Not one number differs: both sentences are the same tokens, so to the model they are one sentence."
          : "Not one number differs, although the tokens do."
        : "They differ, so they are two sentences to the model.";
      told.replaceChildren(
        h("strong", { class: "ex-number", text: `Cosine ${cosine.toFixed(3)}` }),
        ` (you said ${(range.value / 100).toFixed(2)}). ${verdict}`,
      );
      view.say(told);
    }
  },
};
