"use strict";
// The player shows what Python computed. It compares what a reader types with numbers that came along; it
// computes no value and no gradient of its own.
(() => {
  const story = JSON.parse(document.getElementById("story").textContent);
  const [KIND, TURN, BOX, ARROWS, SENTENCE, ROWS, CHANGES, LINE, ASKS, QUIZ] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  // Texts that stand in several steps come once, and by number.
  const text = (x) => typeof x === "number" ? story.texts[x] : x;
  for (const step of [...story.steps, ...story.bugs.flatMap((bug) => bug.steps)]) {
    if (step.length < 3) continue; // a step of a broken pass that is one of the right pass
    step[SENTENCE] = text(step[SENTENCE]);
    step[ROWS] = step[ROWS].map(([what, ...rest]) => [what, ...rest.map(text)]);
  }
  const PHASES = { f: "forward", s: "backward", b: "backward", u: "update", r: "forward" };
  const $ = (id) => document.getElementById(id);
  const stage = $("stage");
  const svg = stage.querySelector("svg");
  const framed = location.protocol === "about:";
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const make = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // ── the stage ─────────────────────────────────────────────────────────────────────────────────────
  const groups = [...svg.querySelectorAll(".node")];
  const arrows = [...svg.querySelectorAll(".arrowed")];
  const ends = story.arrows; // the boxes that each arrow joins
  const boxes = groups.map((group, k) => {
    const texts = (style) => [...group.querySelectorAll("." + style)].filter((text) => text.textContent !== "∇");
    const title = group.querySelector("title");
    const words = title.textContent.split("\n");
    return {
      group, title, k,
      heading: words[0],
      place: words.slice(1).filter((line) => line.startsWith("in ")),
      value: texts("value"), gradient: texts("gradient"), dots: group.querySelector(".dots"),
      paths: story.boxes[k][2], carries: story.boxes[k][3],
      width: Number(group.querySelector("rect").getAttribute("width")), height: Number(group.querySelector("rect").getAttribute("height")),
    };
  });
  // Where a gradient will stand, its absence is written until then.
  for (const { gradient } of boxes) {
    const words = gradient.length > 1 ? story.pending.join(" ").split(" ").slice(1) : gradient.length ? story.pending : [];
    words.forEach((word, i) => {
      const place = gradient[Math.min(i, gradient.length - 1)], text = place.cloneNode();
      text.setAttribute("class", "pending");
      if (gradient.length === 1) text.setAttribute("y", Number(place.getAttribute("y")) + (i ? 7 : -7));
      text.textContent = word;
      place.after(text);
    });
  }
  // What each box shows: texts of its number and its gradient (null: not computed yet), and both in full.
  const first = story.boxes.map(([value, exact]) => ({ value, gradient: null, exact, exactGradient: "", arrived: 0, wrong: false }));
  const shown = first.map((state) => ({ ...state }));
  const reversed = arrows.map(() => false);

  function paintBox(k) {
    const box = boxes[k], state = shown[k];
    const known = state.value === null || state.value[0] !== "?";
    if (state.value) box.value.forEach((text, i) => { text.textContent = state.value[i] ?? ""; });
    box.gradient.forEach((text, i) => { text.textContent = state.gradient ? state.gradient[i] ?? "" : ""; });
    box.group.classList.toggle("unknown", !known);
    box.group.classList.toggle("waiting", state.gradient === null);
    box.group.classList.toggle("known", state.gradient !== null);
    box.group.classList.toggle("partial", state.arrived < box.paths);
    box.group.classList.toggle("wrong", state.wrong);
    if (box.dots) box.dots.textContent = dots(state.arrived, box.paths);
    const value = known ? state.exact || (state.value || []).join(" ") : "not computed yet";
    let gradient = "";
    if (box.carries) {
      gradient = state.gradient ? "gradient " + (state.exactGradient || state.gradient.join(" ").replace("∇ ", "")) : "gradient not computed yet";
      if (box.paths > 1 && state.gradient) gradient += `, ${state.arrived} of ${box.paths} uses`;
      if (state.wrong) gradient += ", wrong";
    }
    const label = [box.heading, ...(value ? ["value " + value] : []), ...(gradient ? [gradient] : [])];
    box.title.textContent = [...label, ...box.place].join("\n");
    box.group.setAttribute("aria-label", label.join(", "));
  }
  const dots = (arrived, paths) => paths <= 6 ? "●".repeat(arrived) + "○".repeat(paths - arrived) : `${arrived} of ${paths}`;

  function paintArrow(k) {
    const arrow = arrows[k];
    if (reversed[k]) turnHead(arrow);
    arrow.classList.toggle("back", reversed[k]);
  }
  function turnHead(arrow) {
    if (arrow.querySelector(".reversed")) return;
    for (const name of ["reversed", "stub"]) {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", name);
      arrow.append(path);
    }
    aim(arrow);
  }
  // For the way back: an arrow head at the beginning of the line, and its end drawn up to the box it comes from.
  function aim(arrow) {
    const head = arrow.querySelector(".reversed");
    if (!head) return;
    const points = (path) => {
      const found = [];
      for (const [, kind, rest] of path.getAttribute("d").matchAll(/([A-Z])([^A-Z]*)/g)) {
        const numbers = (rest.match(/-?[\d.]+/g) || []).map(Number);
        found.push(...(kind === "V" ? found.slice(-2, -1) : []), ...numbers, ...(kind === "H" ? found.slice(-1) : []));
      }
      return found;
    };
    const line = points(arrow.querySelector(".edge"));
    const [x, y] = line;
    let k = 2;
    while (k + 2 < line.length && Math.hypot(line[k] - x, line[k + 1] - y) < 0.1) k += 2;
    const far = Math.hypot(line[k] - x, line[k + 1] - y) || 1;
    const ux = (line[k] - x) / far, uy = (line[k + 1] - y) / far;
    const corner = (side) => `${x + 9 * ux - side * 4 * uy} ${y + 9 * uy + side * 4 * ux}`;
    head.setAttribute("d", `M${x} ${y}L${corner(1)}L${corner(-1)}Z`);
    arrow.querySelector(".stub").setAttribute("d", `M${line.slice(-2).join(" ")}L${points(arrow.querySelector(".arrow")).slice(0, 2).join(" ")}`);
  }

  // ── the tape: the steps, and where we are on it ───────────────────────────────────────────────────
  let steps = story.steps;
  let bug = null;
  let at = 0; // so many steps are done
  let undo = [];
  const touched = new Set(), turned = new Set();

  function forward() {
    const step = steps[at];
    const changes = step[KIND] === "r" ? [...restarted(), ...step[CHANGES]] : step[CHANGES];
    const record = { boxes: [], arrows: [] };
    for (const [k, value, gradient, arrived, exact, exactGradient, wrong] of changes) {
      record.boxes.push([k, shown[k]]);
      shown[k] = {
        value: value === 0 ? shown[k].value : value, exact: value === 0 ? shown[k].exact : exact,
        gradient: gradient === 0 ? shown[k].gradient : gradient, exactGradient: gradient === 0 ? shown[k].exactGradient : exactGradient,
        arrived: gradient === 0 ? shown[k].arrived : arrived, wrong: gradient === 0 ? shown[k].wrong : !!wrong,
      };
      touched.add(k);
    }
    const turns = step[KIND] === "b" ? step[ARROWS].map((k) => [k, true]) : step[KIND] === "r" ? arrows.map((_, k) => [k, false]) : [];
    for (const [k, value] of turns) {
      if (reversed[k] !== value) {
        record.arrows.push([k, reversed[k]]);
        reversed[k] = value;
        turned.add(k);
      }
    }
    undo.push(record);
    at += 1;
  }
  function backward() {
    const record = undo.pop();
    for (const [k, state] of record.boxes.reverse()) { shown[k] = state; touched.add(k); }
    for (const [k, value] of record.arrows) { reversed[k] = value; turned.add(k); }
    at -= 1;
  }
  // A new round: what is computed is unknown again, and no gradient is there. Leaves keep their numbers.
  const restarted = () => first.map((state, k) => {
    const computed = state.value && state.value[0] === "?";
    return [k, computed ? state.value : 0, null, 0, "", ""];
  });

  let active = [];
  function go(target, { follow = true, smooth = true } = {}) {
    target = Math.max(0, Math.min(steps.length, target));
    const far = Math.abs(target - at) > 3;
    while (at < target) forward();
    while (at > target) backward();
    asking = false;
    paint();
    if (follow) center(smooth && !far);
    note();
  }
  // The address follows when one stays: browsers take only so many changes a second. A frame in a notebook has none.
  let noting = 0;
  function note() {
    clearTimeout(noting);
    if (!framed) noting = setTimeout(() => history.replaceState(null, "", at ? "#step=" + at : location.pathname + location.search), 150);
  }
  function paint() {
    touched.forEach(paintBox);
    turned.forEach(paintArrow);
    touched.clear();
    turned.clear();
    for (const [element, name] of active) element.classList.remove(name);
    active = [];
    const light = (element, name) => { element.classList.add(name); active.push([element, name]); };
    for (const step of current()) {
      light(groups[step[BOX]], "now");
      for (const k of step[ARROWS]) {
        light(arrows[k], "on");
        if (asking && step[KIND] === "b" && !reversed[k]) { turnHead(arrows[k]); light(arrows[k], "back"); }
      }
    }
    tell();
  }
  // The steps to be told: the last one done; of a walk box by box, all of its turn.
  function current() {
    if (asking) return [steps[at]];
    if (!at) return [];
    if (byEdge()) return [steps[at - 1]];
    let start = at - 1;
    while (start > 0 && steps[start - 1][TURN] === steps[at - 1][TURN]) start -= 1;
    return steps.slice(start, at);
  }
  const byEdge = () => $("by").value === "edge" || $("predicting").checked;
  function following() {
    let target = at + 1;
    if (!byEdge()) while (target < steps.length && steps[target][TURN] === steps[target - 1][TURN]) target += 1;
    return target;
  }
  function previous() {
    let target = at - 1;
    if (!byEdge()) while (target > 0 && steps[target - 1][TURN] === steps[target][TURN]) target -= 1;
    return target;
  }
  function next() {
    if (at >= steps.length) return;
    if ($("predicting").checked && steps[at][QUIZ] && !asking) ask();
    else go(following());
  }
  function back() {
    if (asking) { asking = false; paint(); } else if (at > 0) go(previous());
  }

  // ── the panel ─────────────────────────────────────────────────────────────────────────────────────
  function tell() {
    const told = current();
    const texts = told.map((step) => step[SENTENCE]);
    const sentence = $("sentence");
    sentence.replaceChildren(...(told.length ? texts : [story.welcome]).map((text) => make("p", text)));
    $("arithmetic").replaceChildren(...told.filter((step) => step[ROWS].length).map(arithmetic));
    const where = at ? `Step ${at} of ${steps.length}, ${round()}${phase(steps[at - 1])}` : "";
    $("where").textContent = where || `Start of ${steps.length} steps`;
    const slider = $("slider");
    slider.max = steps.length;
    slider.value = at;
    slider.setAttribute("aria-valuetext", at ? `${where}: ${steps[at - 1][SENTENCE]}` : "Start");
    for (const id of ["first", "back"]) $(id).disabled = at === 0 && !asking;
    for (const id of ["next", "last"]) $(id).disabled = at === steps.length;
    for (const line of document.querySelectorAll("#lines [aria-current]")) line.removeAttribute("aria-current");
    const line = told.length ? lines[told[told.length - 1][LINE]] : undefined;
    if (line) {
      line.setAttribute("aria-current", "step");
      const list = $("lines");
      list.scrollTop = Math.max(0, line.offsetTop - list.offsetTop - list.clientHeight / 2);
    }
    $("question").hidden = !asking;
    if (!asking && !kept) say("");
    kept = false;
    $("table")?.toggleAttribute("hidden", at < steps.length);
  }
  const rounds = steps.filter((step) => step[KIND] === "r").length;
  const round = () => rounds && !bug ? `round ${steps.slice(0, at).filter((step) => step[KIND] === "r").length + 1}, ` : "";
  const phase = (step) => step[KIND] === "s" ? "backward" : PHASES[step[KIND]];
  function arithmetic(step) {
    const list = make("dl");
    for (const [name, open, rest] of step[ROWS]) {
      const what = story.rows[name] ?? name;
      const value = make("dd", open + (asking ? (rest ? (open ? " = ?" : "?") : "") : rest));
      const box = boxes[step[BOX]];
      if (what === "running sum" && !asking && box.paths > 1) {
        const arrived = shown[step[BOX]].arrived && step === steps[at - 1] ? shown[step[BOX]].arrived : step[CHANGES][0][3];
        value.append(make("span", `  ${box.paths > 6 ? "" : dots(arrived, box.paths) + " "}(${arrived} of ${box.paths} uses)`, "paths"));
      }
      list.append(make("dt", what), value);
    }
    return list;
  }
  const lines = story.program.map(([number, text]) => {
    const item = make("li");
    item.append(make("span", String(number).padStart(4) + "  "), text);
    $("lines").append(item);
    return item;
  });
  $("program").hidden = !lines.length;

  // ── predict first ─────────────────────────────────────────────────────────────────────────────────
  let asking = false, tries = 0, asked = 0, right = 0, kept = false;
  function ask() {
    asking = true;
    tries = 0;
    $("asked").textContent = steps[at][ASKS] + " (Two digits are enough.)";
    $("answer").value = "";
    say("");
    paint();
    center(true);
    $("answer").focus({ preventScroll: true });
  }
  function say(text, kind = "") {
    $("verdict").textContent = text;
    $("verdict").className = kind;
    if (kind === "wrong") $("verdict").scrollIntoView({ block: "nearest" });
  }
  // "-0.5", "−0.5", "1e-3", "0,5" and "7/3" are numbers.
  function typed(text) {
    const parts = text.trim().replace(/[−–]/g, "-").replace(/^∇[^\s=]*\s*=?\s*/, "").replace(",", ".").split("/");
    const numbers = parts.map((part) => (/^\s*[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?\s*$/i.test(part) ? Number(part) : NaN));
    return numbers.length === 2 ? numbers[0] / numbers[1] : numbers.length === 1 ? numbers[0] : NaN;
  }
  function check(event) {
    event.preventDefault();
    const x = typed($("answer").value);
    const [sent, tolerance, mistakes] = steps[at][QUIZ];
    const answer = sent ?? Number(steps[at][CHANGES][0][4] || steps[at][CHANGES][0][5]); // the number in full
    if (!Number.isFinite(x)) { say("Please type one number, such as 0.25, −1e−3 or 7/3.", "wrong"); return; }
    const near = (y) => Math.abs(x - y) <= tolerance;
    tries += 1;
    if (near(answer)) {
      asked += 1;
      if (tries === 1) right += 1;
      kept = true;
      go(at + 1);
      say(`Right. ${right} of ${asked} predicted at the first try.`, "right");
      onward();
      return;
    }
    const named = mistakes.find(([, wrong]) => near(wrong));
    say(named ? story.mistakes[named[0]] : "Not that. Try again, or let it be shown.", "wrong");
    $("answer").select();
  }
  const onward = () => $($("next").disabled ? "back" : "next").focus({ preventScroll: true });
  function show() {
    asked += 1;
    kept = true;
    say(`It is shown now. ${right} of ${asked} predicted at the first try.`);
    go(at + 1);
    onward();
  }

  // ── break it ──────────────────────────────────────────────────────────────────────────────────────
  for (const [k, given] of story.bugs.entries()) $("bug").append(new Option(given.title, String(k)));
  $("breaking").hidden = !story.bugs.length;
  function breakIt() {
    go(0, { follow: false });
    bug = story.bugs[$("bug").value] ?? null;
    const start = story.steps.findIndex((step) => step[KIND] === "s");
    const own = (step) => step.length > 2 ? step : [...story.steps[step[0]].slice(0, LINE + 1)].with(TURN, step[1]);
    steps = bug ? [...story.steps.slice(0, start), ...bug.steps.map(own)] : story.steps;
    drawPhases();
    drawLab();
    fit(); // the lab takes some of the room
    go(bug ? start : 0);
  }
  function drawLab() {
    const lab = $("lab");
    lab.hidden = !bug;
    lab.replaceChildren();
    if (!bug) return;
    lab.append(make("h2", "Broken: " + bug.title), make("p", bug.what));
    const table = make("table");
    table.append(make("caption", bug.why + " " + bug.fix));
    const head = table.createTHead().insertRow();
    for (const name of ["gradient of", "broken", "right", bug.numerical]) {
      const cell = make("th", name);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [name, wrong, good, numerical, off] of bug.table) {
      const row = body.insertRow();
      const cell = make("th", name);
      cell.scope = "row";
      row.append(cell, make("td", (off ? "✗ " : "✓ ") + wrong, off ? "off" : ""), make("td", good), make("td", numerical));
    }
    const frame = make("div", undefined, "scrolls");
    frame.id = "table";
    frame.hidden = true;
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", "Broken and right gradients");
    frame.append(table);
    lab.append(frame, make("pre", bug.code));
    if (!bug.shows) lab.append(make("p", "This graph does not show it: all leaves come out right."));
    if (bug.slip !== null) {
      const slip = make("button", "To the mistake");
      slip.type = "button";
      slip.addEventListener("click", () => { playing(false); go(story.steps.findIndex((step) => step[KIND] === "s") + bug.slip + 1); });
      lab.append(slip);
    }
  }

  // ── the slider's phases, the size of the drawing, what is in view ─────────────────────────────────
  function drawPhases() {
    const where = $("where");
    where.style.minWidth = "";
    where.textContent = `Step ${steps.length} of ${steps.length}, ${rounds && !bug ? `round ${rounds + 1}, ` : ""}backward`;
    where.style.minWidth = where.offsetWidth + 1 + "px"; // so that nothing moves while one walks
    const parts = [];
    for (const step of steps) {
      const name = PHASES[step[KIND]];
      if (parts.length && parts[parts.length - 1].name === name && step[KIND] !== "r") parts[parts.length - 1].count += 1;
      else parts.push({ name, count: 1 });
    }
    $("phases").replaceChildren(...parts.map(({ name, count }) => {
      const part = make("span", "", name === "backward" ? "back" : name);
      part.style.flexGrow = count;
      part.dataset.name = name;
      return part;
    }));
    namePhases();
  }
  // Only where there is room for the name.
  function namePhases() {
    for (const part of $("phases").children) part.textContent = part.clientWidth > 66 ? part.dataset.name : "";
  }
  const wide = { width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height };
  let isNarrow = false, whole = null;
  function place(narrow) {
    if (narrow === isNarrow) return;
    isNarrow = narrow;
    const [width, height, places, paths] = narrow ? story.narrow : home;
    corners = places;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    groups.forEach((group, k) => group.setAttribute("transform", `translate(${corners[k][0]} ${corners[k][1]})`));
    arrows.forEach((arrow, k) => {
      arrow.querySelector(".edge").setAttribute("d", paths[k][0]);
      arrow.querySelector(".arrow").setAttribute("d", paths[k][1]);
      aim(arrow);
    });
  }
  const home = [wide.width, wide.height,
    groups.map((group) => group.getAttribute("transform").match(/-?[\d.]+/g)),
    arrows.map((arrow) => [arrow.querySelector(".edge").getAttribute("d"), arrow.querySelector(".arrow").getAttribute("d")])];
  let drawn = wide, corners = home[2];
  const READABLE = 11 / 12; // text of 12 pixels shown in 11
  function fit() {
    if (story.narrow) place(stage.clientWidth < 640);
    const { width, height } = svg.viewBox.baseVal;
    const room = { width: stage.clientWidth - 2, height: Math.max(stage.clientHeight, innerHeight * 0.3) - 2 };
    const least = Math.min(room.width / width, room.height / height);
    $("zoom").hidden = least >= READABLE && whole === null;
    const scale = whole ? least : Math.max(Math.min(least, 1.5), READABLE);
    namePhases();
    drawn = { width: width * scale, height: height * scale };
    svg.style.width = drawn.width + "px";
    svg.style.height = drawn.height + "px";
    center(false);
  }
  function center(smooth) {
    const step = asking ? steps[at] : at ? steps[at - 1] : null;
    if (!step) return;
    const scale = drawn.width / svg.viewBox.baseVal.width;
    const room = { x: stage.clientWidth, y: stage.clientHeight };
    const start = { x: Math.max(0, (room.x - drawn.width) / 2), y: Math.max(0, (room.y - drawn.height) / 2) };
    // The box, and of a step over one arrow the box at its other end, if both fit.
    const others = step[ARROWS].length === 1 ? ends[step[ARROWS][0]] : [];
    const extent = (axis, among) => {
      const from = among.map((k) => start[axis] + scale * (story.margin + Number(corners[k][axis === "x" ? 0 : 1])));
      const size = among.map((k) => scale * (axis === "x" ? boxes[k].width : boxes[k].height));
      return [Math.min(...from), Math.max(...from.map((f, i) => f + size[i]))];
    };
    const target = {};
    for (const [axis, scrolled] of [["x", stage.scrollLeft], ["y", stage.scrollTop]]) {
      let [low, high] = extent(axis, [step[BOX], ...others]);
      if (high - low > room[axis]) [low, high] = extent(axis, [step[BOX]]);
      target[axis] = low >= scrolled && high <= scrolled + room[axis] ? scrolled : (low + high - room[axis]) / 2;
    }
    if (target.x === stage.scrollLeft && target.y === stage.scrollTop) return;
    stage.scrollTo({ left: target.x, top: target.y, behavior: smooth && !calm.matches ? "smooth" : "instant" });
  }

  // ── boxes that can be chosen ──────────────────────────────────────────────────────────────────────
  let chosen = 0;
  function choose(k, focus = true) {
    groups[chosen].tabIndex = -1;
    chosen = (k + groups.length) % groups.length;
    groups[chosen].tabIndex = 0;
    if (focus) groups[chosen].focus();
  }
  function jump(k) {
    const about = (step) => step[BOX] === k || step[CHANGES].some((change) => change[0] === k);
    let found = steps.findIndex((step, i) => i >= at && about(step));
    if (found < 0) found = steps.findIndex(about);
    choose(k, false);
    if (found >= 0) go(found + 1);
  }
  groups.forEach((group) => { group.setAttribute("role", "button"); group.setAttribute("tabindex", "-1"); });
  if (groups.length) choose(0, false);
  stage.addEventListener("click", (event) => {
    const group = event.target.closest(".node");
    if (group) jump(groups.indexOf(group));
  });
  stage.addEventListener("keydown", (event) => {
    const k = groups.indexOf(event.target.closest(".node"));
    if (k < 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(k + (event.key === "ArrowDown" ? 1 : -1));
    else if (event.key === "Enter" || event.key === " ") jump(k);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // ── play, keys, links ─────────────────────────────────────────────────────────────────────────────
  let timer = 0;
  function playing(on) {
    clearInterval(timer);
    timer = 0;
    if (on && at < steps.length) timer = setInterval(() => { next(); if (asking || at >= steps.length) playing(false); }, 1200);
    $("play").setAttribute("aria-pressed", String(!!timer));
    $("play").textContent = timer ? "Pause" : "Play";
  }
  const toggle = () => { if (!timer && at >= steps.length) go(0); playing(!timer); };
  const on = (id, kind, act) => $(id).addEventListener(kind, act);
  on("first", "click", () => { playing(false); go(0); });
  on("back", "click", () => { playing(false); back(); });
  on("play", "click", toggle);
  on("next", "click", () => { playing(false); next(); });
  on("last", "click", () => { playing(false); go(steps.length); });
  on("slider", "input", () => { playing(false); go(Number($("slider").value)); });
  on("by", "change", () => go(at));
  on("predicting", "change", () => { playing(false); go(at); });
  on("bug", "change", () => { playing(false); breakIt(); });
  on("question", "submit", check);
  on("show", "click", show);
  on("zoom", "click", () => { whole = whole ? null : true; $("zoom").setAttribute("aria-pressed", String(!!whole)); fit(); });
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.id === "answer") { if (event.key === "Escape") back(); return; }
    if (target.tagName === "SELECT") return;
    const isControl = ["BUTTON", "INPUT"].includes(target.tagName) && target.id !== "slider";
    const acts = {
      ArrowRight: next, ArrowLeft: back, Home: () => go(0), End: () => go(steps.length),
      ...(isControl ? {} : { " ": toggle }),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    if (event.key !== " ") playing(false);
    acts[event.key]();
  });
  const linked = () => Number((location.hash.match(/^#step=(\d{1,9})$/) || [])[1] || 0);
  addEventListener("hashchange", () => { if (linked() !== at) go(linked()); });
  addEventListener("resize", fit);

  $("by").value = story.by;
  groups.forEach((_, k) => paintBox(k));
  drawPhases();
  fit();
  go(linked(), { smooth: false });
})();
