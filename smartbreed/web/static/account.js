// The link to one's account says who is signed in: pages come from the server the same for everyone.
(() => {
  const show = (name) =>
    document.querySelectorAll(".sb-account").forEach((link) => {
      if (link.textContent === name) return;
      link.textContent = name;
      link.href = "/account";
    });
  window.fetch("account/name", { cache: "no-store" })
    .then((answer) => (answer.ok ? answer.json() : {}))
    .then(({ name }) => {
      if (!name) return;
      show(name);
      // The header is drawn after this script has run, and anew on another page.
      new MutationObserver(() => show(name)).observe(document, { childList: true, subtree: true });
    })
    .catch(() => {});
})();
