// What somebody reports is kept on the telephone until the desk has it; sent twice, it changes nothing there.
(() => {
  const day = document.querySelector("[data-day]");
  if (!day) return;
  const shelf = `dealwright.kept.${day.dataset.day}`;
  const read = () => { try { return JSON.parse(localStorage.getItem(shelf)) || []; } catch { return []; } };
  const write = (kept) => { try { localStorage.setItem(shelf, JSON.stringify(kept)); } catch { /* no room: it stays in this page */ } };
  let kept = read(), busy = false;
  const token = () => document.querySelector("main input[name^=csrf], .foot input[type=hidden]");

  function say(task, text) {
    const place = document.querySelector(`[data-row="t${task}"] .kept`);
    if (place) { place.hidden = !text; place.textContent = text; }
  }
  function show(text) { for (const one of kept) say(one.task, text); }

  async function send() {
    if (busy) return;
    busy = true;
    let sent = false;
    try {
      while (kept.length) {
        const one = kept[0], body = new URLSearchParams(one.fields), proof = token();
        if (proof) body.set(proof.name, proof.value);
        say(one.task, day.dataset.sending);
        let answer;
        try { answer = await fetch(one.address, { method: "POST", body, redirect: "manual" }); } catch { answer = null; }
        if (!answer || answer.status >= 500 || answer.status === 429) { show(day.dataset.waiting); break; }
        if (answer.status === 401 || answer.status === 403) { show(day.dataset.again); break; }
        kept = kept.slice(1);
        write(kept);
        if (answer.status >= 400) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          say(one.task, page.querySelector("main p")?.textContent || String(answer.status));
        } else { sent = true; say(one.task, ""); }
      }
    } finally { busy = false; }
    if (sent && document.querySelector(".live")?.dataset.state !== "live") location.reload();
  }

  day.closest("main").addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-kept]");
    if (!form) return;
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(form, event.submitter));
    const proof = token();
    if (proof) delete fields[proof.name]; // it is the session's, and added when it is sent
    fields.done_at = new Date().toISOString();
    const task = form.dataset.kept;
    kept = [...kept.filter((one) => one.task !== task || one.fields.outcome === "started"), { task, address: form.getAttribute("action"), fields }];
    write(kept);
    // the page is not drawn again while something is being typed into it
    form.reset();
    document.activeElement?.blur();
    send();
  });
  addEventListener("online", send);
  setInterval(() => { if (kept.length) send(); }, 10000);
  if (kept.length) send();

  // an iPhone knows no geo: addresses, and a desk has no map of its own
  if (!/Android/.test(navigator.userAgent)) {
    const apple = /iPhone|iPad|Macintosh/.test(navigator.userAgent);
    for (const link of document.querySelectorAll("[data-place]")) {
      link.href = (apple ? "https://maps.apple.com/?daddr=" : "https://www.openstreetmap.org/directions?route=%3B") + link.dataset.place;
    }
  }
})();
