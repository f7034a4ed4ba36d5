// Texts whose contrast with what lies behind them is below 4.5 (WCAG 2.2 AA), or 3 where they are large. What is
// disabled is left out; a photograph behind a text counts as the colour of what holds it.
() => {
  if (document.contentType !== "text/html") return []; // the browser's own view of JSON
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const parse = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, n) => c * a + below[n] * (1 - a));
  const light = (rgb) => rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    const layers = [];
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest(":disabled, [aria-disabled=true], [inert], .api-docs")) continue; // the last is gradio's own
    const look = getComputedStyle(element);
    const behind = ground(element);
    const colour = element instanceof SVGElement ? look.fill : look.color;
    if (!parse(colour)[3] || !parseFloat(look.fontSize)) continue; // a sign of the stylesheet's stands in its place
    const [a, b] = [light(over(parse(colour), behind)), light(behind)].sort((x, y) => y - x);
    const size = parseFloat(look.fontSize);
    const least = size >= 24 || (size >= 18.5 && look.fontWeight >= 700) ? 3 : 4.5;
    if ((a + 0.05) / (b + 0.05) < least) found.push(`${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
  }
  return found;
}
