// Sentences that are typed into a page without a kernel are cut into tokens by the page itself.

/** Give every sentence of the page somebody who reads it, if it was read by this tokenizer before. */
function attachSentences(models) {
  const tokenizer = new Tokenizer(JSON.parse(document.getElementById("tokenizer").textContent));
  const kindOf = (model) => String(model.get("_anywidget_id")).split(".").at(-1);
  const ids = (tokens) => tokens.map(({ id }) => id).join();
  for (const [i, model] of models.entries()) {
    if (kindOf(model) !== "Sentence") continue;
    if (ids(tokenizer.read(model.get("sentence")).tokens) !== ids(model.get("_tokens"))) continue;
    const others = models.slice(i + 1).filter((one) => ["TokenLayers", "WordMaps"].includes(kindOf(one)));
    model.send = () => {};
    model.on("change:query", () => model.set("sentence", new URLSearchParams(model.get("query")).get("prompt")));
    model.on("change:sentence", () => {
      const text = model.get("sentence");
      const over = [...text].length - model.get("_limit");
      if (over > 0) return model.set("_notice", { kind: "error", text: `${over} characters too many: shorten the sentence.` });
      const { tokens, truncated } = tokenizer.read(text);
      model.update({ _tokens: tokens, _truncated: truncated, _notice: {} });
      const behind = { kind: "info", text: "This still shows the recorded sentence: for another it needs a live page." };
      for (const one of others) one.set("_notice", behind);
    });
  }
}
