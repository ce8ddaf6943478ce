"use strict";
// Two panes play one trace in real time: what was measured, or, once a slider is moved, what the napkin model predicts.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const el = (id) => document.getElementById(id);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const measuredTps = 1000 / data.model.tpot_ms;
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  // Tokens a second on a slider of 0 to 100: from 10 to 10,000, each step as much again.
  const tpsAt = (step) => 10 * 10 ** (step * 3 / 100);
  const stepAt = (tps) => 100 / 3 * Math.log10(tps / 10);

  // A pane as segments [kind, start, end, turn]; tokens of a turn are written evenly in its model segment's second part.
  function measured(pane) {
    const out = [];
    let at = 0;
    const until = (kind, end, turn) => {
      if (end !== null && end > at) { out.push([kind, at, end, turn]); at = end; }
    };
    pane.turns.forEach((turn, number) => {
      until("link", turn.prompt_read, number);
      until("think", turn.first_token, number);
      until("write", turn.last_token, number);
      until("link", turn.tools_started, number);
      until("tool", turn.tools_done, number);
    });
    until("link", pane.end, pane.turns.length - 1);
    return out;
  }

  function predicted(pane, rtt, tps) {
    const out = [];
    let at = 0;
    const add = (kind, ms, turn) => { if (ms > 0) { out.push([kind, at, at + ms, turn]); at += ms; } };
    const far = pane.placement === "client";
    pane.turns.forEach((turn, number) => {
      if (far || number === 0) add("link", rtt / 2, number);
      add("think", turn.ttft, number);
      add("write", (turn.tokens - 1) * 1000 / tps, number);
      if (far || number === pane.turns.length - 1) add("link", rtt / 2, number);
      if (turn.tools_started !== null) add("tool", turn.tools_done - turn.tools_started, number);
    });
    return out;
  }

  const names = { link: "on the link", think: "the model thinks", write: "the model writes", tool: "the tool runs" };
  const kinds = { link: "link", think: "model", write: "model", tool: "tool" };
  const places = { client: "tools on the laptop, far from the model", server: "tools beside the model", "serving-process": "tools in the model's own process" };
  const views = data.panes.map((pane) => {
    const root = document.createElement("article");
    root.className = "pane";
    root.innerHTML = '<h3><span><span class="name"></span> <span class="predicted" hidden>predicted</span></span><span class="time"></span></h3>' +
      '<div class="how"></div><div class="now"></div><div class="screen" tabindex="0" role="region"></div><canvas aria-hidden="true"></canvas><div class="sums"></div>';
    const part = (name) => root.querySelector(name);
    part(".name").textContent = pane.engine;
    part(".how").textContent = places[pane.placement] || pane.placement;
    part(".screen").setAttribute("aria-label", `What ${pane.engine} shows`);
    const sums = Object.fromEntries(["link", "model", "tool"].map((kind) => {
      const span = document.createElement("span");
      span.className = kind;
      part(".sums").append(span);
      return [kind, span];
    }));
    el("panes").append(root);
    return { pane, root, sums, time: part(".time"), now: part(".now"), screen: part(".screen"), canvas: part("canvas"), badge: part(".predicted"), shown: "" };
  });

  let longest = 1, at = 0, playing = false, before = 0, speed = 1;

  function plan() {
    const rtt = Number(el("rtt").value), tps = tpsAt(Number(el("tps").value));
    const as = Math.abs(rtt - Math.round(data.link.rtt_ms)) < 1 && Math.abs(stepAt(measuredTps) - Number(el("tps").value)) < 1;
    el("rtt-is").value = `${rtt} ms`;
    el("tps-is").value = `${Math.round(as ? measuredTps : tps).toLocaleString("en")} tokens/s`;
    for (const view of views) {
      view.segments = as ? measured(view.pane) : predicted(view.pane, rtt, tps);
      view.end = view.segments.length ? view.segments.at(-1)[2] : 0;
      view.badge.hidden = as;
      view.cursor = 0;
    }
    longest = Math.max(1, ...views.map((view) => view.end));
    const [slow, fast] = [...views].sort((a, b) => b.end - a.end).filter((_, i, all) => i === 0 || i === all.length - 1);
    const link = (view) => view.segments.reduce((sum, [kind, start, end]) => sum + (kind === "link" ? end - start : 0), 0);
    const share = Math.round(100 * (link(slow) - link(fast)) / Math.max(1, slow.end - fast.end));
    const why = share >= 50 ? `${Math.min(100, share)} % of the difference is the link: ${slow.pane.engine} crosses it each turn` : "most of the difference is the tools themselves";
    el("verdict").textContent = `${fast.pane.engine} is ${(slow.end / fast.end).toFixed(2)} times as fast as ${slow.pane.engine}${as ? "" : " (predicted)"}: ${why}.`;
    at = Math.min(at, longest);
    for (const view of views) { size(view); view.drawn = -1; }
    show();
  }

  function size(view) {
    const scale = devicePixelRatio || 1;
    view.canvas.width = Math.max(1, Math.round(view.canvas.clientWidth * scale));
    view.canvas.height = Math.round(26 * scale);
    const style = getComputedStyle(document.documentElement);
    view.colours = Object.fromEntries(["link", "model", "tool", "line"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function draw(view) {
    const canvas = view.canvas, context = canvas.getContext("2d"), width = canvas.width / longest;
    context.fillStyle = view.colours.line;
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const [kind, start, end] of view.segments) {
      if (start >= at) break;
      context.fillStyle = view.colours[kinds[kind]];
      context.fillRect(start * width, 0, Math.max(1, (Math.min(end, at) - start) * width), canvas.height);
    }
  }

  function screen(view, turn, kind, part) {
    const said = data.said && data.said.turns[turn];
    const calls = view.pane.turns[turn].calls;
    const lines = [];
    const before = Math.max(0, turn - 2);
    for (let number = before; number < turn; number++) lines.push(...whole(view, number));
    if (kind !== "link" || part > 0) {
      const text = said ? said.text + said.calls.map((call) => `\n$ ${call.line}`).join("") : calls.map((call) => `$ ${call.name}`).join("\n");
      const tokens = view.pane.turns[turn].tokens;
      const written = kind === "write" ? Math.floor(text.length * part) : kind === "think" ? 0 : text.length;
      lines.push(["i", `turn ${turn + 1}, ${tokens} tokens`], ["", text.slice(0, written)]);
      if (kind === "tool") lines.push(["b", "…"]);
    }
    return lines;
  }

  function whole(view, number) {
    const said = data.said && data.said.turns[number], turn = view.pane.turns[number];
    const lines = [["i", `turn ${number + 1}, ${turn.tokens} tokens`]];
    if (said) lines.push(["", said.text]);
    turn.calls.forEach((call, index) => {
      const known = said && said.calls[index];
      lines.push(["", `$ ${known ? known.line : call.name}`], ["b", known ? known.output : call.recorded ? "answered from the recording" : `answered in ${(call.done - call.start).toFixed(1)} ms`]);
    });
    return lines;
  }

  function paint(view, lines) {
    const key = JSON.stringify(lines);
    if (key === view.shown) return;
    view.shown = key;
    view.screen.replaceChildren(...lines.filter(([, text]) => text).map(([tag, text]) => {
      const node = document.createElement(tag || "span");
      node.textContent = `${text}\n`;
      return node;
    }));
    view.screen.scrollTop = view.screen.scrollHeight;
  }

  function show() {
    el("clock").value = seconds(at);
    el("seek").value = Math.round(1000 * at / longest);
    for (const view of views) {
      if (view.drawn === at) continue;
      view.drawn = at;
      const segments = view.segments;
      if (!segments.length) continue;
      if (view.cursor >= segments.length || segments[view.cursor][1] > at) view.cursor = 0;
      while (view.cursor < segments.length - 1 && segments[view.cursor][2] <= at) view.cursor++;
      const [kind, start, end, turn] = segments[view.cursor];
      const over = at >= view.end;
      view.time.textContent = seconds(Math.min(at, view.end));
      view.root.classList.toggle("over", over);
      view.time.classList.toggle("done", over);
      view.now.className = `now ${over ? "" : kinds[kind]}`;
      view.now.textContent = over ? `done after ${view.pane.turns.length} turns` : `turn ${turn + 1} of ${view.pane.turns.length}: ${names[kind]}`;
      const sums = { link: 0, model: 0, tool: 0 };
      for (const [of, from, to] of segments) {
        if (from >= at) break;
        sums[kinds[of]] += Math.min(to, at) - from;
      }
      for (const name of Object.keys(sums)) view.sums[name].textContent = seconds(sums[name]);
      paint(view, over ? view.pane.turns.slice(-3).flatMap((_, last, all) => whole(view, view.pane.turns.length - all.length + last)) : screen(view, turn, kind, Math.min(1, (at - start) / (end - start))));
      draw(view);
    }
    el("play").textContent = playing ? "Pause" : "Play";
  }

  function frame(now) {
    if (!playing) return;
    at = Math.min(longest, at + (now - before) * speed);
    before = now;
    window.frames_shown = (window.frames_shown || 0) + 1;
    if (at >= longest) playing = false;
    show();
    if (playing) requestAnimationFrame(frame);
  }

  function play(on) {
    if (on && at >= longest) at = 0;
    playing = on;
    before = performance.now();
    if (on) requestAnimationFrame(frame);
    show();
  }

  const moved = (to) => { at = Math.max(0, Math.min(longest, to)); for (const view of views) view.drawn = -1; show(); };
  function asMeasured() {
    el("rtt").value = Math.round(data.link.rtt_ms);
    el("tps").value = stepAt(measuredTps);
    plan();
  }
  function ran() {
    const told = Math.max(...data.panes.map((pane) => pane.turns.flatMap((turn) => turn.calls).filter((call) => call.recorded).length));
    return told ? `every tool call ran for real but ${told}, answered from the recording` : "every tool call ran for real";
  }
  el("where").textContent = `${data.trace}, round trip ${Math.round(data.link.rtt_ms)} ms (${data.link.name}), ${data.model.name} at ${Math.round(measuredTps).toLocaleString("en")} tokens/s; ${ran()}.`;
  el("play").addEventListener("click", () => play(!playing));
  el("again").addEventListener("click", () => { moved(0); play(true); });
  el("speed").addEventListener("change", (event) => { speed = Number(event.target.value); });
  el("seek").addEventListener("input", (event) => moved(longest * event.target.value / 1000));
  el("rtt").addEventListener("input", plan);
  el("tps").addEventListener("input", plan);
  el("measured").addEventListener("click", asMeasured);
  addEventListener("resize", () => { for (const view of views) { size(view); view.drawn = -1; } show(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plan);
  addEventListener("keydown", (event) => {
    if (event.target.matches?.("input, select, button, textarea") && event.key !== "Escape") return;
    const step = longest / 50;
    const keys = { " ": () => play(!playing), r: () => { moved(0); play(true); }, ArrowRight: () => moved(at + step), ArrowLeft: () => moved(at - step), Home: () => moved(0), End: () => moved(longest) };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  asMeasured();
  if (still) moved(longest); else play(true);
  document.documentElement.dataset.ready = "yes";
})();
