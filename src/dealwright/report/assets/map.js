// folium turns the text of a popup into an element with jQuery's `$`; this is all of it that is needed
window.$ = function (html) {
  var template = document.createElement("template");
  template.innerHTML = html.trim();
  return [template.content.firstChild];
};

// The drawn ground lies below the pane of the tiles (200): what is drawn shows where no tile is.
function drawGround(map, ground, places, drawnFrom) {
  map.setMaxZoom(19);
  map.createPane("ground").style.zIndex = 100;
  map.getPane("ground").style.pointerEvents = "none";
  var style = {fillColor: "#f4f5ee", fillOpacity: 1, color: "#a9b6a0", weight: 1.2};
  L.geoJSON(ground, {style: style, pane: "ground", interactive: false}).addTo(map);
  places.forEach(function (place) {
    var text = document.createElement("span");
    text.className = "place";
    text.dataset.minZoom = place[3];
    text.appendChild(document.createElement("b"));
    text.appendChild(document.createTextNode(place[0]));
    var icon = L.divIcon({html: text, className: "", iconSize: null, iconAnchor: [3, 8]});
    L.marker([place[1], place[2]], {icon: icon, interactive: false, keyboard: false, pane: "ground"}).addTo(map);
  });
  // names that have no room yet wait for a closer look
  function fitNames() {
    map.getContainer().querySelectorAll("[data-min-zoom]").forEach(function (name) {
      name.hidden = map.getZoom() < Number(name.dataset.minZoom);
    });
  }
  map.on("zoomend layeradd", fitNames);
  L.control.scale({imperial: false, position: "bottomright"}).addTo(map);
  map.attributionControl.addAttribution(drawnFrom);
}

// OpenStreetMap answers a request without a referrer, which a page opened from a disk cannot send, with a tile
// that says "access blocked": such a page only asks for tiles of the user's own.
function addTiles(map, url, own, attribution) {
  if (!url || !(own || /^https?:$/.test(location.protocol))) { return; }
  var options = {maxZoom: 19, attribution: attribution, referrerPolicy: "strict-origin-when-cross-origin"};
  L.tileLayer(url, options).addTo(map);
}

// The legend covers a side of the map on a wide screen and the foot of it on a narrow one.
function fitBeside(map, corners) {
  function fit() {
    var legend = document.querySelector(".legend");
    var size = map.getSize(), wide = size.x > size.y;
    var left = legend && wide ? legend.offsetWidth + 10 : 0;
    var foot = legend && !wide ? legend.offsetHeight + 20 : 0;
    var top = wide ? 30 : 90;
    map.fitBounds(corners, {
      paddingTopLeft: [left + 30, top], paddingBottomRight: [30, foot + 40], maxZoom: 15, animate: false
    });
  }
  fit();
  // the sheet has another shape than the window: all of the day is to be on it
  var sheet = {width: "1060px", height: "725px"}, before = null;
  function resize(style) {
    Object.assign(map.getContainer().style, style);
    map.invalidateSize({animate: false});
  }
  addEventListener("beforeprint", function () {
    before = {center: map.getCenter(), zoom: map.getZoom()};
    resize(sheet);
    fit();
  });
  addEventListener("afterprint", function () {
    resize({width: "", height: ""});
    if (before) { map.setView(before.center, before.zoom, {animate: false}); }
  });
}
