/* The demo page: fills <carillon-inbox> with what the form says. The token stays in this tab. */

import "./carillon-inbox.js";

const form = document.querySelector("form");
const inbox = document.querySelector("carillon-inbox");
const said = document.querySelector("output");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { user, token } = Object.fromEntries(new FormData(form));
  inbox.removeAttribute("token");
  inbox.setAttribute("user-id", user.trim());
  inbox.setAttribute("token", token.trim());
  said.textContent = "";
});
inbox.addEventListener("carillon-open", (event) => (said.textContent = `Opened: ${event.detail.title}`));
inbox.addEventListener("carillon-signed-out", () => (said.textContent = "The token is no good (any more)."));
