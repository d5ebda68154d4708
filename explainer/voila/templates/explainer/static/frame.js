// The frame around every page: marks where one is, turns the pages, carries the reader's run along.
// The order of the pages and what each is about stand in frame.html.
// A classic script, since browsers refuse modules to a page opened from a file.

(() => {
  "use strict";

  const RUN = ["prompt", "negative_prompt", "seed", "steps", "guidance_scale", "scheduler", "weights"];
  const THEME = "explainer-theme";
  const frame = document.querySelector(".frame");
  const where = document.querySelector(".frame-where");
  const carried = document.querySelector(".frame-carried");
  const pages = [...frame.querySelectorAll(".frame-list a")];
  const fileOf = (link) => new URL(link.href).pathname.split("/").pop();
  const here = pages.find((link) => fileOf(link) === (location.pathname.split("/").pop() || fileOf(pages[0])));

  /** The parameters of a run in a query, and nothing else of it. */
  function runOf(query) {
    const given = new URLSearchParams(query);
    return new URLSearchParams(RUN.filter((name) => given.has(name)).map((name) => [name, given.get(name)]));
  }

  function element(tag, props = {}, ...children) {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  }

  // ---- where one is

  function partsOf(link, heading) {
    const section = heading?.textContent.match(/^\s*(\d+)\b/)?.[1];
    const named = (link.dataset.sections ?? "").split(";").map((one) => one.split(":"));
    const found = named.find(([number]) => number.trim() === section);
    return (found?.[1] ?? link.dataset.parts).trim().split(/\s+/);
  }

  function headings() {
    return [...document.querySelectorAll(".page h2")];
  }

  /** Name the page and the section in which the reader's eyes are, and mark the parts that it is about. */
  function mark() {
    if (!here) return;
    const passed = headings().filter((one) => one.getBoundingClientRect().top < 0.4 * innerHeight);
    const parts = partsOf(here, passed.at(-1));
    say(passed.at(-1)?.textContent.replace("¶", "").trim() ?? "");
    for (const item of frame.querySelectorAll("[data-part]")) {
      const active = parts.includes(item.dataset.part);
      item.toggleAttribute("data-here", active);
      if (active) item.firstElementChild.setAttribute("aria-current", "step");
      else item.firstElementChild.removeAttribute("aria-current");
    }
  }

  function say(section) {
    if (where.dataset.section === section) return;
    where.dataset.section = where.title = section;
    where.replaceChildren(element("b", { textContent: here.querySelector("b").textContent }), element("span", { textContent: section }));
  }

  function markOnScroll() {
    let asked = 0;
    const ask = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        mark();
      });
    };
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask, { passive: true });
    mark();
  }

  /** "#section-4" leads to the heading that begins with 4, however a page names its headings. */
  function goToSection() {
    const number = location.hash.match(/^#section-(\d+)$/)?.[1];
    if (number) headings().find((one) => one.textContent.trim().startsWith(`${number} `))?.scrollIntoView();
  }

  // ---- previous and next

  function turn(link, words, rel) {
    return element(
      "a",
      { href: link.href, rel },
      element("small", { textContent: words }),
      element("b", { textContent: link.querySelector("b").textContent }),
      element("span", { textContent: link.querySelector("span").textContent }),
    );
  }

  function showTurns() {
    const place = pages.indexOf(here);
    const [before, after] = [pages[place - 1], pages[place + 1]];
    const nav = element("nav", { className: "page-turn", ariaLabel: "Previous and next page" });
    if (before) nav.append(turn(before, "← Previous", "prev"));
    if (after) nav.append(turn(after, "Next →", "next"));
    document.querySelector(".page").after(nav);
  }

  // ---- the run that is carried along

  function carry(query) {
    const run = runOf(query);
    for (const link of document.querySelectorAll(":is(.frame-list, .pipeline, .page-turn) a[href]")) {
      const url = new URL(link.href);
      url.search = run;
      link.href = url;
    }
    showCarried(run);
  }

  function showCarried(run) {
    const prompt = run.get("prompt");
    const focused = carried.contains(document.activeElement);
    carried.hidden = !prompt;
    if (!prompt) {
      if (focused) document.querySelector("#page")?.focus();
      return;
    }
    const short = prompt.length > 120 ? `${prompt.slice(0, 120)}…` : prompt;
    carried.replaceChildren(
      element("span", {}, "Your run goes with you: ", element("q", { textContent: short }), run.has("seed") ? `, seed ${run.get("seed")}` : ""),
      element("button", { type: "button", textContent: "show it", onclick: goToStudio }),
      element("button", { type: "button", textContent: "leave it behind", onclick: () => carryAndName("") }),
    );
  }

  /** Where a run is drawn; an exported page makes its studio only when somebody comes near it. */
  function goToStudio() {
    const place = document.querySelector('[data-kind="Studio"], .ex:has(.ex-studio), .ex:has(.ex-prompt)');
    if (!place) return;
    place.tabIndex = -1;
    place.scrollIntoView({ block: "start" });
    place.focus({ preventScroll: true });
  }

  /** Let the address name the run too, so that a reload or a bookmark finds it again. */
  function carryAndName(query) {
    const url = new URL(location.href);
    for (const name of RUN) url.searchParams.delete(name);
    for (const [name, value] of runOf(query)) url.searchParams.set(name, value);
    if (location.protocol !== "about:") history.replaceState(history.state, "", url);
    carry(query);
  }

  // ---- light and dark

  function theme() {
    try {
      return localStorage.getItem(THEME) ?? "";
    } catch {
      return ""; // a page from a file, or a browser that keeps nothing
    }
  }

  function applyTheme(choice) {
    if (choice) document.documentElement.dataset.theme = choice;
    else delete document.documentElement.dataset.theme;
    const dark = choice ? choice === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    // JupyterLab's own parts and the widgets go by this attribute where a page has it.
    if (document.body.dataset.voila) document.body.dataset.jpThemeLight = String(!dark);
  }

  function offerThemes() {
    const select = frame.querySelector(".frame-theme select");
    select.value = theme();
    applyTheme(select.value);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme(select.value));
    select.addEventListener("change", () => {
      applyTheme(select.value);
      try {
        localStorage.setItem(THEME, select.value);
      } catch {
        // it holds until the page is left
      }
    });
  }

  // ---- the sheet of pages

  function closeSheetFromOutside() {
    const sheet = frame.querySelector(".frame-pages");
    document.addEventListener("click", (event) => sheet.contains(event.target) || (sheet.open = false));
    sheet.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      sheet.open = false;
      sheet.querySelector("summary").focus();
    });
    sheet.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !sheet.contains(relatedTarget)) sheet.open = false; // else it would lie over what has the focus
    });
  }

  here?.setAttribute("aria-current", "page");
  offerThemes();
  closeSheetFromOutside();
  if (here) showTurns();
  carry(location.search);
  markOnScroll();
  goToSection();
  addEventListener("hashchange", goToSection);
  addEventListener("load", goToSection);
  document.addEventListener("explainer:run", (event) => carryAndName(event.detail));
})();
