// The review page's keyboard shortcuts, and the checkboxes of its list.
(() => {
  const byId = (id) => document.getElementById(id);
  const visible = (element) => element && element.offsetParent !== null;
  const KEYS = {
    a: ["accept"], r: ["relabel"], x: ["reject"], n: ["new"], u: ["undo", "bulk-undo", "empty-undo"],
    j: ["next"], k: ["previous"], g: ["gold"],
  };
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
      press("review-cancel") || press("review-relabel-cancel");
      return;
    }
    const target = event.target;
    if (target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]")) return;
    const names = KEYS[event.key.toLowerCase()] ?? [];
    if (!event.repeat && names.some((name) => press(`review-${name}`))) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches?.("#review-list input")) return;
    chosen[box.checked ? "add" : "delete"](box.value);
    sync();
  });

  // gradio turns the old list into the new one element by element, so a ticked box would stay ticked for a
  // different flag. The choice is therefore stored as ids and belongs to one list.
  const chosen = new Set();
  let number = "";

  function sync() {
    const now = document.querySelector("#review-list .sb-review-list")?.dataset.number ?? "";
    if (now !== number) chosen.clear();
    number = now;
    boxes().forEach((box) => { box.checked = chosen.has(box.value); });
    const button = byId("review-all");
    const text = chosen.size
      ? window.smartbreedSay("%(number)s chosen; choose none", { number: chosen.size })
      : window.smartbreedSay("Choose all");
    if (button && button.textContent !== text) button.textContent = text;
  }

  window.smartbreedReview = {
    chosen: () => JSON.stringify([...chosen]),
    // Id of the flag that the page shows now.
    shown: () => document.querySelector("#review-words .sb-item")?.dataset.flag ?? "",
    all() {
      const none = !chosen.size;
      chosen.clear();
      if (none) boxes().forEach((box) => chosen.add(box.value));
      sync();
    },
    focus(id) {
      setTimeout(() => {
        const field = byId(id)?.querySelector("input, textarea");
        if (field?.closest(".sb-form")?.contains(document.activeElement)) return; // the person has already moved on in the form
        field?.focus();
      }, 60);
    },
    // After a decision, release the focus for the shortcuts and scroll to the top of the next flag.
    settle() {
      setTimeout(() => {
        const active = document.activeElement;
        if (active?.closest?.("#review-acts")) active.blur();
        const top = byId("review-message");
        const photo = document.querySelector(".sb-evidence-photo")?.getBoundingClientRect();
        const hidden = photo?.bottom > byId("review-acts")?.getBoundingClientRect().top; // the buttons cover it
        if (visible(byId("review-one")) && top && (hidden || top.getBoundingClientRect().top < -40)) top.scrollIntoView({ block: "start" });
      }, 30);
    },
  };

  new MutationObserver(() => {
    for (const [key, names] of Object.entries(KEYS)) {
      for (const name of names) {
        const button = byId(`review-${name}`);
        if (button && !button.hasAttribute("aria-keyshortcuts")) button.setAttribute("aria-keyshortcuts", key);
      }
    }
    sync();
  }).observe(document, { childList: true, subtree: true, attributeFilter: ["data-number", "value"] });
})();
