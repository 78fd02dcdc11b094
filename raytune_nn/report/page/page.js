// Figures are drawn as they come into sight: a page of many opens as fast as one of few.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const themes = read("themes");
const theme = () => themes[dark.matches ? "dark" : "light"];
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
const NARROW = 600; // pixels

function read(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function draw(plot) {
  if (plot.dataset.drawn) return;
  const { data, layout } = read(plot.dataset.figure);
  const narrow = plot.clientWidth < NARROW ? { margin: { ...theme().layout.margin, ...layout.margin, l: 44, r: 8 } } : {};
  plot.dataset.drawn = data.some((trace) => /gl$|^parcoords$|^splom$/.test(trace.type)) ? "gl" : "svg";
  Plotly.newPlot(plot, data, { ...layout, ...narrow, template: theme() }, CONFIG);
}

function leave(plot) {
  // A browser has room for about sixteen figures of WebGL at a time, and then blanks the oldest.
  if (plot.dataset.drawn !== "gl") return;
  plot.style.minHeight = `${plot.clientHeight}px`;
  Plotly.purge(plot);
  delete plot.dataset.drawn;
}

const plots = [...document.querySelectorAll(".plot")];
const sight = new IntersectionObserver(
  (entries) => entries.forEach((entry) => (entry.isIntersecting ? draw : leave)(entry.target)),
  { rootMargin: "600px" },
);
plots.forEach((plot) => sight.observe(plot));
dark.addEventListener("change", () => {
  plots.filter((plot) => plot.dataset.drawn).forEach((plot) => Plotly.relayout(plot, { template: theme() }));
});
addEventListener("beforeprint", () => plots.forEach(draw));

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const reading = new IntersectionObserver(
  (entries) => {
    const seen = entries.find((entry) => entry.isIntersecting);
    if (!seen) return;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(seen.target.id)?.setAttribute("aria-current", "true");
  },
  { rootMargin: "-10% 0px -80% 0px" },
);
document.querySelectorAll("section[id]").forEach((section) => reading.observe(section));

document.querySelectorAll(".copy").forEach((button) => {
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code); // a browser that does not let the page copy lets its reader do so
    }
  });
});
