// What each plot shows, as Plotly's traces and layout: functions of the data, the points chosen and the theme.
const GLYPHS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "x"];
const MANY_MARKS = 600;
const DASH = { solid: "solid", other: "5px,3px" };
const log = Math.log10;
// A spread argument list has an end that a long column passes.
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

// Made once: to make one takes longer than to use it a hundred times.
const FORMATS = Array.from({ length: 10 }, (_, decimals) => new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));

function number(value) {
  if (value === null || value === undefined) return "\u2013";
  if (!value) return "0";
  const decimals = Math.max(0, Math.min(9, 2 - Math.floor(log(Math.abs(value)))));
  return FORMATS[decimals].format(value);
}

function trimmed(value) {
  const text = number(value);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function percent(value) {
  if (value === null) return "\u2013";
  const fine = Math.abs(value) < 0.0995 || (value >= 0.995 && value < 1);
  return `${(100 * value).toFixed(fine ? 1 : 0)} %`;
}

// As Python's `units.time_unit`: by the middle one.
function timeUnit(seconds) {
  const ordered = [...seconds].sort((a, b) => a - b), middle = ordered[ordered.length >> 1] ?? 1e-4;
  if (middle < 1e-6) return ["ns", 1e9];
  if (middle < 1e-3) return ["\u00b5s", 1e6];
  return middle < 1 ? ["ms", 1e3] : ["s", 1];
}

// Plotly reads a little HTML in its texts: a profile's own words must stay words.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function hoverText(data, i) {
  const p = data.points, one = data.series[p.series[i]], [unit, factor] = timeUnit([p.t[i]]);
  const time = (seconds) => `${number(seconds === null ? null : seconds * factor)} ${unit}`;
  const giga = (value) => number(value === null ? null : value / 1e9);
  const [verdict, reason] = data.verdicts[p.verdict[i]];
  const lines = [
    `<b>${plain(one.words)}, batch ${p.batch[i]}</b>`,
    plain(one.implementation),
    `time ${time(p.t[i])} (${number(p.t_low[i] * factor)}\u2013${number(p.t_high[i] * factor)})`,
    `${giga(p.bytes_per_s[i])} GB/s, ${giga(p.flop_per_s[i])} GFLOP/s, ${number(p.intensity[i])} FLOP/byte`,
    p.fraction[i] === null ? "no roof to hold it against"
      : `${percent(p.fraction[i])} of its roof (${percent(p.fraction_low[i])}\u2013${percent(p.fraction_high[i])})`,
    `verdict: ${plain(verdict)}${reason ? `: ${plain(reason)}` : ""}`,
  ];
  if (p.limit[i] !== null) {
    lines.push(`roofs allow ${time(p.limit[i])}: bytes ${time(p.t_bytes[i])}, FLOPs ${time(p.t_flops[i])}`);
  }
  if (p.floor[i] !== null) lines.push(`floor of a call ${time(p.floor[i])}`);
  lines.push(p.counted[i] === null ? "bytes modelled" : `bytes counted: ${number(p.counted[i])} FLOP/byte`);
  return lines.join("<br>");
}

// Points as marks, one trace per implementation and dash: x, y and the interval's ends as functions of a point.
function marks(view, at, { joined = true, filled = (i) => view.data.points.counted[i] !== null } = {}) {
  const groups = new Map();
  for (const s of view.series) {
    const one = view.data.series[s], dash = one.arithmetic === "float32" ? "solid" : "other";
    const key = JSON.stringify([one.implementation, dash]);
    if (!groups.has(key)) groups.set(key, { one, dash, points: [] });
    const group = groups.get(key);
    const kept = view.bySeries.get(s).filter((i) => at(i) !== null);
    if (kept.length) group.points = group.points.concat(group.points.length ? [null] : [], kept);
  }
  const many = view.points.length > MANY_MARKS;
  return [...groups.values()].filter((group) => group.points.length).flatMap(({ one, dash, points }) => {
    const each = points.map((i) => (i === null ? null : at(i)));
    const of = (name) => each.map((found) => (found === null ? null : found[name]));
    const colour = view.colour(one.implementation);
    const ends = each.map((found) => (found === null || found.low === undefined ? [0, 0]
      : [found.high - found.y, found.y - found.low]));
    const bars = each.some((found) => found && found.low !== undefined);
    // As one broken line: a thousand bars of their own freeze the page for seconds.
    const ladder = each.filter((found) => found && found.low < found.high).flatMap((found) => [[found.x, found.low], [found.x, found.high], [null, null]]);
    const intervals = many && bars ? [line(ladder.map(([x]) => x), ladder.map(([, y]) => y), { color: colour, width: 1.1, simplify: false })] : [];
    return [...intervals, {
      type: "scatter", mode: joined ? "lines+markers" : "markers", name: plain(one.implementation),
      x: of("x"), y: of("y"), customdata: points, hoverinfo: "text",
      text: points.map((i) => (i === null ? "" : view.hover(i))),
      line: { color: colour, width: 1.3, dash: DASH[dash] },
      marker: {
        color: colour, size: 8, opacity: 1, line: { width: 1.5, color: colour },
        symbol: points.map((i) => (i === null ? "circle" : view.glyph(i) + (filled(i) ? "" : "-open"))),
      },
      error_y: { type: "data", symmetric: false, array: ends.map((e) => e[0]), arrayminus: ends.map((e) => e[1]),
                 thickness: 1.1, width: 2.5, color: colour, visible: bars && !many },
    }];
  });
}

