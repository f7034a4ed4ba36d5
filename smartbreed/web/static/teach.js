// Members' own models: uploads photos in batches, draws the training curve live, and takes photos with the camera.
// Everything but the camera works without this script.
(() => {
  const BATCH = 6, MOST_BYTES = 20e6;

  // Uploads chosen photos at once, in batches, and shows the progress. Returns what the server answered, and
  // whether it could be reached.
  const send = async (form, files) => {
    const said = form.querySelector("[role=status]"), buttons = [...form.querySelectorAll("button, input")];
    const data = new FormData(form), name = form.querySelector("input[type=file]").name;
    const notes = [];
    let at = 0, reached = true;
    buttons.forEach((one) => (one.disabled = true));
    said.hidden = false;
    while (at < files.length) {
      const batch = [files[at]];
      let bytes = files[at++].size;
      while (at < files.length && batch.length < BATCH && bytes + files[at].size < MOST_BYTES) {
        bytes += files[at].size;
        batch.push(files[at++]);
      }
      said.textContent = `${at} / ${files.length} …`;
      const body = new FormData();
      for (const [key, value] of data) if (typeof value === "string") body.append(key, value);
      batch.forEach((file) => body.append(name, file, file.name));
      try {
        const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
        const got = await answer.json();
        const note = got.problem || got.error?.message || got.note;
        if (note) notes.push(note);
        if (!answer.ok) break;
      } catch {
        reached = false;
        break;
      }
    }
    buttons.forEach((one) => (one.disabled = false));
    return { notes, reached };
  };

  const upload = async (form, files) => {
    const { notes, reached } = await send(form, files);
    if (!reached) {
      // A reload would fail too, and take the page away.
      const said = form.querySelector("[role=status]");
      said.textContent = [...new Set([...notes, said.dataset.offline])].join(" ");
      form.querySelector("input[type=file]").value = ""; // so that the same files can be chosen again
      return;
    }
    sessionStorage.setItem("teach-notes", JSON.stringify(notes));
    location.reload();
  };

  for (const form of document.querySelectorAll(".sb-upload")) {
    const input = form.querySelector("input[type=file]");
    form.querySelector("button:not([type])").hidden = true; // photos are uploaded as soon as they are chosen
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.files.length) upload(form, [...input.files]);
    });
    input.addEventListener("change", () => input.files.length && upload(form, [...input.files]));
    for (const kind of ["dragover", "dragleave", "drop"]) {
      form.parentElement.addEventListener(kind, (event) => {
        event.preventDefault();
        form.classList.toggle("sb-over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length) upload(form, [...event.dataTransfer.files]);
      });
    }
  }

  const kept = JSON.parse(sessionStorage.getItem("teach-notes") || "[]");
  sessionStorage.removeItem("teach-notes");
  const intro = document.querySelector(".sb-page-teach .sb-intro");
  if (kept.length && intro) {
    const note = document.createElement("p");
    note.className = "sb-thanks";
    note.setAttribute("role", "status");
    note.textContent = [...new Set(kept)].join(" ");
    intro.after(note);
  }

  // The live curve of a running training.
  const training = document.getElementById("training");
  const watch = async () => {
    try {
      const got = await (await fetch(training.dataset.progress, { headers: { Accept: "application/json" } })).json();
      if (got.done) {
        location.hash = "train";
        location.reload();
        return;
      }
      if (got.said) training.querySelector("[role=status]").textContent = got.said;
      if (got.curve) training.lastElementChild.innerHTML = got.curve;
    } catch { /* the next poll tries again */ }
    setTimeout(watch, 200);
  };
  if (training) watch();

  // The camera.
  const dialog = document.getElementById("camera");
  if (dialog && navigator.mediaDevices?.getUserMedia) {
    const video = dialog.querySelector("video"), said = dialog.querySelector("[role=status]");
    const stop = (stream) => stream?.getTracks().forEach((track) => track.stop());
    let into = null, taken = [];
    for (const button of document.querySelectorAll(".sb-camera")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        into = document.getElementById(button.dataset.into);
        taken = [];
        said.textContent = "";
        dialog.showModal();
        try {
          const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
          if (!dialog.open) return stop(stream); // closed while the browser asked for permission
          stop(video.srcObject); // closed and opened again meanwhile
          video.srcObject = stream;
        } catch (error) {
          said.textContent = error.message;
        }
      });
    }
    dialog.querySelector("[data-do=take]").addEventListener("click", () => {
      if (!video.videoWidth) return;
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob((blob) => {
        taken.push(new File([blob], `camera ${taken.length + 1}.jpg`, { type: "image/jpeg" }));
        said.textContent = `${taken.length}`;
        if (!into.multiple) dialog.close();
      }, "image/jpeg", 0.92);
    });
    dialog.querySelector("[data-do=close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      stop(video.srcObject);
      if (!taken.length) return;
      const files = new DataTransfer();
      taken.forEach((file) => files.items.add(file));
      into.files = files.files;
      into.dispatchEvent(new Event("change"));
    });
  }
  const answer = document.getElementById("answer");
  if (answer) answer.focus();
})();
