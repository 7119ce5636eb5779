/* <carillon-inbox>: bell, count and list of one person's inbox, live. One file, no build step; see docs/inbox.md.

   <script type="module" src="https://notify.example/static/inbox/carillon-inbox.js"></script>
   <carillon-inbox user-id="u_alice" token="eyJ…"></carillon-inbox>

   Works under a content policy without 'unsafe-inline': styles are constructed, texts are set as texts. */

const HOME = new URL(import.meta.url).origin;
const WORDS = {
  bell: (unread) => (unread ? `Notifications, ${unread} unread` : "Notifications"),
  title: "Notifications",
  readAll: "Mark all as read",
  read: "Mark as read",
  unread: "Mark as unread",
  archive: "Archive",
  more: "Show older",
  empty: "Nothing here yet.",
  signedOut: "Sign in again to see your notifications.",
  isUnread: "unread",
  arrived: (title) => `New: ${title}`,
};
/* Counts stop at 1,000; a badge has room for less. */
const MOST_SHOWN = 99;
/* Milliseconds: until the first try again, and the longest wait. */
const SOON = 1000;
const LATER = 30000;
/* A page nobody looks at gives its connection back: browsers have six for a host. */
const HIDDEN_FOR = 60000;

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { --accent: #14532d; --paper: #fff; --ink: #1c1917; --quiet: #57534e; --line: #d6d3d1; --fresh: #f0fdf4;
    color-scheme: light; position: relative; display: inline-block; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); }
  :host([theme="dark"]) { --accent: #86efac; --paper: #1c1917; --ink: #f5f5f4; --quiet: #a8a29e; --line: #44403c;
    --fresh: #14251a; color-scheme: dark; }
  @media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { --accent: #86efac; --paper: #1c1917;
    --ink: #f5f5f4; --quiet: #a8a29e; --line: #44403c; --fresh: #14251a; color-scheme: dark; } }
  :host([hidden]), [hidden] { display: none !important; }
  button { font: inherit; color: inherit; background: none; border: 0; padding: .35rem .5rem; border-radius: .35rem; cursor: pointer; }
  button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .bell { position: relative; min-width: 2.75rem; min-height: 2.75rem; }
  .bell svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: currentColor; stroke-width: 1.8; vertical-align: middle; }
  .badge { position: absolute; top: .1rem; right: .1rem; min-width: 1.25rem; padding: 0 .3rem; border-radius: 1rem;
    background: #b91c1c; color: #fff; font-size: .75rem; font-weight: 600; box-sizing: border-box; text-align: center; }
  .panel { position: absolute; z-index: 1000; right: 0; top: calc(100% + .4rem); width: min(24rem, calc(100vw - 1.5rem));
    max-height: min(32rem, 80vh); display: flex; flex-direction: column; background: var(--paper); color: var(--ink);
    border: 1px solid var(--line); border-radius: .6rem; box-shadow: 0 .6rem 2rem rgb(0 0 0 / .2); overflow: hidden; }
  :host([align="left"]) .panel { right: auto; left: 0; }
  header { display: flex; align-items: center; justify-content: space-between; padding: .4rem .5rem .4rem .9rem; border-bottom: 1px solid var(--line); }
  h2 { font-size: 1rem; margin: 0; }
  header button, .more, .acts button { color: var(--accent); font-size: .875rem; }
  ul { list-style: none; margin: 0; padding: 0; overflow-y: auto; }
  li { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid var(--line); }
  li.fresh { background: var(--fresh); box-shadow: inset 3px 0 var(--accent); }
  .entry { display: block; padding: .65rem .4rem .65rem .9rem; color: inherit; text-decoration: none; text-align: start; width: 100%; border-radius: 0; }
  .entry:focus-visible { outline-offset: -2px; }
  .entry strong, .entry span, .entry time { display: block; overflow-wrap: anywhere; }
  .fresh strong::after { content: " \\2022"; color: var(--accent); }
  .entry img { float: inline-end; width: 3rem; height: 3rem; object-fit: cover; border-radius: .3rem; margin-inline-start: .5rem; }
  time, .note { color: var(--quiet); font-size: .8125rem; }
  .acts { display: flex; flex-direction: column; padding: .3rem; }
  .acts button { min-width: 2rem; min-height: 2rem; }
  .note { padding: 1.2rem .9rem; margin: 0; }
  .more { display: block; width: 100%; padding: .6rem; }
  .quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`);

const make = (name, fields = {}, ...inside) => {
  const node = Object.assign(document.createElement(name), fields);
  node.append(...inside);
  return node;
};

/* Nothing but the web: an address of another kind would run in this page. */
const webAddress = (text) => {
  try {
    const url = new URL(text, document.baseURI);
    return ["http:", "https:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
};

class Refused extends Error {
  constructor(status) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

class CarillonInbox extends HTMLElement {
  static observedAttributes = ["user-id", "token", "base-url", "stream-url"];

  /* Called when the token has run out; answers a new one, or nothing. */
  refreshToken = null;
  labels = {};

  #entries = new Map();
  #unread = 0;
  /* Of each list that is on its way: what has been heard meanwhile. */
  #loading = new Set();
  #cursor = null;
  #isLoaded = false;
  #seen = "";
  #live = null;
  #renewing = null;
  #hideTimer = 0;
  #parts;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE];
    const bell = make("button", { className: "bell", type: "button" });
    bell.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4"/></svg>';
    const badge = make("span", { className: "badge", hidden: true, ariaHidden: "true" });
    bell.append(badge);
    const title = make("h2", { id: "title" });
    const readAll = make("button", { type: "button" });
    const list = make("ul");
    const note = make("p", { className: "note", hidden: true });
    const more = make("button", { className: "more", type: "button", hidden: true });
    const panel = make("div", { className: "panel", id: "panel", hidden: true }, make("header", {}, title, readAll), list, note, more);
    const voice = make("div", { className: "quiet" });
    voice.setAttribute("aria-live", "polite");
    bell.setAttribute("aria-controls", "panel");
    bell.setAttribute("aria-haspopup", "dialog");
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-labelledby", "title");
    list.setAttribute("role", "list");
    root.append(bell, panel, voice);
    this.#parts = { bell, badge, title, readAll, list, note, more, panel, voice };
    bell.addEventListener("click", () => this.#show(panel.hidden));
    readAll.addEventListener("click", () => this.#readAll());
    more.addEventListener("click", () => this.#try(() => this.#load(this.#cursor)));
    root.addEventListener("keydown", (event) => this.#onKey(event));
  }

  connectedCallback() {
    this.#words();
    document.addEventListener("visibilitychange", this.#onVisible);
    document.addEventListener("click", this.#onElsewhere);
    this.#start();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#onVisible);
    document.removeEventListener("click", this.#onElsewhere);
    this.#stop();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after || !this.isConnected) return;
    if (after === null) this.#stop();
    if (name === "user-id") {
      this.#entries.clear();
      [this.#unread, this.#cursor, this.#isLoaded] = [0, null, false];
      this.#draw();
    }
    if (name !== "token" || !this.#live) {
      if (name !== "token") this.#seen = "";
      this.#stop();
      this.#start();
    }
  }

  get unreadCount() {
    return this.#unread;
  }

  /* --- talking to the server */

  #path(rest) {
    const base = (this.getAttribute("base-url") || HOME).replace(/\/$/, "");
    return `${base}/v1/${rest}`;
  }

  get #own() {
    return `users/${encodeURIComponent(this.getAttribute("user-id"))}/notifications`;
  }

  async #fetch(url, options = {}) {
    for (let isSecond = false; ; isSecond = true) {
      const headers = { Authorization: `Bearer ${this.getAttribute("token")}`, ...options.headers };
      const answer = await fetch(url, { ...options, headers, cache: "no-store", credentials: "omit" });
      if (answer.status === 401 && !isSecond && (await this.#renew())) continue;
      if (!answer.ok) throw new Refused(answer.status);
      return answer;
    }
  }

  async #call(method, rest, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await this.#fetch(this.#path(rest), { method, headers, body: body && JSON.stringify(body) });
    return answer.status === 204 ? null : answer.json();
  }

  /* One renewal at a time, whoever finds the token run out. */
  #renew() {
    if (!this.refreshToken) return Promise.resolve(false);
    this.#renewing ??= Promise.resolve(this.refreshToken())
      .then((token) => {
        if (token) this.setAttribute("token", token);
        return Boolean(token);
      })
      .catch(() => false)
      .finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /* --- the live stream */

  #start() {
    if (this.#live || !this.isConnected || !this.getAttribute("user-id") || !this.getAttribute("token")) return;
    this.#live = new AbortController();
    this.#listen(this.#live.signal);
  }

  #stop() {
    this.#live?.abort();
    this.#live = null;
  }

  async #listen(signal) {
    let wait = SOON;
    while (!signal.aborted) {
      try {
        await this.#hear(signal, () => (wait = SOON));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && [401, 403, 404].includes(error.status)) {
          this.#live = null;
          this.#say(this.#word("signedOut"));
          this.dispatchEvent(new CustomEvent("carillon-signed-out", { bubbles: true, composed: true }));
          return;
        }
        wait = Math.min(wait * 2, LATER);
      }
      await new Promise((done) => setTimeout(done, wait * (0.5 + Math.random())));
    }
  }

  async #hear(signal, onLife) {
    const base = this.getAttribute("stream-url") || this.getAttribute("base-url") || HOME;
    const headers = this.#seen ? { "Last-Event-ID": this.#seen } : {};
    const answer = await this.#fetch(`${base.replace(/\/$/, "")}/v1/${this.#own}/stream`, { headers, signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let isFirst = true;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onLife();
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 2)]));
        if (!fields.event) continue;
        this.#take(fields.event, JSON.parse(fields.data));
        if (fields.id) this.#seen = fields.id;
        if (fields.event === "unread_count" && isFirst) {
          isFirst = false;
          /* What was archived elsewhere meanwhile is told by the list alone. */
          if (this.#isLoaded || !this.#parts.panel.hidden) this.#try(() => this.#load(null));
        }
      }
    }
  }

  #take(name, data) {
    const isNew = name === "notification" && !this.#entries.has(data.id) && !data.read_at;
    for (const heard of this.#loading) heard.push([name, data]);
    this.#apply(name, data);
    if (isNew) {
      this.#parts.voice.textContent = this.#word("arrived", data.title || data.body);
      this.dispatchEvent(new CustomEvent("carillon-notification", { bubbles: true, composed: true, detail: data }));
    }
    this.#draw();
  }

  #apply(name, data) {
    if (name === "unread_count") this.#unread = data.unread_count;
    if (name === "archive") this.#entries.delete(data.id);
    if (name === "read") this.#patch(data.id, { read_at: data.read_at });
    if (name === "notification") this.#put(data);
  }

  #put(entry) {
    for (const [id, old] of this.#entries) {
      if (entry.collapse_key && old.collapse_key === entry.collapse_key) this.#entries.delete(id);
    }
    this.#entries.set(entry.id, entry);
  }

  #patch(id, changes) {
    const entry = this.#entries.get(id);
    if (entry) this.#entries.set(id, { ...entry, ...changes });
  }

  async #load(cursor) {
    const heard = [];
    this.#loading.add(heard);
    try {
      const page = await this.#call("GET", `${this.#own}?limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      if (!cursor) this.#entries.clear();
      page.data.forEach((entry) => this.#put(entry));
      [this.#unread, this.#cursor, this.#isLoaded] = [page.unread_count, page.page.next_cursor, true];
    } finally {
      this.#loading.delete(heard);
    }
    /* The list may be older than what was heard while it was on its way. */
    heard.forEach(([name, data]) => this.#apply(name, data));
    this.#draw();
  }

  /* --- what people do */

  async #mark(entry, path) {
    const done = await this.#try(() => this.#call("PATCH", `notifications/${entry.id}/${path}`));
    if (!done) return;
    if (path === "archive") this.#entries.delete(entry.id);
    else this.#patch(entry.id, { read_at: done.read_at });
    this.#unread = done.unread_count;
    this.#draw();
  }

  async #readAll() {
    const newest = this.#shown()[0];
    if (!newest) return;
    const body = { user_id: this.getAttribute("user-id"), up_to: newest.id };
    const done = await this.#try(() => this.#call("POST", "notifications/read-all", body));
    if (!done) return;
    const now = new Date().toISOString();
    for (const entry of this.#entries.values()) if (!entry.read_at && entry.created_at <= newest.created_at) entry.read_at = now;
    this.#unread = done.unread_count;
    this.#draw();
  }

  #open(event, entry) {
    const told = new CustomEvent("carillon-open", { bubbles: true, composed: true, cancelable: true, detail: entry });
    if (!this.dispatchEvent(told)) event.preventDefault();
    if (!entry.read_at) this.#mark(entry, "read");
    this.#try(() => this.#call("POST", `notifications/${entry.id}/events`, { event: entry.action_url ? "clicked" : "opened", channel: "in_app" }));
  }

  async #try(work) {
    try {
      this.#say("");
      return (await work()) ?? true;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#say(this.#word("signedOut"));
      return null;
    }
  }

  #show(isOpen) {
    const { panel, bell, title } = this.#parts;
    panel.hidden = !isOpen;
    bell.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    title.tabIndex = -1;
    title.focus();
    this.#try(() => this.#load(null));
  }

  #onKey(event) {
    const { panel, bell, list } = this.#parts;
    if (event.key === "Escape" && !panel.hidden) {
      this.#show(false);
      bell.focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || panel.hidden) return;
    event.preventDefault();
    const all = [...list.querySelectorAll(".entry")];
    const at = all.indexOf(this.shadowRoot.activeElement?.closest("li")?.querySelector(".entry"));
    all[at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1)]?.focus();
  }

  #onElsewhere = (event) => {
    if (!this.#parts.panel.hidden && !event.composedPath().includes(this)) this.#show(false);
  };

  #onVisible = () => {
    clearTimeout(this.#hideTimer);
    if (document.hidden) this.#hideTimer = setTimeout(() => this.#stop(), HIDDEN_FOR);
    else this.#start();
  };

  /* --- drawing */

  #word(name, ...values) {
    const word = this.labels[name] ?? WORDS[name];
    return typeof word === "function" ? word(...values) : word;
  }

  #words() {
    const { title, readAll, more } = this.#parts;
    title.textContent = this.#word("title");
    readAll.textContent = this.#word("readAll");
    more.textContent = this.#word("more");
    this.#draw();
  }

  #say(text) {
    this.#parts.note.dataset.said = text;
    this.#draw();
  }

  #shown() {
    return [...this.#entries.values()].sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
  }

  #draw() {
    const { bell, badge, readAll, list, note, more } = this.#parts;
    const count = this.#unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(this.#unread);
    badge.hidden = !this.#unread;
    badge.textContent = count;
    bell.setAttribute("aria-label", this.#word("bell", this.#unread ? count : 0));
    readAll.hidden = !this.#unread;
    const shown = this.#shown();
    const said = note.dataset.said || (this.#isLoaded && !shown.length ? this.#word("empty") : "");
    note.hidden = !said;
    note.textContent = said;
    more.hidden = !this.#cursor;
    const focused = this.shadowRoot.activeElement;
    const [id, act] = [focused?.closest("li")?.dataset.id, focused?.dataset?.act ?? "entry"];
    list.replaceChildren(...shown.map((entry) => this.#line(entry)));
    if (id) this.#refocus(id, act);
  }

  /* A list that changes under the reader's hands must not take the focus away. */
  #refocus(id, act) {
    const line = this.#parts.list.querySelector(`li[data-id="${CSS.escape(id)}"]`);
    (line?.querySelector(`[data-act="${act}"]`) ?? line?.querySelector(".entry") ?? this.#parts.title).focus();
  }

  #line(entry) {
    const href = entry.action_url ? webAddress(entry.action_url) : "";
    const body = make(href ? "a" : "button", { className: "entry" });
    if (href) Object.assign(body, { href, rel: "noopener noreferrer" });
    else body.type = "button";
    body.dataset.act = "entry";
    const picture = entry.image_url && webAddress(entry.image_url);
    if (picture) body.append(make("img", { src: picture, alt: "", loading: "lazy", referrerPolicy: "no-referrer" }));
    if (!entry.read_at) body.append(make("span", { className: "quiet", textContent: `${this.#word("isUnread")}: ` }));
    if (entry.title) body.append(make("strong", { textContent: entry.title }));
    if (entry.body) body.append(make("span", { textContent: entry.body }));
    const when = new Date(entry.created_at);
    body.append(make("time", { dateTime: entry.created_at, textContent: this.#ago(when), title: when.toLocaleString(this.#language) }));
    body.addEventListener("click", (event) => this.#open(event, entry));
    const mark = entry.read_at ? "unread" : "read";
    const line = make("li", { className: entry.read_at ? "" : "fresh" }, body, make("div", { className: "acts" },
      this.#act(entry, mark, entry.read_at ? "○" : "●"), this.#act(entry, "archive", "×")));
    line.dataset.id = entry.id;
    return line;
  }

  #act(entry, mark, sign) {
    const words = `${this.#word(mark)}: ${entry.title || entry.body}`;
    const button = make("button", { type: "button", textContent: sign, title: this.#word(mark), ariaLabel: words });
    button.dataset.act = mark === "archive" ? mark : "mark";
    button.addEventListener("click", () => this.#mark(entry, mark));
    return button;
  }

  get #language() {
    return this.closest("[lang]")?.lang || navigator.language;
  }

  #ago(when) {
    const seconds = (when - Date.now()) / 1000;
    const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
    return new Intl.RelativeTimeFormat(this.#language, { numeric: "auto" }).format(Math.round(seconds / size), unit);
  }
}

customElements.define("carillon-inbox", CarillonInbox);
