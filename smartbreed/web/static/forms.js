// A double click sends a form once. The second answer would take the place of the first: of a deletion that of its receipt.
(() => {
  const PAUSE_MS = 3000; // after it a form whose answer does not come may be sent again
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (event.timeStamp - (sent.get(form) ?? -PAUSE_MS) < PAUSE_MS) event.preventDefault();
    else sent.set(form, event.timeStamp);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) sent.delete(form); // the way back
  });
})();
