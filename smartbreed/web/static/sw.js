// Makes the app installable, and shows a page when there is no connection. It keeps no page, answer or photo:
// everything always comes from the server, so nothing can be out of date.
const OFFLINE = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>No connection</title><body style="font:18px/1.5 system-ui;margin:15vh auto;max-width:26em;padding:0 1em">
<h1>No connection</h1><p>The model that names breeds runs on the server, so this page needs a connection. Try again when there is one.</p>`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate" || event.request.method !== "GET") return; // left to the browser, as without a service worker
  event.respondWith(
    fetch(event.request).catch(
      () => new Response(OFFLINE, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } }),
    ),
  );
});
