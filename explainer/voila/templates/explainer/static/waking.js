// While Voilà runs the cells: how far it is. The text above each cell can be read already.

(() => {
  "use strict";

  // What Voilà's own scripts call.
  window.voila_heartbeat = () => {};
  window.voila_finish = () => {};

  const place = document.querySelector(".waking");
  const bar = place.querySelector("progress");
  const seen = new MutationObserver(() => {
    const made = document.querySelectorAll("[cell-index]").length;
    if (made === bar.max) bar.removeAttribute("value");
    else bar.value = made;
    // The widgets come after the last cell: the page is awake when the first of them stands.
    if (!document.querySelector(".page .ex")) return;
    seen.disconnect();
    place.remove();
  });
  seen.observe(document.body, { subtree: true, childList: true });
})();
