// Keeps the page up to date and opens the note form inside its row. Optional: without it the page can still be read and
// edited. Markup comes only from our own server, which escapes it; this script builds none from text.

const DEBOUNCE_MS = 120;
const MIN_INTERVAL_MS = 600;
const REFRESH_MS = 60_000;
const RETRY_MS = 5_000;

const fetchPage = async (url) => {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  const text = await response.text();
  return response.ok ? new DOMParser().parseFromString(text, "text/html") : null;
};

// Live updates

const live = document.querySelector("[data-stream]");
const feed = document.getElementById("feed");
const connection = document.getElementById("link");

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

// A new day has a new row and closes yesterday's, so the whole page is reloaded, unless a note is being edited.
const reloadForNewDay = () => document.querySelector("form textarea") || location.reload();

const refresh = async () => {
  const fresh = await fetchPage(live.dataset.liveAddress);
  if (!fresh) throw new Error("the server could not render the page");
  const [shown, current] = [document, fresh].map((page) => page.getElementById("today").textContent);
  if (shown !== current) return reloadForNewDay();
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    const isBusy = old.contains(document.activeElement) || old.querySelector("form");
    if (next && next.outerHTML !== old.outerHTML && !isBusy) old.replaceWith(next);
  }
  mergeFeed(fresh.getElementById("feed"));
};

let timer = null;
let busy = false;
let lastRefresh = -MIN_INTERVAL_MS;
const scheduleRefresh = () => {
  timer ??= setTimeout(async () => {
    timer = null;
    if (busy) return scheduleRefresh();
    busy = true;
    lastRefresh = performance.now();
    try {
      await refresh();
      showConnection(stream.readyState === EventSource.OPEN);
    } catch {
      markOutdated();
      setTimeout(scheduleRefresh, RETRY_MS);
    } finally {
      busy = false;
    }
  }, Math.max(DEBOUNCE_MS, lastRefresh + MIN_INTERVAL_MS - performance.now()));
};

const showConnection = (isOn) => {
  connection.classList.toggle("on", isOn);
  connection.textContent = isOn ? connection.dataset.connectedText : connection.dataset.waitingText;
};

// Outdated numbers and an outdated "all is well" must be recognizable.
const markOutdated = () => {
  const pill = document.getElementById("pill");
  pill.classList.replace("well", "unwell");
  pill.textContent = live.dataset.outdatedText;
  showConnection(false);
};

let stream = null;
if (live) {
  const listen = () => {
    stream = new EventSource(live.dataset.stream);
    stream.addEventListener("open", () => (showConnection(true), scheduleRefresh()));
    stream.addEventListener("error", () => {
      showConnection(false);
      scheduleRefresh();
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
    for (const kind of ["business_event", "withdrawn", "reset"]) stream.addEventListener(kind, scheduleRefresh);
  };
  showConnection(false);
  listen();
  setInterval(() => document.hidden || scheduleRefresh(), REFRESH_MS);
  document.addEventListener("visibilitychange", () => document.hidden || scheduleRefresh());
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
}

// Note form inside a row

const open = async (edit) => {
  const cell = edit.closest("td");
  const form = (await fetchPage(edit.href))?.getElementById("note-form");
  if (!form) return location.assign(edit.href);
  closeForms();
  cell.classList.add("editing");
  cell.append(form);
  const text = form.querySelector("textarea");
  text.focus();
  text.setSelectionRange(text.value.length, text.value.length);
  form.addEventListener("keydown", (key) => {
    if (key.key === "Escape") closeForms();
    if (key.key === "Enter" && (key.ctrlKey || key.metaKey)) form.requestSubmit();
  });
  form.querySelector(".cancel").addEventListener("click", (click) => (click.preventDefault(), closeForms()));
};

const closeForms = () => {
  const form = document.querySelector("td .note-form");
  if (!form) return;
  const cell = form.closest("td");
  form.remove();
  cell.classList.remove("editing");
  cell.querySelector("[data-edit]").focus();
};

document.addEventListener("click", (click) => {
  const edit = click.target.closest("[data-edit]");
  if (!edit || click.ctrlKey || click.metaKey || click.shiftKey) return;
  click.preventDefault();
  open(edit);
});
