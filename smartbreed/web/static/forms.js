// Sends a form only once after a double click. Otherwise the second response would replace the first, such as the
// receipt of a deletion.
(() => {
  const PAUSE_MS = 3000; // after this a form may be sent again, in case no response comes
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (event.timeStamp - (sent.get(form) ?? -PAUSE_MS) < PAUSE_MS) event.preventDefault();
    else sent.set(form, event.timeStamp);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) sent.delete(form); // the page was restored by Back
  });
})();
