// The page of one experiment.

const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
const AXES = {
  k: "sparsity of the hidden weights",
  ratio: "compression ratio",
  speedup: "theoretical speed-up (multiply-adds)",
};

function drawCurves(Plotly) {
  const across = chosen("across");
  const curves = chosen("of") === "bands" ? DATA.bands : DATA.curves;
  // Networks are drawn at the sparsity that they reached, not at their target.
  const { most, axis } = sparsityAxis(curves.flatMap((curve) => curve.sparsity));
  const where = (curve) => (across === "k" ? curve.sparsity.map((k) => (k === null ? null : place(k, most))) : curve[across]);
  const xaxis = across === "k" ? axis : ratioAxis();
  const near = $("near").checked;
  const best = 100 * Math.max(...curves.flatMap((curve) => curve.accuracy));
  for (const [id, key, title, scale] of [["accuracy", "accuracy", "Test accuracy (%)", 100], ["loss", "loss", "Test loss", 1]]) {
    const traces = [];
    curves.forEach((curve, number) => {
      const x = where(curve);
      const style = lineStyle(number, curve.floor);
      if (key === "accuracy" && curve.low?.some((low) => low !== null)) {
        const rgb = style.line.color.match(/\w\w/g)?.map((part) => parseInt(part, 16)).join(",");
        const band = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: curve.method };
        traces.push({ ...band, y: curve.low.map(inPercent) });
        traces.push({ ...band, y: curve.high.map(inPercent), fill: "tonexty", fillcolor: `rgba(${rgb ?? "128,128,128"},.2)` });
      }
      for (const seed of key === "accuracy" ? ["one", "other"] : []) {
        if (!curve[seed]?.some((value) => value !== null)) continue;
        traces.push({
          x, y: curve[seed].map(inPercent), mode: "markers", showlegend: false, legendgroup: curve.method, name: plain(curve.method),
          marker: { color: style.marker.color, size: 4 }, hovertemplate: "%{y:.4~g}, one seed<extra>%{fullData.name}</extra>",
        });
      }
      const { symbol } = style.marker;
      style.marker.symbol = curve.missed.map((missed) => (missed ? `${symbol}-open` : symbol));
      traces.push({
        x, y: curve[key].map((value) => (value === null ? null : scale * value)), name: plain(curve.method), legendgroup: curve.method,
        mode: "lines+markers", ...style,
        text: curve.k.map((k, i) => `target ${shortPercent(k)}, ${curve.sparsity[i] === null ? "?" : percent(curve.sparsity[i])} removed, ${curve.ratio[i] === null ? "nothing remains" : `${curve.ratio[i].toPrecision(4)}× smaller`}`),
        hovertemplate: "%{y:.4~g}, %{text}<extra>%{fullData.name}</extra>",
      });
    });
    if (DATA.published && across === "k") {
      for (const [kind, values] of Object.entries(DATA.published)) {
        traces.push({
          x: values.k.map((k) => place(k, most)), y: values[key].map((value) => scale * value), name: `${kind}, published`,
          mode: "lines", line: { color: themed("--quiet"), width: 1.5, dash: kind === "weight" ? "dot" : "dashdot" },
        });
      }
    }
    const level = DATA.baseline[key];
    if (level !== null) {
      const ends = curves.flatMap(where).filter((value) => value !== null);
      traces.push({
        x: [Math.min(...ends), Math.max(...ends)], y: [scale * level, scale * level], name: "baseline", mode: "lines",
        line: { color: themed("--ink"), width: 1, dash: "dash" }, hovertemplate: "%{y:.4~g}, the untouched dense network<extra></extra>",
      });
    }
    const range = near && key === "accuracy" ? [best - 5, best + 0.5] : undefined;
    plot(Plotly, id, traces, layout(title, AXES[across], "", { xaxis, yaxis: { range, rangemode: "tozero" }, height: 340 + 22 * Math.ceil(curves.length / 2) }));
  }
}

