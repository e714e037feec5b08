// The order page: shows the goods in place instead of on a page of their own,
// so that reloading never asks to send a form again. Who comes from paying sees
// them at once. The goods are never kept anywhere.

const goods = document.getElementById("goods");
const form = goods?.querySelector("[data-reveal]");

async function show() {
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch(form.action, { method: "POST", cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    const answer = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("goods");
    if (!answer?.querySelector("[data-good]")) throw new Error("no goods");
    goods.replaceChildren(...answer.childNodes);
    goods.dispatchEvent(new CustomEvent("panshi:changed", { bubbles: true }));
    goods.focus({ preventScroll: true });
  } catch {
    form.submit(); // the answer's own page says what is wrong
  }
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  if (location.hash === "#goods") {
    history.replaceState(null, "", location.pathname);
    show();
  }
}
