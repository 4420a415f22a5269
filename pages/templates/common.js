"use strict";
// Shared by all pages: loading Plotly, colours of the theme, copying, small helpers.

const DATA = JSON.parse(document.getElementById("figures").textContent);

// Figures ignore style sheets: they are drawn again for dark pages and for print.
function onTheme(draw) {
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    window.matchMedia(query).addEventListener("change", () => {
      if (window.Plotly) draw(window.Plotly);
    });
  }
  let waiting = null;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (window.Plotly) draw(window.Plotly); }, 150);
  });
}

const $ = (id) => document.getElementById(id);

// An element with text and attributes; never HTML, so that names from files cannot inject any.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Plotly loads slowly; the page is shown before.
let loading = null;
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = make("script", { src: $("plotly").dataset.src });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("no Plotly"));
    document.head.append(script);
  });
  return loading;
}

function withPlotly(draw) {
  plotly().then(draw, () => {
    for (const element of document.querySelectorAll(".plot, .needs-plotly")) element.hidden = true;
    for (const picture of document.querySelectorAll(".instead")) picture.hidden = false;
    const text = "The figures are static pictures, because the script of the interactive ones, in assets/ of the folder of all experiments, is missing. To write it, run python -m network-pruning.report --output_dir=<that folder> in the folder above the checkout.";
    if (!$("no-plotly")) $("main").prepend(make("p", { class: "note", id: "no-plotly" }, text));
  });
}

const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(title, x, y, more = {}) {
  const line = themed("--line");
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return {
    title: { text: title, font: { size: 15 }, x: 0.02, xanchor: "left" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: themed("--ink"), family: "inherit", size: 13 },
    margin: { l: 55, r: 12, t: 40, b: 45 },
    legend: { orientation: "h", y: -0.3, yanchor: "top", x: 0 },
    modebar: { bgcolor: themed("--card"), color: themed("--quiet"), activecolor: themed("--ink") },
    hovermode: "closest", height: 360,
    ...more,
    xaxis: { ...axis, title: { text: x, standoff: 8 }, ...more.xaxis },
    yaxis: { ...axis, title: { text: y, standoff: 8 }, ...more.yaxis },
  };
}

// Draws a figure as wide as its element. Its tool bar appears on hover; narrow figures have none,
// because it would cover titles.
function plot(Plotly, id, traces, figure) {
  const displayModeBar = window.innerWidth < 600 ? false : "hover";
  Plotly.react($(id), traces, { ...figure, width: $(id).clientWidth }, { ...OPTIONS, displayModeBar });
}

const OPTIONS = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
const DASHES = ["solid", "dash", "dashdot", "longdash", "longdashdot"];
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "cross", "x", "star"];

// Colours that are too dark on dark pages.
const BRIGHTER = { "#0072B2": "#5AABE8", "#882255": "#D972A8", "#332288": "#958AE6" };

function colorsNow() {
  const isDark = ["(prefers-color-scheme: dark)", "not print"].every((query) => window.matchMedia(query).matches);
  return DATA.colors.map((color) => (isDark && BRIGHTER[color]) || color);
}

// Colour, dashes and marker of the n-th line; floors are grey and dotted.
function lineStyle(number, floor) {
  const colors = colorsNow();
  const color = floor ? themed("--quiet") : colors[number % colors.length];
  const symbol = SYMBOLS[number % SYMBOLS.length];
  return {
    line: { color, width: 2, dash: floor ? "dot" : DASHES[Math.floor(number / colors.length + number) % DASHES.length] },
    marker: { color, size: 7, symbol },
  };
}

// Plotly reads hover labels as HTML with a few tags.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)} %`;
const inPercent = (share) => (share === null ? null : 100 * share);
const shortPercent = (k) => `${Number((100 * k).toPrecision(6))} %`;

// The position of a sparsity: logarithmic in what remains; 100 % is a step beyond the last.
function place(k, most) {
  return k < 1 ? -Math.log10(1 - k) : -Math.log10(1 - most) + 0.5;
}

// To three digits of what remains: masks remove whole items.
const rounded = (k) => Number((1 - Number((1 - k).toPrecision(3))).toPrecision(12));

// Labels of an axis of sparsities: round ones that are not too near the last one, and the last.
function sparsityAxis(all) {
  const known = all.filter((k) => k !== null && k < 1);
  const most = known.length ? Math.max(...known) : 0.5;
  const [first, last] = [rounded(known.length ? Math.min(...known) : 0), rounded(most)];
  const narrow = window.innerWidth < 600;
  const shown = narrow ? [0, 0.9, 0.99, 0.999, 0.9999] : [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999];
  const room = (narrow ? 0.2 : 0.1) * (place(last, most) - place(first, most)) - 1e-9;
  const ticks = shown.filter((k) => k >= first && k < last && place(last, most) - place(k, most) >= room);
  if (!ticks.length && first < last) ticks.push(first);
  ticks.push(last);
  if (all.includes(1)) ticks.push(1);
  return { most, axis: { tickvals: ticks.map((k) => place(k, most)), ticktext: ticks.map(shortPercent), tickangle: 0 } };
}

// Whole numbers of epochs, about ten labels.
const epochAxis = (number) => ({ tick0: 1, dtick: Math.max(1, Math.ceil(number / 10)) });

// Ratios are drawn logarithmically, with labels between powers of ten where there is room.
const ratioAxis = () => ({ type: "log", ticksuffix: "×", dtick: window.innerWidth < 600 ? 1 : "D2" });

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1500);
}

const textsOf = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function asCsv(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => quoted((cell.dataset.value ?? cell.textContent.trim()).replace("1e+300", "inf"))).join(",")).join("\n") + "\n";
}

function asMarkdown(table) {
  const [head, ...rows] = textsOf(table).map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const rule = head.map((_, column) => (column ? "---:" : "---"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n";
}

// Columns with a button in their head sort the table; a second click reverses the order.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = Number.isNaN(Number(x)) || Number.isNaN(Number(y)) ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }));
}
