// The introduction for first-time visitors: shown once, and again on request.
(() => {
  const SEEN = "smartbreed-tour-seen";
  const tour = () => document.querySelector("#first-visit .sb-steps"); // other pages list steps too
  const steps = () => [...tour().querySelectorAll("li")];

  // A browser without storage shows it each time.
  const remembered = () => {
    try {
      return localStorage.getItem(SEEN);
    } catch {
      return null;
    }
  };

  function show(place) {
    steps().forEach((step, n) => (step.hidden = n !== place));
    tour().querySelector(".sb-next").hidden = place === steps().length - 1;
    tour().hidden = false;
  }

  function close() {
    tour().hidden = true;
    try {
      localStorage.setItem(SEEN, "1");
    } catch {} // as above
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("button");
    if (!pressed || !tour()) return;
    if (pressed.matches(".sb-first-visit")) show(0);
    else if (pressed.matches(".sb-next")) show(steps().findIndex((step) => !step.hidden) + 1);
    else if (pressed.matches(".sb-skip")) close();
  });

  const made = new MutationObserver(() => {
    if (!tour()) return;
    made.disconnect();
    if (!remembered()) show(0);
  });
  made.observe(document, { childList: true, subtree: true });
})();
