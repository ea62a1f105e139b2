// Hover values, runs on and off, log scale, smoothing, steps or time. Without it the page shows the same curves, still.
"use strict";
(() => {
  const W = 540, H = 280, LEFT = 54, RIGHT = 14, TOP = 12, BOTTOM = 30, NS = "http://www.w3.org/2000/svg";
  const charts = JSON.parse(document.getElementById("chart-data").textContent).charts;
  const state = { time: false, log: false, smooth: 0, off: new Set() };
  const views = [...document.querySelectorAll("svg[data-chart]")].map((svg) => ({ svg, chart: charts[+svg.dataset.chart] }));

  const svgEl = (name, attributes, text) => {
    const node = document.createElementNS(NS, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const htmlEl = (name, text) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const lineClass = (mark) => `line c${mark % 8} d${Math.floor(mark / 8) % 4}`;

  function say(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-4) return value.toExponential(2).replace("e+", "e");
    return String(+value.toPrecision(4));
  }
  function sayTick(value, gap) {
    const size = Math.abs(value);
    if (size >= 1e4 && size < 1e15) {
      const [unit, letter] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
      return +(value / unit).toPrecision(4) + letter;
    }
    if (value === 0) return "0";
    if (size < 1e-4 || size >= 1e15) return value.toExponential(0).replace("e+", "e");
    return value.toFixed(Math.min(8, Math.max(0, -Math.floor(Math.log10(gap) + 1e-9))));
  }
  function sayTime(seconds) {
    const s = Math.round(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    if (h >= 48) return +(s / 86400).toPrecision(3) + "d";
    return h ? `${h}h${String(m).padStart(2, "0")}` : m ? `${m}m${s % 60 ? String(s % 60).padStart(2, "0") : ""}` : `${+seconds.toPrecision(3)}s`;
  }
  function ticks(low, high, most, units) {
    const least = (high - low) / most;
    let step = units && units.find((unit) => unit >= least);
    if (!step) {
      const unit = 10 ** Math.floor(Math.log10(least));
      step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= least * 0.999999);
    }
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9 && found.length < 50; i++) found.push(i * step);
    return found;
  }
  const UNITS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800];

  // as TensorBoard smooths: an exponential mean, without its bias at the beginning
  function smoothed(values) {
    if (!state.smooth) return values;
    let last = 0, count = 0;
    return values.map((value) => {
      if (value === null) return null;
      last = last * state.smooth + (1 - state.smooth) * value;
      count += 1;
      return last / (1 - state.smooth ** count);
    });
  }

  function prepare(chart) {
    const lines = chart.lines.filter((line) => !state.off.has(line.run)).map((line) => {
      const x = state.time ? line.t : line.x;
      const fit = (y) => y.map((value, i) => (value === null || x[i] === null || (state.log && value <= 0) ? null : value));
      return { line, x, raw: fit(line.y), y: fit(smoothed(line.y)) };
    });
    const xs = lines.flatMap((one) => one.x.filter((x) => x !== null));
    const ys = lines.flatMap((one) => one.raw.filter((y) => y !== null));
    if (!xs.length || !ys.length) return { lines, empty: true };
    const least = (list) => list.reduce((a, b) => Math.min(a, b)), most = (list) => list.reduce((a, b) => Math.max(a, b));
    let x0 = least(xs), x1 = most(xs), y0 = least(ys), y1 = most(ys);
    if (x0 === x1) { x0 -= 0.5; x1 += 0.5; }
    const low = y0, scale = state.log ? Math.log10 : (value) => value;
    y0 = scale(y0); y1 = scale(y1);
    const room = y1 > y0 ? (y1 - y0) * 0.05 : Math.abs(y0) * 0.1 || 1;
    y0 -= room; y1 += room;
    if (!state.log && y0 < 0 && low >= 0) y0 = 0;
    return {
      lines, x0, x1, y0, y1,
      px: (x) => LEFT + ((x - x0) / (x1 - x0)) * (W - LEFT - RIGHT),
      py: (y) => H - BOTTOM - ((scale(y) - y0) / (y1 - y0)) * (H - TOP - BOTTOM),
    };
  }

  function yTicks(view) {
    if (!state.log) {
      const found = ticks(view.y0, view.y1, 5);
      return found.map((value) => [value, sayTick(value, found.length > 1 ? found[1] - found[0] : Math.abs(value))]);
    }
    for (const digits of [[1, 2, 5], [1, 3], [1]]) {
      const found = [];
      for (let power = Math.floor(view.y0); power <= Math.ceil(view.y1); power++)
        for (const digit of digits) {
          const value = digit * 10 ** power;
          if (Math.log10(value) >= view.y0 && Math.log10(value) <= view.y1) found.push([value, say(value)]);
        }
      if (found.length <= 8 && found.length > 1) return found;
    }
    return [[10 ** view.y0, say(10 ** view.y0)], [10 ** view.y1, say(10 ** view.y1)]];
  }

  function path(view, x, y) {
    let d = "", up = true;
    for (let i = 0; i < y.length; i++) {
      if (y[i] === null) { up = true; continue; }
      d += `${up ? "M" : "L"}${view.px(x[i]).toFixed(1)} ${view.py(y[i]).toFixed(1)}`;
      up = false;
    }
    return d;
  }

  function draw(one) {
    const { svg, chart } = one, view = (one.view = prepare(chart));
    svg.replaceChildren();
    if (view.empty) {
      svg.append(svgEl("text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, "no number to draw here"));
      return;
    }
    for (const [value, words] of yTicks(view)) {
      const y = view.py(value).toFixed(1);
      svg.append(svgEl("line", { x1: LEFT, x2: W - RIGHT, y1: y, y2: y, class: "grid" }));
      svg.append(svgEl("text", { x: LEFT - 7, y: +y + 4, "text-anchor": "end" }, words));
    }
    const xs = ticks(view.x0, view.x1, 6, state.time ? UNITS : null);
    for (const x of xs) {
      const words = state.time ? sayTime(x) : sayTick(x, xs.length > 1 ? xs[1] - xs[0] : 1);
      svg.append(svgEl("text", { x: view.px(x).toFixed(1), y: H - BOTTOM + 17, "text-anchor": "middle" }, words));
    }
    svg.append(svgEl("line", { x1: LEFT, x2: W - RIGHT, y1: H - BOTTOM, y2: H - BOTTOM, class: "axis" }));
    svg.append(svgEl("text", { x: W - RIGHT, y: H - 3, "text-anchor": "end", class: "unit" }, state.time ? "time since the first record" : "step"));
    let best = null;
    for (const { line, x, raw, y } of view.lines) {
      const count = raw.filter((value) => value !== null).length;
      if (state.smooth && count > 1) svg.append(svgEl("path", { d: path(view, x, raw), class: `${lineClass(line.mark)} raw` }));
      if (count > 1) svg.append(svgEl("path", { d: path(view, x, y), class: lineClass(line.mark), "data-run": line.run }));
      raw.forEach((value, i) => {
        if (value !== null && line.best && (!best || (chart.way === "max" ? value > best.value : value < best.value)))
          best = { value, x: x[i], mark: line.mark };
      });
      if (count === 1) {
        const i = raw.findIndex((value) => value !== null);
        svg.append(svgEl("circle", { cx: view.px(x[i]), cy: view.py(raw[i]), r: 3.5, class: `dot c${line.mark % 8}` }));
      }
      if (!state.time)
        for (const [step, word] of line.bad) {
          const mark = svgEl("text", { x: view.px(step).toFixed(1), y: H - BOTTOM - 2, "text-anchor": "middle", class: `bad c${line.mark % 8}` }, "×");
          mark.append(svgEl("title", {}, `${line.name}: ${word} at step ${step}`));
          svg.append(mark);
        }
    }
    if (best && chart.way && view.lines.length > 1)
      svg.append(svgEl("text", { x: view.px(best.x).toFixed(1), y: (view.py(best.value) + 5).toFixed(1), "text-anchor": "middle", class: `star c${best.mark % 8}` }, "★"));
  }

  function nearest(xs, ys, x) {
    let found = -1;
    for (let i = 0; i < xs.length; i++)
      if (ys[i] !== null && (found < 0 || Math.abs(xs[i] - x) < Math.abs(xs[found] - x))) found = i;
    return found;
  }

  function watch(one) {
    const { svg, chart } = one, figure = svg.parentElement, tip = htmlEl("div");
    tip.className = "tip"; tip.hidden = true;
    figure.append(tip);
    let cursor = null;
    const leave = () => { tip.hidden = true; if (cursor) cursor.remove(); cursor = null; };
    const move = (event) => {
      const view = one.view || (one.view = prepare(chart)), box = svg.getBoundingClientRect();
      const px = ((event.clientX - box.left) / box.width) * W;
      if (view.empty || px < LEFT - 4 || px > W - RIGHT + 4) { leave(); return; }
      const x = view.x0 + ((px - LEFT) / (W - LEFT - RIGHT)) * (view.x1 - view.x0);
      const rows = view.lines.map(({ line, x: xs, y }) => ({ line, i: nearest(xs, y, x), xs, y })).filter((row) => row.i >= 0);
      if (!rows.length) { leave(); return; }
      rows.sort((a, b) => (chart.way === "min" ? 1 : -1) * (a.y[a.i] - b.y[b.i]));
      const at = rows.map((row) => row.xs[row.i]).reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
      tip.replaceChildren(htmlEl("b", state.time ? sayTime(at) : `step ${Math.round(at).toLocaleString("en")}`));
      for (const row of rows.slice(0, 12)) {
        const line = htmlEl("span"), key = svgEl("svg", { viewBox: "0 0 22 10", class: "swatch" });
        key.append(svgEl("line", { x1: 1, y1: 5, x2: 21, y2: 5, class: lineClass(row.line.mark) }));
        line.append(key, htmlEl("i", row.line.name), htmlEl("em", say(row.y[row.i])));
        tip.append(line);
      }
      if (rows.length > 12) tip.append(htmlEl("span", `and ${rows.length - 12} more`));
      if (!cursor || !cursor.isConnected) { cursor = svgEl("line", { y1: TOP, y2: H - BOTTOM, class: "cursor" }); svg.append(cursor); }
      cursor.setAttribute("x1", view.px(at)); cursor.setAttribute("x2", view.px(at));
      tip.hidden = false;
      const left = ((view.px(at) / W) * box.width), wide = tip.offsetWidth;
      tip.style.left = `${left + 14 + wide > box.width ? Math.max(0, left - wide - 14) : left + 14}px`;
      tip.style.top = `${svg.offsetTop + 14}px`;
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", leave);
  }

  function redraw() { views.forEach(draw); }
  function tool(id, act) { const node = document.getElementById(id); if (node) node.addEventListener("input", () => { act(node); redraw(); }); }
  tool("by-time", (node) => { state.time = node.checked; });
  tool("log-y", (node) => { state.log = node.checked; });
  tool("smooth", (node) => { state.smooth = +node.value / 100; document.getElementById("smooth-words").textContent = node.value === "0" ? "off" : (+node.value / 100).toFixed(2); });
  for (const item of document.querySelectorAll(".legend li")) {
    const button = htmlEl("button"), run = +item.dataset.run;
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.title = "show or hide; double-click: this one alone";
    button.append(...item.childNodes);
    item.append(button);
    const press = () => document.querySelectorAll(".legend li").forEach((one) =>
      one.firstElementChild.setAttribute("aria-pressed", String(!state.off.has(+one.dataset.run))));
    button.addEventListener("click", () => { if (!state.off.delete(run)) state.off.add(run); press(); redraw(); });
    button.addEventListener("dblclick", () => {
      state.off = new Set([...document.querySelectorAll(".legend li")].map((one) => +one.dataset.run).filter((id) => id !== run));
      press(); redraw();
    });
  }
  views.forEach(watch);
  document.documentElement.classList.add("live");
})();
