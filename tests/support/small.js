// Controls that answer a finger on less than 44 × 44 pixels, each with what it measures.
// What answers may be more than the control's own box: its label, or what is stretched over a card for it. A link
// inside a sentence is as high as its line (WCAG 2.5.5 leaves these out), and so is one that only keyboards reach.
() => {
  const LEAST = 43.5;
  // A link's word is as wide as it is; the handle between two pictures is drawn along its narrow side.
  const NARROW = 24;
  const leastWide = (one) => (one.matches("a, [role=slider]") ? NARROW : LEAST);
  const CONTROLS = 'a[href], button, input:not([type="hidden"]), select, textarea, summary, [role="button"], [role="slider"], [role="tab"]';
  const shown = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.closest("[inert]");
  const inText = (one) =>
    one.matches("a, button.sb-inline") && getComputedStyle(one).display === "inline" &&
    [...one.parentElement.childNodes].some((node) => node.nodeType === 3 && /[\p{L}\p{N}]/u.test(node.data));
  const off = (box) => box.right <= 0 || box.bottom + scrollY <= 0 || box.width <= 1 || box.height <= 1;
  const reach = (one, x, y, dx, dy) => {
    const parts = [one, ...(one.labels ?? [])];
    let far = 0;
    while (far < 60) {
      const hit = document.elementFromPoint(x + dx * (far + 0.5), y + dy * (far + 0.5));
      if (!hit || !parts.some((part) => part === hit || part.contains(hit))) break;
      far += 0.5;
    }
    return far;
  };
  const found = [];
  for (const one of document.querySelectorAll(CONTROLS)) {
    if (!shown(one) || one.matches(":disabled") || inText(one)) continue;
    let box = one.getBoundingClientRect();
    const boxes = [one, ...(one.labels ?? [])].map((part) => part.getBoundingClientRect()).filter((part) => !off(part));
    if (!boxes.length) continue;
    if (boxes.some((part) => part.height >= LEAST && part.width >= leastWide(one))) continue;
    const largest = boxes.sort((a, b) => b.width * b.height - a.width * a.height)[0];
    const part = [one, ...(one.labels ?? [])].find((each) => each.getBoundingClientRect().top === largest.top);
    part.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    box = part.getBoundingClientRect();
    const [x, y] = [box.left + Math.min(box.width / 2, 20), box.top + box.height / 2];
    const high = reach(one, x, y, 0, -1) + reach(one, x, y, 0, 1);
    const wide = Math.max(box.width, reach(one, x, y, -1, 0) + reach(one, x, y, 1, 0));
    if (high < LEAST || wide < leastWide(one))
      found.push(`${Math.round(wide)} × ${Math.round(high)}: ${one.outerHTML.replace(/\s+/g, " ").slice(0, 140)}`);
  }
  scrollTo(0, 0);
  return found;
}
