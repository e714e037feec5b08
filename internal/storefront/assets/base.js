// What every page gains from scripts: copy buttons and local times. Pages say
// all that these need in data attributes; there is no text in here.

const live = document.getElementById("live");
const feedbackTime = 2000;

function say(text) {
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}

function select(nodes) {
  const range = document.createRange();
  range.setStartBefore(nodes[0]);
  range.setEndAfter(nodes[nodes.length - 1]);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// Without https there is no clipboard object, so the old command is the second
// way. It copies what is selected, which for one element is its text.
async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "sr";
  document.body.append(box);
  box.select();
  try {
    return document.execCommand("copy");
  } finally {
    box.remove();
  }
}

const labels = new WeakMap(); // a button's own content while it says "copied"
const timers = new WeakMap();

function flash(button, text) {
  if (!labels.has(button)) labels.set(button, [...button.childNodes]);
  button.textContent = text;
  clearTimeout(timers.get(button));
  timers.set(button, setTimeout(() => button.replaceChildren(...labels.get(button)), feedbackTime));
}

async function copy(button) {
  const nodes = [...document.querySelectorAll(button.dataset.copy)];
  if (nodes.length === 0) return;
  const done = await copyText(nodes.map((n) => n.textContent).join("\n")).catch(() => false);
  if (done) {
    flash(button, document.body.dataset.copied);
    say(document.body.dataset.copied);
  } else {
    button.focus();
    select(nodes);
    say(document.body.dataset.copyFailed);
  }
}

// enhance prepares a part of the page; order.js calls it through the event
// below for what it brings in later.
function enhance(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  const lang = document.documentElement.lang;
  const full = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
  const short = new Intl.DateTimeFormat(lang, {
    month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", // "PM" would not fit on a phone
  });
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = (time.dataset.local === "short" ? short : full).format(new Date(time.dateTime));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("panshi:changed", (event) => enhance(event.target));
enhance(document);
