"use strict";
// Tables: a button in each heading sorts, the box above filters by words that must all be in a row.
for (const table of document.querySelectorAll("table[data-name]")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.title = heading.title;
    heading.dataset.label = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const text = heading.dataset.kind === "text";
      const key = (row) => (text ? row.cells[column].textContent : row.cells[column].dataset.value);
      const empty = (value) => value === "" || value === undefined;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (empty(x) || empty(y)) return empty(x) - empty(y);
        const order = text ? x.localeCompare(y) : Number(x) - Number(y);
        return up ? order : -order;
      });
      body.append(...rows);
    });
  });
}
const filter = document.getElementById("filter");
const count = document.getElementById("count");
const rows = [...document.querySelectorAll("table[data-name] tbody tr")];
const apply = () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    shown += !row.hidden;
  }
  count.textContent = `${shown} of ${rows.length} rows`;
};
filter.addEventListener("input", apply);
apply();
// Charts: drawn when they come near the window, so that the page answers at once; all of them before printing.
const specs = JSON.parse(document.getElementById("specs").textContent);
const charts = [...document.querySelectorAll(".chart")];
const narrow = window.matchMedia("(max-width: 40rem)");
const drawn = new Map();
const draw = (place) => {
  const number = charts.indexOf(place);
  const config = {
    background: "transparent", font: "system-ui, sans-serif", view: { stroke: null },
    axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 150 },
    legend: { labelFontSize: 12, symbolOpacity: 1, ...(narrow.matches ? { orient: "bottom", columns: 2 } : { orient: "top" }) },
  };
  const actions = { export: true, source: false, compiled: false, editor: false };
  const choices = place.previousElementSibling;
  choices.replaceChildren();
  const done = window.vegaEmbed(place, specs[number], { renderer: "svg", actions, config, bind: choices }).then(() => {
    place.dataset.drawn = "yes";
    place.querySelector("summary")?.setAttribute("aria-label", "Save this chart");
  });
  drawn.set(place, done);
  return done;
};
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }
}, { rootMargin: "400px" });
charts.forEach((place) => near.observe(place));
const manifest = document.querySelector("details.manifest");
let opened = false;
window.addEventListener("beforeprint", () => {
  charts.filter((place) => !drawn.has(place)).forEach(draw);
  opened = manifest.open;
  manifest.open = true;
});
window.addEventListener("afterprint", () => { manifest.open = opened; });
narrow.addEventListener("change", () => [...drawn.keys()].forEach(draw));
document.documentElement.dataset.ready = String(Math.round(performance.now()));
