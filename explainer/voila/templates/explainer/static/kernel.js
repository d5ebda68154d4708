// A page whose Python is slow to answer, or gone. Voilà looks for a widget's model for two seconds, asks
// once for all states, and says nothing when the kernel has died. On a busy machine that loses widgets.

(() => {
  "use strict";

  const OUTPUT = 'script[type="application/vnd.voila.cell-output+json"]';
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const LOST = "Error displaying widget: model not found";
  const LOOK_MS = 500;
  const ASK_AGAIN_MS = 10_000;
  const GIVE_UP_MS = 180_000;
  const pause = (time) => new Promise((done) => setTimeout(done, time));

  /** Which models each cell shows, by the element that holds them, in their order. */
  function modelsByPlace() {
    const places = new Map();
    for (const output of document.querySelectorAll(OUTPUT)) {
      const id = JSON.parse(output.textContent).data?.[VIEW]?.model_id;
      if (!places.has(output.parentElement)) places.set(output.parentElement, []);
      places.get(output.parentElement).push(id);
    }
    return places;
  }

  const places = modelsByPlace();

  async function modelOf(manager, id) {
    const began = performance.now();
    let asked = began;
    while (!manager.has_model(id)) {
      await pause(LOOK_MS);
      const now = performance.now();
      if (now - began > GIVE_UP_MS) return null;
      if (now - asked < ASK_AGAIN_MS) continue;
      asked = now;
      manager.restoreWidgets();
    }
    return manager.get_model(id);
  }

  async function showAgain(manager, node, id) {
    node.textContent = "Waiting for Python…";
    const model = await modelOf(manager, id);
    if (!model) return (node.textContent = "This part did not come. Load the page again.");
    const view = await manager.create_view(model);
    node.replaceChildren(view.el);
  }

  /** Show what Voilà has given up, as soon as its model is there. */
  function mendViews(manager) {
    const mend = () => {
      for (const [place, ids] of places) {
        [...place.children].forEach((node, i) => {
          if (ids[i] && node.textContent === LOST) showAgain(manager, node, ids[i]);
        });
      }
    };
    new MutationObserver(mend).observe(document.querySelector(".page"), { subtree: true, childList: true });
    mend();
  }

  /** Ask for the states again if none has come: the first request may have met a busy kernel. */
  async function askUntilRestored(manager) {
    for (let waited = 0; waited < GIVE_UP_MS && !manager.restoredStatus; waited += ASK_AGAIN_MS) {
      await pause(ASK_AGAIN_MS);
      if (!manager.restoredStatus) manager.restoreWidgets();
    }
  }

  function tellThatItStopped() {
    if (document.querySelector(".stopped")) return;
    const words = document.createElement("p");
    words.textContent =
      "The Python behind this page has stopped. What you see stays, but nothing new can be computed. " +
      "Starting again takes a few seconds; a run named in the address is opened again.";
    const again = document.createElement("button");
    again.type = "button";
    again.className = "frame-button";
    again.textContent = "Start again";
    again.onclick = () => location.reload();
    const box = document.createElement("div");
    box.className = "stopped";
    box.setAttribute("role", "alert");
    box.append(words, again);
    document.body.append(box);
  }

  /** A kernel that was started again by the server is as good as dead: it knows nothing of the page. */
  function watchKernel({ kernel }) {
    const gone = new Set(["dead", "restarting", "autorestarting", "terminating"]);
    kernel.statusChanged.connect((_, status) => gone.has(status) && tellThatItStopped());
    kernel.connectionStatusChanged.connect((_, status) => status === "disconnected" && tellThatItStopped());
  }

  let started;
  Object.defineProperty(window, "jupyterapp", {
    configurable: true,
    get: () => started,
    set(app) {
      started = app;
      if (!app.widgetManager) return tellThatItStopped();
      watchKernel(app.widgetManager);
      mendViews(app.widgetManager);
      askUntilRestored(app.widgetManager);
    },
  });
})();
