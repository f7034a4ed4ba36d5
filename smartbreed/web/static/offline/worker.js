// Caches the files of this page, so that it works without a connection. Photos are not cached.
const KEPT = "smartbreed-offline";
const versioned = (address) => new URL(address).search.startsWith("?v=");

// Stores a file; if its address has a version, instead of its other versions: each network takes megabytes.
async function keep(cache, request, answer) {
  await cache.put(request, answer);
  if (!versioned(request.url)) return;
  for (const other of await cache.keys(request, { ignoreSearch: true }))
    if (other.url !== request.url) await cache.delete(other);
}

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
      if (kept && versioned(request.url)) return kept; // a versioned address always has the same content
      try {
        const answer = await fetch(request);
        if (answer.ok) await keep(cache, request, answer.clone());
        return answer;
      } catch (error) {
        if (kept) return kept;
        throw error;
      }
    })(),
  );
});
