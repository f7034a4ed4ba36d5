// What only the visitor's browser stores: the photos shown, for a reload, and a list of answers with thumbnails.
// Nothing of this is sent anywhere, except the photos, once more, when the page is reloaded.
(() => {
  const MOST = 30; // maximum number of stored answers
  const LARGEST = 60_000_000; // maximum size of the photos stored for a reload, in bytes
  const SIDE = 112; // side of a thumbnail, in pixels
  const TAB = "smartbreed-tab";
  const later = (ms) => new Promise((done) => setTimeout(done, ms));

  const database = () =>
    new Promise((done, failed) => {
      const asked = indexedDB.open("smartbreed", 1);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore("shown", { keyPath: "tab" });
        asked.result.createObjectStore("answers", { keyPath: "at" });
      };
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });

  // Without storage, as in private windows, nothing is stored and nothing fails.
  async function within(store, act) {
    try {
      const opened = await database();
      const result = await new Promise((done, failed) => {
        const transaction = opened.transaction(store, "readwrite");
        const asked = act(transaction.objectStore(store));
        transaction.oncomplete = () => done(asked?.result);
        transaction.onerror = transaction.onabort = () => failed(transaction.error);
      });
      opened.close();
      return result;
    } catch {
      return undefined;
    }
  }

  const tab = () => sessionStorage.getItem(TAB);
  let uploaded = null; // the photos that are being identified
  let example = -1; // or the index of the example picture
  const examples = () => [...document.querySelectorAll("#examples-gallery .thumbnail-item")];

  document.addEventListener("uploading", (event) => {
    uploaded = event.detail;
    example = -1;
  });
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("#examples-gallery .thumbnail-item");
    if (pressed) [uploaded, example] = [null, examples().indexOf(pressed)];
  }, true);

  document.addEventListener("answered", async () => {
    if (example >= 0) return keep({ example });
    const files = uploaded;
    if (!files || !document.getElementById("photo-input")) return;
    await later(250); // gradio updates the page shortly after its event
    if (uploaded !== files) return;
    uploaded = null;
    if (!document.querySelector(".sb-answered")) return forget(); // do not restore a photo that failed
    if (files.reduce((sum, file) => sum + file.size, 0) <= LARGEST) await keep({ files });
    if (!files.again) await remember();
  });

  async function keep(what) {
    if (!tab()) sessionStorage.setItem(TAB, crypto.randomUUID?.() ?? String(Math.random()));
    await within("shown", (store) => store.put({ tab: tab(), at: Date.now(), ...what }));
  }

  async function forget() {
    example = -1;
    if (tab()) await within("shown", (store) => store.delete(tab()));
  }

  async function restore() {
    const yesterday = Date.now() - 86_400_000;
    const kept = (await within("shown", (store) => store.getAll())) ?? [];
    for (const one of kept) if (one.at < yesterday) await within("shown", (store) => store.delete(one.tab));
    const [way] = performance.getEntriesByType("navigation");
    const mine = kept.find((one) => one.tab === tab());
    if (!mine || !["reload", "back_forward"].includes(way?.type)) return;
    // The input accepts no files before gradio has built the page, which page.js detects.
    const made = () => document.documentElement.classList.contains("sb-made");
    for (let tries = 0; tries < 400 && !made(); tries += 1) await later(50);
    if (document.querySelector(".sb-answered, .sb-preview:not([hidden])")) return; // the visitor has already added a photo
    if (mine.files) return window.smartbreed.hand(mine.files, true);
    for (let tries = 0; tries < 400 && !examples().length; tries += 1) await later(50);
    examples()[mine.example]?.click();
  }

  async function small(image) {
    if (!image) return "";
    try {
      await image.decode();
      const scale = SIDE / Math.min(image.naturalWidth, image.naturalHeight);
      const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
      const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
      canvas.getContext("2d").drawImage(image, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
      return canvas.toDataURL("image/jpeg", 0.75);
    } catch {
      return "";
    }
  }

  async function remember() {
    const cards = [...document.querySelectorAll(".sb-card")].filter((card) => card.offsetParent && card.querySelector(".sb-is"));
    const first = Date.now();
    for (const [place, card] of cards.entries()) {
      const named = card.querySelector(".sb-named");
      const answer = {
        at: first + place,
        said: card.querySelector(".sb-what").textContent,
        sure: card.querySelector(".sb-is small")?.textContent ?? "",
        breed: named ? card.querySelector(".sb-guess")?.dataset.breed ?? "" : "",
        picture: await small(card.querySelector(".sb-slider img")),
      };
      await within("answers", (store) => store.put(answer));
    }
    const keys = (await within("answers", (store) => store.getAllKeys())) ?? [];
    for (const key of keys.slice(0, -MOST)) await within("answers", (store) => store.delete(key));
    await list();
  }

  async function list() {
    const fold = document.querySelector(".sb-history");
    if (!fold) return;
    const answers = ((await within("answers", (store) => store.getAll())) ?? []).reverse();
    fold.hidden = !answers.length;
    fold.querySelector("ol").replaceChildren(...answers.map(row));
  }

  function row(answer) {
    const item = document.createElement("li");
    const image = document.createElement("img");
    if (answer.picture.startsWith("data:image/")) image.src = answer.picture;
    Object.assign(image, { alt: "", width: 56, height: 56 });
    const name = document.createElement(answer.breed ? "a" : "b");
    name.textContent = answer.said;
    if (answer.breed) Object.assign(name, { href: `breeds/${encodeURIComponent(answer.breed)}`, target: "_blank", rel: "noopener" });
    const when = document.createElement("span");
    const date = new Date(answer.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    when.textContent = [answer.sure, date].filter(Boolean).join(" · ");
    item.append(image, name, when);
    return item;
  }

  document.addEventListener("click", async (event) => {
    if (event.target.closest?.("#restart")) forget();
    if (!event.target.closest?.(".sb-forget")) return;
    await within("answers", (store) => store.clear());
    await list();
  });

  // The list exists once gradio has built the page.
  const ready = new MutationObserver(() => {
    if (!document.querySelector(".sb-history")) return;
    ready.disconnect();
    list();
  });
  ready.observe(document, { childList: true, subtree: true });
  restore();
})();
