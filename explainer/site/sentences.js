// Sentences that are typed into a page without a kernel are cut into tokens by the page itself.

// One for all letters: an alert that is written anew is read out anew.
const BEHIND_SENTENCE = { kind: "info", text: "This still shows the recorded sentence: for another it needs a live page." };

/** Give every sentence of the page somebody who reads it, if it was read by this tokenizer before. */
function attachSentences(models) {
  const tokenizer = new Tokenizer(JSON.parse(document.getElementById("tokenizer").textContent));
  const ids = (tokens) => tokens.map(({ id }) => id).join();
  for (const [i, model] of models.entries()) {
    if (classOf(model) !== "Sentence") continue;
    if (ids(tokenizer.read(model.get("sentence")).tokens) !== ids(model.get("_tokens"))) continue;
    const others = models.slice(i + 1).filter((one) => ["TokenLayers", "WordMaps"].includes(classOf(one)));
    model.send = () => {};
    model.on("change:query", () => model.set("sentence", new URLSearchParams(model.get("query")).get("prompt")));
    model.on("change:sentence", () => {
      const text = model.get("sentence");
      const over = [...text].length - model.get("_limit");
      if (over > 0) return model.set("_notice", { kind: "error", text: `${over} characters too many: shorten the sentence.` });
      const { tokens, truncated } = tokenizer.read(text);
      model.update({ _tokens: tokens, _truncated: truncated, _notice: {} });
      for (const one of others) one.set("_notice", BEHIND_SENTENCE);
    });
  }
}
