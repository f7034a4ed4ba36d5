// The link to one's account says who is signed in, and pages of features that are switched off have no link:
// gradio's pages come from the server the same for everyone.
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
      // The header is drawn after this script has run, and anew on another page.
      new MutationObserver(() => show(name, off)).observe(document, { childList: true, subtree: true });
    })
    .catch(() => {});
})();
