// A shop of its own for one test file: the real binary with the demo data and
// the payment sandbox, in a new directory, on free ports of loopback.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const readyWithin = 30_000;
const stopWithin = 20_000;

/**
 * Fills a demo shop and serves it.
 * @param {{set?: string[]}} [options] set: "key=value" settings for serve
 * @returns {Promise<Shop>} once buyers can buy
 */
export async function startShop({ set = [] } = {}) {
  const binary = process.env.PANSHI_BIN;
  if (!binary) throw new Error("PANSHI_BIN is not set: run `make test-browser`");
  const dir = await mkdtemp(path.join(tmpdir(), "panshi-browser-"));
  const data = path.join(dir, "shop");
  try {
    await run(binary, ["demo", "--data", data]);
    const [http, console, sandbox] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`);
    const settings = set.flatMap((pair) => ["--set", pair]);
    const args = ["serve", "--data", data, "--http", http, "--console", console, "--sandbox", sandbox, ...settings];
    const shop = new Shop(dir, data, start(binary, args), { http, console, sandbox });
    await shop.ready();
    return shop;
  } catch (fault) {
    await rm(dir, { recursive: true, force: true });
    throw fault;
  }
}

class Shop {
  #dir;
  #data;
  #server;

  constructor(dir, data, server, { http, console, sandbox }) {
    this.#dir = dir;
    this.#data = data;
    this.#server = server;
    this.url = `http://${http}`;
    this.console = `http://${console}`;
    this.sandbox = `http://${sandbox}`;
    this.port = Number(http.split(":")[1]);
  }

  /** Everything that the server has printed. */
  get log() {
    return this.#server.output();
  }

  async ready() {
    const end = Date.now() + readyWithin;
    for (const url of [`${this.url}/readyz`, `${this.sandbox}/healthz`]) {
      while (!(await answers(url))) {
        if (this.#server.ended() || Date.now() > end) {
          await this.#server.kill();
          throw new Error(`the shop did not come up; it printed:\n${this.log}`);
        }
        await sleep(50);
      }
    }
  }

  /**
   * Ends the server as an operator would and removes its data.
   * @returns {Promise<number>} its exit code
   */
  async stop() {
    try {
      return await this.#server.end(stopWithin);
    } finally {
      await rm(this.#dir, { recursive: true, force: true });
    }
  }

  /** Runs a command of the program on this shop, with input as its standard input. */
  command(args, input) {
    return run(process.env.PANSHI_BIN, [...args, "--data", this.#data], input);
  }

  /** Asks the shop's JSON API; the answer must be 2xx. */
  async api(pathname, { body, token, lang = "en", host } = {}) {
    const headers = { "Accept-Language": lang };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (host) headers.Host = host;
    if (body) Object.assign(headers, { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() });
    return json(`${this.url}/api/v1${pathname}`, { method: body ? "POST" : "GET", headers, body });
  }

  /** Asks the console's API, with the token of a sign-in in mode bearer or without one; the answer must be 2xx. */
  staffApi(pathname, body, token) {
    const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    return json(`${this.console}/console/api/v1${pathname}`, { method: body ? "POST" : "GET", headers, body });
  }

  /** The one-time link of the first shop's owner. */
  async setupLink() {
    const printed = await this.command(["setup-link", "--json"]);
    return JSON.parse(printed).url;
  }

  /** Every product on the shelves, with its SKUs. */
  async products() {
    const items = [];
    let cursor = "";
    do {
      const page = await this.api(`/products?limit=50&cursor=${encodeURIComponent(cursor)}`);
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
    return items;
  }

  product(id, lang = "en") {
    return this.api(`/products/${id}`, { lang });
  }

  /** Pays at the sandbox as a buyer's phone would. */
  pay(paymentNo) {
    return json(`${this.sandbox}/simulate/pay`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: { out_trade_no: paymentNo },
    });
  }

  /** Replaces what the payment platform does wrong; {} makes it well again. */
  faults(wanted) {
    return json(`${this.sandbox}/simulate/faults`, {
      method: "PUT", headers: { "Content-Type": "application/json" }, body: wanted,
    });
  }
}

async function json(url, { method, headers, body }) {
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function listen() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

// start spawns a program and keeps what it prints. It is killed with the test
// process, whatever ends that.
function start(binary, args, input = "") {
  const child = spawn(binary, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}).end(input); // who ends early did not want it
  const printed = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => printed.push(chunk));
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const closed = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      resolve(code ?? signal);
    });
  });
  closed.catch(() => {}); // whoever waits for it is told
  return {
    closed,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    output: () => Buffer.concat(printed).toString(),
    kill: () => (kill(), closed),
    end: (within) => {
      child.kill("SIGTERM");
      const late = setTimeout(kill, within);
      return closed.finally(() => clearTimeout(late));
    },
  };
}

async function run(binary, args, input) {
  const program = start(binary, args, input);
  const code = await program.closed;
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}:\n${program.output()}`);
  return program.output();
}
