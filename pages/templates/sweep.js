// The page of a sweep.

const { settings: SETTINGS, points: POINTS } = DATA;
const MOST_CELLS = 12; // of a heatmap, across and down
const scale = DATA.in_percent ? 100 : 1;
const objectiveText = `${DATA.objective}${DATA.in_percent ? " (%)" : ""}`;
const shown = POINTS.map((point, trial) => ({ ...point, trial, y: point.objective === null ? null : scale * point.objective })).filter((point) => point.y !== null);
const anyStopped = shown.some((point) => point.state !== "finished");
const differing = SETTINGS.filter((setting) => setting.levels.length > 1);
const notSeeds = differing.filter((setting) => setting.name !== "seed");
const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
const isDark = () => ["(prefers-color-scheme: dark)", "not print"].every((query) => window.matchMedia(query).matches);
const about = (point) => plain(`${short(point.name, 70)}: ${point.y.toPrecision(4)}${point.state === "finished" ? "" : `, ${point.state}`}`);

// From hardly seen to strong, as the objective gets better.
function shade(share) {
  const [weak, strong] = isDark() ? [[72, 80, 88], [110, 195, 255]] : [[205, 210, 216], [0, 84, 150]];
  return `rgb(${weak.map((value, channel) => Math.round(value + share * (strong[channel] - value))).join(",")})`;
}

const ofFinished = (points) => points.filter((point) => point.state === "finished");

// How good a value is, from 0 to 1, among those of finished trials.
function goodness() {
  const values = ofFinished(shown).map((point) => point.y);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (y) => {
    const share = high > low ? Math.min(1, Math.max(0, (y - low) / (high - low))) : 1;
    return DATA.maximized ? share : 1 - share;
  };
}

// What the figure of all trials can show, the usual first: numbers that were searched as dots, a small
// grid as cells, other settings all together.
const fewCells = notSeeds.length === 2 && notSeeds.every((setting) => setting.levels.length <= MOST_CELLS && !setting.numbers);
const together = fewCells
  ? { name: "both settings", draw: (Plotly) => drawCells(Plotly, notSeeds) }
  : { name: "all settings", draw: drawParallel };
const single = (differing.length ? differing : SETTINGS.slice(0, 1)).map((setting) => ({ name: setting.name, setting, draw: (Plotly) => drawDots(Plotly, setting) }));
const searched = single.filter((view) => view.setting.numbers && view.setting.name !== "seed");
const VIEWS = notSeeds.length < 2 ? single : [...new Set([...searched, together, ...single])];

function drawTrials(Plotly) {
  VIEWS[$("trials-of").value || 0]?.draw(Plotly);
}

// Numbers that are spread over decades are drawn logarithmically, and labelled in full.
function numberAxis(setting) {
  if (!setting.log) return {};
  const decades = Math.log10(Math.max(...setting.numbers) / Math.min(...setting.numbers));
  return { type: "log", tickformat: "~g", dtick: decades < 2 ? "D2" : Math.ceil(decades / 6) };
}

// One setting: every trial a dot, hollow where it was stopped.
function drawDots(Plotly, setting) {
  const names = setting.levels.map((name) => plain(short(name, 24)));
  const x = shown.map((point) => (setting.numbers ? setting.numbers[point.trial] : setting.codes[point.trial]));
  const symbols = shown.map((point) => (point.state === "finished" ? "circle" : "circle-open"));
  const dots = { x, y: shown.map((point) => point.y), mode: "markers", marker: { color: colorsNow()[0], size: 9, symbol: symbols }, text: shown.map(about), hovertemplate: "%{text}<extra></extra>" };
  const xaxis = setting.numbers ? numberAxis(setting) : { tickvals: names.map((_, code) => code), ticktext: names, range: [-0.6, names.length - 0.4] };
  plot(Plotly, "trials", [dots], layout(plain(objectiveText), plain(setting.name), "", { xaxis, showlegend: false }));
  $("trials-text").textContent = `A dot is a trial${anyStopped ? "; hollow ones were stopped early, with what they had reached then" : ""}.`;
}

