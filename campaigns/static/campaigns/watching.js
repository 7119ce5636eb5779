"use strict";

/* A page that watches: every two seconds it asks for its own parts and puts those that changed in their place. The server
   says when nothing can change any more. Whoever types or has opened a question keeps it, unless its campaign moved on. */

(() => {
  const EVERY_MS = 2000;
  const LONGEST_MS = 30000;
  const live = document.getElementById("live");
  let wait = EVERY_MS;

  function say(words) {
    const line = document.getElementById("live-state");
    if (line && line.textContent !== words) line.textContent = words;
  }

  function places(part) {
    return [...part.querySelectorAll("a,button,summary,input")];
  }

  /* Whoever goes by keyboard stays where they were. */
  function put(fresh, old) {
    const held = places(old).indexOf(document.activeElement);
    old.replaceWith(fresh);
    if (held >= 0) (places(fresh)[held] || fresh).focus({ preventScroll: true });
  }

  function isLive() {
    return [...live.querySelectorAll("[data-live]")].some((part) => part.dataset.live === "yes");
  }

  async function ask() {
    if (document.hidden) return true;
    const response = await fetch(live.dataset.address, { cache: "no-store" });
    if (response.redirected || response.status === 403) {
      say("You are logged out: reload the page to go on watching.");
      return false;
    }
    if (!response.ok) throw new Error(String(response.status));
    const answer = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of answer.querySelectorAll("[data-part]")) {
      const old = document.getElementById(part.id);
      if (old && old.dataset.mark !== part.dataset.mark) put(document.importNode(part, true), old);
    }
    say("");
    return isLive();
  }

  async function watch() {
    let goesOn = true;
    try {
      goesOn = await ask();
      wait = EVERY_MS;
    } catch {
      wait = Math.min(wait * 2, LONGEST_MS);
      say("No answer: asking again.");
    }
    if (goesOn) setTimeout(watch, wait);
  }

  if (isLive()) setTimeout(watch, EVERY_MS);
})();
