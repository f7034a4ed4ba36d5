// The breed dropdowns (`smartbreed.web.components.breed_list`): typing replaces the chosen breed, and a search without
// a match shows a message.
(() => {
  const NONE = window.smartbreedSay("No such breed. Clear the field to see them all.");
  const field = (element) => element?.closest?.(".sb-breeds")?.querySelector("input");
  let entered = null; // the field that has just got the focus; the click that focused it would deselect its text

  function selectAll(input) {
    input.select();
    entered = null;
  }

  document.addEventListener("focusin", (event) => {
    const input = field(event.target);
    if (!input || event.target !== input) return;
    entered = input;
    input.select();
  });
  document.addEventListener("click", (event) => {
    const input = field(event.target);
    if (input && input === entered) selectAll(input);
  });
  document.addEventListener("input", (event) => {
    if (event.target === entered) entered = null;
  });

  // Gradio empties its list of options when nothing matches. The list exists only while the field has the focus.
  function announced(list) {
    const options = list.querySelector('ul[role="listbox"]');
    const nothing = options !== null && !options.querySelector('[role="option"]');
    let line = list.querySelector(".sb-no-breed");
    if (!line) {
      line = document.createElement("p");
      line.className = "sb-no-breed";
      line.setAttribute("role", "status");
      list.append(line);
    }
    const text = nothing ? NONE : "";
    if (line.textContent !== text) line.textContent = text;
  }

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      document.querySelectorAll(".sb-breeds").forEach(announced);
    });
  }).observe(document, { childList: true, subtree: true });
})();
