// Photo input: from the input box, the camera or the clipboard, or dropped or pasted anywhere on the page.
(() => {
  const say = window.smartbreedSay;
  const SAID = {
    NotAllowedError: say("The camera is blocked for this page. Allow it beside the address above, or choose a photo instead."),
    NotFoundError: say("I found no camera here. Please choose a photo instead."),
    NotReadableError: say("Another program is using the camera. Close it there, or choose a photo instead."),
    insecure: say("Browsers open the camera only on pages served over https. Please choose a photo instead."),
    unsupported: say("This browser cannot open the camera for a page. Please choose a photo instead."),
    noPicture: say("There is no picture in the clipboard. Copy a picture first, then paste it here."),
    clipboard: say("The browser does not let this button read the clipboard. Press Ctrl+V (⌘V on a Mac) instead."),
    noFile: say("That was not a file. Save the picture first, then drop it here or choose it."),
    tooLarge: (name, limit) =>
      say("“%(name)s” is larger than %(limit)s, the most that is accepted. Please choose a smaller photo.", { name, limit }),
  };
  const here = () => document.getElementById("photo-input");
  const box = () => here()?.querySelector('input[type="file"]');
  const later = (ms) => new Promise((done) => setTimeout(done, ms));

  function tell(text) {
    const line = document.getElementById("photo-problem");
    if (!line) return;
    line.textContent = text;
    line.hidden = !text;
    if (text) line.scrollIntoView({ block: "nearest" });
  }

  // Shows the local photo until the answer arrives.
  let address = "";
  function preview(file) {
    const figure = document.querySelector(".sb-preview");
    if (!figure) return;
    const image = figure.querySelector("img");
    if (address) URL.revokeObjectURL(address);
    address = file ? URL.createObjectURL(file) : "";
    figure.hidden = !file;
    image.hidden = true; // stays hidden if the browser cannot show it, as with HEIC
    image.onload = () => (image.hidden = false);
    if (file) image.src = address;
  }

  // Gradio rejects files that the browser does not consider images: HEIC on many systems, or a file without an
  // extension. Only the bytes decide, so every file is passed on as an image and checked by the server.
  function relabelled(files) {
    const transfer = new DataTransfer();
    for (const file of files)
      transfer.items.add(file.type.startsWith("image/") ? file : new File([file], file.name, { type: "image/unknown" }));
    return transfer.files;
  }

  // The input box has a file input only while it does not show the camera.
  async function open() {
    if (!box()) {
      here()?.querySelector('[aria-label="Upload file"]')?.click();
      for (let tries = 0; tries < 40 && !box(); tries += 1) await later(25);
    }
    return box();
  }

  async function hand(files, again = false) {
    const input = await open();
    if (!input || !files.length) return;
    restored = again;
    input.files = relabelled(files);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  let restored = false; // true if these photos were identified before the page was reloaded
  window.smartbreed.hand = hand;

  function tooLarge(files) {
    const most = Number(document.querySelector(".sb-ways")?.dataset.most);
    const large = files.find((file) => file.size > most);
    return large ? SAID.tooLarge(large.name, `${Math.round(most / 1e6)} MB`) : "";
  }

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.('#photo-input input[type="file"]') || !input.files.length) return;
    const files = [...input.files];
    const refused = tooLarge(files);
    tell(refused);
    if (refused) {
      event.stopImmediatePropagation();
      input.value = "";
    } else if (files.every((file) => file.type.startsWith("image/"))) {
      preview(files[0]);
      document.dispatchEvent(new CustomEvent("uploading", { detail: Object.assign(files, { again: restored }) }));
      restored = false;
    } else {
      event.stopImmediatePropagation();
      hand(files);
    }
  }, true);

  document.addEventListener("dragover", (event) => {
    if (here()) event.preventDefault(); // otherwise the browser would open the file instead of the page
  });
  document.addEventListener("drop", (event) => {
    if (!here() || event.target.closest?.("input, textarea")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) hand(files);
    else tell(SAID.noFile);
  }, true);

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!here() || (!files.length && event.target.closest?.("input, textarea"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (files.length) hand(files);
    else tell(SAID.noPicture);
  }, true);

  async function fromClipboard() {
    let items;
    try {
      items = await navigator.clipboard.read();
    } catch {
      return tell(SAID.clipboard);
    }
    const files = [];
    for (const item of items) {
      const type = item.types.find((name) => name.startsWith("image/"));
      if (type) files.push(new File([await item.getType(type)], `clipboard.${type.slice(6)}`, { type }));
    }
    if (!files.length) return tell(SAID.noPicture);
    await hand(files);
  }

  // Shows a message when gradio is denied access to the camera.
  const devices = navigator.mediaDevices;
  if (devices?.getUserMedia) {
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = (wanted) =>
      ask(wanted).catch((error) => {
        tell(SAID[error.name] ?? SAID.unsupported);
        throw error;
      });
  }
  const noCamera = () => (devices?.getUserMedia ? "" : SAID[isSecureContext ? "unsupported" : "insecure"]);

  // The phone's camera app needs no permission from the page.
  function photograph() {
    const camera = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
    camera.setAttribute("capture", "environment");
    camera.addEventListener("change", () => {
      hand([...camera.files]);
      camera.remove();
    });
    camera.addEventListener("cancel", () => camera.remove());
    document.body.append(camera);
    camera.click();
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("button");
    if (!pressed) return;
    const inBox = pressed.closest("#photo-input") ? pressed.getAttribute("aria-label") : "";
    if (inBox) tell("");
    if (inBox === "Paste from clipboard") {
      event.stopImmediatePropagation();
      fromClipboard();
    } else if (inBox === "Capture from camera" && noCamera()) {
      event.stopImmediatePropagation();
      tell(noCamera());
    } else if (pressed.matches(".sb-take")) {
      photograph();
    } else if (pressed.matches(".sb-choose")) {
      open().then((input) => input?.click());
    }
  }, true);

  // Hide the preview when the answer has arrived, or when gradio shows an error in a toast.
  document.addEventListener("answered", () => preview(null));
  new MutationObserver(() => {
    if (address && document.querySelector(".toast-body")) preview(null);
  }).observe(document, { childList: true, subtree: true });
})();