// Two settings: the mean of each combination.
function drawCells(Plotly, [across, down]) {
  const good = goodness();
  const z = down.levels.map((_, row) => across.levels.map((__, column) => {
    const own = ofFinished(shown).filter((point) => across.codes[point.trial] === column && down.codes[point.trial] === row);
    return own.length ? own.reduce((sum, point) => sum + point.y, 0) / own.length : null;
  }));
  const colors = [0, 0.25, 0.5, 0.75, 1].map((share) => [DATA.maximized ? share : 1 - share, shade(share)]).sort((a, b) => a[0] - b[0]);
  const names = (setting) => setting.levels.map((name) => plain(short(name, 16)));
  const positions = (setting) => setting.levels.map((_, code) => code);
  const cells = { type: "heatmap", z, x: positions(across), y: positions(down), colorscale: colors, showscale: false, xgap: 3, ygap: 3, hoverongaps: false, hovertemplate: "%{z:.4~g}<extra></extra>" };
  const annotations = z.flatMap((row, j) => row.map((value, i) => (value === null ? null : {
    x: i, y: j, text: scale === 100 ? value.toFixed(2) : value.toPrecision(4), showarrow: false,
    // Strong is dark on light pages, and light on dark ones.
    font: { color: good(value) > 0.45 === isDark() ? "#000" : "#fff" },
  }))).filter(Boolean);
  const axis = (setting) => ({ tickvals: positions(setting), ticktext: names(setting), showgrid: false, zeroline: false });
  plot(Plotly, "trials", [cells], layout(plain(objectiveText), plain(across.name), plain(down.name), {
    xaxis: axis(across), yaxis: axis(down), annotations, height: 160 + 60 * down.levels.length,
  }));
  $("trials-text").textContent = "Means over all trials that finished with these settings; the stronger the colour, the better.";
}

// Many settings: every trial a line from one to the next, the better the stronger. Drawn of ordinary
// lines, because Plotly's own parallel coordinates make code at run time, which this page forbids.
function drawParallel(Plotly) {
  const narrow = window.innerWidth < 600;
  const axes = differing.slice(0, narrow ? 3 : 8);
  const goodOf = goodness();
  const good = (point) => (point.state === "finished" ? goodOf(point.y) : 0);
  const values = shown.map((point) => point.y);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const within = (value, from, to) => (to > from ? (value - from) / (to - from) : 0.5);
  const ends = axes.map((setting) => {
    if (!setting.numbers) return null;
    const numbers = shown.map((point) => setting.numbers[point.trial]).map((number) => (setting.log ? Math.log10(number) : number));
    return [Math.min(...numbers), Math.max(...numbers)];
  });
  const height = (setting, axis, point) => {
    if (!setting.numbers) {
      // Lines of one value lie beside each other, the better ones above.
      return within(setting.codes[point.trial], 0, setting.levels.length - 1) + 0.07 * (within(point.y, low, high) - 0.5);
    }
    const number = setting.numbers[point.trial];
    return within(setting.log ? Math.log10(number) : number, ...ends[axis]);
  };
  const ordered = [...shown].sort((a, b) => good(a) - good(b));
  const traces = ordered.map((point) => ({
    x: [...axes.keys(), axes.length], y: [...axes.map((setting, axis) => height(setting, axis, point)), within(point.y, low, high)],
    mode: "lines", line: { color: shade(good(point) ** 2), width: 1 + 2 * good(point) ** 4, dash: point.state === "finished" ? "solid" : "dot", shape: "linear" },
    text: about(point), hovertemplate: `${about(point)}<extra></extra>`,
  }));
  const annotations = [];
  const label = (x, y, text, more) => annotations.push({ x, y, text: plain(text), showarrow: false, font: { size: narrow ? 10 : 12 }, bgcolor: themed("--card"), opacity: 0.9, xanchor: "center", ...more });
  const letters = narrow ? 11 : 20;
  axes.forEach((setting, axis) => {
    label(axis, 1.1, short(setting.name, letters), { yanchor: "bottom", font: { size: narrow ? 11 : 13 } });
    const step = Math.ceil(setting.levels.length / 8);
    if (!setting.numbers) setting.levels.forEach((name, code) => { if (code % step === 0) label(axis, within(code, 0, setting.levels.length - 1), short(name, letters)); });
    else ends[axis].forEach((end, place) => label(axis, place, Number((setting.log ? 10 ** end : end).toPrecision(2)).toString()));
  });
  label(axes.length, 1.1, short(objectiveText, narrow ? 12 : 24), { yanchor: "bottom", font: { size: narrow ? 11 : 13 }, xanchor: "right", xshift: narrow ? 24 : 40 });
  [low, high].forEach((value, place) => label(axes.length, place, Number(value.toPrecision(4)).toString()));
  const shapes = [...axes.keys(), axes.length].map((x) => ({ type: "line", x0: x, x1: x, y0: -0.05, y1: 1.05, line: { color: themed("--quiet"), width: 1 }, layer: "below" }));
  const bare = { showgrid: false, zeroline: false, showticklabels: false, showline: false, fixedrange: true };
  plot(Plotly, "trials", traces, layout("", "", "", {
    title: undefined, margin: { l: narrow ? 30 : 60, r: narrow ? 30 : 60, t: 10, b: 10 }, showlegend: false, shapes, annotations, height: 420,
    xaxis: { ...bare, range: [-0.1, axes.length + 0.1] }, yaxis: { ...bare, range: [-0.1, 1.25] },
  }));
  const left = differing.length - axes.length;
  $("trials-text").textContent = `A line is a trial, the stronger the better${anyStopped ? "; dotted ones were stopped early" : ""}. Settings are in the order of what they explain${left ? `; ${left} more are in the table` : ""}.`;
}

