() => {
  const wrong = [];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const text = (node) => (node ? node.textContent.trim() : "");
  const shown = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility === "visible";
  const name = (node) => `${node.tagName.toLowerCase()}${node.id ? "#" + node.id : ""} "${text(node).slice(0, 30)}"`;

  // --- the document
  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  if (all("main").length !== 1) wrong.push("not one main");
  if (all("h1").length !== 1) wrong.push("not one h1");
  let level = 0;
  for (const heading of all("h1,h2,h3,h4,h5,h6")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) wrong.push(`a level is left out before ${name(heading)}`);
    if (!text(heading)) wrong.push("an empty heading");
    level = own;
  }
  const ids = all("[id]").map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push(`id ${id} is there twice`);
  if (document.documentElement.scrollWidth > window.innerWidth) wrong.push("the page scrolls sideways");
  for (const node of all("main *")) {
    const box = node.getBoundingClientRect();
    if (shown(node) && (box.right > window.innerWidth + 1 || box.left < -1)) wrong.push(`beyond the edge: ${name(node)}`);
  }

  // --- names and descriptions
  for (const field of all("input:not([type=hidden]),select,textarea")) {
    if (![...field.labels].some(text)) wrong.push(`no label: ${field.name}`);
  }
  for (const set of all("fieldset")) if (!text(set.querySelector("legend"))) wrong.push("a fieldset without a legend");
  for (const node of all("button,a")) if (!text(node)) wrong.push(`no name: ${node.outerHTML.slice(0, 60)}`);
  for (const attribute of ["aria-describedby", "aria-labelledby"]) {
    for (const node of all(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(/\s+/)) {
        if (!text(document.getElementById(id))) wrong.push(`${attribute} leads to nothing: ${id}`);
      }
    }
  }
  for (const link of all('a[href^="#"]')) {
    if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(`leads nowhere: ${name(link)}`);
  }
  for (const radio of all("input[type=radio]")) {
    if (!radio.closest("fieldset")) wrong.push(`a choice without a group: ${radio.name}`);
  }

  // --- large enough to hit (WCAG 2.2, 2.5.8), and to see (1.4.3)
  for (const node of all("button,select,input:not([type=hidden])")) {
    const box = (node.closest("label") || node).getBoundingClientRect();
    if (box.width < 24 || box.height < 24) wrong.push(`too small: ${node.name || name(node)}`);
  }
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const linear = (value) => (value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const node of all("body *")) {
    const says = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim());
    if (!says || !shown(node) || node.closest("option,optgroup")) continue;
    const style = getComputedStyle(node);
    const [light, dark] = [luminance(channels(style.color)), luminance(ground(node))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < enough) wrong.push(`contrast ${contrast.toFixed(2)}: ${name(node)}`);
  }
  return wrong;
}
