// Gradio's API panel writes the relative address "?view=api". The browser resolves it against the page's <base>, which
// is the front page on every page, so a reload would open the front page. The page's own path is added here.
for (const name of ["pushState", "replaceState"]) {
  const original = history[name].bind(history);
  history[name] = (state, unused, url) =>
    original(state, unused, typeof url === "string" && url.startsWith("?") ? location.pathname + url.replace(/^\?$/, "") : url);
}

// Gradio's dropdowns open shortly after any key press: one that Tab has just left would open and cover what is
// beside it.
document.addEventListener("keydown", (event) => {
  if (["Tab", "Shift"].includes(event.key) && event.target.matches?.('input[role="combobox"]')) event.stopPropagation();
}, true);

// What gradio's components lack: alternative texts, live regions, keyboard control of the heat map's slider,
// and a new place for the focus when the focused control disappears.
(() => {
  const say = window.smartbreedSay;
  const visible = (element) => element && element.offsetParent !== null;

  function nameImages() {
    document.querySelectorAll(".sb-card").forEach((card) => {
      const text = card.querySelector(".sb-pet")?.dataset.alt;
      const breed = card.querySelector(".sb-caption b")?.textContent;
      card.querySelectorAll(".sb-guess").forEach((guess) => {
        const pressed = String(guess.querySelector(".sb-name").textContent === breed);
        if (guess.getAttribute("aria-pressed") !== pressed) guess.setAttribute("aria-pressed", pressed);
      });
      if (!text) return;
      card.querySelectorAll(".sb-slider img").forEach((image, n) => {
        const alt = n === 0
          ? say("The pet as the model saw it: %(text)s", { text })
          : say("The same picture, with the evidence for %(breed)s in bright colours", { breed });
        if (image.alt !== alt) image.alt = alt;
      });
    });
    const result = document.querySelector("#status h2")?.firstChild?.textContent?.trim();
    document.querySelectorAll("#photo-result .base-image").forEach((image) => {
      const alt = say("Your photo with a numbered box for each pet: %(result)s", { result });
      if (image.alt !== alt) image.alt = alt;
    });
    // The frames are decorative: the base picture's alternative text mentions them.
    document.querySelectorAll("#photo-result .mask").forEach((image) => {
      if (image.alt !== "") image.alt = "";
    });
  }

  function announce() {
    document.querySelectorAll(".block.sb-live:not([aria-live])").forEach((element) => {
      element.setAttribute("aria-live", "polite");
      element.setAttribute("role", "status");
    });
  }

  function slide(handle, step) {
    const wrap = handle.parentElement.getBoundingClientRect();
    const grip = handle.getBoundingClientRect();
    const from = grip.left + grip.width / 2;
    const to = Math.min(Math.max(from + step * wrap.width, wrap.left), wrap.right);
    const at = { bubbles: true, cancelable: true, view: window, clientY: wrap.top + wrap.height / 2 };
    handle.dispatchEvent(new MouseEvent("mousedown", { ...at, clientX: from }));
    window.dispatchEvent(new MouseEvent("mousemove", { ...at, clientX: to }));
    window.dispatchEvent(new MouseEvent("mouseup", { ...at, clientX: to }));
    handle.setAttribute("aria-valuenow", String(Math.round(((to - wrap.left) / wrap.width) * 100)));
  }

  function handles() {
    document.querySelectorAll('.sb-slider [data-testid="slider"]:not([tabindex])').forEach((handle) => {
      handle.tabIndex = 0;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", say("Border between the photo and its heat map"));
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", "100");
      handle.setAttribute("aria-valuenow", "50");
      handle.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -0.1, ArrowRight: 0.1, Home: -1, End: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        slide(handle, step);
      });
    });
  }

  window.smartbreed = {
    focus(name) {
      setTimeout(() => {
        const form = document.getElementById(`${name}-form`);
        const undo = document.getElementById(`${name}-undo`);
        if (visible(form) && form.contains(document.activeElement)) return; // the person has already moved on in the form
        if (form) {
          // Focus the form, not its first field: a dropdown would open on focus and cover the question.
          form.tabIndex = -1;
          form.setAttribute("role", "group");
          form.setAttribute("aria-label", form.querySelector("h4")?.textContent ?? "");
        }
        const target = [window.smartbreedBox?.surface(name), form, undo].find(visible) ?? document.querySelector(`#${name}-verdicts button`);
        target?.focus({ preventScroll: false });
      }, 60);
    },
    toResult() {
      document.dispatchEvent(new Event("answered"));
      setTimeout(() => {
        const status = document.getElementById("status");
        const box = status?.getBoundingClientRect();
        const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
        if (box && (box.top > innerHeight * 0.7 || box.bottom < 0))
          status.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
      }, 120);
    },
  };

  // A number beyond its limits, such as one half typed, is not sent; after the change it is clamped to the limits.
  const limited = (element) => element.matches?.('#settings input[type="number"][min][max]');
  const within = (box) => Math.min(Math.max(Number(box.value), Number(box.min)), Number(box.max));
  document.addEventListener("input", (event) => {
    const box = event.target;
    if (limited(box) && (box.value === "" || within(box) !== Number(box.value))) event.stopImmediatePropagation();
  }, true);
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!limited(box) || (box.value !== "" && within(box) === Number(box.value))) return;
    event.stopImmediatePropagation();
    box.value = String(within(box));
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);

  // A click on a name under the photo scrolls to its card.
  document.addEventListener("click", (event) => {
    const item = event.target.closest?.("#photo .legend-item");
    if (!item) return;
    const place = [...item.parentElement.children].indexOf(item) % document.querySelectorAll(".sb-card").length;
    document.querySelectorAll(".sb-card")[place]?.scrollIntoView({ block: "nearest" });
  });

  // Gradio sets the same title on every page; `refresh` restores the page's own.
  const title = document.title;
  if (isSecureContext) navigator.serviceWorker?.register("service-worker.js").catch(() => {});

  // The page counts as built when it has not changed for half a second, or after three seconds at the latest;
  // head.css hides until then what would move.
  const made = () => document.documentElement.classList.add("sb-made");
  setTimeout(made, 3000);
  let still = 0;
  const settles = () => {
    clearTimeout(still);
    const page = document.querySelector(".sb-page");
    const box = !document.getElementById("photo-input") || document.querySelector('#photo-input input[type="file"]');
    if (page && box) still = setTimeout(made, 500);
  };

  let due = false;
  const refresh = () => {
    due = false;
    settles();
    if (title && document.title !== title) document.title = title;
    nameImages();
    announce();
    handles();
  };
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(refresh);
  }).observe(document, { childList: true, subtree: true });
})();
