
// The console: what changes comes as it happens, and everything can be done by keyboard. Pages work without it.
(() => {
  const body = document.body;
  const $ = (selector, at = document) => at.querySelector(selector);
  const $$ = (selector, at = document) => [...at.querySelectorAll(selector)];

  // live --------------------------------------------------------------------------------------------------------
  const state = $(".live");
  const say = (word) => { if (state) state.dataset.state = word; };
  const address = body.dataset.live;
  const held = new Map(); // what came while the pointer was over it

  function put(place, html) {
    const calm = !("now" in place.dataset) && place.dataset.part !== "down" && place.dataset.part !== "facts";
    if (calm && place.matches(":hover")) {
      held.set(place, html);
      return;
    }
    held.delete(place);
    const before = new Map($$("[data-row]", place).map((row) => [row.dataset.row, row.textContent.replace(/\d+ (s|min).*/g, "")]));
    const focus = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const opened = new Set($$("details[open]", place).map((item) => item.closest("[data-row]")?.dataset.row));
    const at = $("tr.at [data-go]", place)?.getAttribute("href");
    const stood = new Map($$("[data-rank]", place).map((row) => [row.dataset.row, { ...row.dataset }]));
    place.innerHTML = html;
    for (const row of $$("[data-rank]", place)) {
      const was = stood.get(row.dataset.row), step = was ? was.rank - row.dataset.rank : 0;
      // who has less or more to do than before, not who makes room for them
      if (step && was.load !== row.dataset.load) moved.set(row.dataset.row, [step, Date.now() + 10_000]);
    }
    show_moves(place);
    for (const row of $$("[data-row]", place)) {
      if (before.size && before.get(row.dataset.row) !== row.textContent.replace(/\d+ (s|min).*/g, "")) row.classList.add("fresh");
      if (opened.has(row.dataset.row)) for (const item of $$("details", row)) item.open = true;
    }
    if (at) $$("tr [data-go]", place).find((link) => link.getAttribute("href") === at)?.closest("tr").classList.add("at");
    setTimeout(() => { for (const row of $$(".fresh", place)) row.classList.remove("fresh"); }, 2000);
    if (focus) $$("a[href]", place).find((link) => link.getAttribute("href") === focus)?.focus();
    wound();
  }
  addEventListener("mouseout", (event) => {
    for (const [place, html] of held) if (!place.contains(event.relatedTarget)) { held.delete(place); setTimeout(() => put(place, html)); }
  });

  // who went up or down in a ranking: seen for a while
  const moved = new Map();
  function show_moves(place) {
    for (const row of $$("[data-rank]", place)) {
      const [step, until] = moved.get(row.dataset.row) || [0, 0];
      const mark = $(".moved", row);
      if (!mark) continue;
      mark.textContent = Date.now() < until ? `${step > 0 ? "▲" : "▼"}${Math.abs(step)}` : "";
      mark.classList.toggle("good", step > 0);
    }
  }

  // a page that follows one thing asks for itself again; not while something is being typed into it
  let asking = false, again = false;
  async function refresh() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const old = $$("main > *"), fresh = $$("main > *", page);
        const places = old.filter((item) => !item.contains(document.activeElement) || document.activeElement === body);
        for (const place of places) {
          const name = place.getAttribute("aria-label") || place.className;
          const other = fresh.find((item) => (item.getAttribute("aria-label") || item.className) === name);
          if (other && other.innerHTML !== place.innerHTML && !$$("input", place).some((item) => item.type !== "hidden" && item.value !== item.defaultValue)) put(place, other.innerHTML);
        }
      }
    } catch { /* it comes again with the next event */ } finally {
      asking = false;
      if (again) { again = false; setTimeout(refresh, 300); }
    }
  }

  function follow() {
    const source = new EventSource(address);
    let lost = false;
    source.addEventListener("open", () => { say("live"); if (lost && address !== "/live/floor") refresh(); lost = false; });
    source.addEventListener("parts", (event) => {
      const parts = JSON.parse(event.data);
      // the old figures stay, with what is away
      if ("down" in parts) { const down = $("[data-part=down]"); if (down && down.textContent !== parts.down) down.textContent = parts.down; }
      if (parts.down) { say("again"); return; }
      say("live");
      const places = $$("[data-part]").filter((place) => place.dataset.part !== "down");
      if (!places.length) { refresh(); return; }
      for (const place of places) if (place.dataset.part in parts) put(place, parts[place.dataset.part]);
    });
    source.addEventListener("changed", refresh);
    source.addEventListener("end", () => { source.close(); location.reload(); });
    source.addEventListener("error", () => {
      lost = true;
      say("again");
      // a browser gives up on an answer that is no stream, such as that of a server that is not ready yet
      if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(follow, 2000); }
    });
    addEventListener("pagehide", () => source.close());
  }
  if (address) { say("again"); follow(); }

  // waits go on counting
  const units = (seconds) => (seconds < 60 ? `${seconds} s` : seconds < 600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : null);
  function wound() {
    const now = Math.floor(Date.now() / 1000);
    for (const item of $$("[data-wait]")) {
      if (!item.dataset.from) item.dataset.from = String(now - Number(item.dataset.wait));
      const text = units(now - Number(item.dataset.from));
      if (text && text !== item.textContent) item.textContent = text;
    }
    for (const item of $$("[data-left]")) {
      if (!item.dataset.until) item.dataset.until = String(now + Number(item.dataset.left));
      const left = Number(item.dataset.until) - now, text = left > 0 ? units(left) : item.dataset.over;
      if (text && text !== item.textContent) item.textContent = text;
      item.classList.toggle("bad", left < 60);
      item.classList.toggle("warn", left >= 60 && left < 300);
    }
    show_moves(document);
  }
  setInterval(wound, 1000);
  wound();

  // a page of an error that ends by itself looks whether it has
  if (body.dataset.again) setInterval(async () => {
    try { if ((await fetch(body.dataset.again)).ok) location.reload(); } catch { /* not yet */ }
  }, 2000);
  for (const button of $$("[data-copy]")) if (navigator.clipboard) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.copied;
    });
  }

  $(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // keyboard ----------------------------------------------------------------------------------------------------
  for (const button of $$("[data-open]")) {
    button.hidden = false;
    button.addEventListener("click", () => open(button.dataset.open));
  }
  const palette = $("#palette"), input = palette && $("input", palette), list = $("#found");
  function open(name) {
    const dialog = document.getElementById(name);
    if (!dialog || dialog.open) return;
    dialog.showModal();
    if (dialog === palette) { input.value = ""; look(); input.focus(); }
  }
  const pages = $$(".top nav a").map((link) => ({ href: link.href, text: link.textContent.trim() }));
  const act = () => $("main [data-act]") || $("[data-act]");
  let asked = 0;
  async function look() {
    const text = input.value.trim().toLocaleLowerCase(), mine = ++asked;
    const found = pages.filter((page) => page.text.toLocaleLowerCase().includes(text));
    const main = $(".top [data-act]");
    if (main && main.textContent.toLocaleLowerCase().includes(text)) found.push({ href: main.href, text: main.textContent.trim() });
    if (text.length > 1) {
      try {
        const answer = await fetch(`/find.json?q=${encodeURIComponent(text)}`);
        if (answer.ok) {
          const more = await answer.json();
          for (const one of more.agents) found.push({ href: `/agents/${encodeURIComponent(one.agent_id)}`, text: one.agent_name, what: String(one.agent_id) });
          for (const one of more.leads) found.push({ href: `/leads/${one.lead_id}`, text: one.customer_name, what: String(one.lead_id) });
        }
      } catch { /* pages are found without the server */ }
    }
    if (mine !== asked) return;
    list.replaceChildren(...found.slice(0, 12).map((one, place) => {
      const item = document.createElement("li");
      item.id = `found-${place}`;
      item.setAttribute("role", "option");
      item.dataset.href = one.href;
      item.textContent = one.text;
      if (one.what) { const small = document.createElement("small"); small.className = "muted"; small.textContent = one.what; item.append(small); }
      item.addEventListener("click", () => { location.href = one.href; });
      return item;
    }));
    choose(0);
  }
  function choose(place) {
    const items = $$("li", list);
    items.forEach((item, number) => item.setAttribute("aria-selected", String(number === place)));
    if (items[place]) { input.setAttribute("aria-activedescendant", items[place].id); items[place].scrollIntoView({ block: "nearest" }); }
  }
  if (input) {
    input.addEventListener("input", look);
    input.addEventListener("keydown", (event) => {
      const items = $$("li", list), at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
      if (event.key === "ArrowDown") { event.preventDefault(); choose(Math.min(at + 1, items.length - 1)); }
      else if (event.key === "ArrowUp") { event.preventDefault(); choose(Math.max(at - 1, 0)); }
      else if (event.key === "Enter" && items[at]) { event.preventDefault(); location.href = items[at].dataset.href; }
    });
  }
  for (const dialog of $$("dialog")) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  let went = 0;
  function move(step) {
    const rows = $$("main tbody tr").filter((row) => $("[data-go]", row) && row.offsetParent !== null);
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("at"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
    for (const row of rows) row.classList.toggle("at", row === next);
    $("[data-go]", next).focus();
    next.scrollIntoView({ block: "nearest" });
  }
  // the field of a window just closed keeps the focus for a moment: nobody is typing into what cannot be seen
  const typed = (item) => /^(INPUT|TEXTAREA|SELECT)$/.test(item.tagName) && item.checkVisibility();
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); open("palette"); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typed(event.target) || $("dialog[open]")) return;
    if (Date.now() - went < 1500) {
      went = 0;
      const link = $(`.top nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); location.href = link.href; return; }
    }
    if (event.key === "g") went = Date.now();
    else if (event.key === "?") open("help");
    else if (event.key === "/") { event.preventDefault(); open("palette"); }
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "a" && act()) { event.preventDefault(); act().click(); }
  });
})();
