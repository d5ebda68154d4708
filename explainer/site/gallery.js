// The gallery: a run that is chosen is fetched as a script, which works from a disk too, and shown
// by the widgets that are there.

const runs = document.querySelector(".runs");
const toldOfRuns = document.querySelector(".runs-told");
let wantedRun = null; // the one chosen last: an earlier one may arrive after it

function chooseRun(number) {
  wantedRun = number;
  const script = document.createElement("script");
  script.src = `${runs.dataset.folder}/${number}.js`;
  script.onerror = () => {
    script.remove();
    if (number === wantedRun) toldOfRuns.textContent = `This run could not be fetched: ${script.src} is missing. Is the site complete?`;
  };
  script.onload = () => script.remove();
  toldOfRuns.textContent = "Fetching the run…";
  document.body.append(script);
}

window.showRun = (number, made, bundle) => {
  if (String(number) !== wantedRun) return;
  if (made !== runs.dataset.made) {
    toldOfRuns.textContent = "This run was recorded for another version of this page. Reload the page.";
    return;
  }
  const buffers = bundle.buffers.map(bytesOf);
  bundle.widgets.forEach(({ state, buffers: own }, i) => {
    const traits = Object.entries(own).map(([trait, place]) => [trait, buffers[place]]);
    window.models[i].update({ ...state, ...Object.fromEntries(traits) });
  });
  for (const button of runs.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.run === String(number)));
  toldOfRuns.textContent = "";
};

runs.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) chooseRun(button.dataset.run);
});
