// The guided tour: short steps through all pages. Each opens and marks one part, and says one thing to
// try. The step stands in the address (?tour=3), so that it goes on after a page is turned.

(() => {
  "use strict";

  const ALL = [
    {
      page: "00_overview",
      at: ".ex:has(.ex-tokens)",
      title: "Words become numbers",
      text: "The model has a list of pieces of words. Your sentence is cut into such pieces, the tokens, and each is looked up by its number.",
      try: "Find the tokens that stand for no word of yours: one begins the text, one ends it, and padding fills the rest.",
    },
    {
      page: "00_overview",
      at: ".ex:has(.ex-player):not(:has(.ex-studio))",
      title: "A picture comes out of noise",
      text: "On the left is what the computer works on, on the right the picture that the model expects behind it at this step.",
      try: "Put the slider to the left end. Then move it slowly, and stop when you know what it will be.",
    },
    {
      page: "00_overview",
      at: ".ex:has(.ex-latents)",
      title: "None of it happens on pixels",
      text: "These cells are the latents. The model only ever sees them; a decoder makes the picture of them at the end.",
      try: "Move the slider, and watch the cells.",
    },
    {
      page: "01_text",
      at: ".ex:has(.ex-shelves)",
      title: "Take your own sentence apart",
      text: "What the model never met in training is underlined. It is not refused; it only means nothing.",
      try: "Type your name. Into how many pieces is it cut?",
    },
    {
      page: "01_text",
      at: ".ex:has(.ex-layers-tokens)",
      title: "Words look at each other",
      text: "In each layer every token takes something from the tokens before it. The bars under the words say how much.",
      try: "Choose “blue”, then “dress”, and compare from where they take.",
    },
    {
      page: "01_text",
      at: ".ex:has(.ex-words-form)",
      title: "Where a word is looked up",
      text: "While it draws, every place of the picture looks some words up more than others. The map shows it for one word.",
      try: "Point at a colour, then at the thing that has it.",
    },
    {
      page: "02_noise",
      at: ".ex:has(.ex-fade)",
      title: "How a picture is lost",
      text: "In training, pictures are mixed with more and more noise. The model learns to say what was added.",
      try: "Slide until you no longer see what it is, and press “Here I lose it”.",
    },
    {
      page: "02_noise",
      at: ".ex:has(.ex-cloud)",
      title: "The same with points",
      text: "A model so small that it learns here, in your browser: noise on the right is led back to the shape on the left.",
      try: "Draw a shape of your own on the left, and let it learn.",
    },
    {
      page: "02_noise",
      at: ".ex:has(.ex-unet)",
      title: "Inside the denoiser",
      text: "This network is asked at every step. It sees the noisy state, the amount of noise, and your words.",
      try: "Choose a block in the middle, and see what it adds.",
    },
    {
      page: "02_noise",
      at: ".ex:has(.ex-sweep)",
      title: "One knob at a time",
      text: "The same sentence and the same noise; only one setting changes from picture to picture.",
      try: "Choose an experiment, and guess which picture suffers most before you look.",
    },
    {
      page: "03_latent",
      at: ".ex:has(.ex-channels)",
      title: "Channel by channel",
      text: "The latents are a few small pictures on top of each other. The decoder needs all of them.",
      try: "Switch one off. What is lost: the colour, the light or the outline?",
    },
    {
      page: "03_latent",
      at: ".ex:has(.ex-trips)",
      title: "What is lost on the way",
      text: "A picture goes through the encoder and comes back through the decoder. It does not come back as it went.",
      try: "Drag the line across a small, sharp detail.",
    },
    {
      page: "03_latent",
      at: ".ex:has(.ex-brush)",
      title: "Paint where the model paints",
      text: "Each cell that you change moves a patch of the picture, and no more than a patch.",
      try: "Take “Ask a cell”, and click on one.",
    },
    {
      page: "04_style",
      at: ".ex:has(.ex-styles)",
      title: "One scene, every style",
      text: "The sentence and the noise stay; only the style words differ. So what you see change is what those words do.",
      try: "Slide to an early step. When do the pictures part?",
    },
    {
      page: "04_style",
      at: ".ex:has(.ex-book)",
      title: "Six pages of one story",
      text: "Each page is a run of its own. The style words hold them together, but not everything.",
      try: "Look at the girl on every page. Is she the same one?",
    },
    {
      page: "05_is_it_a_copy",
      at: ".ex:has(.ex-nearest)",
      title: "The nearest of all",
      text: "All training pictures were searched for those that come nearest to this picture, by what they show or by their pixels.",
      try: "Look for a part that both have in the same place.",
    },
    {
      page: "05_is_it_a_copy",
      at: ".ex:has(.ex-nearness-rows)",
      title: "How near is near?",
      text: "Drawings that training never saw have a nearest training picture too, by chance. That is the measure.",
      try: "Guess first, then click a row and look at its worst cases.",
    },
    {
      page: "06_your_own_model",
      at: ".ex-picker",
      title: "The same, only bigger",
      text: "The views work on other models too. What one takes is measured before anything of it is loaded.",
      try: "Choose a model, and see whether it would fit this computer.",
    },
    {
      page: "00_overview",
      at: ".ex:has(.ex-studio)",
      title: "Now your own",
      text: "You have seen all parts. Write a sentence, and take it with you: the pages open your run from now on.",
      try: "Change one word of the sentence, keep the seed, and compare.",
    },
  ];
  const WAIT_MS = 60_000;
  const COMING = "This part is still being made…";

  const links = [...document.querySelectorAll(".frame-list a")];
  const fileOf = (link) => new URL(link.href).pathname.split("/").pop();
  const pageOf = (link) => fileOf(link).split(".")[0];
  const here = links.find((link) => link.hasAttribute("aria-current"));
  // A site may be exported without some of the pages.
  const STEPS = ALL.filter(({ page }) => links.some((link) => pageOf(link) === page));
  let place = -1;
  let waiting = null;
  let patience = 0;

  const part = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const count = part("p", { className: "tour-count" });
  const title = part("p", { className: "tour-title", id: "tour-title" });
  const text = part("p", { id: "tour-text" });
  const task = part("p", { className: "tour-try", id: "tour-try" });
  const coming = part("p", { className: "tour-count", role: "status" });
  const there = part("button", { type: "button", className: "frame-button", textContent: "To this part", onclick: goThere });
  const back = part("button", { type: "button", className: "frame-button", textContent: "Back", onclick: () => go(place - 1) });
  const next = part("button", { type: "button", className: "frame-button tour-next", onclick: () => go(place + 1) });
  const end = part("button", { type: "button", className: "frame-button tour-end", textContent: "End the tour", onclick: stop });
  const card = part(
    "section",
    { className: "tour", hidden: true, tabIndex: -1, ariaLabel: "Guided tour" },
    count,
    title,
    text,
    task,
    coming,
    part("div", { className: "tour-buttons" }, end, there, back, next),
  );
  card.setAttribute("aria-describedby", "tour-title tour-text tour-try");
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
  });

  function addressOf(step) {
    const link = links.find((one) => pageOf(one) === STEPS[step].page);
    const url = new URL(link.href);
    url.searchParams.set("tour", step + 1);
    return url;
  }

  function go(step) {
    if (step >= STEPS.length) return stop();
    if (STEPS[step].page !== pageOf(here)) return location.assign(addressOf(step));
    nameStep(step);
    show(step);
  }

  function nameStep(step) {
    const url = new URL(location.href);
    if (step === null) url.searchParams.delete("tour");
    else url.searchParams.set("tour", step + 1);
    url.hash = "";
    history.replaceState(history.state, "", url);
  }

  function show(step) {
    place = step;
    const one = STEPS[step];
    count.textContent = `Tour, step ${step + 1} of ${STEPS.length}`;
    title.textContent = one.title;
    text.textContent = one.text;
    task.replaceChildren(part("b", { textContent: "Try: " }), one.try);
    back.hidden = step === 0;
    next.textContent = step + 1 === STEPS.length ? "Done" : "Next";
    card.hidden = false;
    card.focus({ preventScroll: true });
    unmark();
    find(one.at);
  }

  /** The card stands at the page's end: whoever goes by keyboard gets to the part from here, and back with Escape. */
  function goThere() {
    const found = document.querySelector(".tour-here");
    if (!found) return;
    found.tabIndex = -1;
    found.addEventListener("keydown", backToCard);
    found.focus({ preventScroll: true });
  }

  function backToCard(event) {
    if (event.key === "Escape" && !event.defaultPrevented && !card.hidden) card.focus({ preventScroll: true });
  }

  /** Mark the part as soon as it is there: a served page makes its parts one after another. */
  function find(selector) {
    stopWaiting();
    coming.textContent = COMING;
    const mark = () => {
      const found = document.querySelector(selector);
      there.hidden = !found;
      if (found) coming.textContent = "";
      if (!found) {
        comeNear();
        return false;
      }
      found.classList.add("tour-here");
      for (let node = found; node; node = node.parentElement?.closest("details")) node.open = true;
      found.scrollIntoView({ block: "start", behavior: "instant" });
      return true;
    };
    if (mark()) return;
    waiting = new MutationObserver(() => mark() && stopWaiting());
    waiting.observe(document.querySelector(".page"), { subtree: true, childList: true });
    patience = setTimeout(() => {
      stopWaiting();
      coming.textContent = "This part did not come. Go on to the next, or reload the page.";
    }, WAIT_MS);
  }

  /** An exported page makes its large parts only when somebody comes near them, one after another. */
  function comeNear() {
    document.querySelector("[id^=widget-]:empty")?.scrollIntoView({ block: "start", behavior: "instant" });
  }

  function stopWaiting() {
    waiting?.disconnect();
    clearTimeout(patience);
  }

  function unmark() {
    const marked = document.querySelector(".tour-here");
    marked?.classList.remove("tour-here");
    marked?.removeEventListener("keydown", backToCard);
    return marked;
  }

  function stop() {
    stopWaiting();
    const last = unmark() ?? document.querySelector("#page");
    card.hidden = true;
    nameStep(null);
    last.tabIndex = -1;
    last.focus({ preventScroll: true });
  }

  if (!here) return;
  document.body.append(card);
  for (const button of document.querySelectorAll("[data-tour-start]")) {
    button.addEventListener("click", () => {
      document.querySelector(".frame-pages").open = false;
      const first = STEPS.findIndex(({ page }) => page === pageOf(here));
      go(Math.max(0, first));
    });
  }
  const asked = Number(new URLSearchParams(location.search).get("tour")) - 1;
  if (STEPS[asked]?.page === pageOf(here)) show(asked);
})();
