// Resumable uploads (tus 1.0.0): pieces with a checksum, continued from wherever the server's offset stands.
const PIECE = 4 * 1024 * 1024;
const VERSION = { "Tus-Resumable": "1.0.0" };
const FINAL = new Set([400, 401, 403, 413, 415, 422]);
const TOO_MANY = 429;
const GONE = new Set([404, 410]);
const LONGEST_WAIT = 30;

export class Refused extends Error {
  // code: the stable name of the reason, for which the page has words in the person's language
  constructor(status, { code = "", detail = "" }) {
    super(detail);
    Object.assign(this, { status, code });
  }
}

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const words = (text) => base64(new TextEncoder().encode(text));

// fetch cannot tell how much of a body has gone out; XMLHttpRequest can.
const send = (method, url, headers, body, onSent, signal) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open(method, url);
  for (const [name, value] of Object.entries({ ...VERSION, ...headers })) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => onSent(event.loaded);
  request.onload = () => resolve(request);
  request.onerror = () => reject(new Error("connection"));
  request.ontimeout = request.onerror;
  request.onabort = () => reject(new DOMException("aborted", "AbortError"));
  request.timeout = 120_000;
  signal.addEventListener("abort", () => request.abort(), { once: true });
  request.send(body);
});

const problemOf = (request) => {
  try {
    const { type, detail } = JSON.parse(request.responseText);
    return { code: type.split(":").at(-1), detail };
  } catch { return { detail: request.statusText }; }
};

const answered = (request) => {
  if (FINAL.has(request.status)) throw new Refused(request.status, problemOf(request));
  if (request.status >= 300) throw new Error(`status ${request.status}`);
  return request;
};

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(done, seconds * 1000);
  function done() {
    clearTimeout(timer);
    removeEventListener("online", done);
    resolve();
  }
  addEventListener("online", done);
  signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")), { once: true });
});

const remembered = (file) => `konullu-upload:${file.name}:${file.size}:${file.lastModified}`;

export class Upload {
  // on: {progress(sent), waiting(seconds), going()}; headers: the CSRF token
  constructor(file, { endpoint, headers, on }) {
    Object.assign(this, { file, endpoint: new URL(endpoint, location.href), headers, on, url: null, offset: 0 });
    this.stopper = new AbortController();
  }

  get id() { return new URL(this.url).pathname.split("/").at(-1); }

  // Resolves with the upload's id, however often the connection drops. Rejects with Refused when trying again cannot help.
  async run() {
    this.url = localStorage.getItem(remembered(this.file));
    let wait = 1;
    let known = this.url !== null;
    for (;;) {
      try {
        if (known) await this.#find();
        if (this.url === null) await this.#create();
        known = true;
        while (this.offset < this.file.size) {
          await this.#piece();
          wait = 1;
        }
        localStorage.removeItem(remembered(this.file));
        return this.id;
      } catch (error) {
        if (error instanceof Refused || error.name === "AbortError") {
          localStorage.removeItem(remembered(this.file));
          throw error;
        }
        this.on.waiting(wait);
        await pause(wait, this.stopper.signal);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  // What the server made of the whole file: nothing while it is still being checked for too long.
  async verdict(seconds) {
    for (let second = 0; second < seconds; second += 1) {
      const answer = await fetch(this.url, { headers: this.headers, signal: this.stopper.signal }).catch(() => null);
      const known = answer?.ok ? await answer.json() : {};
      if (known.state === "clean") return known;
      if (known.refusal) throw new Refused(422, known.refusal);
      await pause(1, this.stopper.signal);
    }
    return null;
  }

  // Stop, and let the server forget what it has.
  async cancel() {
    this.stopper.abort();
    localStorage.removeItem(remembered(this.file));
    if (this.url === null) return;
    await fetch(this.url, { method: "DELETE", headers: { ...VERSION, ...this.headers } }).catch(() => undefined);
  }

  async #create() {
    const metadata = `filetype ${words(this.file.type || "application/octet-stream")}`;
    const request = await send(
      "POST", this.endpoint, { ...this.headers, "Upload-Length": this.file.size, "Upload-Metadata": metadata }, null,
      () => undefined, this.stopper.signal,
    );
    if (request.status === TOO_MANY) throw new Refused(TOO_MANY, problemOf(request));
    answered(request);
    this.url = new URL(request.getResponseHeader("Location"), request.responseURL || this.endpoint).href;
    this.offset = 0;
    localStorage.setItem(remembered(this.file), this.url);
  }

  async #find() {
    const answer = await fetch(this.url, { method: "HEAD", headers: { ...VERSION, ...this.headers }, signal: this.stopper.signal });
    if (GONE.has(answer.status) || answer.status === 403) { this.url = null; return; }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    this.offset = Number(answer.headers.get("Upload-Offset"));
    this.on.going();
    this.on.progress(this.offset);
  }

  async #piece() {
    const piece = await this.file.slice(this.offset, this.offset + PIECE).arrayBuffer();
    const digest = await crypto.subtle.digest("SHA-1", piece);
    const request = answered(await send("PATCH", this.url, {
      ...this.headers,
      "Content-Type": "application/offset+octet-stream",
      "Upload-Offset": this.offset,
      "Upload-Checksum": `sha1 ${base64(digest)}`,
    }, piece, (sent) => this.on.progress(this.offset + Math.min(sent, piece.byteLength)), this.stopper.signal));
    this.offset = Number(request.getResponseHeader("Upload-Offset"));
    this.on.going();
    this.on.progress(this.offset);
  }
}
