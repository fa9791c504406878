// The numbers at the pointer, a closer look by drag, and what is new. Everything works without it too.
"use strict";

const plot = document.getElementById("plot");
if (plot) read_out(plot);
live();

// The chart's points as numbers, and where its picture lies.
function read_out(plot) {
  const points = plot.dataset.points.split(";").filter(Boolean).map((text) => {
    const [at, y, expected, lower, upper, flag] = text.split(",");
    return { at: Number(at), y, expected, lower, upper, flagged: flag === "1" };
  });
  const from = Number(plot.dataset.from) / 1e6, to = Number(plot.dataset.to) / 1e6;
  const said = document.getElementById("readout");
  const cursor = part("cursor"), drag = part("drag");
  let chosen = -1, begun = null;

  function part(name) {
    const made = document.createElement("div");
    made.className = name;
    made.hidden = true;
    plot.append(made);
    return made;
  }

  // The plot's own area within the picture that is shown, in pixels of the figure.
  function area() {
    const svg = [...plot.querySelectorAll("svg.chart")].find((svg) => svg.getClientRects().length);
    const box = svg.getBoundingClientRect(), outer = plot.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const lines = [...svg.querySelectorAll(".c-axis")].map((line) => line.getBBox());
    const ends = lines.map((line) => line.x + line.width);
    return {
      left: box.left - outer.left + Math.min(...ends) * scale,
      right: box.left - outer.left + Math.max(...ends) * scale,
      top: box.top - outer.top + 8 * scale,
      bottom: box.top - outer.top + Math.max(...lines.filter((line) => line.width > 100).map((line) => line.y)) * scale,
    };
  }

  const number = (text) => text.replace(".", plot.dataset.decimal);
  const instant = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19);

  function show(at) {
    chosen = Math.max(0, Math.min(points.length - 1, at));
    const point = points[chosen];
    if (!point) return;
    const words = [instant(point.at).replace("T", " "), number(point.y)];
    if (point.expected) words.push(plot.dataset.expected + " " + number(point.expected));
    if (point.lower && point.upper) words.push(plot.dataset.band + " " + number(point.lower) + " – " + number(point.upper));
    if (point.flagged) words.push("▲ " + plot.dataset.anomaly);
    said.textContent = words.join(" · ");
    const within = area();
    place(cursor, within, point.at, point.at);
  }

  function place(box, within, first, last) {
    const x = (at) => within.left + ((at - from) / (to - from)) * (within.right - within.left);
    box.hidden = false;
    box.style.left = x(first) + "px";
    box.style.width = Math.max(1, x(last) - x(first)) + "px";
    box.style.top = within.top + "px";
    box.style.height = within.bottom - within.top + "px";
  }

  function time_of(event) {
    const within = area(), x = event.clientX - plot.getBoundingClientRect().left;
    const share = (x - within.left) / (within.right - within.left);
    return from + Math.max(0, Math.min(1, share)) * (to - from);
  }

  function nearest(at) {
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle].at < at) low = middle + 1; else high = middle;
    }
    return low > 0 && at - points[low - 1].at < points[low].at - at ? low - 1 : low;
  }

  plot.addEventListener("pointermove", (event) => {
    if (!event.target.closest("svg.chart") && begun === null) return;
    const at = time_of(event);
    if (points.length) show(nearest(at));
    if (begun !== null) place(drag, area(), Math.min(begun, at), Math.max(begun, at));
  });
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || !event.target.closest("svg.chart")) return;
    begun = time_of(event);
    plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  plot.addEventListener("pointerup", (event) => {
    if (begun === null) return;
    const first = Math.min(begun, time_of(event)), last = Math.max(begun, time_of(event));
    begun = null;
    drag.hidden = true;
    // A click is no drag.
    if (last - first < (to - from) / 100) return;
    const url = new URL(location.href);
    url.searchParams.delete("range");
    url.searchParams.set("from", instant(first));
    url.searchParams.set("to", instant(last));
    location.assign(url);
  });
  plot.addEventListener("pointerleave", () => { if (begun === null) cursor.hidden = true; });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (event.key === "Home") show(0);
    else if (event.key === "End") show(points.length - 1);
    else if (step) show(chosen < 0 ? points.length - 1 : chosen + step);
    else return;
    event.preventDefault();
  });
}

// A view of a time that is past does not change; one that ends now does, at each commit.
function live() {
  const mark = document.getElementById("live");
  const asked = new URLSearchParams(location.search);
  if (!mark || document.querySelector("form[action='/login']") || asked.has("from")) return;
  let last = null, polling = null;

  function told(on) {
    mark.hidden = false;
    mark.classList.toggle("off", !on);
    mark.textContent = on ? mark.dataset.on : mark.dataset.off;
  }

  async function news(text) {
    if (document.hidden) return;
    if (last === null || text === last) { last = text; return; }
    last = text;
    // Who types or drags is not disturbed.
    const busy = document.activeElement && document.activeElement.closest("form, figure");
    if (busy) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = fresh.getElementById("main"), foot = fresh.querySelector("footer");
    if (!main) return;
    document.getElementById("main").replaceWith(main);
    if (foot) document.querySelector("footer").replaceWith(foot);
    const plot = document.getElementById("plot");
    if (plot) read_out(plot);
  }

  async function ask() {
    try {
      const answer = await fetch("/state");
      told(answer.ok);
      if (answer.ok) news((await answer.json()).updated_at);
    } catch { told(false); }
  }

  function poll() {
    if (polling === null) { polling = setInterval(ask, 15000); ask(); }
  }

  let events = null, silence = null;

  // A browser opens six connections to a server at a time: a page that nobody sees leaves its own
  // to the others.
  function leave() {
    if (events !== null) events.close();
    clearTimeout(silence);
    clearInterval(polling);
    events = polling = null;
  }

  function listen() {
    if (events !== null || document.hidden) return;
    events = new EventSource("/events");
    // A proxy that eats events says nothing for long.
    silence = setTimeout(poll, 20000);
    events.onopen = () => told(true);
    events.onmessage = (event) => {
      clearTimeout(silence);
      if (polling !== null) { clearInterval(polling); polling = null; }
      told(true);
      news(event.data);
    };
    events.onerror = () => {
      told(false);
      if (events !== null && events.readyState === EventSource.CLOSED) poll();
    };
  }

  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); else listen(); });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", listen);
}