function axis(view, title, extra = {}) {
  const { ink, muted, grid } = view.theme;
  return {
    type: "log", title: { text: title, standoff: 8, font: { size: 12.5 } }, gridcolor: grid, linecolor: muted, zeroline: false,
    ticks: "outside", ticklen: 4, tickcolor: muted, tickfont: { color: ink }, exponentformat: "none",
    separatethousands: true, minorloglabels: "none", automargin: false, ...extra,
  };
}

function ticksOf(values, text) {
  return { tickmode: "array", tickvals: values, ticktext: values.map(text) };
}

function powers(base, low, high, steps = [1]) {
  const found = [];
  for (let e = Math.floor(Math.log(low) / Math.log(base)); e <= Math.ceil(Math.log(high) / Math.log(base)); e++) {
    for (const step of steps) {
      const value = step * base ** e;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

// 1, 10, 100 and, where there is room, 2 and 5 between.
function decades(low, high, narrow) {
  const wide = log(high / low) > (narrow ? 2.5 : 4);
  return ticksOf(powers(10, low, high, wide ? [1] : [1, 2, 5]), trimmed);
}

const line = (x, y, look, more = {}) => ({ type: "scatter", mode: "lines", x, y, line: look, hoverinfo: "skip", ...more });
const words = (text, x, y, more) => ({ text, x: log(x), y: log(y), showarrow: false, ...more });

function roofline(view) {
  const p = view.data.points, { ink, muted } = view.theme, setup = view.setup;
  // At its fraction of the drawn roof: the roof beside it moved, and the band says how far.
  const at = (i) => {
    const x = p.counted[i] ?? p.intensity[i];
    return x && p.held[i] ? { x, y: p.held[i] / 1e9, low: p.held_low[i] / 1e9, high: p.held_high[i] / 1e9 } : null;
  };
  const shown = view.points.map((i) => [i, at(i)]).filter(([, found]) => found);
  if (!shown.length) return null;
  const dtypes = new Set(shown.map(([i]) => view.data.series[p.series[i]].arithmetic));
  const used = new Set(shown.map(([i]) => p.level[i]));
  const peaks = Object.entries(setup.peaks).filter(([name]) => dtypes.has(name));
  const top = most([...peaks.map(([, peak]) => peak / 1e9), ...shown.map(([, f]) => f.high)]), levels = setup.levels;
  const slowest = levels.at(-1)?.bytes_per_s / 1e9;
  const left = least(shown.map(([, f]) => f.x)) / 3.2;
  const right = most([...shown.map(([, f]) => f.x), levels.length ? top / slowest : 0]) * 2;
  const bottom = least([...shown.map(([, f]) => f.low), levels.length ? left * slowest : Infinity]) / 1.5;
  const highest = most([...peaks.map(([, peak]) => peak / 1e9), 0]) || top;
  const traces = [], slopes = [], moved = (name, value, rate) => {
    const beside = shown.filter(([i]) => name(i)).map(([i]) => p[value][i]).filter(Boolean).map((one) => one / 1e9);
    return [least([rate, ...beside]), most([rate, ...beside])];
  };
  const band = (x, y) => ({ ...line(x, y, { width: 0 }), fill: "toself", fillcolor: ink, opacity: 0.1 });
  for (const level of levels) {
    const rate = level.bytes_per_s / 1e9, strong = used.has(level.name);
    const [slow, quick] = moved((i) => p.level[i] === level.name, "beside_bytes_per_s", rate);
    if (slow < quick) traces.push(band([left / 100, highest / slow, highest / quick, left / 100], [(left / 100) * slow, highest, highest, (left / 100) * quick]));
    const text = `${plain(level.name)} ${trimmed(rate)} GB/s`;
    traces.push(line([left / 100, highest / rate], [(left / 100) * rate, highest],
      { color: strong ? ink : muted, width: strong ? 2 : 1 }, { hoverinfo: "text", text: [text, text] }));
    slopes.push({ rate, text, colour: strong ? ink : muted });
  }
  peaks.forEach(([name, peak]) => {
    const flops = peak / 1e9, start = levels.length ? peak / levels[0].bytes_per_s : left;
    const [slow, quick] = moved((i) => view.data.series[p.series[i]].arithmetic === name, "beside_flop_per_s", flops);
    if (slow < quick) traces.push(band([start, right * 100, right * 100, start], [slow, slow, quick, quick]));
    traces.push(line([start, right * 100], [flops, flops], { color: ink, width: 2 }));
  });
  const ridges = [], roofs = new Map();
  // Of dtypes that share a roof the shortest name stands for all.
  for (const [name, peak] of peaks) if (!(roofs.get(peak)?.length <= name.length)) roofs.set(peak, name);
  for (const peak of roofs.keys()) {
    for (const level of levels.filter((one) => used.has(one.name))) {
      const ridge = peak / level.bytes_per_s;
      if (ridge > left && ridge < right) ridges.push(ridge);
      traces.push(line([ridge, ridge], [bottom / 100, peak / 1e9], { color: muted, width: 1, dash: "dot" }));
    }
  }
  return {
    traces: [...traces, ...marks(view, at)], slopes, peaks: [...roofs].map(([peak, name]) => ({ name: plain(name), flops: peak / 1e9 })), ridges: ridges.sort((a, b) => a - b),
    layout: {
      xaxis: axis(view, "arithmetic intensity, FLOP/byte", {
        range: [log(left), log(right)], ...ticksOf(powers(2, left / 64, right * 64), trimmed) }),
      yaxis: axis(view, "GFLOP/s at the drawn roof", {
        range: [log(bottom), log(top * 1.55)], ...ticksOf(powers(10, bottom / 10, top * 10, [1, 2, 5]), trimmed) }),
    },
  };
}

function timeRoofline(view) {
  const p = view.data.points, { ink, muted } = view.theme;
  const usable = view.points.filter((i) => p.t_bytes[i] && p.t_flops[i] && p.fraction[i]);
  if (!usable.length) return null;
  const [unit, factor] = timeUnit(usable.map((i) => p.t[i]));
  // The larger side is the time that was measured; the dot lies at the fraction of it.
  const at = (i) => {
    if (!p.t_bytes[i] || !p.t_flops[i] || !p.fraction[i]) return null;
    const stretched = (p.t[i] / Math.max(p.t_bytes[i], p.t_flops[i])) * factor;
    return { x: p.t_flops[i] * stretched, y: p.t_bytes[i] * stretched };
  };
  const taken = usable.map(at), floors = new Map();
  const dots = usable.map((i, k) => ({ x: taken[k].x * p.fraction[i], y: taken[k].y * p.fraction[i] }));
  for (const i of usable) {
    const name = view.data.series[p.series[i]].implementation;
    if (p.floor[i]) floors.set(name, [...(floors.get(name) ?? []), p.floor[i] * factor]);
  }
  const boxes = [...floors].map(([name, found]) => [name, found.sort((a, b) => a - b)[found.length >> 1]]);
  const low = least([...dots.map((d) => Math.min(d.x, d.y)), ...boxes.map(([, end]) => end)]) / 1.6;
  const high = most([...taken.map((d) => Math.max(d.x, d.y)), ...boxes.map(([, end]) => end)]) * 1.6;
  const gaps = dots.flatMap((dot, k) => [dot, taken[k], null]);
  const traces = [
    line([low / 100, high * 100], [low / 100, high * 100], { color: ink, width: 2 }),
    line(gaps.map((d) => d && d.x), gaps.map((d) => d && d.y), { color: muted, width: 0.8 }, { opacity: 0.5 }),
    { type: "scatter", mode: "markers", x: dots.map((d) => d.x), y: dots.map((d) => d.y),
      marker: { color: muted, size: 4 }, hoverinfo: "skip" },
    ...boxes.map(([name, end]) => line([low / 100, end, end], [end, end, low / 100],
      { color: view.colour(name), width: 1.3, dash: "6px,4px" },
      { hoverinfo: "text", text: Array(3).fill(`floor of a call, ${plain(name)}: ${number(end)} ${unit}`) })),
    ...marks(view, at, { joined: false }),
  ];
  const ends = { range: [log(low), log(high)], ...decades(low, high, view.narrow) };
  return {
    traces, notes: [
      { text: "bytes take longer", xref: "paper", yref: "paper", x: 0.01, y: 0.99, showarrow: false, font: { color: muted, size: 11 } },
      { text: "FLOPs take longer", xref: "paper", yref: "paper", x: 0.99, y: 0.01, showarrow: false, font: { color: muted, size: 11 } },
    ],
    layout: { xaxis: axis(view, `time for the FLOPs, ${unit}`, ends), yaxis: axis(view, `time for the bytes, ${unit}`, ends) },
  };
}

function timeAgainstBatch(view) {
  const p = view.data.points, { muted } = view.theme, series = view.data.series;
  const usable = view.points.filter((i) => p.roof_seconds[i] && p.fraction[i]);
  if (!usable.length) return null;
  const lines = new Map();
  for (const i of usable) {
    const case_ = series[p.series[i]].words;
    if (!lines.has(case_)) lines.set(case_, new Map());
    const known = lines.get(case_);
    known.set(p.batch[i], Math.min(p.roof_seconds[i], known.get(p.batch[i]) ?? Infinity));
  }
  // The time at the drawn roof: what that allows over the fraction reached.
  const roof = (i) => lines.get(series[p.series[i]].words).get(p.batch[i]);
  const [unit, factor] = timeUnit(usable.map((i) => roof(i) / p.fraction[i]));
  for (const known of lines.values()) for (const [batch, seconds] of known) known.set(batch, seconds * factor);
  const at = (i) => (p.roof_seconds[i] && p.fraction[i]
    ? { x: p.batch[i], y: roof(i) / p.fraction[i], low: roof(i) / p.fraction_high[i], high: roof(i) / p.fraction_low[i] } : null);
  const x = [], y = [];
  for (const known of lines.values()) {
    for (const [batch, least] of [...known].sort((a, b) => a[0] - b[0])) { x.push(batch); y.push(least); }
    x.push(null); y.push(null);
  }
  const batches = [...new Set(usable.map((i) => p.batch[i]))].sort((a, b) => a - b);
  const [first, last] = [batches[0], batches.at(-1)];
  const times = [...y.filter((value) => value !== null), ...usable.map(at).flatMap((found) => [found.low, found.high])];
  const low = least(times) / 1.4, high = most(times) * 1.4;
  const few = batches.length <= (view.narrow ? 8 : 16) ? batches : powers(2, first, last);
  return {
    traces: [
      { ...line(x, y, { color: muted, width: 1.1 }), mode: "lines+markers", marker: { color: muted, size: 4 },
        hoverinfo: "text", text: y.map((value) => (value === null ? "" : `roofs allow ${number(value)} ${unit}`)) },
      // Filled stands for the free batch here: nothing on these axes rests on bytes.
      ...marks(view, at, { filled: (i) => p.batch[i] === view.data.series[p.series[i]].free }),
    ],
    layout: {
      xaxis: axis(view, "batch, sequences per step", { range: [log(first / 1.25), log(last * 1.25)], ...ticksOf(few, String) }),
      yaxis: axis(view, `time of a step at the drawn roof, ${unit}`, { range: [log(low), log(high)], ...decades(low, high, false) }),
    },
  };
}

function bytesText(count) {
  for (const [least, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (count >= least) return `${Number((count / least).toPrecision(4))} ${unit}`;
  }
  return `${count} B`;
}

const CURVE_SYMBOLS = { write: "triangle-down-open", copy: "diamond-open", triad: "triangle-up-open" };
const READ_DASHES = ["solid", "6px,3px", "2px,2px"];

function bandwidth(view) {
  const p = view.data.points, { ink, muted } = view.theme, setup = view.setup;
  const at = (i) => (p.working_set[i] && p.read[i]
    ? { x: p.working_set[i], y: p.read[i] / 1e9, low: p.read_low[i] / 1e9, high: p.read_high[i] / 1e9 } : null);
  const shown = view.points.map(at).filter(Boolean);
  const xs = [...setup.curves.flatMap((curve) => curve.x), ...shown.map((f) => f.x)];
  if (!xs.length) return null;
  // Where the roof stood beside the points of one working set.
  const beside = new Map();
  for (const i of view.points.filter((one) => p.working_set[one] && p.beside_bytes_per_s[one])) {
    beside.set(p.working_set[i], [...(beside.get(p.working_set[i]) ?? []), p.beside_bytes_per_s[i] / 1e9]);
  }
  const ladder = [...beside].flatMap(([x, found]) => [[x, least(found)], [x, most(found)], [null, null]]);
  const moved = line(ladder.map(([x]) => x), ladder.map(([, y]) => y), { color: ink, width: 5, simplify: false }, { opacity: 0.2 });
  const rates = [...[...beside.values()].flat(), ...setup.curves.flatMap((curve) => curve.y.map((rate) => rate / 1e9)), ...shown.flatMap((f) => [f.low, f.high])];
  const low = least(rates) / 1.5, high = most(rates) * 1.2;
  let reads = 0;
  const curves = setup.curves.map((curve) => {
    const y = curve.y.map((rate) => rate / 1e9), text = curve.x.map((x, k) => `${plain(curve.name)}<br>${bytesText(x)}: ${number(y[k])} GB/s`);
    const common = { type: "scatter", x: curve.x, y, text, hoverinfo: "text" };
    if (curve.kind !== "read") return { ...common, mode: "markers", marker: { symbol: CURVE_SYMBOLS[curve.kind], color: muted, size: 8 } };
    return { ...common, mode: "lines+markers", marker: { color: ink, size: 4 }, line: { color: ink, width: 1.8, dash: READ_DASHES[Math.min(reads++, 2)] } };
  });
  const [left, right] = [least(xs) / 1.4, most(xs) * 1.4];
  const shapes = [], notes = [];
  let start = left;
  setup.levels.forEach((level, index) => {
    const end = Math.min(right, level.up_to ?? right);
    if (end <= start) return;
    if (index % 2 === 0) {
      shapes.push({ type: "rect", xref: "x", yref: "paper", x0: start, x1: end, y0: 0, y1: 1, fillcolor: muted, opacity: 0.09, line: { width: 0 }, layer: "below" });
    }
    notes.push({ text: `${plain(level.name)}<br>${trimmed(level.bytes_per_s / 1e9)} GB/s`, x: (log(start) + log(end)) / 2, yref: "paper", y: 1,
                 yanchor: "bottom", showarrow: false, font: { size: view.narrow ? 10 : 11 } });
    start = end;
  });
  for (const cache of setup.caches.filter((one) => one.bytes > left && one.bytes < right)) {
    shapes.push({ type: "line", xref: "x", yref: "paper", x0: cache.bytes, x1: cache.bytes, y0: 0, y1: 1, line: { color: muted, width: 1, dash: "6px,4px" } });
    notes.push({ text: plain(cache.name), x: log(cache.bytes), yref: "paper", y: 0, textangle: -90, xanchor: "left", yanchor: "bottom",
                 showarrow: false, font: { size: 10.5, color: muted } });
  }
  // The write, copy and triad roofs share one grey: their marks tell them apart.
  const names = setup.curves.map((curve) => plain(curve.name)).filter((name) => !name.startsWith("read"));
  return {
    traces: [moved, ...curves, ...marks(view, at, { joined: false })], notes, head: 42,
    key: ["plain line: read roof, dashed at fewer threads", "pale bar: that roof beside the points", ...names.map((name) => `${glyphOfCurve(name)} ${name}`)].join("\u2003"),
    layout: {
      shapes,
      xaxis: axis(view, "working set, all threads together", {
        range: [log(left), log(right)],
        ...ticksOf(powers(2, left, right).filter((v, k, every) => k % Math.ceil(every.length / (view.narrow ? 5 : 9)) === 0), bytesText) }),
      yaxis: axis(view, "GB/s at the drawn roof", { range: [log(low), log(high)], ...decades(low, high, false) }),
    },
  };
}

const glyphOfCurve = (name) => ({ write: "\u25bd", copy: "\u25c7", triad: "\u25b3" })[name.split(",")[0]] ?? "";

const CHARTS = {
  roofline, time_roofline: timeRoofline, time_against_batch: timeAgainstBatch, bandwidth_against_working_set: bandwidth,
};
