// The tokens of a sentence as chips; the pieces of one word touch, the padding is folded away.

const KINDS = { start: "start", end: "end", padding: "padding" };

/** Whether a token is a further piece of the word that the token before it belongs to. */
function goesOn(token, before) {
  const words = token.kind === "word" && before?.kind === "word";
  return words && before.end === token.start && before.word === token.word;
}

/** A bar below a token's text, empty until `--share`, from 0 to 1, says how full it is. */
function tokenBar() {
  return h("span", { class: "ex-token-bar" }, h("span"));
}

const tokenRow = {
  mount(view) {
    const { model, root } = view;
    const row = h("ul", { class: "ex-tokens" });
    const unread = h("p", { class: "ex-tokens-unread" });
    root.append(row, unread);
    let open = false;
    view.watch(["_tokens", "_truncated"], draw);
    draw();

    function draw() {
      const tokens = model.get("_tokens");
      const padding = tokens.filter(({ kind }) => kind === "padding");
      const others = tokens.filter(({ kind }) => kind !== "padding");
      row.replaceChildren(...others.map((token, i) => chip(token, others[i - 1])));
      if (padding.length) row.append(h("li", {}, fold(padding.length)));
      if (open) row.append(...padding.map((token) => chip(token)));
      const cut = model.get("_truncated");
      unread.hidden = !cut;
      unread.replaceChildren("Never read, because the sentence is too long: ", h("em", { text: cut }));
    }

    function fold(count) {
      return h("button", {
        class: "ex-button ex-button-quiet",
        type: "button",
        "aria-expanded": String(open),
        text: open ? "hide padding" : `+ ${count} padding`,
        onclick: () => {
          open = !open;
          draw();
          row.querySelector("button").focus();
        },
      });
    }

    function chip(token, before) {
      const joined = goesOn(token, before);
      const special = KINDS[token.kind];
      const text = special ?? token.text.trim();
      const about = special ? `special token, ${special}` : `piece of “${token.word ?? token.text}”`;
      return h(
        "li",
        { class: "ex-token", "data-kind": token.kind, "data-joined": joined, title: about },
        h("span", { class: "ex-token-text", text }),
        h("span", { class: "ex-token-id ex-number", text: token.id }),
      );
    }
  },
};
