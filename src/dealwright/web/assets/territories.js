// The map of a scenario: cells are chosen by a click, an area is drawn corner by corner; the form beside sends them.
"use strict";
(async () => {
  const place = document.getElementById("map");
  if (!place || !window.L) return;
  const { cells: address, accounts: word, chosen: pattern, cellsWord, corners: cornersWord } = place.dataset;
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const data = await answer.json();
  place.textContent = "";
  const map = L.map(place, { zoomSnap: 0.25, maxZoom: 18, zoomControl: false, attributionControl: false });
  L.control.zoom({ zoomInTitle: place.dataset.in, zoomOutTitle: place.dataset.out }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  if (data.ground) {
    map.createPane("ground").style.zIndex = 100;
    map.getPane("ground").style.pointerEvents = "none";
    const shapes = { ...data.ground, features: (data.ground.features || []).filter((item) => item.geometry.type !== "Point") };
    L.geoJSON(shapes, { pane: "ground", interactive: false, style: { weight: 1.2 } }).addTo(map);
  }
  const form = document.getElementById("move"), said = document.getElementById("chosen");
  const chosen = new Map();
  let tool = "pick", corners = [], area = null;

  function tell() {
    const parts = [];
    if (chosen.size) {
      const count = [...chosen.values()].reduce((sum, row) => sum + row.accounts, 0);
      parts.push(`${cellsWord} ${chosen.size}, ${word} ${count}`);
    }
    if (corners.length) parts.push(`${cornersWord} ${corners.length}`);
    said.textContent = parts.length ? pattern.replace("%(what)s", parts.join(", ")) : "";
    if (!form) return;
    form.elements.cells.value = [...chosen.keys()].join(" ");
    form.elements.area.value = corners.map(({ lat, lng }) => `${lat.toFixed(5)} ${lng.toFixed(5)}`).join("\n");
  }
  function corner(at) {
    corners.push(at);
    area?.remove();
    area = (corners.length < 3 ? L.polyline(corners, { className: "area" }) : L.polygon(corners, { className: "area", interactive: false })).addTo(map);
    tell();
  }
  function clear() {
    for (const key of chosen.keys()) shapes.get(key).getElement()?.classList.remove("chosen");
    chosen.clear();
    corners = [];
    area?.remove();
    area = null;
    tell();
  }
  function pick(row) {
    const element = shapes.get(row.cell).getElement();
    if (chosen.delete(row.cell)) element.classList.remove("chosen");
    else { chosen.set(row.cell, row); element.classList.add("chosen"); }
    tell();
  }

  const shapes = new Map(), group = L.featureGroup();
  for (const row of data.rows) {
    const [lat, lon, ...steps] = row.ring, ring = [[lat / 1e5, lon / 1e5]];
    for (let k = 0, at = [lat, lon]; k < steps.length; k += 2) {
      at = [at[0] + steps[k], at[1] + steps[k + 1]];
      ring.push([at[0] / 1e5, at[1] / 1e5]);
    }
    const owner = data.territories[row.territory];
    const shape = L.polygon(ring, { className: `cell k${owner.colour}${row.others ? " shared" : ""}`, bubblingMouseEvents: true });
    const text = document.createElement("span");
    text.textContent = `${owner.territory} · ${owner.rep_name || "–"}: ${word} ${row.accounts}`;
    shape.bindTooltip(text);
    shape.on("click", (event) => {
      if (!form || tool === "draw") return;
      L.DomEvent.stop(event);
      pick(row);
    });
    shapes.set(row.cell, shape);
    shape.addTo(group);
  }
  map.fitBounds(group.getBounds(), { padding: [12, 12] });
  group.addTo(map);
  for (const item of data.territories) {
    const text = document.createElement("span"), sign = document.createElement("i");
    text.className = `label k${item.colour}`;
    text.append(sign, item.rep_name || item.territory);
    L.marker([item.lat_deg, item.lon_deg], {
      icon: L.divIcon({ html: text, className: "", iconSize: null }), interactive: false, keyboard: false,
    }).addTo(map);
  }
  map.on("click", (event) => { if (form && tool === "draw") corner(event.latlng); });
  map.doubleClickZoom.disable();
  const tools = document.getElementById("tools");
  if (tools) {
    tools.hidden = false;
    tools.addEventListener("click", ({ target }) => {
      const wanted = target.closest("[data-tool]")?.dataset.tool;
      if (!wanted) return;
      clear();
      if (wanted === "clear") return;
      tool = wanted;
      place.classList.toggle("drawing", tool === "draw");
      for (const button of tools.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    });
  }
  place.dataset.ready = "yes";
})();
