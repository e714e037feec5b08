// A member of staff: set up by the one-time link as a person is, with an
// authenticator of their own.

import { createHmac } from "node:crypto";

const step = 30_000;
const password = "violet ladder 71 monsoon";

/** The six digits that an authenticator shows for a base32 secret at a moment (RFC 6238). */
export function codeAt(secret, at = Date.now()) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/=+$/, "")].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / step)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const offset = mac[19] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

export class Staff {
  #secret;
  #spent = 0; // the last step whose code was used

  constructor(login, secret, recovery) {
    this.login = login;
    this.password = password;
    this.#secret = secret;
    this.recovery = recovery;
  }

  /** A code that was not used yet; a recovery code while the app shows a used one. */
  code() {
    const now = Math.floor(Date.now() / step);
    if (now > this.#spent) {
      this.#spent = now;
      return codeAt(this.#secret, now * step);
    }
    const code = this.recovery.shift();
    if (!code) throw new Error("no recovery code is left");
    return code;
  }
}

/** Sets a member of staff up through the API that the set-up page uses. */
export async function setUp(shop, login, link) {
  const token = new URL(link).hash.slice(1);
  const begun = await shop.staffApi("/setup", { token });
  const staff = { code: codeAt(begun.secret), login, password, token, handle: begun.handle };
  const done = await shop.staffApi("/setup/complete", staff);
  const made = new Staff(login, begun.secret, done.recovery_codes);
  made.code(); // the code that confirmed the app is spent
  return made;
}
