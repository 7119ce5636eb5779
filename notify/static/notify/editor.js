"use strict";

/* The template editor: a draft held in memory, drawn as fields, previewed by the server, posted as one JSON text.
   Nothing here interprets a template: what it says and what is wrong with it is the server's to tell. */

(() => {
  const CHANNEL_NAMES = { push: "Push", email: "E-mail", sms: "SMS", in_app: "In-app" };
  const FIELD_NAMES = {
    title: "Title", subject: "Subject", body: "Text", html_body: "HTML", mjml_body: "MJML",
    image_url: "Picture", action_url: "Link", sound: "Sound", badge: "Badge", category: "Category of the app's buttons",
    actions: "Buttons, a line each: id | title | link", data: "Data for the app, a line each: key = text",
  };
  /* A mail is written as one of the two; while one has words, the other is not offered. */
  const INSTEAD = { html_body: "mjml_body", mjml_body: "html_body" };
  const TALL = new Set(["html_body", "mjml_body"]);
  const ONE_LINE = new Set(["title", "subject", "image_url", "action_url", "sound", "badge", "category"]);
  const TYPES = ["string", "number", "boolean", "list", "object"];
  const PAUSE_MS = 350;

  const draft = JSON.parse(document.getElementById("draft").textContent);
  const form = document.getElementById("editor");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const at = { channel: "", locale: "" };
  /* Variables as rows: while somebody types, two may have the same name, which an object could not hold. */
  const rows = Object.entries(draft.variables).map(([name, spec]) => ({
    name, type: spec.type || "string", required: Boolean(spec.required),
    fallback: written(spec.default), example: written(draft.examples[name]),
  }));
  let faults = draft.faults;
  let asked = 0;
  let timer = 0;

  function written(value) {
    if (value === null || value === undefined) return "";
    return typeof value === "string" ? value : JSON.stringify(value);
  }

  /* What was typed, as the variable's type has it; what does not fit goes on as text, and the server says so. */
  function meant(text, type) {
    if (text === "") return null;
    if (type === "string") return text;
    try { return JSON.parse(text); } catch { return text; }
  }

  /* Buttons and data are written as lines and kept as the API has them. */
  const LINES = {
    actions: {
      shown: (buttons) => buttons.map((one) => [one.id, one.title, one.url].filter(Boolean).join(" | ")),
      kept: (lines) => lines.map((line) => {
        const [id, title, url] = line.split("|").map((part) => part.trim());
        return { id, title: title || "", ...(url ? { url } : {}) };
      }),
    },
    data: {
      shown: (data) => Object.entries(data).map(([key, text]) => `${key} = ${text}`),
      kept: (lines) => Object.fromEntries(lines.map((line) => {
        const at = line.indexOf("=");
        return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
      })),
    },
  };

  function readable(field, source) {
    return LINES[field] && source ? LINES[field].shown(source).join("\n") : String(source ?? "");
  }

  function keepable(field, text) {
    if (!LINES[field]) return text;
    const lines = text.split("\n").filter((line) => line.trim());
    return lines.length ? LINES[field].kept(lines) : "";
  }

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

  function fill(id, ...children) {
    document.getElementById(id).replaceChildren(...children);
  }

  function wordings() {
    return draft.channels[at.channel] || {};
  }

  function faultsAt(pointer) {
    return faults.filter((fault) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`));
  }

  /* --- the draft as the API has it */

  function filled(locales) {
    const kept = {};
    for (const [locale, fields] of Object.entries(locales)) {
      kept[locale] = Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ""));
    }
    return kept;
  }

  function schema() {
    return Object.fromEntries(rows.filter((row) => row.name).map((row) => [
      row.name, { type: row.type, required: row.required, default: meant(row.fallback, row.type) },
    ]));
  }

  function examples() {
    const named = rows.filter((row) => row.name && row.example !== "");
    return Object.fromEntries(named.map((row) => [row.name, meant(row.example, row.type)]));
  }

  function whole(publish) {
    const channels = {};
    for (const [channel, locales] of Object.entries(draft.channels)) {
      if (Object.keys(locales).length) channels[channel] = filled(locales);
    }
    const body = { channels, variables: schema(), publish };
    if (draft.is_new) {
      for (const name of ["template_id", "type", "default_locale"]) body[name] = draft[name].trim();
    }
    return body;
  }

  /* --- drawing */

  function drawChannels() {
    const tabs = Object.keys(draft.fields).map((channel) => {
      const has = Boolean(draft.channels[channel] && Object.keys(draft.channels[channel]).length);
      const tab = make("button", {
        type: "button", role: "tab", class: has ? "tab" : "tab wanting", "data-channel": channel,
        "aria-selected": String(channel === at.channel), onclick: () => choose(channel, at.locale),
      }, CHANNEL_NAMES[channel] || channel);
      if (faultsAt(`/channels/${channel}`).length) tab.append(make("span", { class: "dot", title: "has faults" }));
      return tab;
    });
    fill("channels", ...tabs);
  }

  function drawLocales() {
    const chips = Object.keys(wordings()).map((locale) => make("button", {
      type: "button", class: "chip", "aria-pressed": String(locale === at.locale), "data-locale": locale,
      onclick: () => choose(at.channel, locale),
    }, locale));
    const name = make("input", {
      class: "in language", placeholder: "add: es, pt-BR", maxlength: "35", "aria-label": "Add a language",
      onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); addLocale(event.target.value); } },
    });
    chips.push(name, make("button", { type: "button", class: "btn tiny", onclick: () => addLocale(name.value) }, "Add"));
    if (at.locale && wordings()[at.locale]) {
      chips.push(make("button", { type: "button", class: "btn tiny harm", onclick: dropLocale }, `Remove ${at.locale}`));
    }
    fill("locales", ...chips);
  }

  function drawFields() {
    const fields = wordings()[at.locale];
    if (!fields) {
      const start = make("button", { type: "button", class: "btn main", id: "start", onclick: () => addLocale(draft.default_locale || "en") },
        `Write ${CHANNEL_NAMES[at.channel]} in ${draft.default_locale || "en"}`);
      fill("fields", make("p", { class: "empty" }, "Nothing is said on this channel. "), start);
      return;
    }
    const offered = draft.fields[at.channel].filter((field) => fields[field] || !fields[INSTEAD[field]]);
    fill("fields", ...offered.map((field) => drawField(field, fields)));
  }

  function drawField(field, fields) {
    const id = `field-${field}`;
    const wrong = faultsAt(`/channels/${at.channel}/${at.locale}/${field}`);
    const attributes = {
      id, class: `in${TALL.has(field) ? " tall" : ""}${wrong.length ? " bad" : ""}`, "data-field": field, spellcheck: !TALL.has(field) && "true",
      oninput: (event) => { fields[field] = keepable(field, event.target.value); changed(); },
    };
    const control = make(ONE_LINE.has(field) ? "input" : "textarea", attributes);
    control.value = readable(field, fields[field]);
    return make("div", { class: "field" },
      make("label", { for: id }, FIELD_NAMES[field] || field), control,
      ...wrong.map((fault) => make("p", { class: "wrong" }, fault.message)));
  }

  function drawVariables() {
    document.getElementById("no-variables").hidden = rows.length > 0;
    fill("variables", ...rows.map((row) => {
      const cell = (label, control) => make("td", { "data-label": label }, control);
      const text = (key, label) => {
        const control = make("input", { class: "in", "aria-label": `${label} of ${row.name || "the variable"}`, spellcheck: "false",
          oninput: (event) => { row[key] = event.target.value; changed(); } });
        control.value = row[key];
        return cell(label, control);
      };
      const type = make("select", { class: "in", "aria-label": `Type of ${row.name}`, onchange: (event) => { row.type = event.target.value; changed(); } },
        ...TYPES.map((one) => make("option", { value: one, selected: one === row.type }, one)));
      const required = make("input", { type: "checkbox", "aria-label": `${row.name} is required`, onchange: (event) => { row.required = event.target.checked; changed(); } });
      required.checked = row.required;
      const drop = make("button", { type: "button", class: "btn tiny harm", "aria-label": `Remove ${row.name}`,
        onclick: () => { rows.splice(rows.indexOf(row), 1); drawVariables(); changed(); } }, "×");
      return make("tr", {}, text("name", "Name"), cell("Type", type), cell("Required", required), text("fallback", "Default"), text("example", "Example"), make("td", {}, drop));
    }));
  }

  function drawFaults() {
    const list = document.getElementById("faults");
    list.hidden = faults.length === 0;
    list.replaceChildren(...faults.map((fault) => make("li", {}, fault.message)));
  }

  function draw() {
    drawChannels();
    drawLocales();
    drawFields();
  }

  /* --- what people do */

  function choose(channel, locale) {
    at.channel = channel;
    const known = Object.keys(wordings());
    at.locale = known.includes(locale) ? locale : known.includes(draft.default_locale) ? draft.default_locale : known[0] || "";
    draw();
    ask(0);
  }

  function addLocale(name) {
    const locale = name.trim();
    if (!locale) return;
    draft.channels[at.channel] = draft.channels[at.channel] || {};
    draft.channels[at.channel][locale] = draft.channels[at.channel][locale] || {};
    choose(at.channel, locale);
  }

  function dropLocale() {
    delete draft.channels[at.channel][at.locale];
    choose(at.channel, draft.default_locale);
    changed();
  }

  function addVariable(name) {
    rows.push({ name, type: "string", required: false, fallback: "", example: "" });
    drawVariables();
    changed();
  }

  function changed() {
    form.dataset.changed = "yes";
    ask(PAUSE_MS);
  }

  /* --- the preview */

  function ask(wait) {
    clearTimeout(timer);
    timer = setTimeout(preview, wait);
  }

  async function preview() {
    const state = document.getElementById("preview-state");
    if (!wordings()[at.locale]) { fill("preview", make("p", { class: "faint" }, "Nothing to show yet.")); showFaults([]); state.textContent = ""; return; }
    const mine = ++asked;
    state.textContent = "…";
    const question = {
      document: { channels: { [at.channel]: filled(wordings()) }, variables: schema(), default_locale: draft.default_locale || "en" },
      locale: at.locale, variables: examples(),
    };
    try {
      const response = await fetch(draft.preview_address, {
        method: "POST", body: JSON.stringify(question), headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      });
      if (mine !== asked) return;
      if (!response.ok) throw new Error(String(response.status));
      const answer = await response.json();
      if (mine !== asked) return;
      state.textContent = answer.channels ? `${CHANNEL_NAMES[at.channel]}, ${answer.channels[at.channel].locale}` : "not yet right";
      if (answer.channels) fill("preview", shown(answer.channels[at.channel]));
      showFaults(answer.errors || []);
    } catch {
      if (mine === asked) state.textContent = "no answer: are you still logged in?";
    }
  }

  function showFaults(found) {
    const list = document.getElementById("preview-faults");
    list.hidden = found.length === 0;
    list.replaceChildren(...found.map((fault) => {
      const line = make("li", {}, fault.message);
      const name = fault.code === "undeclared_variable" && /"([A-Za-z]\w*)"/.exec(fault.message);
      if (name) line.append(" ", make("button", { type: "button", class: "btn tiny", onclick: () => addVariable(name[1]) }, `Declare ${name[1]}`));
      return line;
    }));
  }

  function shown(words) {
    if (at.channel === "sms") return text(words);
    if (at.channel === "email") return mail(words);
    const card = make("div", { class: "toast" });
    if (words.image_url) card.append(make("img", { src: words.image_url, alt: "" }));
    card.append(make("strong", {}, words.title || ""), make("p", {}, words.body || ""));
    for (const one of words.actions || []) card.append(make("span", { class: "chip", title: one.url || "" }, one.title));
    for (const [key, text] of Object.entries(words.data || {})) card.append(make("span", { class: "faint small wrap" }, `${key} = ${text}`));
    if (words.action_url) card.append(make("span", { class: "faint small wrap" }, words.action_url));
    return card;
  }

  /* What it is billed as: one curly quotation mark may double it. */
  function text(words) {
    const bubble = make("div", {}, make("div", { class: "bubble" }, words.body || ""));
    const count = words.sms;
    if (!count) return bubble;
    const plural = count.segments === 1 ? "segment" : "segments";
    bubble.append(make("p", { class: "faint small" }, `${count.encoding} · ${count.characters} characters · ${count.segments} ${plural}${count.is_cut ? " · cut" : ""}`));
    if (count.not_gsm.length) bubble.append(make("p", { class: "small" }, `Not GSM-7: ${count.not_gsm.slice(0, 12).join(" ")}`));
    return bubble;
  }

  function mail(words) {
    const letter = make("div", { class: "mail" }, make("p", { class: "mail-subject" }, words.subject || ""));
    /* An empty sandbox: no script runs in it, and it has no origin. */
    if (words.html_body) letter.append(make("iframe", { class: "mail-frame", sandbox: "", title: "The mail as HTML", srcdoc: words.html_body }));
    if (words.body) letter.append(make("pre", { class: "mail-text" }, words.body));
    return letter;
  }

  /* --- beginning and end */

  form.addEventListener("submit", (event) => {
    const publish = Boolean(event.submitter) && event.submitter.dataset.publish === "yes";
    document.getElementById("written").value = JSON.stringify(whole(publish));
    delete form.dataset.changed;
  });
  window.addEventListener("beforeunload", (event) => { if (form.dataset.changed) event.preventDefault(); });
  document.getElementById("add-variable").addEventListener("click", () => addVariable(""));
  for (const name of draft.is_new ? ["template_id", "type", "default_locale"] : []) {
    const control = document.getElementById(name);
    control.value = draft[name];
    control.addEventListener("input", () => { draft[name] = control.value; changed(); drawFields(); });
  }
  drawFaults();
  drawVariables();
  choose(Object.keys(draft.fields).find((channel) => draft.channels[channel]) || "push", draft.default_locale);
})();
