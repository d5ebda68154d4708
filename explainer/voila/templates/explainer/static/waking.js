// While Voilà runs the cells: how far it is. The text above each cell can be read already.
{
  const place = document.querySelector(".waking");
  const bar = place.querySelector("progress");
  window.voila_process = (cell, count) => {
    bar.max = count;
    bar.value = cell;
  };
  window.voila_finish = () => bar.removeAttribute("value");
  // The widgets come after the last cell: the page is awake when the first of them stands.
  const seen = new MutationObserver(() => {
    if (!document.querySelector(".page .ex")) return;
    seen.disconnect();
    place.remove();
  });
  seen.observe(document.body, { subtree: true, childList: true });
}
