// A page whose Python is slow to answer, or gone. Voilà looks for a widget's model for two seconds and
// then shows an error in its place; it says nothing when the kernel has died.

(() => {
  "use strict";

  const MANAGER = "@voila-dashboards/widgets-manager8";
  const LOOK_MS = 100;
  const ASK_AGAIN_MS = 15_000;
  const GIVE_UP_MS = 180_000;
  const pause = (time) => new Promise((done) => setTimeout(done, time));

  /** Wait for a widget's model as long as a busy computer needs to send it. */
  function makePatient(manager) {
    const plain = manager.get_model.bind(manager);
    manager.get_model = async (id) => {
      const began = performance.now();
      while (!manager.has_model(id) && performance.now() - began < GIVE_UP_MS) await pause(LOOK_MS);
      return plain(id);
    };
  }

  /** Ask for all states again where none has come: the first request may have met a busy kernel. */
  async function askUntilRestored(manager) {
    for (let waited = 0; waited < GIVE_UP_MS; waited += ASK_AGAIN_MS) {
      await pause(ASK_AGAIN_MS);
      if (manager.restoredStatus) return;
      manager.restoreWidgets();
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

  function attend(app) {
    if (!app.widgetManager) return tellThatItStopped();
    makePatient(app.widgetManager);
    askUntilRestored(app.widgetManager);
    watchKernel(app.widgetManager);
  }

  /** Let what starts Voilà's widget manager hand it over before anything is shown with it. */
  function attendTo({ default: plugins }) {
    for (const plugin of [plugins].flat()) {
      const activate = plugin.activate;
      plugin.activate = async (app, ...services) => {
        const made = await activate(app, ...services);
        attend(app);
        return made;
      };
    }
  }

  let container;
  window._JUPYTERLAB = Object.defineProperty({}, MANAGER, {
    enumerable: true,
    get: () => container,
    set({ init, get }) {
      const attended = async (name) => {
        const module = (await get(name))();
        attendTo(module);
        return () => module;
      };
      container = { init, get: attended };
    },
  });
})();
