// Shows times in the visitor's time zone, and keeps the clock of a running job ticking between two polls.
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const span = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  };

  // The server writes UTC times whenever it renders a card; they are replaced before the browser paints.
  function localTimes() {
    document.querySelectorAll("time[datetime]").forEach((element) => {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) return;
      const today = new Date().toDateString() === moment.toDateString();
      const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
      const local = `${today ? window.smartbreedSay("today") : day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
      if (element.textContent === local) return;
      element.title = element.textContent;
      element.textContent = local;
    });
  }

  new MutationObserver(localTimes).observe(document, {
    childList: true, subtree: true, characterData: true, attributeFilter: ["datetime"],
  });

  setInterval(() => {
    localTimes();
    document.querySelectorAll(".sb-clock[data-since]").forEach((element) => {
      element.textContent = span(Date.now() / 1000 - Number(element.dataset.since));
    });
  }, 500);
})();
