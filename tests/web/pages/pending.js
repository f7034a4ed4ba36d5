// Keeps count of the events that gradio's client has asked for and not yet got the end of. Its connection to the
// server says nothing about that: it may stay open when all is done.
(() => {
  const asked = new Set();
  const ended = new Set();
  window.pendingEvents = () => [...asked].filter((id) => !ended.has(id));
  window.askedEvents = () => asked.size;
  // Whether nothing is under way for so many milliseconds on end, before a number of others is over.
  window.quiet = (calm, limit) =>
    new Promise((done) => {
      const end = performance.now() + limit;
      let since = performance.now();
      const look = () => {
        const now = performance.now();
        if (window.pendingEvents().length) since = now;
        if (now - since >= calm) done(true);
        else if (now > end) done(false);
        else setTimeout(look, 25);
      };
      look();
    });
  const send = window.fetch;
  const listen = async (stream) => {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const lines = text.split("\n");
        text = lines.pop();
        for (const line of lines.filter((one) => one.startsWith("data:"))) {
          const message = JSON.parse(line.slice(5));
          if (message.msg === "process_completed") ended.add(message.event_id);
        }
      }
    } catch {
      // The client has closed it.
    }
    asked.forEach((id) => ended.add(id));
  };
  window.fetch = async (...given) => {
    const answer = await send(...given);
    const path = new URL(answer.url).pathname;
    if (path.endsWith("/queue/join") && answer.ok) asked.add((await answer.clone().json()).event_id);
    if (path.endsWith("/queue/data") && answer.ok) listen(answer.clone().body);
    return answer;
  };
})();
