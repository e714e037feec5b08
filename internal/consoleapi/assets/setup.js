// The set-up link's token stands behind the #: browsers send it to nobody. It
// leaves the address bar at once, so that the history does not keep it.
const page = document.getElementById("setup");
const form = document.getElementById("form");
const message = document.getElementById("message");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

function say(text) {
  message.textContent = text;
  message.hidden = text === "";
}

async function send(path, body) {
  const answer = await fetch("/console/api/v1/setup" + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const data = await answer.json();
  if (answer.ok) return data;
  const fields = (data.errors || []).map((e) => e.detail);
  throw new Error(fields.length > 0 ? [...new Set(fields)].join(" ") : data.detail);
}

async function begin() {
  const e = await send("", { token });
  document.getElementById("qr").src = e.qr;
  document.getElementById("secret").textContent = e.secret;
  document.getElementById("otpauth").href = e.otpauth_url;
  form.hidden = false;
  return e.handle;
}

function finish(done) {
  form.remove();
  const list = document.getElementById("codes");
  for (const code of done.recovery_codes) {
    const item = document.createElement("li");
    item.textContent = code;
    list.append(item);
  }
  document.getElementById("done").hidden = false;
}

function explain(error) {
  say(error instanceof TypeError || error instanceof SyntaxError ? page.dataset.failed : error.message);
}

async function start() {
  if (token === "") {
    say(page.dataset.noToken);
    return;
  }
  const handle = await begin();
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say("");
    const { login, password, code } = Object.fromEntries(new FormData(form));
    try {
      finish(await send("/complete", { token, handle, login, password, code }));
    } catch (error) {
      explain(error);
      button.disabled = false;
    }
  });
}

start().catch(explain);
