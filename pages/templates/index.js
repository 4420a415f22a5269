// The page of all experiments: search, filter, sort, compare; the address stores the state.

const ENTRIES = DATA.entries;
const elements = [...document.querySelectorAll(".card")];
const FIELDS = ["search", "dataset", "model", "state", "sort"];
const texts = ENTRIES.map((entry) => [entry.name, entry.dataset, entry.model, entry.state, ...Object.entries(entry.settings).map(([flag, value]) => `${flag}=${value}`), ...entry.curves.map((curve) => curve.method)].join(" ").toLowerCase());
const chosenNames = new Set();

function readAddress() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const field of FIELDS) {
    $(field).value = state.get(field) ?? (field === "sort" ? "when" : "");
    if ($(field).selectedIndex === -1) $(field).selectedIndex = 0;
  }
  chosenNames.clear();
  const known = new Set(ENTRIES.map((entry) => entry.name));
  for (const name of state.getAll("compare")) if (known.has(name)) chosenNames.add(name);
  for (const box of document.querySelectorAll(".choose")) box.checked = chosenNames.has(box.value);
}

function writeAddress() {
  const state = new URLSearchParams();
  for (const field of FIELDS) {
    if ($(field).value && !(field === "sort" && $(field).value === "when")) state.set(field, $(field).value);
  }
  for (const name of chosenNames) state.append("compare", name);
  const hash = state.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  $("clear").hidden = !hash;
}

const KEYS = {
  when: (entry) => -entry.when,
  name: (entry) => entry.name.toLowerCase(),
  dense: (entry) => -(entry.dense ?? -1),
  0.9: (entry) => -(entry.best["0.9"]?.accuracy ?? -1),
  0.99: (entry) => -(entry.best["0.99"]?.accuracy ?? -1),
  bytes: (entry) => entry.bytes ?? Infinity,
};

function fits(number) {
  const entry = ENTRIES[number];
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => texts[number].includes(word))
    && ["dataset", "model", "state"].every((field) => !$(field).value || entry[field] === $(field).value);
}

function show() {
  const key = KEYS[$("sort").value] ?? KEYS.when;
  const order = [...elements].sort((a, b) => {
    const [x, y] = [key(ENTRIES[a.dataset.number]), key(ENTRIES[b.dataset.number])];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  if (order.some((element, place) => $("cards").children[place] !== element)) $("cards").append(...order);
  let number = 0;
  for (const element of elements) {
    element.hidden = !fits(Number(element.dataset.number));
    number += !element.hidden;
  }
  $("shown").textContent = number === ENTRIES.length ? "" : `${number} of ${ENTRIES.length} shown`;
  $("nothing").hidden = number > 0 || ENTRIES.length === 0;
}

// A, B … for experiments in the figure, where their names would not fit.
const letter = (number) => String.fromCharCode(65 + (number % 26)) + (number >= 26 ? Math.floor(number / 26) : "");

function compare() {
  const entries = ENTRIES.filter((entry) => chosenNames.has(entry.name));
  $("compare").hidden = entries.length < 2;
  if (entries.length < 2) return;
  const flags = [...new Set(entries.flatMap((entry) => Object.keys(entry.settings)))];
  const differs = (flag) => new Set(entries.map((entry) => entry.settings[flag])).size > 1;
  const ordered = [...flags.filter(differs), ...flags.filter((flag) => !differs(flag))];
  const row = (name, cells, strong) => make("tr", {}, make("th", { scope: "row" }, strong ? make("strong", {}, name) : name), ...cells.map((text) => make("td", {}, text)));
  const accuracy = (value) => (value == null ? "–" : percent(value));
  $("differences").replaceChildren(
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "setting or result"), ...entries.map((entry, number) => make("th", { scope: "col" }, `${letter(number)}: ${entry.name}`)))),
    make("tbody", {},
      ...ordered.filter(differs).map((flag) => row(flag, entries.map((entry) => entry.settings[flag] ?? "–"), true)),
      row("dense accuracy", entries.map((entry) => accuracy(entry.dense))),
      ...["0.9", "0.99"].map((k) => row(`accuracy at ${shortPercent(Number(k))}`, entries.map((entry) => accuracy(entry.best[k]?.accuracy)))),
      row("smallest file, bytes", entries.map((entry) => (entry.bytes ?? "–").toLocaleString("en"))),
      ...ordered.filter((flag) => !differs(flag)).map((flag) => row(flag, entries.map((entry) => entry.settings[flag] ?? "–")))),
  );
  withPlotly(drawComparison);
}

function drawComparison(Plotly) {
  const entries = ENTRIES.filter((entry) => chosenNames.has(entry.name));
  if (entries.length < 2) return;
  const lines = entries.flatMap((entry, number) => entry.curves.filter((curve) => !curve.floor).map((curve, kind) => {
    const style = lineStyle(number, false);
    style.line.dash = ["solid", "dot", "longdash", "dashdot"][kind % 4];
    style.marker.symbol = SYMBOLS[kind % SYMBOLS.length];
    return {
      x: curve.ratio, y: curve.accuracy.map(inPercent), name: plain(`${letter(number)} ${curve.method}`), mode: "lines+markers", ...style,
      text: curve.k.map(shortPercent), hovertemplate: "%{y:.2f} % at %{x:.4~g}×, target sparsity %{text}<extra>%{fullData.name}</extra>",
    };
  }));
  plot(Plotly, "comparison", lines, layout("Test accuracy (%)", "compression ratio", "", { xaxis: ratioAxis(), height: 360 + 12 * lines.length }));
}

function update() {
  writeAddress();
  show();
}

for (const field of FIELDS) $(field).addEventListener("input", update);
for (const box of document.querySelectorAll(".choose")) {
  box.addEventListener("change", () => {
    chosenNames[box.checked ? "add" : "delete"](box.value);
    update();
    compare();
  });
}
$("clear").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname + location.search);
  readAddress();
  update();
  compare();
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(button.dataset.copy === "csv" ? asCsv($("differences")) : asMarkdown($("differences")), button));
}
onTheme(drawComparison);
window.addEventListener("hashchange", () => { readAddress(); update(); compare(); });
readAddress();
update();
compare();
