// The day's time lines: visits and shifts are moved by mouse and by keyboard, and the server says what comes of it.
(() => {
  const lines = document.getElementById("lines");
  if (!lines) return;
  const WIDTH = 1200, EDGE = 9;
  const boards = [lines, document.getElementById("centre")].filter(Boolean);
  const board = (item) => item.closest("[data-shift]");
  const step = (item) => Number(board(item).dataset.step || 5);
  const first = Number(lines.dataset.first), last = Number(lines.dataset.last), perMinute = WIDTH / (last - first);
  const answer = document.getElementById("answer"), keep = document.getElementById("keep");
  const rowsOf = (item) => [...board(item).querySelectorAll("svg[data-rep]")];
  const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  let chosen = null; // what is being moved: item, row, and where it is now
  let asked = 0;

  function say(kind, bold, text) {
    answer.replaceChildren();
    if (bold) { const b = document.createElement("b"); b.className = kind; b.textContent = bold; answer.append(b, " "); }
    answer.append(text);
  }

  function take(item) {
    if (chosen && chosen.item === item) return chosen;
    leave();
    const row = item.closest("svg"), visit = item.matches(".visit, .call");
    chosen = visit
      ? { item, visit, row, home: row, begin: Number(item.dataset.begin), from: Number(item.dataset.begin) }
      : { item, visit, row, home: row, start: Number(item.dataset.start), end: Number(item.dataset.end) };
    return chosen;
  }

  function draw() {
    const { item, visit, row, home } = chosen;
    item.classList.add("moved");
    if (visit) {
      if (item.parentNode !== row) { row.append(item); }
      item.setAttribute("transform", `translate(${(chosen.begin - chosen.from) * perMinute} 0)`);
      say("", "", lines.dataset.at.replace("{at}", clock(chosen.begin)).replace("{name}", row.dataset.name));
    } else {
      const bar = item.querySelector("rect");
      bar.setAttribute("x", (chosen.start - first) * perMinute);
      bar.setAttribute("width", (chosen.end - chosen.start) * perMinute);
      say("", "", lines.dataset.at.replace("{at}", `${clock(chosen.start)}–${clock(chosen.end)}`).replace("{name}", home.dataset.name));
    }
    keep.hidden = true;
  }

  function leave() {
    if (!chosen) return;
    const { item, visit, home } = chosen;
    asked++;
    item.classList.remove("moved", "held");
    item.removeAttribute("transform");
    if (visit) { if (item.parentNode !== home) home.append(item); } else {
      const bar = item.querySelector("rect"), start = Number(item.dataset.start), end = Number(item.dataset.end);
      bar.setAttribute("x", (start - first) * perMinute);
      bar.setAttribute("width", (end - start) * perMinute);
    }
    chosen = null;
    keep.hidden = true;
  }

  const wanted = () => (chosen.visit
    ? { kind: chosen.item.matches(".call") ? "move_call" : "move", account: chosen.item.dataset.account, rep: chosen.row.dataset.rep, at: clock(chosen.begin) }
    : { kind: board(chosen.item).dataset.shift, rep: chosen.home.dataset.rep, start: clock(chosen.start), end: clock(chosen.end) });

  async function attempt() {
    const mine = ++asked, fields = wanted();
    say("muted", "", lines.dataset.trying);
    let found = null;
    try {
      const reply = await fetch(`${lines.dataset.try}.json?${new URLSearchParams(fields)}`, { headers: { accept: "application/json" } });
      found = await reply.json();
      if (!reply.ok && !("placed" in found)) found = { placed: false, limit: "", text: found.detail };
    } catch { found = { placed: false, limit: "", text: lines.dataset.broken }; }
    if (mine !== asked) return;
    answer.dataset.placed = found.placed ? "yes" : "no";
    if (found.placed) say("good", lines.dataset.possible, found.text);
    else say("bad", lines.dataset.refused.replace("{limit}", found.limit || "–"), found.text);
    for (const old of keep.querySelectorAll("[data-wanted]")) old.remove();
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      input.type = "hidden"; input.name = name; input.value = value; input.dataset.wanted = "";
      keep.append(input);
    }
    keep.hidden = !found.placed;
    chosen.tried = found.placed;
  }

  // keyboard
  for (const one of boards) one.addEventListener("keydown", (event) => {
    const item = event.target.closest?.(".visit, .call, .handle");
    if (!item) return;
    const STEP = item.matches(".visit, .call") ? 5 : step(item), rows = rowsOf(item);
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key], to = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by) {
      const it = take(item);
      if (it.visit) it.begin = Math.max(first, Math.min(last, Math.round((it.begin + by) / STEP) * STEP));
      else if (event.shiftKey) it.end = Math.max(it.start + STEP, Math.min(last, it.end + by));
      else if (it.start + by >= first && it.end + by <= last) { it.start += by; it.end += by; }
      it.tried = false;
      draw();
    } else if (item.matches(".call") && !chosen && (event.key === "j" || event.key === "k")) {
      const calls = [...item.parentNode.querySelectorAll(".call")], next = calls[calls.indexOf(item) + (event.key === "j" ? 1 : -1)];
      if (next) { item.tabIndex = -1; next.tabIndex = 0; next.focus(); }
    } else if (to && item.matches(".visit, .call")) {
      const it = take(item), next = rows[rows.indexOf(it.row) + to];
      if (next) { it.row = next; it.tried = false; draw(); item.focus(); }
    } else if (event.key === "Enter" || event.key === " ") {
      take(item);
      if (chosen.tried) keep.requestSubmit(); else attempt();
    } else if (event.key === "Escape") {
      leave();
      say("", "", "");
      item.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // mouse
  for (const one of boards) one.addEventListener("pointerdown", (event) => {
    const item = event.target.closest(".visit, .call, .handle");
    if (!item || event.button) return;
    event.preventDefault();
    const STEP = item.matches(".visit, .call") ? 5 : step(item), rows = rowsOf(item), box = item.getBoundingClientRect();
    // a shift is taken at one of its ends, or as a whole
    const at = event.clientX > box.right - EDGE ? "end" : event.clientX < box.left + EDGE ? "start" : "both";
    const it = take(item), scale = WIDTH / it.row.getBoundingClientRect().width;
    const from = { x: event.clientX, begin: it.begin, start: it.start, end: it.end };
    item.focus();
    let moved = false;
    const move = (now) => {
      const minutes = Math.round(((now.clientX - from.x) * scale) / perMinute / STEP) * STEP;
      const below = rows.find((row) => { const box = row.getBoundingClientRect(); return now.clientY >= box.top && now.clientY <= box.bottom; });
      if (!moved && Math.abs(now.clientX - from.x) < 4 && (!below || below === it.row)) return;
      moved = true;
      if (it.visit) {
        it.begin = Math.max(first, Math.min(last, Math.round((from.begin + minutes) / STEP) * STEP));
        if (below) it.row = below;
      } else if (at === "end") {
        it.end = Math.max(it.start + STEP, Math.min(last, from.end + minutes));
      } else if (at === "start") {
        it.start = Math.min(it.end - STEP, Math.max(first, from.start + minutes));
      } else if (from.start + minutes >= first && from.end + minutes <= last) {
        it.start = from.start + minutes; it.end = from.end + minutes;
      }
      it.tried = false;
      item.classList.add("held");
      draw();
    };
    const end = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      item.classList.remove("held");
      if (moved) attempt(); else leave();
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
  });
})();
