"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const scenes = JSON.parse($("scenes").textContent);
  const delay = 120; // ms a snapshot
  let scene = null;
  let view = null;
  let timer = null;
  let moving = [];

  function unpack(track, atoms, snapshots) { // base64 of int16 in steps of scene.step Å
    const bytes = Uint8Array.from(atob(track), (c) => c.charCodeAt(0));
    const values = new DataView(bytes.buffer);
    const at = (s, a, k) => values.getInt16(2 * ((s * atoms + a) * 3 + k), true) * scene.step;
    return Array.from({ length: snapshots }, (_, s) =>
      Array.from({ length: atoms }, (_, a) => [0, 1, 2].map((k) => at(s, a, k))));
  }

  function ligand(frames, style) {
    const positions = frames[0];
    const model = view.addModel();
    model.addAtoms(scene.atoms.map((atom, k) => ({
      elem: atom.elem, atom: atom.atom, bonds: atom.bonds, bondOrder: atom.bonds.map(() => 1),
      x: positions[k][0], y: positions[k][1], z: positions[k][2],
    })));
    model.setCoordinates(frames, "array");
    model.setStyle({}, { stick: style });
    return model;
  }

  function load(number) {
    scene = scenes[number];
    $("slider").max = scene.times.length - 1;
    if (!view) return;
    view.removeAllModels();
    view.addModel(scene.pocket, "pdb").setStyle({}, { stick: { radius: 0.07, color: "#b4bfc9" } });
    view.addModel(scene.backbone, "pdb").setStyle({}, { cartoon: { color: "#b4bfc9", opacity: 0.5 } });
    const frames = unpack(scene.track, scene.atoms.length, scene.times.length);
    ligand(frames.slice(0, 1), { radius: 0.08, color: "#8a97a4" });
    moving = [ligand(frames, { radius: 0.17, color: "#1668b8" })];
    view.zoomTo({ model: moving[0].getID() });
    view.zoom(0.8);
    if (scene.moving) {
      const residues = view.addModel(scene.moving, "pdb");
      residues.setStyle({}, { stick: { radius: 0.09, color: "#7fae8f" } });
      const count = residues.selectedAtoms({}).length;
      residues.setCoordinates(unpack(scene.around, count, scene.times.length), "array");
      moving.push(residues);
    }
  }

  async function show(at) {
    const snapshot = (at + scene.times.length) % scene.times.length;
    $("slider").value = snapshot;
    $("clock").textContent = scene.times[snapshot];
    $("slider").setAttribute("aria-valuetext", scene.times[snapshot]);
    if (!view) return;
    await Promise.all(moving.map((model) => model.setFrame(snapshot))); // others are not built anew
    view.render();
  }

  function play(on) {
    clearTimeout(timer);
    timer = on ? setTimeout(step, delay) : null;
    $("play").textContent = on ? "Pause" : "Play";
  }
  async function step() { // the next one once this one is drawn: a slow machine has no queue
    await show(Number($("slider").value) + 1);
    requestAnimationFrame(() => { if (timer !== null) play(true); });
  }
  $("play").addEventListener("click", () => play(timer === null));
  $("slider").addEventListener("input", () => { play(false); show(Number($("slider").value)); });
  $("shown").addEventListener("change", (event) => { load(Number(event.target.value)); show(0); });

  const canvas = document.createElement("canvas");
  if (canvas.getContext("webgl2") || canvas.getContext("webgl")) {
    view = $3Dmol.createViewer($("view"), { backgroundColor: "white", antialias: true });
  } else {
    $("no-webgl").hidden = false;
  }
  load(0);
  show(0);
})();
