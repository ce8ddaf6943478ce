"use strict";
// "What would it be for me": the napkin model on five numbers.
(() => {
  const data = JSON.parse(document.getElementById("forme-data").textContent);
  const form = document.getElementById("forme");
  const names = ["rtt_ms", "tokens_per_s", "turns", "calls", "tests_s"];
  for (const name of names) form.elements[name].value = Math.round(data[name] * 10) / 10;
  const seconds = (ms) => ms >= 99500 ? `${(ms / 60000).toFixed(1)} min` : `${(ms / 1000).toFixed(ms < 9950 ? 2 : 1)} s`;
  function show() {
    const me = Object.fromEntries(names.map((name) => [name, Math.max(0, Number(form.elements[name].value) || 0)]));
    const model = me.turns * (data.ttft_ms + data.tokens * 1000 / Math.max(1, me.tokens_per_s));
    const rows = data.engines.map((engine) => {
      const link = me.rtt_ms * (engine.placement === "client" ? me.turns : 1);
      // A call beside the model is measured there; one beside the agent as well, so the link is no part of either.
      const tools = me.turns * me.calls * engine.call_ms + me.tests_s * 1000;
      return { engine: engine.engine, link, model, tools, all: link + model + tools };
    });
    const over = rows.find((row, at) => data.engines[at].placement === "client") || rows[0];
    const body = form.querySelector("tbody");
    body.replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      const cells = [row.engine, seconds(row.all), seconds(row.link), seconds(row.model), seconds(row.tools), `${(over.all / row.all).toFixed(2)}×`];
      line.append(...cells.map((text, at) => {
        const cell = document.createElement(at ? "td" : "th");
        if (!at) cell.scope = "row";
        cell.textContent = text;
        return cell;
      }));
      return line;
    }));
    form.querySelector("output").value = `Here TTFT is ${data.ttft_ms} ms, a turn has ${data.tokens} tokens, and a call takes ` +
      data.engines.map((engine) => `${engine.call_ms} ms (${engine.engine})`).join(", ") + ": medians of this run.";
  }
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
