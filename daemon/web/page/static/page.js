// Keeps a page up to date and warns before a text is lost. Optional: without it every page can still be read and
// edited. Markup comes only from our own server, which escapes it; this script builds none from text.

const DEBOUNCE_MS = 120;
const MIN_INTERVAL_MS = 600;
const REFRESH_MS = 12_000;
const RETRY_MS = 5_000;
const ABORT_MS = 8_000;
const SILENT_MS = 20_000; // the stream sends a ping every 10 seconds
const RELOAD_MS = 10_000;

const main = document.getElementById("main");
const alarm = document.getElementById("alarm");
const feed = document.getElementById("feed");
const connection = document.getElementById("link");
const pause = document.getElementById("pause");

let lastHeard = Date.now();

// Resolves to the status and the document, or rejects: a tunnel that drops packets answers nothing at all.
const fetchPage = async (url) => {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(ABORT_MS) });
  lastHeard = Date.now();
  return { status: response.status, page: new DOMParser().parseFromString(await response.text(), "text/html") };
};

document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// Replacing parts by newer ones

const served = new WeakMap(); // charts as the server wrote them, before this script prepared them for reading
const FOCUSABLE = "a, button, summary, input, textarea, [tabindex]";

// Focus and opened details stay where they are.
const replace = (old, next) => {
  const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const opened = [...old.querySelectorAll("details")].map((details) => details.open);
  const isFocused = old === document.activeElement;
  next.querySelectorAll("details").forEach((details, index) => (details.open = opened[index] ?? details.open));
  old.replaceWith(next);
  readChart(next, old.dataset.shown);
  if (focused >= 0) next.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  if (isFocused) next.focus({ preventScroll: true });
};

const mergeFeed = (fresh) => {
  const items = [...fresh.children];
  const ids = new Set(items.map((item) => item.id));
  for (const item of [...feed.children]) if (!ids.has(item.id)) item.remove();
  items.forEach((item, index) => {
    const known = document.getElementById(item.id);
    if (known) {
      known.querySelector("time").replaceWith(item.querySelector("time"));
    } else {
      item.classList.add("new");
      feed.insertBefore(item, feed.children[index] ?? null);
    }
  });
};

// The alarm's element stays, so that screen readers announce its new content.
const showAlarm = (content) => {
  if (alarm.innerHTML.trim() !== content.innerHTML.trim()) alarm.innerHTML = content.innerHTML;
};

// A new day has a new row and closes yesterday's, so the whole page is reloaded, unless a text is not saved yet.
const reloadForNewDay = () => unsavedForms.some(isUnsaved) || location.reload();

const isPaused = () => pause?.getAttribute("aria-pressed") === "true";

const showPill = (kind, text) => {
  const pill = document.getElementById("pill");
  pill.className = `pill ${kind}`;
  pill.textContent = text;
};

const showPage = (fresh) => {
  showAlarm(fresh.getElementById("alarm"));
  if (isPaused()) return showPausedPill(fresh.getElementById("pill"));
  if (fresh.getElementById("main").dataset.day !== main.dataset.day) return reloadForNewDay();
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (next && next.outerHTML !== (served.get(old) ?? old.outerHTML) && !old.querySelector("form")) replace(old, next);
  }
  if (feed) mergeFeed(fresh.getElementById("feed"));
};

// While the numbers stand still, a system in order is no "all is well".
const showPausedPill = (next) => {
  const isWell = next.classList.contains("well");
  showPill(isWell ? "paused" : "unwell", isWell ? connection.dataset.pausedText : next.textContent);
};

// Numbers that are no longer up to date must be recognizable, and so must an outdated "all is well".
const showOutdated = (reason) => {
  const template = document.getElementById(reason);
  showAlarm(template);
  showPill("unwell", template.dataset.word);
  showConnection(false);
};

// Keeping up to date

let stream = null;
let timer = null;
let busy = false;
let lastRefresh = -MIN_INTERVAL_MS;
let lastGood = Date.now();
let lastByte = Date.now();

const refresh = async () => {
  const { status, page } = await fetchPage(location.pathname + location.search);
  const isPage = page.querySelector("main[data-stream]"); // also one that says why something is not available
  if (!isPage) return showOutdated(status === 503 ? "alarm-database" : "alarm-offline");
  lastGood = Date.now();
  showPage(page);
  showConnection(stream?.readyState === EventSource.OPEN);
};

const scheduleRefresh = () => {
  timer ??= setTimeout(async () => {
    timer = null;
    if (busy) return scheduleRefresh();
    busy = true;
    lastRefresh = performance.now();
    try {
      await refresh();
    } catch {
      showOutdated("alarm-offline");
      setTimeout(scheduleRefresh, RETRY_MS);
    } finally {
      busy = false;
    }
  }, Math.max(DEBOUNCE_MS, lastRefresh + MIN_INTERVAL_MS - performance.now()));
};

