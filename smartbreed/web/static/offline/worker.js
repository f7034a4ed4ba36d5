// Caches the files of this page, so that it works without a connection. Photos are not cached.
const KEPT = "smartbreed-offline";

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(
    (async () => {
      const config = await (await fetch("model/config.json", { cache: "no-cache" })).json();
      const cache = await caches.open(KEPT);
      await cache.addAll(["./", "model/config.json", ...config.page_files]);
    })(),
  );
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  event.respondWith(
    (async () => {
      const cache = await caches.open(KEPT);
      const kept = await cache.match(request);
      if (kept && new URL(request.url).search.startsWith("?v=")) return kept; // a versioned address always has the same content
      try {
        const answer = await fetch(request);
        if (answer.ok) await cache.put(request, answer.clone());
        return answer;
      } catch (error) {
        if (kept) return kept;
        throw error;
      }
    })(),
  );
});
