"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const scene = JSON.parse($("scene").textContent);
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  function colour(name) { // of the theme, as 0xrrggbb
    probe.style.color = `var(${name})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
    return (r << 16) | (g << 8) | b;
  }
  const roles = ["--truth", "--model", "--other1"];
  const thickness = [0.13, 0.17, 0.09];
  const boxes = [...document.querySelectorAll(".track-box")];
  const delay = 160; // ms a snapshot
  const start = { forecast: 0, snapshot: 0 };
  let timer = null;
  let view = null;
  let tracks = [];
  let protein = [];

  // --- light and dark: as the system has it, until the button is pressed
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  function setTheme(name) {
    document.documentElement.dataset.theme = name;
    $("theme").setAttribute("aria-pressed", String(name === "dark"));
    style();
    draw();
  }
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  $("theme").addEventListener("click", () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

  // --- coordinates: base64 of int16 in steps of scene.step Å
  function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const values = new DataView(bytes.buffer);
    const atoms = scene.atoms.length;
    const at = (s, a, k) => values.getInt16(2 * ((s * atoms + a) * 3 + k), true) * scene.step;
    return Array.from({ length: scene.snapshots }, (_, s) =>
      Array.from({ length: atoms }, (_, a) => [at(s, a, 0), at(s, a, 1), at(s, a, 2)]));
  }

  function ligand(frames) {
    const model = view.addModel();
    model.addAtoms(scene.atoms.map((atom, k) => ({
      elem: atom.elem, atom: atom.atom, bonds: atom.bonds, bondOrder: atom.bonds.map(() => 1),
      x: frames[0][k][0], y: frames[0][k][1], z: frames[0][k][2],
    })));
    model.setCoordinates(frames, "array");
    return model;
  }

  function load(forecast) {
    tracks.forEach((model) => view.removeModel(model));
    tracks = scene.shown[forecast].tracks.map((text) => ligand(unpack(text)));
    style();
  }

  // --- drawing
  function style() {
    if (!view) return;
    const byElement = $("elements").checked;
    tracks.forEach((model, k) => {
      const own = colour(roles[k]);
      const stick = { radius: thickness[k], color: own };
      if (byElement) {
        delete stick.color;
        stick.colorscheme = { prop: "elem", map: { ...$3Dmol.elementColors.Jmol, C: own } };
      }
      model.setStyle({}, boxes[k].checked ? { stick } : {});
    });
    const quiet = colour("--protein");
    const shown = $("pocket").checked;
    protein[0].setStyle({}, shown ? { stick: { radius: 0.07, color: quiet } } : {});
    protein[1].setStyle({}, shown ? { cartoon: { color: quiet, opacity: 0.5, thickness: 0.2 } } : {});
    view.setBackgroundColor(colour("--paper"), 1);
  }

  async function draw() { // only what moves is built anew
    if (!view) return;
    await Promise.all(tracks.map((model) => model.setFrame(snapshot())));
    view.render();
  }

  const snapshot = () => Number($("slider").value);

  function tell() {
    const at = snapshot();
    const words = at === 0 ? "last known snapshot" : `${at} of ${scene.snapshots - 1} snapshots ahead, ${scene.times[at]}`;
    $("clock").textContent = words;
    $("slider").setAttribute("aria-valuetext", words);
    document.querySelectorAll(".cursor").forEach((line) => {
      const place = line.dataset.places.split(" ")[at];
      line.setAttribute("x1", place);
      line.setAttribute("x2", place);
    });
  }

  function show(at) {
    $("slider").value = (at + scene.snapshots) % scene.snapshots;
    tell();
    return draw();
  }

  // --- controls
  function play(on) {
    clearTimeout(timer);
    timer = on ? setTimeout(step, delay) : null;
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  }
  async function step() { // the next one once this one is drawn: a slow machine has no queue
    await show(snapshot() + 1);
    requestAnimationFrame(() => { if (timer !== null) play(true); });
  }
  $("play").addEventListener("click", () => play(timer === null));
  $("back").addEventListener("click", () => { play(false); show(snapshot() - 1); });
  $("forward").addEventListener("click", () => { play(false); show(snapshot() + 1); });
  $("slider").addEventListener("input", () => { play(false); show(snapshot()); });
  $("forecast").addEventListener("change", (event) => {
    document.querySelectorAll(".shown").forEach((block) => {
      block.hidden = block.dataset.shown !== event.target.value;
    });
    if (view) load(Number(event.target.value));
    show(snapshot());
  });
  [...boxes, $("pocket"), $("elements")].forEach((box) => box.addEventListener("change", () => {
    style();
    draw();
  }));

  function aim() {
    view.zoomTo({ model: tracks.map((model) => model.getID()) });
    view.zoom(0.8);
  }
  const keys = {
    ArrowLeft: () => view.rotate(-10, "y"), ArrowRight: () => view.rotate(10, "y"),
    ArrowUp: () => view.rotate(-10, "x"), ArrowDown: () => view.rotate(10, "x"),
    "+": () => view.zoom(1.15), "=": () => view.zoom(1.15), "-": () => view.zoom(1 / 1.15), 0: aim,
  };
  $("view").addEventListener("keydown", (event) => {
    if (!view || !keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  // --- begin
  const canvas = document.createElement("canvas");
  if (canvas.getContext("webgl2") || canvas.getContext("webgl")) {
    view = $3Dmol.createViewer($("view"), { backgroundAlpha: 1, antialias: true });
    protein = [scene.pocket, scene.backbone].map((text) => view.addModel(text, "pdb"));
    load(start.forecast);
    aim();
    new ResizeObserver(() => { view.resize(); view.render(); }).observe($("view"));
  } else {
    $("no-webgl").hidden = false;
  }
  setTheme(dark.matches ? "dark" : "light");
  show(start.snapshot);
})();
