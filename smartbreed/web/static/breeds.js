// Updates the list of breeds as the filters change, without reloading the page. The server filters, as it does without
// a script: its page is fetched, and the results are taken from it.
(() => {
  const form = document.getElementById("breed-filter");
  if (!form) return;
  const results = () => document.getElementById("breed-results");
  let typing = 0;
  let asking = new AbortController();

  function address() {
    const asked = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    return form.action + (asked.size ? `?${asked}` : "");
  }

  async function show(url) {
    asking.abort();
    asking = new AbortController();
    results().setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { signal: asking.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      results().replaceWith(page.getElementById("breed-results"));
      const added = document.querySelector(".sb-added");
      const fresh = page.querySelector(".sb-added");
      if (added) added.hidden = !fresh;
      else if (fresh) results().after(fresh);
      return page;
    } catch (error) {
      if (error.name !== "AbortError") location.assign(url);
    }
  }

  // Typing replaces the history entry and a choice adds one, so that Back returns to the previous choice.
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    if (event.target.name !== "q") return;
    typing = setTimeout(() => {
      history.replaceState(null, "", address());
      show(address());
    }, 150);
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "q") return;
    history.pushState(null, "", address());
    show(address());
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    if (address() !== location.href) history.pushState(null, "", address());
    show(address());
  });
  document.addEventListener("click", (event) => {
    const clear = event.target.closest?.(".sb-clear, .sb-nothing a");
    if (!clear || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    for (const field of form.elements) if (field.name) field.value = "";
    history.pushState(null, "", address());
    show(address());
    form.elements.q.focus();
  });
  window.addEventListener("popstate", async () => {
    const page = await show(location.href);
    if (!page) return;
    for (const field of page.getElementById("breed-filter").elements) if (field.name) form.elements[field.name].value = field.value;
  });
})();
