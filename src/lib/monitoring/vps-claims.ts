import { partOf, type App } from '../app.ts';

type Claimed = { readonly subscription: { readonly id: string } };

/**
 * Which VPSs this process is working on right now: a sweep and what an admin has asked for must not work on the same one
 * at the same time. Other processes are kept out by the lease.
 */
export class VpsClaims {
  readonly #held = new Map<string, PromiseWithResolvers<void>>();
  /** When each VPS was last given back, by `performance.now()`. */
  readonly #freedAtMs = new Map<string, number>();

  /** Takes the VPS unless somebody has it, or has had it since `sinceMs`: then it has a newer result already. */
  tryClaim(id: string, sinceMs: number): boolean {
    if (this.#held.has(id) || (this.#freedAtMs.get(id) ?? -Infinity) >= sinceMs) return false;
    this.#claim(id);
    return true;
  }

  /** Those of a batch that nobody has, or has had since `sinceMs`; each is noted as it is taken. */
  claimFree<V extends Claimed>(batch: readonly V[], sinceMs: number, note: (id: string) => void): readonly V[] {
    const claimed = batch.filter(({ subscription }) => this.tryClaim(subscription.id, sinceMs));
    for (const { subscription } of claimed) note(subscription.id);
    return claimed;
  }

  isClaimed(id: string): boolean {
    return this.#held.has(id);
  }

  /** Resolves as soon as nobody has it. */
  async whenFree(id: string): Promise<void> {
    for (let held = this.#held.get(id); held; held = this.#held.get(id)) await held.promise;
  }

  /** Takes the VPS as soon as nobody has it. */
  async claimWhenFree(id: string): Promise<void> {
    // Asked in one go with taking it: others wait, too.
    for (let held = this.#held.get(id); held; held = this.#held.get(id)) await held.promise;
    this.#claim(id);
  }

  giveBack(id: string): void {
    const held = this.#held.get(id);
    this.#held.delete(id);
    this.#freedAtMs.set(id, performance.now());
    held?.resolve();
  }

  #claim(id: string): void {
    this.#held.set(id, Promise.withResolvers<void>());
  }
}

export const claimsOf = (app: App): VpsClaims => partOf(app, 'vps claims', () => new VpsClaims());
