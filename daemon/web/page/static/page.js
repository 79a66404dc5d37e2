// Keeps the page up to date, and opens a note's form in its row. Everything here is a comfort: without it the page
// reads and edits all the same. Markup comes from our own server, escaped there; nothing is put together from text here.

const QUIET_MS = 120;
const BETWEEN_MS = 600;
const SLOW_MS = 60_000;
const AGAIN_MS = 5_000;

const part = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const text = await answer.text();
  return answer.ok ? new DOMParser().parseFromString(text, "text/html") : null;
};

// -- what is live -----------------------------------------------------------------------------------------------

const live = document.querySelector("[data-stream]");
const feed = document.getElementById("feed");
const link = document.getElementById("link");

const mergeFeed = (fresh) => {
  const wanted = [...fresh.children];
  const ids = new Set(wanted.map((item) => item.id));
  for (const item of [...feed.children]) if (!ids.has(item.id)) item.remove();
  wanted.forEach((item, place) => {
    const known = document.getElementById(item.id);
    if (known) {
      known.querySelector("time").replaceWith(item.querySelector("time"));
    } else {
      item.classList.add("new");
      feed.insertBefore(item, feed.children[place] ?? null);
    }
  });
};

// Another day has its own row, and yesterday's is no longer the running one; but nothing goes from under a form.
const turnDay = () => document.querySelector("form textarea") || location.reload();

const refresh = async () => {
  const fresh = await part(live.dataset.liveAddress);
  if (!fresh) throw new Error("the page could not be made");
  if (fresh.getElementById("today").textContent !== document.getElementById("today").textContent) return turnDay();
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    const isBusy = old.contains(document.activeElement) || old.querySelector("form");
    if (next && next.outerHTML !== old.outerHTML && !isBusy) old.replaceWith(next);
  }
  mergeFeed(fresh.getElementById("feed"));
};

let due = null;
let busy = false;
let last = -BETWEEN_MS;
const soon = () => {
  due ??= setTimeout(async () => {
    due = null;
    if (busy) return soon();
    busy = true;
    last = performance.now();
    try {
      await refresh();
      say(stream.readyState === EventSource.OPEN);
    } catch {
      growOld();
      setTimeout(soon, AGAIN_MS);
    } finally {
      busy = false;
    }
  }, Math.max(QUIET_MS, last + BETWEEN_MS - performance.now()));
};

const say = (isOn) => {
  link.classList.toggle("on", isOn);
  link.textContent = isOn ? link.dataset.liveWord : link.dataset.waitingWord;
};

// Nobody may take old numbers for new ones, nor "all is well" for what is known now.
const growOld = () => {
  const pill = document.getElementById("pill");
  pill.classList.replace("well", "unwell");
  pill.textContent = live.dataset.oldWord;
  say(false);
};

let stream = null;
if (live) {
  const listen = () => {
    stream = new EventSource(live.dataset.stream);
    stream.addEventListener("open", () => (say(true), soon()));
    stream.addEventListener("error", () => {
      say(false);
      soon();
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
    for (const kind of ["business_event", "withdrawn", "reset"]) stream.addEventListener(kind, soon);
  };
  say(false);
  listen();
  setInterval(() => document.hidden || soon(), SLOW_MS);
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (shown) => shown.persisted && listen());
}

// -- a note's form in its row -----------------------------------------------------------------------------------

const open = async (edit) => {
  const cell = edit.closest("td");
  const form = (await part(edit.href))?.getElementById("note-form");
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
