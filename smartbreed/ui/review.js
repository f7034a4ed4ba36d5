// The review page's single keys, and the checkboxes of its list.
(() => {
  const byId = (id) => document.getElementById(id);
  const visible = (element) => element && element.offsetParent !== null;
  const KEYS = { a: "accept", r: "relabel", x: "reject", n: "new", u: "undo", j: "next", k: "previous", g: "gold" };
  const boxes = () => [...document.querySelectorAll("#review-list input[type=checkbox]")];

  function press(id) {
    const button = byId(id);
    if (!visible(button) || button.disabled) return false;
    button.click();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (!visible(byId("review")) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && (visible(byId("review-new-form")) || visible(byId("review-relabel-form")))) {
      document.activeElement?.blur();
      byId("review-cancel")?.click();
      return;
    }
    const target = event.target;
    if (target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]")) return;
    const name = KEYS[event.key.toLowerCase()];
    if (name && !event.repeat && press(`review-${name}`)) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("#review-list input")) count();
  });

  function count() {
    const chosen = boxes().filter((box) => box.checked).length;
    const button = byId("review-all");
    if (button) button.textContent = chosen ? `${chosen} chosen; choose none` : "Choose all";
  }

  window.smartbreedReview = {
    checked: () => JSON.stringify(boxes().filter((box) => box.checked).map((box) => box.value)),
    all() {
      const none = boxes().every((box) => !box.checked);
      boxes().forEach((box) => { box.checked = none; });
      count();
    },
    focus(id) {
      setTimeout(() => byId(id)?.querySelector("input, textarea")?.focus(), 60);
    },
    // After a decision the keys are free again, and the next flag is looked at from its top.
    settle() {
      setTimeout(() => {
        const active = document.activeElement;
        if (active?.closest?.("#review-acts")) active.blur();
        const top = byId("review-message");
        if (visible(byId("review-one")) && top?.getBoundingClientRect().top < -40) top.scrollIntoView({ block: "start" });
        count();
      }, 30);
    },
  };

  new MutationObserver(() => {
    for (const [key, name] of Object.entries(KEYS)) {
      const button = byId(`review-${name}`);
      if (button && !button.hasAttribute("aria-keyshortcuts")) button.setAttribute("aria-keyshortcuts", key);
    }
  }).observe(document, { childList: true, subtree: true });
})();