function drawTraining(Plotly) {
  const { history } = DATA;
  for (const key of ["loss", "accuracy"]) {
    const scale = key === "accuracy" ? 100 : 1;
    const traces = [["training", key], ["validation", `val_${key}`]]
      .filter(([, column]) => history[column].some((value) => value !== null))
      .map(([name, column], number) => ({
        x: history.epoch, y: history[column].map((value) => (value === null ? null : scale * value)), name, mode: "lines+markers", ...lineStyle(4 * number, false),
      }));
    const kept = { type: "line", x0: history.kept, x1: history.kept, yref: "paper", y0: 0, y1: 1, line: { color: themed("--quiet"), dash: "dot" } };
    const title = key === "accuracy" ? "Accuracy (%)" : "Loss";
    plot(Plotly, `training-${key}`, traces, layout(title, "epoch", "", { shapes: [kept], xaxis: epochAxis(history.epoch.length) }));
  }
}

// ---- the networks at one sparsity ----

const LAYERS_AT_ONCE = 8;
const CLEARLY_LESS = 0.005; // as in the tables
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// Bytes of shape (height, width) or (height, width, 3) on a canvas.
function paint(canvas, shape, bytes, color = (value) => [value, value, value]) {
  const [height, width, channels = 1] = shape;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    const rgb = channels === 3 ? bytes.subarray(3 * i, 3 * i + 3) : color(bytes[i]);
    image.data.set([...rgb, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// From black over blue-green to yellow: monotone in lightness, also for colour-blind readers.
function heat(value) {
  const t = value / 255;
  return [255 * t ** 1.6, 60 * t + 180 * t ** 1.5, 110 * Math.sin(Math.PI * t ** 0.8) + 40 * t];
}

function currentEntry() {
  return DATA.diagnostics[$("method").value][$("k").value];
}

function drawDistributions(Plotly, entry) {
  const first = Number($("layer-group").value || 0);
  const shown = entry.layers.map((_, layer) => layer).slice(first, first + LAYERS_AT_ONCE);
  const columns = window.innerWidth < 700 ? 1 : 2;
  const rows = Math.ceil(shown.length / columns);
  const entries = DATA.diagnostics[$("method").value];
  const what = entry.by_unit ? "units" : "weights";
  const more = { grid: { rows, columns, pattern: "independent", ygap: 0.45 }, margin: { l: 60, r: 12, t: 58, b: 50 }, showlegend: false, height: 230 * rows + 60, bargap: 0, annotations: [] };
  const traces = [];
  const base = layout("", "", "");
  const color = colorsNow()[entry.by_unit ? 1 : 0];
  $("distributions-kept").style.background = color;
  shown.forEach((layer, panel) => {
    const n = panel ? panel + 1 : "";
    const counts = entry.counts[layer];
    const outline = outlineOf(entry, entries)?.[layer];
    const step = (entry.high[layer] - entry.low[layer]) / counts.length;
    const x = counts.map((_, bin) => entry.low[layer] + (bin + 0.5) * step);
    const floor = (values) => values.map((value) => value || null);
    const axes = { xaxis: `x${n}`, yaxis: `y${n}` };
    traces.push({ type: "bar", x, y: floor(counts), marker: { color }, ...axes, hovertemplate: "%{y} near %{x:.3g}<extra></extra>" });
    if (outline) traces.push({ x, y: floor(outline), mode: "lines", line: { shape: "hvh", width: 1.5, color: themed("--quiet") }, hoverinfo: "skip", ...axes });
    // The axes of a method are the same at all sparsities.
    const most = Math.max(1, ...entries.flatMap((each) => [...each.counts[layer], ...(outlineOf(each, entries)?.[layer] ?? [])]));
    const ends = [Math.min(...entries.map((each) => each.low[layer])), Math.max(...entries.map((each) => each.high[layer]))];
    const title = (text) => ({ text, standoff: 4, font: { size: 12 } });
    more[`xaxis${n}`] = { ...base.xaxis, title: title(entry.by_unit ? "L2 norm of a unit's incoming weights" : "weight"), range: ends };
    more[`yaxis${n}`] = { ...base.yaxis, title: title(`${what} per bin`), type: "log", range: [-0.1, Math.log10(2 * most)], dtick: 1 };
    const removed = entry.sizes[layer] - entry.kept[layer];
    more.annotations.push({
      text: plain(`${entry.layers[layer]}: ${removed.toLocaleString("en")} of ${entry.sizes[layer].toLocaleString("en")} removed`), showarrow: false,
      xref: `x${n} domain`, yref: `y${n} domain`, x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", font: { size: 13 },
    });
  });
  plot(Plotly, "distributions", traces, { ...base, ...more, title: undefined, xaxis: more.xaxis, yaxis: more.yaxis });
}

// The dense network in the bins of this one; in files of earlier versions the bins are its own.
function outlineOf(entry, entries) {
  return entry.outline ?? (entries[0].k === 0 ? entries[0].counts : null);
}

function showConfusion(entry) {
  $("confusion-box").hidden = !entry.confusion;
  if (!entry.confusion) return;
  const names = entry.confusion.map((_, number) => DATA.classes[number] ?? String(number));
  const short = (name) => (name.length > 9 ? `${name.slice(0, 8)}…` : name);
  const head = make("tr", {}, make("th", { scope: "col" }, "true ↓ / predicted →"), ...names.map((name) => make("th", { scope: "col", title: name }, short(name))));
  const rows = entry.confusion.map((counts, row) => {
    const total = counts.reduce((a, b) => a + b, 0) || 1;
    const cells = counts.map((count, column) => {
      const cell = make("td", { class: row === column ? "heat right" : "heat" }, count ? String(count) : "·");
      cell.style.setProperty("--share", count / total);
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row", title: names[row] }, short(names[row])), ...cells);
  });
  $("confusion").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function showFirst(entry) {
  $("first-box").hidden = !entry.first;
  if (!entry.first) return;
  paint($("first"), entry.first.shape, bytesOf(entry.first.bytes), heat);
  paint($("first-bar"), [1, 256], Uint8Array.from({ length: 256 }, (_, value) => value), heat);
  $("first-most").textContent = entry.first.largest;
}

function showChanged(entry) {
  const name = (number) => DATA.classes[number] ?? String(number);
  const [before, after] = [entry.compared_with.includes("control") ? "control" : "dense", entry.k ? "pruned" : "retrained"];
  const total = entry.num_changed?.toLocaleString("en");
  const first = entry.num_changed > entry.changed.length ? ` The first ${entry.changed.length}:` : "";
  $("changed-text").textContent = entry.num_changed === null
    ? `The predictions of ${entry.compared_with} are not known.`
    : entry.num_changed === 1
    ? `1 prediction differs from that of ${entry.compared_with}.`
    : entry.num_changed
    ? `${total} predictions differ from those of ${entry.compared_with}.${first}`
    : `No prediction differs from those of ${entry.compared_with}.`;
  $("changed").replaceChildren(...entry.changed.map((example) => {
    const verdict = example.after === example.label ? "now correct" : example.before === example.label ? "now wrong" : "both wrong";
    const text = ` · label ${name(example.label)} · ${before} ${example.before === null ? "?" : name(example.before)} · ${after} ${name(example.after)} (${verdict})`;
    const item = make("li", {});
    const pixels = DATA.pixels[example.number];
    if (pixels) {
      const canvas = make("canvas", { role: "img", "aria-label": `Test example ${example.number}, a ${name(example.label)}` });
      paint(canvas, pixels.shape, bytesOf(pixels.bytes));
      item.append(canvas);
    }
    item.append(`No. ${example.number}${text}`);
    return item;
  }));
}

function showEntry(Plotly) {
  const entry = currentEntry();
  const reached = entry.sparsity !== null && entry.sparsity < entry.k - CLEARLY_LESS ? `target ${shortPercent(entry.k)}, reached ${percent(entry.sparsity)}` : shortPercent(entry.k);
  $("k-text").textContent = reached;
  $("k").setAttribute("aria-valuetext", reached);
  const removed = entry.sizes.map((size, layer) => size - entry.kept[layer]).reduce((a, b) => a + b, 0);
  const all = entry.sizes.reduce((a, b) => a + b, 0);
  $("diagnostics-text").textContent = `${removed.toLocaleString("en")} of ${all.toLocaleString("en")} hidden ${entry.by_unit ? "units" : "weights"} removed, test accuracy ${entry.accuracy === null ? "–" : percent(entry.accuracy)}, loss ${entry.loss === null ? "–" : entry.loss.toPrecision(4)}`;
  showConfusion(entry);
  showFirst(entry);
  showChanged(entry);
  if (Plotly) drawDistributions(Plotly, entry);
}

function setUpDiagnostics() {
  $("method").replaceChildren(...Object.keys(DATA.diagnostics).map((method) => make("option", { value: method }, method)));
  const show = () => showEntry(window.Plotly);
  const onMethod = () => {
    const entries = DATA.diagnostics[$("method").value];
    const before = $("k").dataset.value;
    $("k").max = entries.length - 1;
    const same = entries.findIndex((entry) => String(entry.k) === before);
    const pruned = entries.findIndex((entry) => entry.k > 0);
    $("k").value = Math.max(0, same < 0 ? pruned : same);
    const layers = entries[0].layers;
    $("which-layers").hidden = layers.length <= LAYERS_AT_ONCE;
    const groups = [...Array(Math.ceil(layers.length / LAYERS_AT_ONCE)).keys()].map((n) => n * LAYERS_AT_ONCE);
    $("layer-group").replaceChildren(...groups.map((n) => make("option", { value: n }, `${layers[n]} … ${layers[Math.min(n + LAYERS_AT_ONCE, layers.length) - 1]}`)));
    show();
  };
  $("method").addEventListener("change", onMethod);
  $("layer-group").addEventListener("change", show);
  $("k").addEventListener("input", () => {
    $("k").dataset.value = currentEntry().k;
    show();
  });
  let timer = null;
  $("play").addEventListener("click", () => {
    const stop = () => {
      clearInterval(timer);
      timer = null;
      $("play").textContent = "Play";
      $("play").setAttribute("aria-pressed", "false");
    };
    if (timer) return stop();
    $("play").textContent = "Stop";
    $("play").setAttribute("aria-pressed", "true");
    if ($("k").value === $("k").max) $("k").value = 0;
    timer = setInterval(() => {
      $("k").value = Number($("k").value) + 1;
      $("k").dispatchEvent(new Event("input"));
      if ($("k").value === $("k").max) stop();
    }, 700);
    return undefined;
  });
  onMethod();
}

const hasDiagnostics = Object.keys(DATA.diagnostics).length > 0;

function drawAll(Plotly) {
  drawCurves(Plotly);
  if (hasDiagnostics) showEntry(Plotly);
  if (DATA.history) drawTraining(Plotly);
}

if (hasDiagnostics) setUpDiagnostics();
sortable($("numbers"));
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => {
    const kind = button.dataset.copy;
    const texts = { csv: () => asCsv($("numbers")), markdown: () => asMarkdown($("numbers")), command: () => $("command").textContent };
    copy(texts[kind](), button);
  });
}
for (const input of document.querySelectorAll('input[name="across"], input[name="of"], #near')) {
  input.addEventListener("change", () => withPlotly(drawCurves));
}
onTheme(drawAll);
// After the first paint of the page, which loading Plotly would delay.
requestAnimationFrame(() => setTimeout(() => withPlotly(drawAll), 0));
