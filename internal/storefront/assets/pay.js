// The pay page, live: asks every 2 s whether the order was paid, counts down,
// and moves on to the order. Everything works without it, by reloading.

const page = document.querySelector("[data-pay]");
const text = page.querySelector("[data-pay-text]");
const clock = page.querySelector("[data-countdown]");
const pause = 2000;
const longPause = 6000;

// The server tells how many seconds are left, so a wrong clock here is no
// matter.
let ends = performance.now() + Number(clock.dataset.countdown) * 1000;
let leaving = false;

function tick() {
  const left = Math.max(0, Math.round((ends - performance.now()) / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor(left / 60) % 60;
  clock.textContent = (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(left % 60)}`;
}

function tell(message) {
  if (text.textContent !== message) text.textContent = message;
}

// The fragment lets the order page show the goods at once: the buyer comes
// from paying.
function leave(answer) {
  leaving = true;
  const arrived = answer.status === "delivered" || answer.status === "completed" || answer.status === "paid";
  tell(arrived ? page.dataset.paid : page.dataset.over);
  location.replace(answer.next + (arrived ? "#goods" : ""));
}

async function ask() {
  const response = await fetch(page.dataset.status, { cache: "no-store", headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  const answer = await response.json();
  ends = performance.now() + answer.expires_in * 1000;
  if (!answer.waiting) return leave(answer);
  tell(page.dataset.waiting);
}

async function loop() {
  let wait = pause;
  if (!document.hidden) {
    try {
      await ask();
    } catch {
      tell(page.dataset.again);
      wait = longPause;
    }
  }
  if (!leaving) setTimeout(loop, wait);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !leaving) ask().catch(() => {});
});
clock.hidden = false;
tick();
setInterval(tick, 1000);
setTimeout(loop, pause);
