"use strict";

/* The form of a campaign: the server is asked, while somebody writes, how many people a segment means, which variables the
   templates want, and when it is told next. Nothing is decided here; without this script the same form is kept as it is. */

(() => {
  const PAUSE_MS = 500;
  const form = document.getElementById("writing");
  const places = JSON.parse(document.getElementById("places").textContent);
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const json = form.elements.variables;
  const timers = {};
  const asked = {};

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /* Only the answer to the last question counts. */
  function ask(what, question, show) {
    clearTimeout(timers[what]);
    timers[what] = setTimeout(async () => {
      const mine = asked[what] = (asked[what] || 0) + 1;
      try {
        const response = await fetch(places[what], {
          method: "POST", body: JSON.stringify(question()), headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        });
        const answer = response.redirected ? null : await response.json();
        if (mine === asked[what]) show(answer || { faults: [{ message: "No answer: are you still logged in?" }] });
      } catch {
        if (mine === asked[what]) show({ faults: [{ message: "No answer: are you still logged in?" }] });
      }
    }, PAUSE_MS);
  }

  /* --- whom */

  function whom() {
    const chosen = form.querySelector("[name=whom]:checked");
    return chosen ? chosen.value : "segment";
  }

  function drawWhom() {
    for (const part of form.querySelectorAll("[data-whom]")) part.hidden = part.dataset.whom !== whom();
    askAudience();
  }

  function askAudience() {
    const kind = whom();
    const text = kind === "list" ? "" : form.elements[kind].value.trim();
    document.getElementById("audience").hidden = !text;
    if (text) ask("audience", () => ({ [kind]: form.elements[kind].value }), drawAudience);
  }

  function drawAudience(answer) {
    const box = document.getElementById("audience");
    if (answer.faults) {
      box.replaceChildren(...answer.faults.map((fault) => make("p", { class: "wrong" }, told(fault), ...shown(fault))));
      return;
    }
    const number = answer.count.toLocaleString("en");
    const people = answer.sample.map((one) => [one.user_id, one.country_code, one.locale, one.timezone].filter(Boolean).join(", "));
    box.replaceChildren(make("p", {}, make("b", { class: "ink" }, `${answer.is_estimate ? "about " : ""}${number} people`)),
      ...(people.length ? [make("p", { class: "small" }, "such as"), make("ul", { class: "plain mono" }, ...people.map((one) => make("li", {}, one)))] : []));
  }

  function told(fault) {
    return fault.line ? `${fault.message} (line ${fault.line}, column ${fault.column}) ` : `${fault.message} `;
  }

  function shown(fault) {
    if (typeof fault.offset !== "number") return [];
    return [make("button", { type: "button", class: "btn tiny", onclick: () => pointAt(fault.offset) }, "Show the place")];
  }

  /* The server counts characters, a browser half pairs. */
  function pointAt(offset) {
    const area = form.elements.segment;
    const at = [...area.value].slice(0, offset).join("").length;
    area.focus();
    area.setSelectionRange(at, Math.min(at + 1, area.value.length));
  }

  /* --- variables */

  function values() {
    try {
      const found = JSON.parse(json.value || "{}");
      return found && typeof found === "object" && !Array.isArray(found) ? found : null;
    } catch { return null; }
  }

  function written(value) {
    if (value === null || value === undefined) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  /* What was typed, as the variable's type has it; what does not fit goes on as text, and the server says so. */
  function meant(text, type) {
    if (type === "string") return text;
    try { return JSON.parse(text); } catch { return text; }
  }

  function keep(name, text, type) {
    const found = values() || {};
    if (text === "") delete found[name];
    else found[name] = meant(text, type);
    json.value = JSON.stringify(found, null, 1);
  }

  function drawVariables(wanted) {
    const found = values();
    const box = document.getElementById("variables");
    const strange = found === null || Object.keys(found).some((name) => !wanted.some((one) => one.name === name));
    /* What no field stands for stays visible as text. */
    document.getElementById("variables-json").hidden = !strange;
    document.getElementById("no-variables").hidden = wanted.length > 0;
    const names = wanted.map((one) => `${one.name} ${one.type} ${one.required} ${written(one.default)}`).join("\n");
    if (box.dataset.names === names) return;
    box.dataset.names = names;
    box.replaceChildren(...wanted.map((one) => {
      const id = `variable-${one.name}`;
      const control = make("input", { class: "in", id, placeholder: written(one.default), autocomplete: "off",
        oninput: (event) => keep(one.name, event.target.value, one.type) });
      control.value = written((found || {})[one.name]);
      const about = [one.type === "string" ? "" : one.type, one.required ? "required" : ""].filter(Boolean).join(", ");
      return make("div", { class: "field" }, make("label", { for: id }, about ? `${one.name} (${about})` : one.name), control);
    }));
  }

  /* --- when */

  function drawWhen() {
    const when = form.elements.when.value;
    for (const part of form.querySelectorAll("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(when);
    document.getElementById("coming").hidden = when === "by_hand";
    askOutline();
  }

  function outline() {
    const fields = form.elements;
    return {
      type: fields.type.value.trim(), template_id: fields.template_id.value.trim(),
      variants: [...form.querySelectorAll("[name=variant_template]")].map((one) => one.value.trim()).filter(Boolean),
      planned: Object.fromEntries(["when", "day", "hour", "zone", "cron"].map((name) => [name, fields[name].value.trim()])),
    };
  }

  function askOutline() { ask("outline", outline, drawOutline); }

  function drawOutline(answer) {
    if (answer.variables) drawVariables(answer.variables);
    const lines = (answer.coming || []).map((one) => make("li", {}, one));
    const wrong = (answer.faults || []).map((fault) => make("li", { class: "wrong" }, fault.message));
    if (answer.comes_again && lines.length) lines.unshift(make("li", { class: "faint small" }, "the next times"));
    document.getElementById("coming").replaceChildren(...lines, ...wrong);
  }

  /* --- beginning and end */

  form.addEventListener("input", (event) => {
    form.dataset.changed = "yes";
    const name = event.target.name;
    if (name === "segment" || name === "topic") askAudience();
    else if (name === "whom") drawWhom();
    else if (name === "when") drawWhen();
    else if (["type", "template_id", "variant_template", "day", "hour", "zone", "cron"].includes(name)) askOutline();
  });
  form.addEventListener("submit", () => { delete form.dataset.changed; });
  window.addEventListener("beforeunload", (event) => { if (form.dataset.changed) event.preventDefault(); });
  drawWhom();
  drawWhen();
})();
