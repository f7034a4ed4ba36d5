// Signs maintainers in and out, and sends the session's token. The server sets the cookie so that scripts cannot
// read it; it is valid only together with the token, which other websites cannot read.
(() => {
  const send = window.fetch.bind(window);
  const acts = /\/(gradio_api\/(queue\/join|run\/|call\/)|maintainer\/leave$)/;
  // Determined while the page loads, because gradio's API panel changes the address later.
  const forMaintainers = smartbreedMaintainers.includes(location.pathname.replace(/\/+$/, "").split("/").pop());
  let asked = null;

  // Fetched once, before the page's first event; empty if no maintainer is signed in.
  function token() {
    asked ??= send("maintainer/token", { cache: "no-store" })
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => found?.token ?? "")
      .catch(() => "");
    return asked;
  }

  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
    if (!forMaintainers || url.origin !== location.origin || !acts.test(url.pathname)) return send(input, init);
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    const value = await token();
    if (value) headers.set("X-SmartBreed-Token", value);
    return send(input, { ...init, headers });
  };
  if (forMaintainers) token();

  const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

  async function post(path, body, tries = 1) {
    const answer = await fetch(`maintainer/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    if (answer.status === 429 && tries > 1) {
      await pause(0.5 + Math.random()); // retry, so that a flood of guesses does not lock out the right password
      return post(path, body, tries - 1);
    }
    return (await answer.json().catch(() => null))?.error?.message ?? window.smartbreedSay("The server did not answer; try again.");
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest?.(".sb-sign-in");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    const said = form.querySelector(".sb-problem");
    button.disabled = true;
    said.hidden = true;
    let problem = "";
    try {
      problem = await post("enter", { password: form.elements.password.value }, 30);
    } catch {
      problem = window.smartbreedSay("The server cannot be reached; try again.");
    }
    if (!problem) return location.reload();
    button.disabled = false;
    said.textContent = problem;
    said.hidden = false;
    form.elements.password.select();
  });

  document.addEventListener("click", async (event) => {
    if (!event.target.closest?.(".sb-sign-out")) return;
    await post("leave", {}).catch(() => "");
    location.reload();
  });
})();
