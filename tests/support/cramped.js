// Texts too small to read, as a drawing's words are where it shrinks with the window, and cards that touch.
() => {
  const LEAST_TEXT = 10; // pixels
  const LEAST_GAP = 6;
  const shown = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !shown(one)) continue;
    const scale = one instanceof SVGGraphicsElement ? one.getScreenCTM().a : 1;
    const size = parseFloat(getComputedStyle(one).fontSize) * scale;
    if (size && size < LEAST_TEXT) found.push(`${size.toFixed(1)} px: ${one.textContent.trim().slice(0, 40)}`);
  }
  const cards = [...document.querySelectorAll(".sb-card")].filter(shown).map((one) => [one, one.getBoundingClientRect()]);
  for (const [n, [one, a]] of cards.entries())
    for (const [other, b] of cards.slice(n + 1)) {
      if (one.contains(other)) continue;
      const [aside, below] = [Math.max(a.left - b.right, b.left - a.right), Math.max(a.top - b.bottom, b.top - a.bottom)];
      if (Math.max(aside, below) < LEAST_GAP)
        found.push(`cards touch: ${[one, other].map((card) => card.innerText.trim().slice(0, 30)).join(" | ")}`);
    }
  return found;
}
