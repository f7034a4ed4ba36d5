// Puts the signed-in member's name into the account link and hides links to switched-off features, because the
// server sends the same Gradio pages to everyone.
(() => {
  const show = (name, off) => {
    document.querySelectorAll(".sb-account").forEach((link) => {
      if (!name || link.textContent === name) return;
      link.textContent = name;
      link.href = "account";
    });
    off.forEach((page) =>
      document.querySelectorAll(`a[data-page="${page}"]`).forEach((link) => {
        link.parentElement.hidden = true;
      }));
  };
  window.fetch("account/name", { cache: "no-store" })
    .then((answer) => (answer.ok ? answer.json() : {}))
    .then(({ name, off = [] }) => {
      if (!name && !off.length) return;
      show(name, off);
      // The header is drawn after this script has run, and again on another page.
      new MutationObserver(() => show(name, off)).observe(document, { childList: true, subtree: true });
    })
    .catch(() => {});
})();
