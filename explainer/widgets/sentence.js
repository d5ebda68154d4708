// A sentence that is taken apart as it is typed, and shelves of known words to build one from.

const sentence = {
  start: openAddress,

  mount(view) {
    const { model, root } = view;
    const live = typeof model.send === "function";
    const prompt = promptField(view, "Write a sentence", live);
    const shelves = h("div", { class: "ex-shelves" });
    const facts = h("p", { class: "ex-sentence-facts ex-number" });
    root.append(prompt.node, live ? shelves : onlyLive("A sentence of your own"), facts);
    tokenRow.mount(view);
    prompt.control.addEventListener("input", () => write(prompt.text));
    view.watch("sentence", fill);
    view.watch("_shelves", showShelves);
    view.watch("_tokens", showFacts);
    fill();
    showShelves();
    showFacts();

    function fill() {
      prompt.text = model.get("sentence");
    }

    function write(text) {
      model.set("sentence", text);
      model.save_changes();
    }

    function showShelves() {
      shelves.replaceChildren(...Object.entries(model.get("_shelves")).map(shelf));
      shelves.hidden = !live || !shelves.children.length;
    }

    function shelf([name, phrases]) {
      const chips = phrases.map((text) =>
        h("button", { class: "ex-chip", type: "button", text, onclick: () => add(text) }),
      );
      return h("details", {}, h("summary", { text: name }), h("div", { class: "ex-chips" }, ...chips));
    }

    function add(phrase) {
      const before = prompt.text.trimEnd();
      prompt.text = before ? `${before} ${phrase}` : phrase;
      write(prompt.text);
    }

    function showFacts() {
      const tokens = model.get("_tokens");
      const of = (kind) => tokens.filter((token) => token.kind === kind).length;
      facts.textContent = [
        `${of("word")} ${of("word") === 1 ? "token" : "tokens"} of yours`,
        "1 start and 1 end",
        `${of("padding")} of padding: ${tokens.length} places in all`,
        cutWords(tokens),
      ]
        .filter(Boolean)
        .join(" · ");
    }
  },
};

/** The words that no single token stands for, and how many pieces each is cut into. */
function cutWords(tokens) {
  const words = new Map();
  tokens.forEach((token, i) => {
    if (token.kind !== "word" || token.word === token.text) return;
    words.set(token.word, goesOn(token, tokens[i - 1]) ? words.get(token.word) + 1 : 1);
  });
  const list = [...words].map(([word, pieces]) => `“${word}” into ${pieces}`);
  return list.length ? `cut: ${list.join(", ")}` : "";
}
