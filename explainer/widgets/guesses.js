// The guesses: panels, and where there is a model to ask, a way to ask about another picture.

const guesses = {
  mount(view) {
    panels.mount(view);
    if (!canAsk(view)) return view.root.append(onlyLive("Asking about a picture of your own"));
    const prompt = sentenceBox({ placeholder: "What it shows, if you like", "aria-label": "What the picture shows" });
    view.root.append(
      askRow(view, { words: "Ask about the picture above", unit: "level", fields: [prompt], send: () => ({ prompt: prompt.value }) }),
    );
  },
};
