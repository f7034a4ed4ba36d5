// Signing in and out: the cookie is set by the server, where scripts cannot read it.
(() => {
  async function post(path, body) {
    const answer = await fetch(`maintainer/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    return (await answer.json().catch(() => null))?.error?.message ?? "The server did not answer; try again.";
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
      problem = await post("enter", { password: form.elements.password.value });
    } catch {
      problem = "The server cannot be reached; try again.";
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
