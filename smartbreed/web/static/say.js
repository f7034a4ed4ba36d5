// A sentence in the language of the page, which the page brings along; the English one is the key.
window.smartbreedSay = (() => {
  let sentences;
  return (sentence, values = {}) => {
    sentences ??= JSON.parse(document.getElementById("sb-sentences")?.textContent ?? "{}");
    return (sentences[sentence] ?? sentence).replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
  };
})();
// Gradio's own words follow the browser's language; here they follow the page's.
if (document.documentElement.lang) {
  const { lang } = document.documentElement;
  Object.defineProperty(navigator, "language", { get: () => lang });
}
