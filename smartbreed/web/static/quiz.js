// Keyboard and clock of the quiz: digit keys answer, and the remaining time runs down. Only the server's clock counts.
(() => {
  const form = document.getElementById("quiz-answer");
  if (!form) return;
  const options = [...form.querySelectorAll("button")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const option = options[Number(event.key) - 1];
    if (option) option.click();
  });
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // Back shows a round that may be over
  });
  const timer = document.querySelector("[role=timer]");
  if (!timer) return;
  const whole = Number(timer.dataset.left);
  const ends = Date.now() + whole * 1000;
  const bar = document.querySelector(".sb-time .sb-bar i");
  const share = bar ? parseFloat(bar.style.width) : 0;
  const tick = () => {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    timer.textContent = left;
    if (bar && whole) bar.style.width = `${(share * left) / whole}%`;
    if (left === 0) timer.parentElement.firstElementChild.textContent = 0;
    else setTimeout(tick, 250);
  };
  tick();
})();
