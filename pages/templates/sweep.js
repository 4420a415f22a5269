// The page of a sweep.

const { settings: SETTINGS, slices: SLICES, curves: CURVES } = DATA;
const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// Optuna's slice plot, in the colours of the page; it scrolls where it needs more room.
function drawTrials(Plotly) {
  const { data, layout: own } = SLICES;
  const { xaxis: themedAxis, ...base } = layout("", "", "");
  const axes = Object.entries(own).filter(([name]) => /^[xy]axis/.test(name));
  const figure = $("trials");
  figure.style.width = `${Math.max(figure.parentElement.clientWidth, 200 * data.length)}px`;
  plot(Plotly, "trials", data, { ...base, ...Object.fromEntries(axes.map(([name, axis]) => [name, { ...themedAxis, ...axis }])) });
}

// ---- curves ----

function drawCurves(Plotly) {
  const colored = SETTINGS[$("colour").value];
  const wanted = [...document.querySelectorAll(".only")].filter((box) => box.value !== "").map((box) => [SETTINGS.find((setting) => setting.name === box.dataset.setting), Number(box.value)]);
  const curves = CURVES[$("method").value].filter((curve) => wanted.every(([setting, code]) => setting.codes[curve.trial] === code));
  const { most, axis } = sparsityAxis(Object.values(CURVES).flat().flatMap((curve) => curve.sparsity));
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
    // Trials of the same target sparsity, at the sparsity that they reached on average.
    const x = k.map((value) => place(mean(reached.get(value)), most));
    const style = lineStyle(code, false);
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
      text: k.map((value) => `target ${shortPercent(value)}, ${percent(mean(reached.get(value)))} removed, ${at.get(value).length === 1 ? "1 trial" : `${at.get(value).length} trials`}`),
      hovertemplate: "%{y:.2f} %, %{text}<extra>%{fullData.name}</extra>",
    });
  });
  plot(Plotly, "curves", traces, layout("Test accuracy (%)", "sparsity of the hidden weights", "", { xaxis: axis, height: 400 + 14 * levels.length }));
}

const hasCurves = Object.keys(CURVES).length > 0;

function drawAll(Plotly) {
  if (SLICES) drawTrials(Plotly);
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
if (SLICES || hasCurves) {
  onTheme(drawAll);
  // After the first paint of the page, which loading Plotly would delay.
  requestAnimationFrame(() => setTimeout(() => withPlotly(drawAll), 0));
}
