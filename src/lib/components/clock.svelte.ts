/**
 * The server's time, ticking each second in the browser. Starts from the `now` of the page's data: the browser's own
 * clock may be wrong, and "checked 3 min ago" must not depend on it.
 */
export class ServerClock {
  #nowMs = $state(0);
  #offsetMs = 0;

  constructor(now: Date) {
    this.sync(now);
  }
  get nowMs(): number {
    return this.#nowMs;
  }
  sync(now: Date): void {
    this.#offsetMs = now.getTime() - Date.now();
    this.#nowMs = now.getTime();
  }
  tick(): void {
    this.#nowMs = Date.now() + this.#offsetMs;
  }
}