const showConnection = (isOn) => {
  if (!connection) return;
  connection.classList.toggle("on", isOn && !isPaused());
  const { pausedText, connectedText, waitingText } = connection.dataset;
  connection.textContent = isPaused() ? pausedText : isOn ? connectedText : waitingText;
};

const listen = () => {
  stream?.close();
  stream = new EventSource(main.dataset.stream);
  lastByte = Date.now();
  const noteByte = () => (lastByte = Date.now());
  stream.addEventListener("open", () => (noteByte(), scheduleRefresh()));
  stream.addEventListener("error", () => (showConnection(false), scheduleRefresh()));
  for (const kind of ["ping", "position"]) stream.addEventListener(kind, noteByte);
  for (const kind of ["business_event", "withdrawn", "reset"]) {
    stream.addEventListener(kind, () => (noteByte(), scheduleRefresh()));
  }
};

// Runs every second and when the page becomes visible: timers stop while a computer sleeps.
const check = () => {
  const now = Date.now();
  const isSilent = now - lastByte > SILENT_MS;
  if (isSilent || now - lastHeard > SILENT_MS + ABORT_MS) showOutdated("alarm-offline");
  if (isSilent || stream.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS), (lastByte = now);
  if (now - lastGood > REFRESH_MS) scheduleRefresh();
};

if (main.dataset.stream) {
  showConnection(false);
  listen();
  setInterval(() => document.hidden || check(), 1000);
  document.addEventListener("visibilitychange", () => document.hidden || check());
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
}

if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    showConnection(stream.readyState === EventSource.OPEN);
    scheduleRefresh();
  });
}

// The page of an error that passes by itself

if (main.hasAttribute("data-retry")) {
  setInterval(async () => {
    const { status } = await fetchPage(location.href).catch(() => ({ status: 0 }));
    if (status && status !== 503) location.reload();
  }, RELOAD_MS);
}

// Reading a chart by hand: the table below it holds the values, and each row its place in the chart

const reading = (figure) => {
  const reader = figure.querySelector(".reader");
  const table = figure.querySelector("table");
  const rows = [...figure.querySelectorAll("tr[data-x]")].reverse();
  const headers = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const svg = figure.querySelector("svg");
  const output = figure.querySelector("output");
  const cursor = figure.querySelector(".cursor");
  const dot = cursor.querySelector("circle");
  let at = rows.length - 1;

  const show = (index) => {
    at = Math.min(Math.max(index, 0), rows.length - 1);
    const [day, ...values] = [...rows[at].cells].map((cell) => cell.textContent);
    const { x, y } = rows[at].dataset;
    cursor.setAttribute("transform", `translate(${x} 0)`);
    cursor.setAttribute("visibility", "visible");
    dot?.setAttribute("cy", y);
    output.textContent = `${day}: ${values.map((value, place) => `${headers[place]} ${value}`).join(", ")}`;
    figure.dataset.shown = day;
  };
  const keys = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, Home: () => 0, End: () => rows.length - 1 };

  reader.hidden = false;
  for (const link of svg.querySelectorAll("a")) link.setAttribute("tabindex", "-1");
  reader.addEventListener("keydown", (key) => {
    if (key.key === "Enter") rows[at].querySelector("a")?.click();
    if (!keys[key.key] || key.ctrlKey || key.metaKey || key.altKey) return;
    key.preventDefault();
    show(keys[key.key]());
  });
  const pick = (pointer) => {
    const box = svg.getBoundingClientRect();
    const x = ((pointer.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const distances = rows.map((row) => Math.abs(row.dataset.x - x));
    show(distances.indexOf(Math.min(...distances)));
  };
  svg.addEventListener("pointermove", pick);
  svg.addEventListener("pointerdown", pick);
  return (day) => {
    const index = rows.findIndex((row) => row.cells[0].textContent === day);
    if (index >= 0) show(index);
  };
};

const readChart = (figure, day) => {
  if (!figure.querySelector(".reader")) return;
  served.set(figure, figure.outerHTML);
  reading(figure)(day);
};

document.querySelectorAll(".chart").forEach((figure) => readChart(figure));

// A text that is not saved is not lost without a question

const unsavedForms = [...document.querySelectorAll("form[data-unsaved]")];
const isUnsaved = (form) =>
  [...form.elements].some((field) => field.type !== "hidden" && field.value !== (field.defaultValue ?? field.value));
let submitting = false;

for (const form of unsavedForms) {
  form.addEventListener("submit", () => (submitting = true));
  form.addEventListener("keydown", (key) => {
    if (key.key === "Enter" && (key.ctrlKey || key.metaKey)) form.requestSubmit();
  });
}
addEventListener("beforeunload", (event) => {
  if (!submitting && unsavedForms.some(isUnsaved)) event.preventDefault();
});