// ---- curves ----

function drawCurves(Plotly) {
  const colored = SETTINGS[$("colour").value];
  const wanted = [...document.querySelectorAll(".only")].filter((box) => box.value !== "").map((box) => [SETTINGS.find((setting) => setting.name === box.dataset.setting), Number(box.value)]);
  const curves = DATA.curves[$("method").value].filter((curve) => wanted.every(([setting, code]) => setting.codes[curve.trial] === code));
  const { most, axis } = sparsityAxis(Object.values(DATA.curves).flat().flatMap((curve) => curve.sparsity));
  const traces = [];
  const levels = colored ? colored.levels : ["all"];
  levels.forEach((level, code) => {
    const own = curves.filter((curve) => !colored || colored.codes[curve.trial] === code);
    const [at, reached] = [new Map(), new Map()];
    for (const curve of own) {
      curve.k.forEach((k, i) => {
        at.set(k, [...(at.get(k) ?? []), 100 * curve.accuracy[i]]);
        reached.set(k, [...(reached.get(k) ?? []), curve.sparsity[i] ?? k]);
      });
    }
    const k = [...at.keys()].sort((a, b) => a - b);
    if (!k.length) return;
    const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
    // Trials that were asked for the same, at the sparsity that they reached on average.
    const x = k.map((value) => place(mean(reached.get(value)), most));
    const style = look(code, false);
    const rgb = style.line.color.match(/\w\w/g)?.map((part) => parseInt(part, 16)).join(",");
    const group = { legendgroup: String(code) };
    const band = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false, ...group };
    if (own.length > 1) {
      traces.push({ ...band, y: k.map((value) => Math.min(...at.get(value))) });
      traces.push({ ...band, y: k.map((value) => Math.max(...at.get(value))), fill: "tonexty", fillcolor: `rgba(${rgb ?? "128,128,128"},.15)` });
    }
    traces.push({
      x, y: k.map((value) => mean(at.get(value))), mode: "lines+markers", ...style, ...group,
      name: plain(`${colored ? `${colored.name}: ` : ""}${short(level, 40)} (${own.length})`), showlegend: true,
      text: k.map((value) => `${asked(value)} asked, ${percent(mean(reached.get(value)))} removed, ${at.get(value).length === 1 ? "1 trial" : `${at.get(value).length} trials`}`),
      hovertemplate: "%{y:.2f} %, %{text}<extra>%{fullData.name}</extra>",
    });
  });
  plot(Plotly, "curves", traces, layout("Test accuracy (%)", "sparsity of the hidden weights", "", { xaxis: axis, height: 400 + 14 * levels.length }));
}

$("trials-of")?.replaceChildren(...VIEWS.map((view, number) => make("option", { value: number }, view.name)));
if ($("trials-of")) $("trials-controls").hidden = VIEWS.length < 2;
$("trials-of")?.addEventListener("change", () => withPlotly(drawTrials));

const hasCurves = Object.keys(DATA.curves).length > 0;

function drawAll(Plotly) {
  if (shown.length) drawTrials(Plotly);
  if (hasCurves) drawCurves(Plotly);
}

if (hasCurves) {
  for (const box of document.querySelectorAll("#method, #colour, .only")) box.addEventListener("change", () => withPlotly(drawCurves));
}
sortable($("numbers"));
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => {
    const texts = { csv: () => asCsv($("numbers")), markdown: () => asMarkdown($("numbers")), command: () => $("command").textContent };
    copy(texts[button.dataset.copy](), button);
  });
}
if (shown.length || hasCurves) {
  onTheme(drawAll);
  // After the first picture of the page, or reading Plotly would hold it up.
  requestAnimationFrame(() => setTimeout(() => withPlotly(drawAll), 0));
}
