// Saves or shares an answer as a picture, drawn in the browser from what the card shows.
(() => {
  const [WIDTH, HEIGHT, PHOTO] = [1080, 1350, 1010];

  // The lines of a text, and the largest font size (32 or more) at which it fits into `most` lines.
  function lines(context, text, size, width, most) {
    for (let now = size; ; now -= 4) {
      context.font = `700 ${now}px system-ui, sans-serif`;
      const rows = [""];
      for (const word of text.split(" ")) {
        const longer = `${rows.at(-1)} ${word}`.trim();
        if (context.measureText(longer).width <= width || !rows.at(-1)) rows[rows.length - 1] = longer;
        else rows.push(word);
      }
      if (rows.length <= most || now <= 32) return [rows.slice(0, most), now];
    }
  }

  async function drawn(card) {
    const photo = card.querySelector(".sb-slider img");
    await photo.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
    const context = canvas.getContext("2d");
    context.fillStyle = "#faf5ee";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const scale = Math.max(WIDTH / photo.naturalWidth, PHOTO / photo.naturalHeight);
    const [width, height] = [photo.naturalWidth * scale, photo.naturalHeight * scale];
    context.save();
    context.beginPath();
    context.rect(0, 0, WIDTH, PHOTO);
    context.clip();
    context.drawImage(photo, (WIDTH - width) / 2, (PHOTO - height) / 2, width, height);
    context.restore();
    context.fillStyle = "#2b241e";
    const [rows, size] = lines(context, card.querySelector(".sb-what").textContent, 92, WIDTH - 120, 2);
    rows.forEach((row, place) => context.fillText(row, 60, PHOTO + 40 + size + place * size * 1.1));
    context.font = "400 38px system-ui, sans-serif";
    context.fillStyle = "#655a4e";
    const sure = card.querySelector(".sb-is small")?.textContent ?? "";
    if (sure) context.fillText(sure, 60, PHOTO + 70 + rows.length * size * 1.1 + 30);
    context.fillText(`${document.querySelector(".sb-header h1").textContent} · ${location.host}`, 60, HEIGHT - 40);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  const fileName = (card) => `${card.querySelector(".sb-what").textContent.replace(/[^\p{L}\p{N}]+/gu, "-").toLowerCase()}.png`;

  document.addEventListener("click", async (event) => {
    const pressed = event.target.closest?.(".sb-save, .sb-share");
    const card = pressed?.closest(".sb-card");
    if (!card) return;
    const blob = await drawn(card);
    const file = new File([blob], fileName(card), { type: "image/png" });
    if (pressed.matches(".sb-share")) {
      await navigator.share({ files: [file] }).catch(() => {}); // the visitor closed the share dialog
      return;
    }
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

  // Only browsers that can share files show the share button.
  const sample = new File([new Uint8Array(1)], "a.png", { type: "image/png" });
  if (navigator.canShare?.({ files: [sample] })) document.documentElement.classList.add("sb-can-share");
})();
