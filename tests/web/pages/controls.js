// Every control that a person can see on the page: {name, enabled, count}. A name does not depend on wording
// where the control or something around it has an id or a class of ours.
() => {
  const CONTROLS = 'button, a[href], input:not([type="hidden"]), select, textarea, summary, [contenteditable="true"], '
    + '[onclick], [role="application"], [role="button"], [role="slider"], [role="tab"], [role="switch"]';
  const RANDOM = /^(component-\d+|html-[a-z0-9]+|range_id_\d+|gr-.*)$/;
  const GRADIOS = ["legend-item", "label-wrap", "show-api"];
  const hasId = (element) => element.id && !RANDOM.test(element.id);
  const ours = (element) => /(?:^|\s)(sb-[\w-]+)/.exec(element.getAttribute("class") ?? "")?.[1];
  const shown = (element) =>
    element.type === "file" || (element.checkVisibility({ checkVisibilityCSS: true }) && element.getClientRects().length > 0);
  const kind = (element) => {
    const tag = element.tagName.toLowerCase();
    if (tag === "input") return element.type;
    return tag === "a" ? "link" : tag === "button" ? "button" : element.getAttribute("role") ?? tag;
  };
  // Between the control and what has an id: a class, gradio's own name for it, or, last of all, what it says.
  const which = (element, holder) => {
    if (element.getAttribute("aria-label")) return element.getAttribute("aria-label").replace(/\d+/g, "N");
    const gradios = GRADIOS.find((name) => element.classList.contains(name));
    if (gradios) return gradios;
    for (let around = element; around && around !== holder; around = around.parentElement)
      if (ours(around)) return ours(around);
    return element.textContent.trim().replace(/\s+/g, " ").slice(0, 60);
  };
  const name = (element) => {
    if (kind(element) === "link") return `link ${element.getAttribute("href")}`;
    let holder = element;
    while (holder && !hasId(holder)) holder = holder.parentElement;
    const owner = (holder?.id ?? "page").replace(/^pet-\d+/, "pet-N");
    const more = element !== holder && ["button", "summary", "link"].includes(kind(element));
    return `${owner}: ${kind(element)}${more ? ` ${which(element, holder)}` : ""}`;
  };
  const found = {};
  const note = (called, enabled) => {
    found[called] ??= { name: called, enabled: false, count: 0 };
    found[called].count += 1;
    found[called].enabled ||= enabled;
  };
  const enabled = (element) => !element.disabled && element.getAttribute("aria-disabled") !== "true";
  for (const element of document.querySelectorAll(CONTROLS)) if (shown(element)) note(name(element), enabled(element));
  for (const element of document.querySelectorAll("[aria-keyshortcuts]"))
    if (shown(element)) note(`key ${element.getAttribute("aria-keyshortcuts")}`, enabled(element));
  return Object.values(found);
}
