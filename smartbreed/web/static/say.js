// Translates a sentence into the page's language. The page contains the translations, keyed by the English sentence.
window.smartbreedSay = (() => {
  let sentences;
  return (sentence, values = {}) => {
    sentences ??= JSON.parse(document.getElementById("sb-sentences")?.textContent ?? "{}");
    return (sentences[sentence] ?? sentence).replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole);
  };
})();
// Gradio's own texts follow the browser's language; make them follow the page's.
if (document.documentElement.lang) {
  const { lang } = document.documentElement;
  Object.defineProperty(navigator, "language", { get: () => lang });
}
